/**
 * A network in virtual time. Each host has a rate up, a rate down and a way to the middle; its lines take turns at
 * its uplink, a block each, and what arrives waits its turn at the downlink. A line holds a window of bytes that are
 * on their way; lines may be cut at random.
 */
import { addressKey, type PeerAddress } from '../../../daemon/base/address.js'
import type { Random } from '../../../daemon/ports/random.js'
import type { Dialer, Transport, TransportHandler } from '../../../daemon/swarm/transport.js'
import type { Bytes, Millis, Rate } from '../../../shared/units.js'
import type { SimClock } from './sim-clock.js'

/** What a line sends before another has its turn: a block with its header. */
const QUANTUM: Bytes = 16_397
/** Messages up to this go between the blocks of other lines; their bytes are charged to the uplink all the same. */
const SMALL: Bytes = 1500
const LEAST_WINDOW: Bytes = 131_072
/** Sent, and not yet arrived, at most so long at the full rate beyond the way there and back. */
const SLACK: Millis = 50

export interface HostInit {
  readonly address: PeerAddress
  readonly up: Rate
  readonly down: Rate
  /** One way to the middle of the network. */
  readonly latency: Millis
}

export class Host {
  readonly address: PeerAddress
  /** May be changed while it runs. */
  up: Rate
  down: Rate
  readonly latency: Millis
  /** Bytes that left and that came, headers among them. */
  sent: Bytes = 0
  received: Bytes = 0
  /** Null: nobody listens. */
  accept: ((transport: Transport) => void) | null = null
  readonly ends = new Set<SimEnd>()
  /** Lines with something to send, in the order of their turns. */
  readonly ready: SimEnd[] = []
  sending = false
  /** Time at the uplink that small messages have used. */
  debt: Millis = 0
  downFreeAt: Millis = 0

  constructor(init: HostInit) {
    this.address = init.address
    this.up = init.up
    this.down = init.down
    this.latency = init.latency
  }
}

interface Queued {
  readonly bytes: Buffer
  /** Bytes of it that left. */
  at: number
  readonly taken: (() => void) | undefined
}

export class SimEnd implements Transport {
  bulk = false
  readonly local = ''
  other!: SimEnd
  ended = false
  /** In `host.ready`. */
  waiting = false
  /** Sent and not arrived. */
  flight: Bytes = 0
  queued: Bytes = 0
  readonly queue: Queued[] = []
  /** What was sent last arrives then: nothing overtakes it. */
  lastArrival: Millis = 0
  private handler: TransportHandler | null = null
  private paused = false
  /** Arrived while paused or before `start`. */
  private inbox: Buffer[] = []
  private told = false

  constructor(
    private readonly network: SimNetwork,
    readonly host: Host,
    readonly address: PeerAddress,
    readonly direction: 'in' | 'out',
    /** Most bytes in flight. */
    readonly window: Bytes,
  ) {
    host.ends.add(this)
  }

  get unsent(): Bytes {
    return Math.max(0, this.queued - this.window)
  }

  start(handler: TransportHandler): void {
    this.handler = handler
    this.drain()
  }

  write(bytes: Uint8Array, taken?: () => void): void {
    if (this.ended) {
      if (taken !== undefined) this.network.clock.at(0, taken)
      return
    }
    this.network.write(this, Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes), taken)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.drain()
  }

  close(reason: string): void {
    if (this.ended) return
    this.leave(reason)
    const { clock } = this.network
    const other = this.other
    const at = Math.max(clock.now() + this.host.latency + other.host.latency, this.lastArrival)
    clock.at(at, () => {
      other.leave('closed-by-peer')
    })
  }

  /** Ends this side at once: what waits is dropped, what is on its way may still arrive at the other. */
  leave(reason: string): void {
    if (this.ended) return
    this.ended = true
    this.host.ends.delete(this)
    for (const { taken } of this.queue.splice(0)) if (taken !== undefined) this.network.clock.at(0, taken)
    this.queued = 0
    this.network.clock.at(0, () => {
      if (this.told) return
      this.told = true
      this.handler?.closed(reason)
    })
  }

  /** Both sides lose the connection now. */
  cut(): void {
    this.leave('reset')
    this.other.leave('reset')
  }

  /** Bytes have come. */
  deliver(view: Buffer): void {
    if (this.ended) return
    if (this.paused || this.handler === null) this.inbox.push(view)
    else this.handler.data(view)
  }

  private drain(): void {
    while (this.inbox.length > 0 && !this.paused && this.handler !== null && !this.ended) {
      const view = this.inbox.shift()
      if (view !== undefined) this.handler.data(view)
    }
  }
}

export interface SimNetworkInit {
  /** Mean life of a connection; Infinity: none is cut. */
  readonly lifetime?: Millis
  /** Part of the attempts that fail. */
  readonly refusals?: number
  /** What a host sends that never arrives. */
  readonly lost?: (from: Host, bytes: Buffer) => boolean
}

