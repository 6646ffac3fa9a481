/**
 * `npm run bench`: this process looks around (what needs the network), then runs itself again inside namespaces of
 * network and mounts, where all the programs live and with which they vanish.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { aria2 } from './clients/aria2.js'
import type { ClientKind } from './clients/client.js'
import { floor } from './clients/floor.js'
import { libtorrent } from './clients/libtorrent.js'
import { qbittorrent } from './clients/qbittorrent.js'
import { rtorrent } from './clients/rtorrent.js'
import { torrentino } from './clients/torrentino.js'
import { transmission } from './clients/transmission.js'
import { installWebtorrent, webtorrent } from './clients/webtorrent.js'
import { type Options, parseOptions, USAGE, UsageError } from './options.js'
import { REPOSITORY } from './program.js'
import type { Build, Machine } from './results.js'
import { writeReport } from './report/write.js'
import { runAll, say } from './run.js'
import { allScenarios, chosen } from './scenarios/all.js'
import { enterWorld, pathWithSbin, World } from './world.js'

/** What the outer process tells the inner one, in this variable. */
const INSIDE = 'TORRENTINO_BENCH_INSIDE'

/** Scratch folders are called so, with the pid of their runner. */
const PREFIX = 'torrentino-bench-'

interface Inside {
  /** The scratch folder on a disk. */
  readonly root: string
  readonly build: Build
  /** Why webtorrent is not there, or null. */
  readonly webtorrent: string | null
}

function git(...args: string[]): string {
  return spawnSync('git', args, { cwd: REPOSITORY, encoding: 'utf8' }).stdout
}

function buildOf(): Build {
  // The results themselves change with every run.
  const changed = git('status', '--porcelain', '--', '.', ':!docs/benchmarks*')
  return { commit: git('rev-parse', 'HEAD').trim(), dirty: changed.trim() !== '' }
}

function machine(): Machine {
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? ''
  const cpu = cpus()[0]?.model ?? ''
  const { version: node } = process
  return { cpu, cores: availableParallelism(), memory: totalmem(), kernel: release(), system, node }
}

function kindOf(id: Options['clients'][number], inside: Inside): ClientKind {
  switch (id) {
    case 'torrentino':
      return torrentino()
    case 'libtorrent':
    case 'libtorrent-tuned':
      return libtorrent(id)
    case 'qbittorrent':
      return qbittorrent()
    case 'aria2':
      return aria2()
    case 'transmission':
      return transmission()
    case 'rtorrent':
      return rtorrent()
    case 'floor':
      return floor()
    case 'webtorrent':
      return webtorrent(join(inside.root, 'webtorrent'), inside.webtorrent)
  }
}

/** Folders of runs that were killed. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : 0
    if (pid > 0 && !existsSync(`/proc/${pid}`)) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

async function outer(options: Options, words: readonly string[]): Promise<number> {
  const enter = enterWorld()
  if (enter === null) {
    say(
      'This needs namespaces of network and mounts (unshare -n -m): as root, or where anybody may make them.',
    )
    return 1
  }
  sweep()
  const root = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  try {
    const absent = options.clients.includes('webtorrent') ? installWebtorrent(join(root, 'webtorrent')) : null
    const inside: Inside = { root, build: buildOf(), webtorrent: absent }
    const [program = '', ...args] = [
      ...enter,
      ...['setpriv', '--pdeathsig', 'KILL', '--', process.execPath, '--import', 'tsx'],
      join(REPOSITORY, 'test/bench/bench.ts'),
      ...words,
    ]
    const env = { ...process.env, PATH: pathWithSbin(), LC_ALL: 'C.UTF-8', [INSIDE]: JSON.stringify(inside) }
    const child = spawn(program, args, { cwd: REPOSITORY, env, stdio: ['ignore', 'inherit', 'inherit'] })
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
    return await new Promise((done) => child.once('close', (code) => done(code ?? 1)))
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function inner(options: Options, words: readonly string[], inside: Inside): Promise<number> {
  const factor = options.scale * (options.quick ? 1 / 8 : 1)
  const scenarios = chosen(allScenarios({ factor, quick: options.quick }), options.only, options.quick)
  const small = options.quick || options.scale !== 1
  const folder = small ? join(tmpdir(), 'torrentino-bench') : join(REPOSITORY, 'docs')
  const out = options.out ?? join(folder, 'benchmarks.json')
  const kinds = options.clients.map((id) => kindOf(id, inside))
  for (const { info } of kinds) if (info.absent !== null) say(`without ${info.id}: ${info.absent}`)
  const command = ['npm run bench', ...(words.length === 0 ? [] : ['--', ...words])].join(' ')
  const world = new World(inside.root)
  const { build } = inside
  const results = await runAll({ options, out, build, machine: machine(), command, kinds, scenarios }, world)
  await writeReport(results, dirname(out))
  say(`written to ${out} and the page beside it`)
  return 0
}

const words = process.argv.slice(2)
const told = process.env[INSIDE]
try {
  const options = parseOptions(words)
  const end = told === undefined ? outer(options, words) : inner(options, words, JSON.parse(told) as Inside)
  // What a client that had to be given up left open shall not hold the process.
  process.exit(await end)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  say(`${error.message}\n\n${USAGE}`)
  process.exitCode = 2
}
