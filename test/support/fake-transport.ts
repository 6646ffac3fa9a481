/** A network in memory: two ends that carry bytes to each other, in microtasks or at a rate on a virtual clock. */
import type { PeerAddress } from '../../daemon/base/address.js'
import { addressKey } from '../../daemon/base/address.js'
import type { Cancel, Clock } from '../../daemon/ports/clock.js'
import type { Dialer, Transport, TransportHandler } from '../../daemon/swarm/transport.js'

export interface FakeLineInit {
  /** Most bytes delivered with one call; 64 KiB where left out. */
  readonly chunk?: number
  /** Bytes the network holds for one direction before `unsent` grows; 256 KiB where left out. */
  readonly window?: number
  /** Milliseconds between the steps of a line with a rate; 50 where left out. */
  readonly step?: number
}

interface Waiting {
  readonly bytes: Uint8Array
  /** Bytes of it that the network has taken. */
  at: number
  readonly taken: (() => void) | undefined
}

export class FakeEnd implements Transport {
  /** The other end; set once by `fakeLine`. */
  other!: FakeEnd
  /** Why this end was closed, or null. */
  reason: string | null = null
  bulk = false
  /** Bytes a second this end may send, and the clock for it; null: as fast as microtasks go. */
  private pace: { readonly rate: number; readonly clock: Clock } | null = null
  /** Written, and not yet with the network. */
  private readonly outbox: Waiting[] = []
  /** With the network, on the way to the other end. */
  private wire: Buffer[] = []
  private wireBytes = 0
  private handler: TransportHandler | null = null
  private paused = false
  /** `closed` was called. */
  private told = false
  /** A test that gives it an address may take that away again. */
  local = ''
  private scheduled = false
  /** The other end sends nothing more. */
  private finished = false

  constructor(
    readonly address: PeerAddress,
    readonly direction: 'in' | 'out',
    private readonly init: FakeLineInit,
  ) {}

  get unsent(): number {
    return this.outbox.reduce((sum, { bytes, at }) => sum + bytes.length - at, 0)
  }
  get ended(): boolean {
    return this.reason !== null
  }

  limit(rate: number, clock: Clock): void {
    this.pace = { rate, clock }
  }

  start(handler: TransportHandler): void {
    this.handler = handler
    this.other.schedule()
    this.schedule()
  }

  write(bytes: Uint8Array, taken?: () => void): void {
    if (this.ended) {
      taken?.()
      return
    }
    this.outbox.push({ bytes, at: 0, taken })
    this.schedule()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.other.schedule()
  }

  close(reason: string): void {
    if (this.ended) return
    this.reason = reason
    queueMicrotask(() => {
      this.end(reason)
    })
    this.other.finished = true
    // What the network holds is delivered before the end is.
    this.schedule()
  }

  /** Cuts the line in the middle of whatever is under way, as a machine that is switched off. */
  cut(): void {
    this.wire = []
    this.other.wire = []
    this.wireBytes = this.other.wireBytes = 0
    this.close('cut')
    this.other.close('cut')
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    if (this.pace === null) {
      queueMicrotask(() => {
        this.scheduled = false
        this.flow(Infinity)
      })
    } else {
      const { rate, clock } = this.pace
      const step = this.init.step ?? 50
      clock.after(step, () => {
        this.scheduled = false
        this.flow((rate * step) / 1000)
      })
    }
  }

  private flow(budget: number): void {
    this.fill()
    const other = this.other
    let left = budget
    while (this.wireBytes > 0 && left > 0 && other.handler !== null && !other.paused && !other.ended) {
      const view = this.next(Math.min(left, this.init.chunk ?? 65_536))
      left -= view.length
      other.handler.data(view)
      // A view is valid during the call only: whoever kept it sees garbage.
      view.fill(0xee)
      this.fill()
    }
    if (this.wireBytes === 0 && this.ended && other.handler !== null && !other.paused)
      other.end('closed-by-peer')
    if (this.wireBytes > 0 && left <= 0) this.schedule()
  }

  private fill(): void {
    const window = this.init.window ?? 262_144
    while (this.wireBytes < window && !this.ended) {
      const first = this.outbox[0]
      if (first === undefined) return
      const count = Math.min(window - this.wireBytes, first.bytes.length - first.at)
      this.wire.push(Buffer.from(first.bytes.subarray(first.at, first.at + count)))
      this.wireBytes += count
      first.at += count
      if (first.at < first.bytes.length) return
      this.outbox.shift()
      first.taken?.()
    }
  }

  private next(most: number): Buffer {
    const first = this.wire.shift() ?? Buffer.alloc(0)
    const count = Math.max(1, Math.floor(Math.min(most, first.length)))
    if (count < first.length) this.wire.unshift(first.subarray(count))
    this.wireBytes -= Math.min(count, first.length)
    return first.subarray(0, count)
  }

  private end(reason: string): void {
    if (this.told) return
    this.told = true
    this.reason ??= reason
    for (const { taken } of this.outbox.splice(0)) taken?.()
    this.handler?.closed(this.reason)
    this.other.schedule()
  }

  /** Nothing more will come from the other end. */
  get over(): boolean {
    return this.finished
  }
}

/** Two ends; `dialler` is where the one that dials is, `listener` the other. */
export function fakeLine(
  dialler: PeerAddress,
  listener: PeerAddress,
  init: FakeLineInit = {},
): { readonly out: FakeEnd; readonly into: FakeEnd } {
  const out = new FakeEnd(listener, 'out', init)
  const into = new FakeEnd(dialler, 'in', init)
  out.other = into
  into.other = out
  return { out, into }
}

/** Who listens where, and how they are reached. */
export class FakeNetwork {
  /** Every line made, in order. */
  readonly lines: {
    readonly out: FakeEnd
    readonly into: FakeEnd
    readonly from: string
    readonly to: string
  }[] = []
  private readonly listeners = new Map<string, (transport: Transport) => void>()
  /** Bytes a second that a host sends on each line. */
  private readonly rates = new Map<string, { rate: number; clock: Clock }>()
  private ports = 40_000

  constructor(private readonly init: FakeLineInit = {}) {}

  listen(address: PeerAddress, accept: (transport: Transport) => void): () => void {
    this.listeners.set(addressKey(address), accept)
    return () => {
      this.listeners.delete(addressKey(address))
    }
  }

  limit(host: string, rate: number, clock: Clock): void {
    this.rates.set(host, { rate, clock })
  }

  /** Null where nobody listens. */
  connect(from: PeerAddress, to: PeerAddress): FakeEnd | null {
    const accept = this.listeners.get(addressKey(to))
    if (accept === undefined) return null
    const { out, into } = fakeLine({ ...from, port: (this.ports += 1) }, to, this.init)
    this.pace(out, from.host)
    this.pace(into, to.host)
    this.lines.push({ out, into, from: from.host, to: to.host })
    accept(into)
    return out
  }

  dialer(from: PeerAddress): Dialer {
    return {
      dial: (to, done): Cancel => {
        let ended = false
        queueMicrotask(() => {
          if (ended) return
          ended = true
          const end = this.connect(from, to)
          done(end, end === null ? 'ECONNREFUSED' : '')
        })
        return () => {
          ended = true
        }
      },
    }
  }

  /** Lines of a host that stand. */
  open(host: string): FakeEnd[] {
    return this.lines
      .filter((line) => !line.out.ended && (line.from === host || line.to === host))
      .map(({ out }) => out)
  }

  private pace(end: FakeEnd, host: string): void {
    const limit = this.rates.get(host)
    if (limit !== undefined) end.limit(limit.rate, limit.clock)
  }
}
