/**
 * One real downloader among peers of given rates, in virtual time and without bytes: slots are counted, the disk takes
 * what it is given after a while, and a peer serves what it is asked for in order.
 */
import { makeAddress } from '../../daemon/base/address.js'
import { Limiter } from '../../daemon/base/limiter.js'
import type { Slab, Slot, Storage } from '../../daemon/ports/disk.js'
import { Content } from '../../daemon/swarm/content.js'
import { Downloader } from '../../daemon/swarm/download.js'
import { Peer, type PeerOwner } from '../../daemon/swarm/peer.js'
import type { Recorder } from '../../daemon/swarm/recorder.js'
import { SlotShare } from '../../daemon/swarm/slot-share.js'
import type { Transport } from '../../daemon/swarm/transport.js'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { Layout } from '../../shared/torrent/layout.js'
import { BLOCK_SIZE, EXTENT_SIZE } from '../../shared/units.js'
import { FakeClock } from './fake-clock.js'
import { FakeRandom } from './fake-random.js'

export const KiB = 1024
export const MiB = 1024 * 1024

/** Slots that are counted and share one piece of memory. */
export class CountedSlab implements Slab {
  /** Slots taken now, and the most that ever were. */
  taken = 0
  peak = 0
  private readonly view = Buffer.alloc(EXTENT_SIZE)
  private readonly listeners: (() => void)[] = []
  private telling = false

  constructor(
    readonly capacity: number,
    private readonly clock: FakeClock,
  ) {}

  get available(): number {
    return this.capacity - this.taken
  }
  take(): Slot | null {
    if (this.taken >= this.capacity) return null
    this.taken++
    this.peak = Math.max(this.peak, this.taken)
    return { index: this.taken, view: this.view }
  }
  free(slot?: Slot): void {
    slot?.released?.()
    this.taken--
    if (this.taken < 0) throw new Error('a slot was freed twice')
    if (this.telling) return
    this.telling = true
    this.clock.after(0, () => {
      this.telling = false
      for (const listener of this.listeners) listener()
    })
  }
  onFree(listener: () => void): void {
    this.listeners.push(listener)
  }
}

export interface SimPeerInit {
  /** B/s */
  readonly rate: number
  /** Milliseconds there and back. */
  readonly trip?: number
  readonly reqq?: number
  /** Pieces it has; all where left out. */
  readonly pieces?: readonly number[]
  /** Bytes that it has given away already: a cancel comes too late for them. */
  readonly unsent?: number
}

interface Wanted {
  readonly piece: number
  readonly begin: number
  readonly length: number
}

/** A peer that serves what it is asked for, in order, at its rate. */
export class SimPeer {
  readonly peer: Peer
  /** Asked for and not sent, in order. */
  readonly queue: Wanted[] = []
  /** Requests and cancels it has heard. */
  requests = 0
  cancels = 0
  /** Payload it has sent. */
  sent = 0
  /** Pieces in the order of their first request. */
  readonly pieces: number[] = []
  /** B/s; 0 stops it. */
  rate: number
  gone = false
  private busy = false

  constructor(
    private readonly kit: DownloadKit,
    readonly init: SimPeerInit,
    handle: number,
  ) {
    this.rate = init.rate
    const address = makeAddress(`10.0.${String(handle >> 8)}.${String(handle & 255)}`, 6881)
    if (address === null) throw new Error('no address')
    const transport: Transport = {
      address,
      direction: 'out',
      local: '',
      unsent: 0,
      bulk: false,
      start: () => undefined,
      write: (bytes) => {
        const copy = Buffer.from(bytes)
        kit.clock.after((init.trip ?? 1) / 2, () => {
          this.hear(copy)
        })
      },
      pause: () => undefined,
      resume: () => undefined,
      close: () => undefined,
    }
    this.peer = new Peer(
      {
        handle,
        transport,
        peerId: Buffer.alloc(20, handle),
        pieceCount: kit.layout.pieceCount,
        fast: true,
        extensions: true,
        source: 'tracker',
        now: kit.clock.now(),
      },
      { owner: {} as PeerOwner, now: () => kit.clock.now() },
    )
    this.peer.depth.setReqq(init.reqq ?? 2000)
    if (init.pieces === undefined) this.peer.bits.setAll()
    else for (const piece of init.pieces) this.peer.bits.set(piece)
  }

  private hear(bytes: Buffer): void {
    for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes.readUInt32BE(at)) {
      const id = bytes[at + 4]
      if (bytes.readUInt32BE(at) !== 13) continue
      const wanted = {
        piece: bytes.readUInt32BE(at + 5),
        begin: bytes.readUInt32BE(at + 9),
        length: bytes.readUInt32BE(at + 13),
      }
      if (id === 6) {
        this.requests++
        if (this.pieces.at(-1) !== wanted.piece) this.pieces.push(wanted.piece)
        this.queue.push(wanted)
      } else if (id === 8) {
        this.cancels++
        const place = this.queue.findIndex(
          ({ piece, begin }) => piece === wanted.piece && begin === wanted.begin,
        )
        if (place * BLOCK_SIZE >= (this.init.unsent ?? BLOCK_SIZE)) this.queue.splice(place, 1)
      }
    }
    this.serve()
  }

  serve(): void {
    const next = this.queue[0]
    if (this.busy || next === undefined || this.gone || this.rate === 0) return
    this.busy = true
    const trip = (this.init.trip ?? 1) / 2
    const service = (next.length * 1000) / this.rate
    // A block that crawls begins to arrive long before it ends.
    if (service > 5)
      this.kit.clock.after(trip, () => {
        this.kit.starts(this, next)
      })
    this.kit.clock.after(service, () => {
      this.busy = false
      this.queue.shift()
      this.sent += next.length
      this.kit.clock.after(trip, () => {
        if (service <= 5) this.kit.starts(this, next)
        this.kit.ends(this, next)
      })
      this.serve()
    })
  }
}