export class SimNetwork {
  /** Lines made, and lines cut by chance. */
  made = 0
  cuts = 0
  private readonly hosts = new Map<string, Host>()
  private ports = 20_000

  constructor(
    private readonly init: SimNetworkInit,
    readonly clock: SimClock,
    private readonly random: Random,
  ) {}

  host(init: HostInit): Host {
    const host = new Host(init)
    this.hosts.set(addressKey(init.address), host)
    return host
  }

  dialer(from: Host): Dialer {
    return {
      dial: (to, done) => {
        const target = this.hosts.get(addressKey(to))
        const trip = 2 * (from.latency + (target?.latency ?? 50))
        return this.clock.after(trip, () => {
          if (from.accept === null) return
          const refused = this.init.refusals !== undefined && this.random.float() < this.init.refusals
          if (target?.accept == null || refused) done(null, 'ECONNREFUSED')
          else done(this.connect(from, target, target.accept), '')
        })
      },
    }
  }

  /** A host vanishes: its lines break, and nobody answers there. */
  remove(host: Host): void {
    host.accept = null
    for (const end of [...host.ends]) end.cut()
  }

  write(end: SimEnd, bytes: Buffer, taken: (() => void) | undefined): void {
    if (this.init.lost?.(end.host, bytes) === true) return
    const { host } = end
    if (end.queued === 0 && bytes.length <= SMALL && taken === undefined) {
      if (host.up < Infinity) host.debt += (bytes.length * 1000) / host.up
      return this.send(end, [bytes], bytes.length, this.clock.now())
    }
    end.queue.push({ bytes, at: 0, taken })
    end.queued += bytes.length
    this.wake(end)
  }

  private connect(from: Host, to: Host, accept: (transport: Transport) => void): SimEnd {
    const trip = 2 * (from.latency + to.latency)
    const window = (rate: Rate): Bytes =>
      Math.max(LEAST_WINDOW, rate === Infinity ? 4_194_304 : (rate * (2 * trip + SLACK)) / 1000)
    const out = new SimEnd(this, from, to.address, 'out', window(from.up))
    const into = new SimEnd(this, to, { ...from.address, port: this.ports++ }, 'in', window(to.up))
    out.other = into
    into.other = out
    this.made++
    const { lifetime } = this.init
    if (lifetime !== undefined && lifetime < Infinity) {
      this.clock.at(this.clock.now() - lifetime * Math.log(1 - this.random.float()), () => {
        if (!out.ended) this.cuts++
        out.cut()
      })
    }
    accept(into)
    return out
  }

  private wake(end: SimEnd): void {
    if (end.waiting || end.queued === 0 || end.flight >= end.window || end.ended) return
    end.waiting = true
    end.host.ready.push(end)
    if (!end.host.sending) this.serve(end.host)
  }

  /** One line's turn at the uplink. */
  private serve(host: Host): void {
    const end = host.ready.shift()
    host.sending = end !== undefined
    if (end === undefined) return
    end.waiting = false
    const views: Buffer[] = []
    const taken: (() => void)[] = []
    let bytes = 0
    for (let first = end.queue[0]; first !== undefined && bytes < QUANTUM; first = end.queue[0]) {
      const count = Math.min(QUANTUM - bytes, first.bytes.length - first.at)
      views.push(first.bytes.subarray(first.at, first.at + count))
      first.at += count
      bytes += count
      if (first.at < first.bytes.length) break
      end.queue.shift()
      if (first.taken !== undefined) taken.push(first.taken)
    }
    end.queued -= bytes
    const done = this.clock.now() + (host.up < Infinity ? (bytes * 1000) / host.up : 0) + host.debt
    host.debt = 0
    if (bytes > 0) this.send(end, views, bytes, done)
    this.clock.at(done, () => {
      for (const each of taken) each()
      this.wake(end)
      this.serve(host)
    })
  }

  private send(end: SimEnd, views: readonly Buffer[], bytes: Bytes, leaves: Millis): void {
    const other = end.other
    end.host.sent += bytes
    end.flight += bytes
    end.lastArrival = Math.max(leaves + end.host.latency + other.host.latency, end.lastArrival)
    this.clock.at(end.lastArrival, () => {
      const now = this.clock.now()
      const { host } = other
      const at = Math.max(now, host.downFreeAt)
      if (host.down < Infinity) host.downFreeAt = at + (bytes * 1000) / host.down
      if (at > now) {
        this.clock.at(at, () => {
          this.arrive(end, views, bytes)
        })
      } else this.arrive(end, views, bytes)
    })
  }

  private arrive(end: SimEnd, views: readonly Buffer[], bytes: Bytes): void {
    end.flight -= bytes
    end.other.host.received += bytes
    for (const view of views) end.other.deliver(view)
    this.wake(end)
  }
}
