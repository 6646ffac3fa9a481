import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const repository = resolve(import.meta.dirname, '../..')

/** A file, what it holds, and the rule that must name it; null where it must be let through. */
const cases: readonly (readonly [path: string, text: string, rule: string | null])[] = [
  ['shared/units.ts', 'export type Bytes = number', null],
  [
    'shared/up.ts',
    "import type { Clock } from '../daemon/ports/clock.js'\nexport type A = Clock",
    'L0-shared',
  ],
  ['shared/files.ts', "import 'node:fs'", 'shared-is-pure'],
  ['shared/os.ts', "import 'node:os'", 'shared-is-pure'],
  [
    'daemon/ports/clock.ts',
    "import type { Bytes } from '../../shared/units.js'\nexport type Clock = Bytes",
    null,
  ],
  ['daemon/base/up.ts', "import '../codec/wire.js'", 'L1-ground'],
  ['daemon/codec/wire.ts', 'export {}', null],
  ['daemon/codec/up.ts', "import '../swarm/torrent.js'", 'L2-codec'],
  ['daemon/swarm/torrent.ts', "import '../codec/wire.js'", null],
  ['daemon/swarm/side.ts', "import '../tracker/tiers.js'", 'L3-swarm'],
  ['daemon/tracker/tiers.ts', 'export {}', null],
  ['daemon/tracker/side.ts', "import '../swarm/torrent.js'", 'L3-tracker'],
  ['daemon/dht/up.ts', "import '../io/udp.js'", 'L3-dht'],
  ['daemon/lsd/up.ts', "import '../dht/dht.js'", 'L3-lsd'],
  ['daemon/swarm/files.ts', "import 'node:fs/promises'", 'files-in-L4'],
  ['daemon/io/udp.ts', "import 'node:dgram'\nimport 'node:fs'", null],
  ['daemon/tracker/http.ts', "import 'node:https'", 'sockets-in-io'],
  ['daemon/session/net.ts', "import 'node:net'", 'net-in-io-and-rpc'],
  ['daemon/swarm/thread.ts', "import 'node:worker_threads'", 'threads-in-disk-and-db'],
  ['daemon/disk/up.ts', "import '../session/session.js'", 'L4-implementations'],
  ['daemon/disk/side.ts', "import '../io/udp.js'", 'L4-rooms-apart'],
  ['daemon/session/session.ts', "import '../swarm/torrent.js'", null],
  ['daemon/session/down.ts', "import type { X } from '../db/store.js'\nexport type Y = X", 'L5-session'],
  ['daemon/db/store.ts', 'export type X = 1', null],
  ['daemon/db/sqlite.ts', "import 'better-sqlite3'", null],
  ['daemon/db/other.ts', "import 'better-sqlite3'", 'sqlite-in-its-thread'],
  ['daemon/rpc/server.ts', "import '../session/session.js'\nimport 'node:net'", null],
  ['daemon/rpc/deep.ts', "import '../swarm/torrent.js'", 'L6-transports'],
  ['daemon/main.ts', "import './io/udp.js'\nimport './session/session.js'\nimport './rpc/server.js'", null],
  ['daemon/session/root.ts', "import '../main.js'", 'L7-nobody-imports-main'],
  ['daemon/codec/index.ts', 'export {}', null],
  ['daemon/swarm/barrel.ts', "import '../codec/index.js'", 'no-barrels'],
  ['daemon/base/a.ts', "import type { B } from './b.js'\nexport type A = B", 'no-circles'],
  // A circle is told once, at the file it was entered by.
  ['daemon/base/b.ts', "import type { A } from './a.js'\nexport type B = A", null],
  ['daemon/base/lost.ts', "import './nowhere.js'", 'resolvable'],
  ['daemon/base/dev.ts', "import 'fast-check'", 'no-dev-packages'],
  ['daemon/session/args.ts', "import 'yargs'", 'yargs-in-ctl'],
  ['daemon/session/schema.ts', "import 'zod'", 'zod-in-shared-rpc'],
  ['daemon/session/rpc.ts', "import 'json-rpc-2.0'", 'json-rpc-at-the-ends'],
  ['shared/rpc/contract.ts', "import { z } from 'zod'\nexport const a = z", null],
  ['ctl/client.ts', "import type { a } from '../shared/rpc/contract.js'\nexport type A = typeof a", null],
  ['ctl/late.ts', "export const load = () => import('../shared/rpc/contract.js')", null],
  ['ctl/eager.ts', "import '../shared/rpc/contract.js'", 'ctl-starts-without-zod'],
  ['ctl/up.ts', "import '../daemon/codec/wire.js'", 'ctl'],
  ['ctl/service.ts', "import '../launchd/service.js'\nimport 'node:fs'\nimport 'yargs'", null],
  ['launchd/service.ts', "import '../shared/units.js'", null],
  ['launchd/up.ts', "import '../ctl/client.js'", 'launchd'],
]

describe('the rules of the layers', () => {
  let root = ''
  /** 'file rule' of each violation found. */
  let found = new Set<string>()

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'torrentino-layers-'))
    for (const [path, text] of cases) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), `${text}\n`)
    }
    for (const name of ['node_modules', 'package.json', 'tsconfig.json', '.dependency-cruiser.cjs'])
      symlinkSync(join(repository, name), join(root, name))
    found = violations(root)
  })

  afterAll(() => {
    rmSync(root, { recursive: true, force: true })
  })

  it.each(cases)('%s (%j): %s', (path, _, rule) => {
    const rules = [...found].filter((line) => line.startsWith(`${path} `)).map((line) => line.split(' ')[1])
    if (rule === null) expect(rules).toEqual([])
    else expect(rules).toContain(rule)
  })
})

function violations(root: string): Set<string> {
  const bin = join(repository, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const rooms = ['daemon', 'ctl', 'shared', 'launchd']
  const args = [bin, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...rooms]
  const ran = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 })
  if (ran.stderr !== '') throw new Error(ran.stderr)
  const report = JSON.parse(ran.stdout) as {
    summary: { violations: { from: string; rule: { name: string } }[] }
  }
  return new Set(report.summary.violations.map(({ from, rule }) => `${from} ${rule.name}`))
}
