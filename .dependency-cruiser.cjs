/**
 * The layers of docs/architecture.md, as rules. An import only points down; a type import counts; no circles.
 *
 *   L0 shared   L1 daemon/base, daemon/ports   L2 daemon/codec   L3 daemon/swarm, tracker, dht, lsd, utp
 *   L4 daemon/io, disk, db   L5 daemon/session   L6 daemon/rpc, gateway   L7 daemon/main.ts, program.ts, bin.ts
 *   ctl -> shared, launchd   launchd -> shared
 */
const room = (...names) => `^daemon/(${names.join('|')})/`

/** May be imported from anywhere. */
const SHARED = '^shared/'
const BASE = room('base', 'ports')
const PACKAGE = '(^|/)node_modules/'

/** One layer: what it may import of this repository. Node's own modules and packages have rules of their own. */
const layer = (name, from, allowed, why) => ({
  name,
  comment: why,
  severity: 'error',
  from: { path: from },
  to: { pathNot: [...allowed, PACKAGE], dependencyTypesNot: ['core', 'npm', 'npm-dev', 'npm-no-pkg'] },
})

const nodeOnly = (name, modules, allowedFrom, why) => ({
  name,
  comment: why,
  severity: 'error',
  from: { path: '^(daemon|shared)/', pathNot: allowedFrom },
  to: { path: `^(node:)?(${modules.join('|')})$`, dependencyTypes: ['core'] },
})

const packageOnly = (name, packages, allowedFrom, why) => ({
  name,
  comment: why,
  severity: 'error',
  from: { path: '^(daemon|shared|ctl|launchd)/', pathNot: allowedFrom },
  to: { path: `node_modules/(${packages.join('|')})/` },
})

