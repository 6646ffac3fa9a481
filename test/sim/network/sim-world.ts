/**
 * A swarm of whole sessions in virtual time: their network, their disks and their tracker are simulated, everything
 * from the handshake to the choker is what the daemon runs.
 */
import { makeAddress, type PeerAddress } from '../../../daemon/base/address.js'
import { Limiter } from '../../../daemon/base/limiter.js'
import type { Log } from '../../../daemon/base/log.js'
import type { NewTorrent, Store } from '../../../daemon/ports/store.js'
import { Session } from '../../../daemon/session/session.js'
import type { Torrent } from '../../../daemon/swarm/torrent.js'
import type { Need, Tracker, TrackerAsks } from '../../../daemon/swarm/tracker-port.js'
import type { Bytes, InfoHashV1, Millis, Rate } from '../../../shared/units.js'
import { silentLog } from '../../support/fake-log.js'
import { FakeRandom } from '../../support/fake-random.js'
import { FakeStore } from '../../support/fake-store.js'
import { fakeWatch } from '../../support/fake-watch.js'
import { SimClock } from './sim-clock.js'
import { SimDisk, type SimDiskInit } from './sim-disk.js'
import { type Host, SimNetwork, type SimNetworkInit } from './sim-network.js'
import type { SimTorrent } from './sim-torrent.js'

export interface WorldInit extends Omit<SimNetworkInit, 'lost'> {
  readonly torrent: SimTorrent
  readonly seed?: number
  /** Peers that the tracker names at once. */
  readonly numwant?: number
  /** Between announces. */
  readonly announceEvery?: Millis
}

export interface SimNodeInit {
  /** Bytes a second; unlimited where left out. */
  readonly up?: Rate
  readonly down?: Rate
  /** One way to the middle of the network; 20 where left out. */
  readonly latency?: Millis
  /** It has everything. */
  readonly seed?: boolean
  readonly maxPeers?: number
  /** It never unchokes anybody. */
  readonly rider?: boolean
  /** What it sends lies where this says so. */
  readonly lies?: (piece: number, offset: number) => boolean
  readonly disk?: SimDiskInit
}

const UNCHOKE = 1
const ALLOWED_FAST = 17

export class SimNode {
  readonly host: Host
  readonly address: PeerAddress
  readonly disk: SimDisk
  readonly session: Session
  /** When it had every piece; null: not yet. */
  finishedAt: Millis | null = null
  startedAt: Millis | null = null
  gone = false
  /** Hosts that were banned here. */
  readonly banned = new Set<string>()
  private readonly store: Store

  constructor(
    readonly world: World,
    readonly init: SimNodeInit,
    readonly number: number,
  ) {
    const host = `10.${String(1 + (number >> 8))}.${String(number & 255)}.1`
    this.address = makeAddress(host, 6881) ?? { host, port: 6881, family: 4 }
    const { clock, network } = world
    const { up = Infinity, down = Infinity, latency = 20 } = init
    this.host = network.host({ address: this.address, up, down, latency })
    const gained = (): void => {
      if (this.disk.goodCount < world.torrent.pieceCount || this.finishedAt !== null) return
      this.finishedAt = clock.now()
      world.finished++
    }
    this.disk = new SimDisk(init.disk ?? {}, clock, world.torrent, gained, init.lies ?? (() => false))
    if (init.seed === true) this.disk.fill()
    this.store = stirring(new FakeStore(), () => {
      clock.stir()
    })
    this.session = this.begin()
    this.host.accept = (transport) => {
      this.session.accept(transport)
    }
  }

  get torrent(): Torrent {
    const [torrent] = this.session.all()
    if (torrent === undefined) throw new Error('not started')
    return torrent
  }
  get uploaded(): Bytes {
    return this.torrent.view().uploaded
  }
  get wasted(): Bytes {
    return this.torrent.wasted
  }

  async start(): Promise<void> {
    const { meta, bytes, size } = this.world.torrent
    const row: NewTorrent = {
      hashes: { v1: String(meta.hashes.v1) as InfoHashV1 },
      name: meta.name,
      dir: '/data',
      volume: '1',
      private: false,
      pieceLength: meta.pieceLength,
      pieceCount: meta.pieceCount,
      total: size,
      wanted: size,
      desired: 'running',
      addedAt: 0,
      info: bytes.subarray(meta.infoStart, meta.infoEnd),
      infoStart: meta.infoStart,
      torrent: bytes,
      trackers: [],
      wishes: [],
    }
    await this.store.add(row)
    for (const stored of await this.store.torrents()) this.session.register(stored).start()
    this.startedAt = this.world.clock.now()
  }

  /** As a machine that is switched off. */
  leave(): void {
    this.gone = true
    this.world.network.remove(this.host)
  }

  /** Keeps nothing but who was banned. */
  private readonly log: Log = {
    ...silentLog,
    debug: (fields) => {
      if (fields['reason'] === 'sent-bad-data') this.banned.add(String(fields['peer']).split(':')[0] ?? '')
    },
    child: () => this.log,
  }

