/**
 * One life of a daemon with one call that fails, and what it left: two small torrents come from a seed on loopback, one
 * of them is removed with its files, the daemon is stopped. Then it is judged, and the same home starts without a fault.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { encode } from '../../shared/torrent/bencode.js'
import { Daemon, type Ended, makeHome } from '../support/daemon.js'
import { fastDaemon } from '../support/fast-daemon.js'
import { httpTracker, reply } from '../support/fake-tracker.js'
import { type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { type Claim, piecesOnDisk, readClaims } from '../support/proof/claims.js'
import { slowSeeder } from '../support/slow-seeder.js'

const KIB = 1024
/** Bytes a second: not what takes the time. */
const RATE = 64 * 1024 * KIB
/** Milliseconds for a torrent to come or to be blocked, where the daemon has not died. */
const COMES = 8000
/** Milliseconds for names and deletions after that, which follow the last commit. */
const SETTLES = 700
/** Milliseconds to end after SIGTERM. */
const STOPS = 8000
/** Milliseconds to become whole without a fault. */
const RECOVERS = 30_000
/** Milliseconds that strace may take to write its last line after the daemon has ended. */
const LAST_LINE = 3000

interface Seeded {
  readonly made: MadeTorrent
  readonly payload: Buffer
  readonly metainfo: string
}

/** What every run downloads. */
export interface Scene {
  /** Eight pieces that reach over the files of a tree. */
  readonly kept: Seeded
  /** Two pieces; removed again with its file. */
  readonly removed: Seeded
  /** A home whose daemon has run and ended. */
  readonly home: string
  /** The program of the daemon, which starts fast. */
  readonly entry: string
  close(): void
}

/** A fault for the nth call of each thread that touches one of our paths. */
export interface Injection {
  /** As strace takes them, with commas. */
  readonly calls: string
  /** What else fails, and each time, as strace takes it behind `inject=`; null: nothing. */
  readonly always: string | null
  /** Behind `inject=CALLS:`. */
  readonly fault: string
  readonly n: number
}

/** What one run found. */
export interface Outcome {
  /** Whether the fault struck at all. */
  readonly injected: boolean
  /** Calls that were watched, by name: how many the thread made that made most. */
  readonly calls: ReadonlyMap<string, number>
  /** Claims that are not so, one sentence each. */
  readonly claims: readonly string[]
  /** What did not come back, one sentence each. */
  readonly recovery: readonly string[]
  /** The daemon ended by itself, by an error and not by a kill. */
  readonly ended: boolean
}

const TREE = [
  { path: 'one.bin', length: 100_000 },
  { path: 'a/two.bin', length: 180_001 },
  { path: 'a/empty', length: 0 },
  { path: 'a/b/three.bin', length: 200_003 },
  { path: 'a/b/four.bin', length: 8 * 64 * KIB - 480_004 },
]

export async function makeScene(dir: string): Promise<Scene> {
  mkdirSync(dir, { recursive: true })
  const closing: (() => void)[] = []
  const seeded = async (name: string, content: Parameters<typeof makeTorrent>[1]['content']) => {
    let port = 0
    const tracker = await httpTracker((socket) => {
      const peers = Buffer.from([127, 0, 0, 1, port >> 8, port & 255])
      reply(socket, Buffer.from(encode({ interval: 1800, peers })))
    })
    const trackers = [[`http://127.0.0.1:${String(tracker.port)}/announce`]]
    const made = makeTorrent(join(dir, name), { name, content, pieceLength: 64 * KIB, trackers })
    const seeder = await slowSeeder({ torrent: made, rate: RATE })
    port = seeder.port
    closing.push(() => {
      seeder.close()
      tracker.close()
    })
    const payload = Buffer.concat(made.files.map(({ path }) => readFileSync(join(made.dir, path))))
    return { made, payload, metainfo: readFileSync(made.file).toString('base64') }
  }
  const kept = await seeded('kept', TREE)
  const removed = await seeded('removed.bin', 2 * 64 * KIB)
  const home = makeHome(join(dir, 'home'))
  const entry = await fastDaemon(join(dir, 'program'))
  await (await Daemon.start({ home, entry })).stop()
  const close = (): void => {
    for (const end of closing) end()
  }
  return { kept, removed, home, entry, close }
}

/**
 * `birth`: a new home, whose database is made; nothing else. `life`: a home that has its database, two torrents
 * that come, one that goes.
 */
export type Chapter = 'birth' | 'life'

export interface RunInit {
  readonly scene: Scene
  readonly chapter: Chapter
  /** Null: nothing fails. */
  readonly injection: Injection | null
  /** A new folder, gone afterwards; short, for a socket lies in it. */
  readonly dir: string
}

