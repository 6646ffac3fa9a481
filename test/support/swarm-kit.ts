/** Whole daemons but for sockets, files and SQLite: real sessions and torrents on one virtual clock. */
import { createHash } from 'node:crypto'
import { type PeerAddress, makeAddress } from '../../daemon/base/address.js'
import { Limiter } from '../../daemon/base/limiter.js'
import type { Cancel, Clock } from '../../daemon/ports/clock.js'
import type { NewTorrent } from '../../daemon/ports/store.js'
import { Adder } from '../../daemon/session/add.js'
import type { Goals } from '../../daemon/session/goals.js'
import { Session } from '../../daemon/session/session.js'
import type { QueueLimits } from '../../daemon/swarm/queue.js'
import type { Torrent } from '../../daemon/swarm/torrent.js'
import type { Need, TrackerAsks } from '../../daemon/swarm/tracker-port.js'
import { encode } from '../../shared/torrent/bencode.js'
import { type Metainfo, parseMetainfo } from '../../shared/torrent/metainfo.js'
import type { FileIndex, InfoHashV1, Millis, SwarmKey, TorrentId } from '../../shared/units.js'
import { FakeClock } from './fake-clock.js'
import { FakeDisk } from './fake-disk.js'
import { FakeLog } from './fake-log.js'
import { FakeRandom } from './fake-random.js'
import { FakeStore } from './fake-store.js'
import { fakeWatch } from './fake-watch.js'
import { LateStore } from './late-store.js'
import { FakeNetwork, type FakeLineInit } from './fake-transport.js'
import { pseudoRandom } from './make-torrent.js'

export interface SourceFile {
  readonly path: string
  readonly length: number
  /** BEP 47. */
  readonly pad?: boolean
}

/** A torrent and what it describes. */
export interface Source {
  readonly meta: Metainfo
  readonly torrent: Uint8Array
  /** All pieces in a row, pads as zeros. */
  readonly whole: Buffer
  readonly key: SwarmKey
  /** Content by file. */
  readonly contents: readonly Buffer[]
}

export function makeSource(init: {
  readonly name?: string
  readonly files: number | readonly SourceFile[]
  readonly pieceLength?: number
  /** BEP 27 */
  readonly private?: boolean
}): Source {
  const name = init.name ?? 'source'
  const pieceLength = init.pieceLength ?? 65_536
  const listed: readonly SourceFile[] =
    typeof init.files === 'number' ? [{ path: name, length: init.files }] : init.files
  const contents = listed.map((file) =>
    file.pad === true ? Buffer.alloc(file.length) : pseudoRandom(`${name}/${file.path}`, file.length),
  )
  const whole = Buffer.concat(contents)
  const digests: Buffer[] = []
  for (let at = 0; at < whole.length; at += pieceLength) {
    digests.push(
      createHash('sha1')
        .update(whole.subarray(at, at + pieceLength))
        .digest(),
    )
  }
  const info = encode({
    name,
    'piece length': pieceLength,
    pieces: Buffer.concat(digests),
    ...(init.private === true ? { private: 1 } : {}),
    ...(typeof init.files === 'number'
      ? { length: whole.length }
      : {
          files: listed.map((file) => ({
            length: file.length,
            path: file.path.split('/'),
            ...(file.pad === true ? { attr: 'p' } : {}),
          })),
        }),
  })
  const torrent = Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')])
  const meta = parseMetainfo(torrent)
  return { meta, torrent, whole, contents, key: String(meta.hashes.v1) as SwarmKey }
}

/** A clock whose timers die with their owner. */
class OwnClock implements Clock {
  dead = false
  private readonly open = new Set<Cancel>()
  constructor(private readonly clock: FakeClock) {}

  /** Timers of this owner that are set. */
  get pending(): number {
    return this.open.size
  }
  now(): Millis {
    return this.clock.now()
  }
  wall(): Millis {
    return this.clock.wall()
  }
  after(delay: Millis, fn: () => void): Cancel {
    const cancel = this.clock.after(delay, () => {
      this.open.delete(end)
      if (!this.dead) fn()
    })
    const end = (): void => {
      this.open.delete(end)
      cancel()
    }
    this.open.add(end)
    return end
  }
  every(interval: Millis, fn: () => void): Cancel {
    const cancel = this.clock.every(interval, () => {
      if (!this.dead) fn()
    })
    const end = (): void => {
      this.open.delete(end)
      cancel()
    }
    this.open.add(end)
    return end
  }
}

/** The tracker of one torrent: remembers what it was told, and hands out peers when a test says so. */
export class KitTracker {
  readonly told: string[] = []
  constructor(readonly asks: TrackerAsks) {}
  start(): void {
    this.told.push('start')
  }
  stop(_cap: Millis, done: () => void): void {
    this.told.push('stop')
    done()
  }
  completed(): void {
    this.told.push('completed')
  }
  need(level: Need): void {
    this.told.push(`need ${level}`)
  }
  announceNow(): void {
    this.told.push('now')
  }
  addTrackers(): void {
    this.told.push('add')
  }
  scrape(done: (failed: readonly []) => void): void {
    done([])
  }
  removeTrackers(): void {
    this.told.push('remove')
  }
  views(): [] {
    return []
  }
}

