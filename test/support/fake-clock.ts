/** A clock that moves only when a test says so. */
import type { Cancel, Clock } from '../../daemon/ports/clock.js'
import type { Millis } from '../../shared/units.js'

interface Timer {
  /** Milliseconds on `now` at which it fires. */
  due: Millis
  /** Breaks ties: timers due at the same moment fire in the order they were set. */
  readonly order: number
  /** Milliseconds between firings, or null for one that fires once. */
  readonly interval: Millis | null
  readonly fn: () => void
}

/** More firings than this in one `advance` is a loop that never ends. */
const MOST_FIRINGS = 1_000_000

export class FakeClock implements Clock {
  /** Monotonic milliseconds; moved by `advance` only. */
  private time: Millis = 0
  /** Milliseconds since 1970 at time 0; `jump` moves it. */
  private epoch: Millis
  /** Timers that have not fired or been cancelled. */
  private readonly timers = new Set<Timer>()
  private orders = 0

  constructor(epoch: Millis = 1_700_000_000_000) {
    this.epoch = epoch
  }

  now(): Millis {
    return this.time
  }

  wall(): Millis {
    return this.epoch + this.time
  }

  after(delay: Millis, fn: () => void): Cancel {
    return this.add(delay, null, fn)
  }

  every(interval: Millis, fn: () => void): Cancel {
    if (!(interval > 0)) throw new RangeError('every: the interval must be above 0')
    return this.add(interval, interval, fn)
  }

  /** Timers set and not fired: 0 tells that nothing was left behind. */
  get pending(): number {
    return this.timers.size
  }

  /** Milliseconds until the next timer, or null when none is set. */
  get untilNext(): Millis | null {
    const next = this.earliest()
    return next === null ? null : Math.max(0, next.due - this.time)
  }

  /** Moves the clock, firing every timer that comes due on the way, each at its own moment. */
  advance(ms: Millis): void {
    const end = this.time + ms
    for (let fired = 0; ; fired += 1) {
      if (fired > MOST_FIRINGS) throw new Error('advance: timers set each other without end')
      const next = this.earliest()
      if (next === null || next.due > end) break
      this.time = Math.max(this.time, next.due)
      if (next.interval === null) this.timers.delete(next)
      else next.due += next.interval
      next.fn()
    }
    this.time = end
  }

  /** Like `advance`, and lets promise callbacks run after each firing and at the end. */
  async advanceAsync(ms: Millis): Promise<void> {
    const end = this.time + ms
    for (let fired = 0; fired < MOST_FIRINGS; fired += 1) {
      await settle()
      const next = this.earliest()
      if (next === null || next.due > end) break
      this.advance(Math.max(0, next.due - this.time))
    }
    await settle()
    this.advance(end - this.time)
    await settle()
  }

  /** Moves the wall clock alone, as setting the time of the machine does. */
  jump(ms: Millis): void {
    this.epoch += ms
  }

  private add(delay: Millis, interval: Millis | null, fn: () => void): Cancel {
    const timer: Timer = { due: this.time + Math.max(0, delay), order: this.orders++, interval, fn }
    this.timers.add(timer)
    return () => {
      this.timers.delete(timer)
    }
  }

  private earliest(): Timer | null {
    let best: Timer | null = null
    for (const timer of this.timers) {
      if (best === null || timer.due < best.due || (timer.due === best.due && timer.order < best.order))
        best = timer
    }
    return best
  }
}

/** Lets the promise callbacks that are ready, and those they make, run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve()
}