module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      comment: 'Two files that need each other are one file, or a third holds what both need. Types count.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-barrels',
      comment: 'No index.ts in daemon/: import the file that answers the question.',
      severity: 'error',
      from: {},
      to: { path: '^daemon/.*/index\\.ts$' },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere fails at run time.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-dev-packages',
      comment: 'What is shipped runs without devDependencies.',
      severity: 'error',
      from: { path: '^(daemon|ctl|shared|launchd)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'type-only'] },
    },
    layer('L0-shared', '^shared/', [SHARED], 'shared/ is below everything: it knows neither daemon nor ctl.'),
    layer('L1-ground', BASE, [SHARED, BASE], 'daemon/base and daemon/ports stand on shared/ alone.'),
    layer(
      'L2-codec',
      room('codec'),
      [SHARED, BASE, room('codec')],
      'A codec turns bytes into values: it imports no brain and no I/O.',
    ),
    layer(
      'L3-swarm',
      room('swarm'),
      [SHARED, BASE, room('codec'), room('swarm')],
      'daemon/swarm is sans-I/O and imports no other brain: what it needs it declares as a port.',
    ),
    layer(
      'L3-tracker',
      room('tracker'),
      [SHARED, BASE, room('codec'), room('tracker')],
      'daemon/tracker is sans-I/O and imports no other brain: what it needs it declares as a port.',
    ),
    layer(
      'L3-dht',
      room('dht', 'utp'),
      [SHARED, BASE, room('codec'), room('dht'), room('utp')],
      'daemon/dht and daemon/utp are sans-I/O: sockets come in through ports.',
    ),
    layer(
      'L3-lsd',
      room('lsd'),
      [SHARED, BASE, room('codec'), room('lsd')],
      'daemon/lsd is sans-I/O and imports no other brain: sockets come in through ports.',
    ),
    layer(
      'L4-implementations',
      room('io', 'disk', 'db'),
      [SHARED, BASE, room('codec'), room('swarm', 'tracker', 'dht', 'lsd', 'utp'), room('io', 'disk', 'db')],
      'daemon/io, disk and db implement ports: they know nothing of session, rpc or main.',
    ),
    {
      name: 'L4-rooms-apart',
      comment: 'daemon/io, disk and db do not import each other: main.ts joins them.',
      severity: 'error',
      from: { path: '^daemon/(io|disk|db)/' },
      to: { path: '^daemon/(io|disk|db)/', pathNot: '^daemon/$1/' },
    },
    layer(
      'L5-session',
      room('session'),
      [SHARED, BASE, room('codec'), room('swarm', 'tracker', 'dht', 'lsd', 'utp'), room('session')],
      'daemon/session never imports daemon/io, disk or db: implementations arrive through constructors.',
    ),
    layer(
      'L6-transports',
      room('rpc', 'gateway'),
      [SHARED, BASE, room('codec', 'session', 'rpc', 'gateway')],
      'daemon/rpc and gateway carry the session facade and look no deeper.',
    ),
    {
      name: 'L7-nobody-imports-main',
      comment: 'daemon/main.ts and the entries are the roots.',
      severity: 'error',
      from: { path: '^(daemon|ctl|shared|launchd)/', pathNot: '^daemon/[^/]+\\.ts$' },
      to: { path: '^daemon/[^/]+\\.ts$' },
    },
    layer(
      'ctl',
      '^ctl/',
      ['^ctl/', '^launchd/', SHARED],
      'ctl is a program of its own: shared and launchd only.',
    ),
    {
      name: 'ctl-starts-without-zod',
      comment: 'The contract brings zod, which triples the start of ctl: import its types, or load it late.',
      severity: 'error',
      from: { path: '^ctl/' },
      to: {
        path: 'node_modules/zod/|^shared/rpc/contract\\.ts$',
        dependencyTypesNot: ['type-only', 'dynamic-import'],
      },
    },
    layer(
      'launchd',
      '^launchd/',
      ['^launchd/', SHARED],
      'launchd/ writes an agent and knows neither program.',
    ),
    {
      name: 'shared-is-pure',
      comment: 'shared/ takes values and gives values: what the machine knows is passed in.',
      severity: 'error',
      from: { path: '^shared/' },
      to: {
        path: '^(node:)?(fs|fs/promises|net|dgram|http|https|tls|dns|dns/promises|child_process|worker_threads|os|process)$',
        dependencyTypes: ['core'],
      },
    },
    nodeOnly(
      'files-in-L4',
      ['fs', 'fs/promises'],
      // The socket's folder, mode and stale file are seen to once, before anyone is served.
      ['^daemon/(io|disk|db)/', '^daemon/[^/]+\\.ts$', '^daemon/rpc/socket-file\\.ts$'],
      'Files are touched in daemon/io, disk and db only: the loop never waits.',
    ),
    nodeOnly(
      'sockets-in-io',
      ['dgram', 'http', 'https', 'tls', 'dns', 'dns/promises'],
      ['^daemon/io/'],
      'Sockets are opened in daemon/io only: the scope of the network is enforced there.',
    ),
    nodeOnly(
      'net-in-io-and-rpc',
      ['net'],
      ['^daemon/io/', '^daemon/rpc/'],
      'node:net lives in daemon/io and rpc.',
    ),
    nodeOnly(
      'threads-in-disk-and-db',
      ['worker_threads'],
      ['^daemon/(io|disk|db|gateway)/'],
      'Threads are started in daemon/disk and db.',
    ),
    packageOnly(
      'sqlite-in-its-thread',
      ['better-sqlite3', '@types/better-sqlite3'],
      ['^daemon/db/sqlite\\.ts$'],
      'SQLite is loaded in one file.',
    ),
    {
      name: 'sqlite-off-the-main-thread',
      comment:
        'SQLite is loaded by its own thread alone: what the main thread imports of daemon/db must not bring it.',
      severity: 'error',
      from: { path: '^daemon/db/store\\.ts$' },
      to: { path: '^daemon/db/sqlite\\.ts$', reachable: true },
    },
    packageOnly('yargs-in-ctl', ['yargs', '@types/yargs'], ['^ctl/'], 'Arguments of people are read in ctl.'),
    packageOnly('zod-in-shared-rpc', ['zod'], ['^shared/rpc/', '^daemon/rpc/'], 'Schemas are declared once.'),
    packageOnly(
      'json-rpc-at-the-ends',
      ['json-rpc-2.0'],
      ['^daemon/rpc/', '^ctl/'],
      'Only the two ends speak it.',
    ),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      conditionNames: ['import', 'types', 'node'],
    },
  },
}
