/** The pace of all announces of all torrents: what is too much for this second waits for its turn, and says so. */
import type { Millis } from '../../shared/units.js'
import type { AnnounceEvent, AnnounceRequest, AnnounceResult } from '../codec/announce.js'
import type { Cancel, Clock } from '../ports/clock.js'
import { Line } from './line.js'
import type { TrackerTransport, Waits } from './transport.js'

/** Announces that begin in any one second, at most. */
const MOST_A_SECOND = 50
const SECOND: Millis = 1_000

export interface PacePorts {
  readonly clock: Clock
  readonly transport: TrackerTransport
}

export class Pace implements TrackerTransport {
  private readonly ports: PacePorts
  private readonly line = new Line()
  /** Moments on `clock.now` of the last announces, a ring: the oldest is at `oldest`. */
  private readonly sent = new Float64Array(MOST_A_SECOND).fill(-Infinity)
  private oldest = 0
  /** Ends the wait for the next place; null where nobody waits. */
  private timer: Cancel | null = null

  constructor(ports: PacePorts) {
    this.ports = ports
  }

  announce(
    url: string,
    request: AnnounceRequest,
    done: (result: AnnounceResult) => void,
    waits?: Waits,
    urgent = false,
  ): Cancel {
    const send = (): Cancel => this.ports.transport.announce(url, request, done, waits, urgent)
    return this.turn(request.event, urgent, send, waits)
  }

  /** Begins at once, or when it is its turn. */
  turn(event: AnnounceEvent | null, urgent: boolean, send: () => Cancel, waits?: Waits): Cancel {
    if (this.waiting === 0 && this.room() === 0) {
      this.count()
      return send()
    }
    let stop: Cancel | null = null
    const begin = (): void => {
      waits?.(null)
      stop = send()
    }
    this.line.add(event, urgent, begin)
    waits?.(() => this.line.before(begin))
    this.arm()
    return () => {
      if (this.line.delete(begin)) this.arm()
      else stop?.()
    }
  }

  /** Announces that wait for their turn. */
  get waiting(): number {
    return this.line.size
  }

  /** Milliseconds until one more may begin. */
  private room(): Millis {
    return Math.max(0, (this.sent[this.oldest] ?? 0) + SECOND - this.ports.clock.now())
  }

  private count(): void {
    this.sent[this.oldest] = this.ports.clock.now()
    this.oldest = (this.oldest + 1) % MOST_A_SECOND
  }

  private arm(): void {
    if (this.waiting === 0) {
      this.timer?.()
      this.timer = null
    } else {
      this.timer ??= this.ports.clock.after(this.room(), () => {
        this.timer = null
        try {
          this.drain()
        } finally {
          this.arm()
        }
      })
    }
  }

  private drain(): void {
    while (this.waiting > 0 && this.room() === 0) {
      this.count()
      this.line.shift()?.()
    }
  }
}