export interface NodeInit {
  readonly host: string
  readonly slots?: number
  readonly maxPeers?: number
  /** Peer exchange is on; off where left out. */
  readonly pex?: boolean
  readonly maxConnections?: number
  /** Payload, bytes a second; unlimited where left out. */
  readonly down?: number
  readonly up?: number
  /** Without them: all at once, and for ever. */
  readonly queue?: QueueLimits
  readonly goals?: Goals
  /** What each call of the disk takes, and each commit of the store and its answer; nothing where left out. */
  readonly slow?: () => Millis
}

/** One daemon. */
export class Node {
  readonly address: PeerAddress
  readonly peerId: Buffer
  readonly log = new FakeLog()
  disk: FakeDisk
  store: FakeStore
  clock: OwnClock
  session: Session
  adder: Adder
  downLimit: Limiter
  upLimit: Limiter
  readonly trackers = new Map<TorrentId, KitTracker>()
  readonly notes: string[] = []
  readonly watch = fakeWatch()
  /** Peer exchange is on; `Session.all` are to be told of a change. */
  pex: boolean
  /** What the machine calls its addresses; looked at once a minute after a restart. */
  addresses = ''
  private unlisten: () => void = () => undefined

  constructor(
    readonly swarm: Swarm,
    readonly init: NodeInit,
  ) {
    this.pex = init.pex ?? false
    this.address = makeAddress(init.host, 6881) ?? { host: init.host, port: 6881, family: 4 }
    this.peerId = Buffer.from(`-TT0001-${createHash('sha1').update(init.host).digest('hex').slice(0, 12)}`)
    this.clock = new OwnClock(swarm.clock)
    this.disk = this.makeDisk()
    this.disk.fs.mkdirs('/data')
    this.disk.fs.mkdirs('/home')
    this.store = init.slow === undefined ? new FakeStore() : new LateStore(this.queue())
    this.downLimit = new Limiter({ rate: init.down ?? null }, { clock: this.clock })
    this.upLimit = new Limiter({ rate: init.up ?? null }, { clock: this.clock })
    this.session = this.begin()
    this.adder = this.makeAdder()
  }

  /** Registers a torrent; `have` puts its content on the disk first. */
  async add(
    source: Source,
    options: {
      readonly have?: boolean
      readonly start?: boolean
      readonly unwanted?: readonly FileIndex[]
    } = {},
  ): Promise<Torrent> {
    const { meta } = source
    const unwanted = options.unwanted ?? []
    if (options.have === true) this.putContent(source)
    const start = options.start ?? true
    const wanted = meta.files.reduce(
      (sum, file, index) => (file.pad || unwanted.includes(index) ? sum : sum + file.length),
      0,
    )
    const row: NewTorrent = {
      hashes: { v1: String(meta.hashes.v1) as InfoHashV1 },
      name: meta.name,
      dir: '/data',
      volume: '1',
      private: meta.private,
      pieceLength: meta.pieceLength,
      pieceCount: meta.pieceCount,
      total: meta.contentSize,
      wanted,
      desired: start ? 'running' : 'paused',
      addedAt: 0,
      info: source.torrent.subarray(meta.infoStart, meta.infoEnd),
      infoStart: meta.infoStart,
      torrent: source.torrent,
      trackers: [],
      wishes: unwanted.map((file) => ({ file, priority: 0 })),
    }
    const id = await this.store.add(row)
    const [stored] = (await this.store.torrents()).filter((each) => each.id === id)
    if (stored === undefined) throw new Error('the torrent is not in the store')
    const torrent = this.session.register(stored)
    if (start) torrent.start()
    return torrent
  }

  putContent(source: Source): void {
    source.meta.files.forEach((file, index) => {
      if (!file.pad) this.disk.fs.writeFile(`/data/${file.path}`, source.contents[index] ?? Buffer.alloc(0))
    })
  }

  get torrent(): Torrent {
    const [torrent] = this.session.all()
    if (torrent === undefined) throw new Error('no torrent')
    return torrent
  }
  get tracker(): KitTracker {
    const tracker = this.trackers.get(this.torrent.id)
    if (tracker === undefined) throw new Error('no tracker')
    return tracker
  }

  /** The tracker tells the first torrent of these. */
  meet(...others: readonly { readonly address: PeerAddress }[]): void {
    this.tracker.asks.found(others.map(({ address }) => address))
  }

  /** Content of a file at its final name, or null. */
  file(path: string): Buffer | null {
    return this.disk.fs.content(`/data/${path}`)
  }
  hasAll(source: Source): boolean {
    return source.meta.files.every(
      (file, index) =>
        file.pad || this.file(file.path)?.equals(source.contents[index] ?? Buffer.alloc(0)) === true,
    )
  }

  /** Reasons that peers and inbound links ended with, in order. */
  get reasons(): string[] {
    return this.log.lines
      .filter(({ message }) => message === 'peer closed' || message === 'inbound connection ended')
      .map(({ fields }) => String(fields['reason']))
  }