export interface DownloadKitInit {
  readonly total: number
  readonly pieceLength: number
  /** Slots of the slab; 128 are 32 MiB. */
  readonly slots?: number
  /** Milliseconds until a full extent's slot is free again. */
  readonly disk?: number
  readonly seed?: number
  /** B/s of payload asked for, or null. */
  readonly limit?: number | null
  /** In place of a limiter of its own. */
  readonly limiter?: Limiter
  /** Of another kit, which shares clock, slab and limit with this one. */
  readonly beside?: DownloadKit
}

export class DownloadKit {
  readonly clock: FakeClock
  readonly slab: CountedSlab
  readonly share: SlotShare
  readonly limiter: Limiter
  readonly layout: Layout
  readonly content: Content
  readonly downloader: Downloader
  readonly peers = new Map<number, SimPeer>()
  readonly banned: SimPeer[] = []
  /** Pieces verified, in order. */
  readonly done: number[] = []
  /** The files are marked. */
  marked = true
  /** Pieces whose files were asked to be made. */
  readonly readied: number[] = []
  /** Payload that came, and what of it went nowhere. */
  received = 0
  wasted = 0
  private readonly extents = new Map<number, number>()
  private handles = 0

  constructor(init: DownloadKitInit) {
    const { beside } = init
    this.clock = beside?.clock ?? new FakeClock()
    this.slab = beside?.slab ?? new CountedSlab(init.slots ?? 128, this.clock)
    this.share = beside?.share ?? new SlotShare(this.slab)
    this.limiter =
      init.limiter ?? beside?.limiter ?? new Limiter({ rate: init.limit ?? null }, { clock: this.clock })
    const files = [{ path: 'all', length: init.total, pad: false }]
    this.layout = new Layout(files, init.pieceLength)
    const recorded = new Bitfield(this.layout.pieceCount)
    this.content = new Content({ layout: this.layout, files, recorded, facts: [], wishes: [] })
    const storage = {
      submit: (slot: Slot, piece: number, extent: number) => {
        this.clock.after(init.disk ?? 1, () => {
          this.slab.free(slot)
          this.written(piece, extent)
        })
      },
      forget: (piece: number) => this.extents.delete(piece),
      makeReady: (piece: number) => this.readied.push(piece),
    }
    const downloader: Downloader = new Downloader(
      { content: this.content },
      {
        clock: this.clock,
        random: new FakeRandom(init.seed ?? 1),
        slots: this.share.join(() => {
          downloader.refill()
        }),
        downLimit: this.limiter,
        storage: storage as unknown as Storage,
        recorder: {
          mayWrite: () => this.marked,
          add: () => undefined,
          flush: () => undefined,
        } as unknown as Recorder,
        peer: (handle) => this.peers.get(handle)?.peer,
        peers: () => [...this.peers.values()].map(({ peer }) => peer),
        verified: (piece) => {
          this.done.push(piece)
        },
        needsChanged: () => undefined,
        ban: (peer) => {
          const sim = this.peers.get(peer.handle)
          if (sim !== undefined) this.banned.push(sim)
        },
        received: (peer, bytes, kept) => {
          this.received += bytes
          peer.downloaded += bytes
          if (kept) peer.lastReceived = this.clock.now()
        },
        wasted: (bytes) => {
          this.wasted += bytes
        },
      },
    )
    this.downloader = downloader
    downloader.open()
    this.clock.every(1000, () => {
      downloader.tick(this.clock.now())
    })
  }

  /** A peer comes and unchokes us. */
  join(init: SimPeerInit): SimPeer {
    const sim = new SimPeer(this, init, ++this.handles)
    this.peers.set(sim.peer.handle, sim)
    this.downloader.joined(sim.peer)
    this.downloader.piecesKnown(sim.peer)
    sim.peer.amInterested = true
    sim.peer.peerChoking = false
    this.downloader.fill(sim.peer)
    return sim
  }

  leave(sim: SimPeer): void {
    sim.gone = true
    this.peers.delete(sim.peer.handle)
    sim.peer.closed = true
    this.downloader.left(sim.peer)
    this.downloader.refill()
  }

  get complete(): boolean {
    return this.done.length === this.layout.pieceCount
  }

  /** Moves the clock until it holds; answers the milliseconds that took. */
  until(what: () => boolean, most = 600_000): number {
    const start = this.clock.now()
    while (!what()) {
      const next = this.clock.untilNext
      if (next === null || this.clock.now() - start > most) throw new Error(`not in time: ${what.toString()}`)
      this.clock.advance(next)
    }
    return this.clock.now() - start
  }

  starts(sim: SimPeer, { piece, begin, length }: Wanted): void {
    if (!sim.gone) this.downloader.blockStart(sim.peer, piece, begin, length)
  }

  ends(sim: SimPeer, { piece, begin, length }: Wanted): void {
    if (sim.gone) return
    this.downloader.blockEnd(sim.peer, piece, begin, length)
    this.downloader.fill(sim.peer)
  }

  private written(piece: number, extent: number): void {
    const count = (this.extents.get(piece) ?? 0) + 1
    this.extents.set(piece, count)
    if (count < this.layout.extentCount(piece) || extent < 0) return
    this.extents.delete(piece)
    this.downloader.pieceGood(piece, null)
  }
}