  private begin(): Session {
    const { world, number } = this
    return new Session(
      {
        peerId: Buffer.from(`-TT0001-${String(number).padStart(12, '0')}`),
        client: 'Sim/1',
        maxConnections: 500,
        maxPeers: this.init.maxPeers ?? 80,
        homeVolume: '1',
      },
      {
        watch: fakeWatch(),
        clock: world.clock,
        random: new FakeRandom(world.seed * 1009 + number),
        log: this.log,
        disk: this.disk,
        downLimit: new Limiter({ rate: null }, { clock: world.clock }),
        upLimit: new Limiter({ rate: null }, { clock: world.clock }),
        busy: () => undefined,
        store: this.store,
        dialer: world.network.dialer(this.host),
        listenPort: () => this.address.port,
        addresses: () => '',
        tracker: (_row, asks) => new SimTracker(world, this, asks),
        keepMetadata: () => Promise.resolve({ refused: 'no magnets in this world' }),
      },
    )
  }
}

/** Names peers at random, at the start and then at intervals. */
class SimTracker implements Tracker {
  private running = false

  constructor(
    private readonly world: World,
    private readonly node: SimNode,
    private readonly asks: TrackerAsks,
  ) {}

  start(): void {
    if (this.running) return
    this.running = true
    this.again()
  }
  stop(_cap: Millis, done: () => void): void {
    this.running = false
    done()
  }
  completed(): void {
    // The world knows already.
  }
  need(level: Need): void {
    if (level === 'urgent') this.tell(5000)
  }
  announceNow(): void {
    this.tell(100)
  }
  addTrackers(): void {
    // There is one.
  }

  scrape(done: (failed: readonly []) => void): void {
    done([])
  }
  removeTrackers(): void {
    // There is one.
  }
  views(): [] {
    return []
  }

  private again(): void {
    this.tell(100)
    this.world.clock.after(this.world.announceEvery, () => {
      if (this.running) this.again()
    })
  }

  private tell(delay: Millis): void {
    this.world.clock.after(delay, () => {
      if (this.running && !this.node.gone) this.asks.found(this.world.peersFor(this.node))
    })
  }
}

export class World {
  readonly clock = new SimClock()
  readonly network: SimNetwork
  readonly torrent: SimTorrent
  readonly nodes: SimNode[] = []
  /** Nodes that have got every piece. */
  finished = 0
  readonly seed: number
  readonly announceEvery: Millis
  private readonly random: FakeRandom
  private readonly numwant: number
  private readonly riders = new Set<Host>()

  constructor(init: WorldInit) {
    this.torrent = init.torrent
    this.seed = init.seed ?? 1
    this.numwant = init.numwant ?? 50
    this.announceEvery = init.announceEvery ?? 300_000
    this.random = new FakeRandom(this.seed)
    const lost = (from: Host, bytes: Buffer): boolean =>
      this.riders.has(from) && bytes.length < 10 && (bytes[4] === UNCHOKE || bytes[4] === ALLOWED_FAST)
    this.network = new SimNetwork({ ...init, lost }, this.clock, new FakeRandom(this.seed + 7919))
  }

  add(init: SimNodeInit): SimNode {
    const node = new SimNode(this, init, this.nodes.length + 1)
    if (init.rider === true) this.riders.add(node.host)
    this.nodes.push(node)
    return node
  }

  /** Starts everybody, and lets time run for a moment, so that seeds are seeds. */
  async start(nodes: readonly SimNode[] = this.nodes): Promise<void> {
    await Promise.all(nodes.map((node) => node.start()))
  }

  async run(time: Millis): Promise<void> {
    await this.clock.run(this.clock.now() + time)
  }

  /** Runs until it holds; false where it does not within `most`. */
  async until(holds: () => boolean, most: Millis): Promise<boolean> {
    return this.clock.run(this.clock.now() + most, holds)
  }

  /** Calls `look` now and every `step`. */
  sample(step: Millis, look: (now: Millis) => void): () => void {
    look(this.clock.now())
    return this.clock.every(step, () => {
      look(this.clock.now())
    })
  }

  peersFor(node: SimNode): PeerAddress[] {
    const others = this.nodes.filter((other) => other !== node && !other.gone && other.startedAt !== null)
    for (let i = 0; i < Math.min(this.numwant, others.length); i++) {
      const pick = i + this.random.int(others.length - i)
      const [a, b] = [others[i], others[pick]]
      if (a === undefined || b === undefined) continue
      others[i] = b
      others[pick] = a
    }
    return others.slice(0, this.numwant).map(({ address }) => address)
  }

  /** Whole copies in the swarm: nodes that have the rarest piece, and the part of pieces had by more. */
  copies(): number {
    const { pieceCount } = this.torrent
    const had = new Uint16Array(pieceCount)
    for (const { disk, gone } of this.nodes) {
      if (!gone)
        for (let piece = 0; piece < pieceCount; piece++)
          had[piece] = (had[piece] ?? 0) + (disk.good[piece] ?? 0)
    }
    const least = had.reduce((a, b) => Math.min(a, b), Infinity)
    return least + had.reduce((sum, count) => sum + Number(count > least), 0) / pieceCount
  }
}

/** Every call of the store is noted: its promise is answered before time goes on. */
function stirring(store: Store, stir: () => void): Store {
  return new Proxy(store, {
    get: (target, name): unknown => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...given: unknown[]): unknown => {
        stir()
        return Reflect.apply(value, target, given)
      }
    },
  })
}