export async function runScene(init: RunInit): Promise<Outcome> {
  mkdirSync(init.dir, { recursive: true })
  const run = new Run(init)
  try {
    return await run.whole()
  } finally {
    await run.end()
    rmSync(init.dir, { recursive: true, force: true })
  }
}

class Run {
  readonly #scene: Scene
  readonly #chapter: Chapter
  readonly #injection: Injection | null
  readonly #home: string
  readonly #down: string
  readonly #trace: string
  /** The one that runs, if any. */
  #daemon: Daemon | null = null
  /** Ids by info hash of what was answered to be added. */
  readonly #added = new Map<string, number>()
  /** Whether the removal was asked, and whether it was answered as done. */
  #asked = false
  #removed = false
  /** What it said, and how it ended, where it did not start. */
  #refused: string | null = null

  constructor({ scene, chapter, injection, dir }: RunInit) {
    this.#scene = scene
    this.#chapter = chapter
    this.#injection = injection
    this.#home = join(dir, 'h')
    if (chapter === 'birth') makeHome(this.#home)
    else cpSync(scene.home, this.#home, { recursive: true })
    this.#down = join(dir, 'down')
    this.#trace = join(dir, 'trace')
  }

  async whole(): Promise<Outcome> {
    const ended = await this.#underFault()
    const trace = await this.#traced()
    const injected = ended.signal === 'SIGKILL' || struck(trace, this.#injection)
    const claims = this.#judgeClaims()
    const recovery = ended.code === null && ended.signal === null ? ['it did not stop when told to'] : []
    recovery.push(...(await this.#recover().catch((error: unknown) => [String(error)])))
    return {
      injected,
      calls: countedIn(trace),
      claims,
      recovery,
      ended: ended.signal === null && ended.code !== 0,
    }
  }

  async end(): Promise<void> {
    await this.#daemon?.kill9().catch(() => undefined)
  }

  /** From its start to its end. One that did not end when told to has neither code nor signal. */
  async #underFault(): Promise<Ended> {
    const under = this.#injection === null ? [] : underStrace(this.#injection, this.#paths(), this.#trace)
    try {
      this.#daemon = await Daemon.start({ home: this.#home, under, entry: this.#scene.entry })
    } catch (error) {
      // It said no, or was killed; a supervisor would start it again.
      this.#refused = String(error)
      return { code: 1, signal: null }
    }
    const daemon = this.#daemon
    if (this.#chapter === 'life')
      await Promise.race([daemon.ended, this.#work(daemon).catch(() => undefined)])
    const given = delay(STOPS).then((): Ended => ({ code: null, signal: null }))
    const ended = await Promise.race([daemon.stop(), given])
    if (ended.code === null && ended.signal === null) await daemon.kill9()
    this.#daemon = null
    return ended
  }

  async #work(daemon: Daemon): Promise<void> {
    const { kept, removed } = this.#scene
    for (const each of [kept, removed]) await this.#add(daemon, each).catch(() => undefined)
    for (const id of this.#added.values()) {
      const over = daemon.until(id, ({ state }) => state === 'seeding' || state === 'blocked', COMES)
      await over.catch(() => undefined)
    }
    const id = this.#added.get(removed.made.infoHash)
    if (id !== undefined) {
      this.#asked = true
      const { results } = await daemon.call('torrent.remove', { ids: [id], data: true, now: true })
      this.#removed = results[0]?.ok === true
    }
    const end = performance.now() + SETTLES
    while (performance.now() < end && !this.#settled()) await delay(10)
  }

  async #add(daemon: Daemon, { made, metainfo }: Seeded): Promise<void> {
    const { id } = await daemon.call('torrent.add', { metainfo, dir: this.#down })
    this.#added.set(made.infoHash, id)
  }

  #settled(): boolean {
    const { kept, removed } = this.#scene
    const named = kept.made.files.every(({ path }) => existsSync(join(this.#down, path)))
    return named && !existsSync(join(this.#down, removed.made.name))
  }

  /** Everything whose calls may fail: the database with what lies beside it, the files under both names, the folders. */
  #paths(): string[] {
    const database = ['', '-wal', '-shm', '-journal'].map((end) => join(this.#home, `torrentino.db${end}`))
    const files = [this.#scene.kept, this.#scene.removed].flatMap(({ made }) =>
      made.files.flatMap(({ path }) => [join(this.#down, path), join(this.#down, `${path}.part`)]),
    )
    const folders = new Set(files.map((file) => dirname(file)))
    return [this.#home, join(this.#home, 'torrentino.lock'), ...database, ...folders, ...files]
  }

  /** What strace wrote. It writes its last line after the daemon is gone. */
  async #traced(): Promise<string> {
    const end = performance.now() + LAST_LINE
    let text = ''
    while (this.#injection !== null && performance.now() < end) {
      text = existsSync(this.#trace) ? readFileSync(this.#trace, 'utf8') : ''
      if (text.endsWith('+++\n')) break
      await delay(10)
    }
    return text
  }

  /** What the database says, against the files and against what was answered. */
  #judgeClaims(): string[] {
    const found: string[] = []
    let claims: Claim[] = []
    try {
      claims = readClaims(this.#home)
    } catch (error) {
      // Nothing was claimed of a database that was never ready.
      return this.#refused === null || this.#chapter === 'life' ? [`it cannot be read: ${String(error)}`] : []
    }
    for (const { made, payload } of [this.#scene.kept, this.#scene.removed]) {
      const claim = claims.find(({ infoHash }) => infoHash === made.infoHash)
      const going = made === this.#scene.removed.made && this.#asked
      if (claim === undefined) {
        if (this.#added.has(made.infoHash) && !going) found.push(`${made.name} was added, and is lost`)
        continue
      }
      if (going && this.#removed) found.push(`${made.name} was removed, and is listed`)
      // Its files may go before its rows do: nobody counts on what is being removed.
      if (claim.desired.startsWith('removed')) continue
      const good = piecesOnDisk(made, payload, this.#down)
      const bad = [...claim.pieces].filter((piece) => !good.has(piece))
      if (bad.length > 0) found.push(`${made.name}: claimed and not on the disk: ${bad.join(' ')}`)
    }
    return found
  }

  /** The same home without a fault: it starts, and everything comes to its end. */
  async #recover(): Promise<string[]> {
    const found: string[] = []
    const daemon = await Daemon.start({ home: this.#home, entry: this.#scene.entry })
    this.#daemon = daemon
    if (this.#chapter === 'life') {
      const { kept, removed } = this.#scene
      found.push(...(await this.#listed(daemon)))
      await this.#add(daemon, kept)
      await daemon.seeds(this.#added.get(kept.made.infoHash) ?? 0, RECOVERS)
      const end = performance.now() + SETTLES
      while (performance.now() < end && !this.#settled()) await delay(10)
      found.push(...this.#whole(kept))
      if (this.#removed && existsSync(join(this.#down, removed.made.name)))
        found.push(`the files of ${removed.made.name} are still there`)
    }
    await daemon.kill9()
    this.#daemon = null
    return found
  }

  async #listed(daemon: Daemon): Promise<string[]> {
    const { torrents } = await daemon.call('torrent.list', { fields: ['infoHash'] })
    const known = new Set(torrents.map(({ infoHash }) => infoHash))
    return [this.#scene.kept, this.#scene.removed]
      .filter(({ made }) => this.#added.has(made.infoHash) && !known.has(made.infoHash))
      .filter(({ made }) => made !== this.#scene.removed.made || !this.#asked)
      .map(({ made }) => `${made.name} was added, and is not listed after a new start`)
  }

  #whole({ made, payload }: Seeded): string[] {
    const good = piecesOnDisk(made, payload, this.#down, [''])
    return good.size === made.pieceCount ? [] : [`${made.name} is not whole in the end`]
  }
}

const LINE = /^(\d+) +(?:<\.\.\. )?(\w+)/

/** Whether the fault came, and not only what fails each time. */
function struck(trace: string, injection: Injection | null): boolean {
  const names = injection?.calls.split(',') ?? []
  const failed = trace.split('\n').filter((line) => line.includes('(INJECTED)'))
  return (
    trace.includes('killed by SIGKILL') || failed.some((line) => names.includes(LINE.exec(line)?.[2] ?? ''))
  )
}

function countedIn(trace: string): Map<string, number> {
  const each = new Map<string, number>()
  const most = new Map<string, number>()
  for (const line of trace.split('\n')) {
    const [, thread, name] = LINE.exec(line) ?? []
    if (thread === undefined || name === undefined || line.includes(' resumed>')) continue
    const count = (each.get(`${thread} ${name}`) ?? 0) + 1
    each.set(`${thread} ${name}`, count)
    most.set(name, Math.max(count, most.get(name) ?? 0))
  }
  return most
}

/** The words before the daemon: the fault for the nth call of each thread on these paths. */
function underStrace(
  { calls, always, fault, n }: Injection,
  paths: readonly string[],
  file: string,
): string[] {
  // With --seccomp-bpf, which makes it much faster, strace 6.1 does not send most of its signals.
  const fast = fault.startsWith('signal') ? [] : ['--seccomp-bpf']
  const traced = ['-D', '-f', ...fast, '-q', '-s', '0', '-o', file]
  const also = always === null ? [] : ['-e', `inject=${always}`]
  const all = [calls, ...(always === null ? [] : [always.replace(/:.*/, '')])].join(',')
  const inject = ['-e', `trace=${all}`, '-e', `inject=${calls}:${fault}:when=${String(n)}`, ...also]
  return ['strace', ...traced, ...inject, ...paths.flatMap((path) => ['-P', path])]
}
