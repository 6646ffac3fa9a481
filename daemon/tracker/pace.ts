/** The pace of all announces of all torrents: what is too much for this second waits for its turn, and says so. */
import type { Millis } from '../../shared/units.js'
import type { AnnounceRequest, AnnounceResult } from '../codec/announce.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { AnnounceTurn, TrackerTransport } from './transport.js'

/** Announces that begin in any one second, at most. */
const MOST_A_SECOND = 50
const SECOND: Millis = 1_000

interface Waiting {
  readonly begin: () => void
}

export interface PacePorts {
  readonly clock: Clock
  readonly transport: TrackerTransport
}

export class Pace implements TrackerTransport {
  private readonly ports: PacePorts
  /** Who waits: events, then regular ones; each first come, first served. */
  private readonly queues = [new Set<Waiting>(), new Set<Waiting>()] as const
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
    turn?: AnnounceTurn,
  ): Cancel {
    if (this.waiting === 0 && this.room() === 0) {
      this.count()
      return this.ports.transport.announce(url, request, done, turn)
    }
    const queue = this.queues[request.event === null ? 1 : 0]
    let stop: Cancel | null = null
    const waiting: Waiting = {
      begin: () => {
        turn?.waits(false)
        stop = this.ports.transport.announce(url, request, done, turn)
      },
    }
    queue.add(waiting)
    turn?.waits(true)
    this.arm()
    return () => {
      if (queue.delete(waiting)) this.arm()
      else stop?.()
    }
  }

  /** Announces that wait for their turn. */
  get waiting(): number {
    return this.queues.reduce((sum, queue) => sum + queue.size, 0)
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
    for (const queue of this.queues) {
      for (const waiting of queue) {
        if (this.room() > 0) return
        queue.delete(waiting)
        this.count()
        waiting.begin()
      }
    }
  }
}