  /** Ends in order, and starts again from what is durable. */
  async restart(): Promise<void> {
    await this.stop()
    await this.again()
  }

  async stop(): Promise<void> {
    const run = { over: false }
    const stopped = this.session.stop().then(() => {
      run.over = true
    })
    for (let i = 0; i < 100 && !run.over; i++) await Promise.race([stopped, this.swarm.run(100)])
    if (!run.over) throw new Error('the session does not stop')
    this.unlisten()
  }

  /** As kill -9: nothing more is done; the files are as the page cache has them. */
  kill(): void {
    this.clock.dead = true
    this.unlisten()
    for (const end of this.swarm.network.open(this.init.host)) end.cut()
    for (const operation of ['open', 'read', 'write', 'sync', 'rename', 'mkdir', 'unlink', 'stat'] as const)
      this.disk.hold(operation)
  }

  /** Starts after `stop` or `kill`. `restore`: instead of bringing back every torrent. */
  async again(restore?: () => Promise<void>): Promise<void> {
    const { fs } = this.disk
    this.clock = new OwnClock(this.swarm.clock)
    this.disk = this.makeDisk()
    Object.assign(this.disk, { fs })
    this.store = this.store.reopen()
    this.downLimit = new Limiter({ rate: this.init.down ?? null }, { clock: this.clock })
    this.upLimit = new Limiter({ rate: this.init.up ?? null }, { clock: this.clock })
    this.trackers.clear()
    this.session = this.begin()
    this.adder = this.makeAdder()
    const woke = (gap: Millis): void => {
      this.session.woke(gap)
    }
    await (restore?.() ?? this.session.restore(woke))
  }

  private makeDisk(): FakeDisk {
    const { slots, slow } = this.init
    const pace = slow === undefined ? null : this.queue()
    return new FakeDisk({ auto: true, pace, ...(slots === undefined ? {} : { slots }) })
  }

  /** Runs one thing after another, each when it has taken its time. */
  private queue(): (run: () => void) => void {
    let free: Millis = 0
    return (run) => {
      const now = this.clock.now()
      free = Math.max(free, now) + (this.init.slow?.() ?? 0)
      this.clock.after(free - now, run)
    }
  }

  private makeAdder(): Adder {
    const { clock, disk, store, session } = this
    return new Adder({ clock, disk, store, session, downloadDir: () => '/data' })
  }

  private begin(): Session {
    const session = new Session(
      {
        peerId: this.peerId,
        client: 'Kit/1',
        maxConnections: this.init.maxConnections ?? 500,
        maxPeers: this.init.maxPeers ?? 80,
        homeVolume: '1',
      },
      {
        watch: this.watch,
        ...(this.init.queue === undefined ? {} : { queue: this.init.queue }),
        ...(this.init.goals === undefined ? {} : { goals: this.init.goals }),
        clock: this.clock,
        random: this.swarm.random,
        log: this.log,
        disk: this.disk,
        downLimit: this.downLimit,
        upLimit: this.upLimit,
        busy: () => undefined,
        store: this.store,
        dialer: this.swarm.network.dialer(this.address),
        listenPort: () => 6881,
        addresses: () => this.addresses,
        tracker: (row, asks) => {
          const tracker = new KitTracker(asks)
          this.trackers.set(row.id, tracker)
          return tracker
        },
        pex: () => this.pex,
        keepMetadata: (id, info) => this.adder.keepMetadata(id, info),
      },
    )
    this.unlisten = this.swarm.network.listen(this.address, (transport) => {
      session.accept(transport)
    })
    return session
  }
}

export class Swarm {
  readonly clock = new FakeClock()
  readonly random: FakeRandom
  readonly network: FakeNetwork
  readonly nodes: Node[] = []

  constructor(init: FakeLineInit & { readonly seed?: number } = {}) {
    this.random = new FakeRandom(init.seed ?? 1)
    this.network = new FakeNetwork(init)
  }

  node(init: Partial<NodeInit> = {}): Node {
    const node = new Node(this, { host: `10.0.0.${String(this.nodes.length + 1)}`, ...init })
    this.nodes.push(node)
    return node
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve))
  }

  /** Moves the clock, letting everything happen at each moment. */
  async run(ms: Millis): Promise<void> {
    const end = this.clock.now() + ms
    await this.settle()
    for (;;) {
      const next = this.clock.untilNext
      if (next === null || this.clock.now() + next > end) break
      this.clock.advance(next)
      await this.settle()
    }
    this.clock.advance(end - this.clock.now())
    await this.settle()
  }

  /** Moves the clock until it holds; throws after `most` milliseconds. */
  async until(what: () => boolean, most: Millis = 60_000): Promise<Millis> {
    const start = this.clock.now()
    await this.settle()
    while (!what()) {
      const next = this.clock.untilNext
      if (next === null || this.clock.now() + next - start > most) {
        throw new Error(`not within ${String(most)} ms: ${what.toString()}`)
      }
      this.clock.advance(next)
      await this.settle()
    }
    return this.clock.now() - start
  }
}
