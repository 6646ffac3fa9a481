/** How fast bytes went of late: a window that slides in steps of a twentieth. */
import type { Bytes, Millis, Rate } from '../../shared/units.js'

/** The step under way is one of them. */
const BUCKETS = 20
const WINDOW: Millis = 20_000
/** A meter that has just begun does not take its first burst for a rate. */
const SHORTEST: Millis = 1000

export interface RateMeterInit {
  /** Length of the window. */
  readonly window?: Millis
}

export class RateMeter {
  /** Length of one step. */
  readonly #step: Millis
  /** Bytes of each of the last steps, the one at `#at` under way. */
  readonly #buckets = new Float64Array(BUCKETS)
  /** Sum of `#buckets`. */
  #sum: Bytes = 0
  /** The step under way, counted from time 0; `#at` is it modulo BUCKETS. */
  #current = 0
  /** When the first bytes of this run came; a run ends when the window is empty. */
  #since: Millis = 0
  /** All bytes ever added. */
  #total: Bytes = 0

  constructor(init: RateMeterInit = {}) {
    this.#step = (init.window ?? WINDOW) / BUCKETS
  }

  /** All bytes ever added. */
  get total(): Bytes {
    return this.#total
  }

  /** `bytes` went at `now`, a time that never goes back. */
  add(now: Millis, bytes: Bytes): void {
    this.#slide(now)
    if (this.#sum === 0) this.#since = now
    const at = this.#current % BUCKETS
    this.#buckets[at] = (this.#buckets[at] ?? 0) + bytes
    this.#sum += bytes
    this.#total += bytes
  }

  /** Whole bytes a second over the window, or since the bytes began where that is shorter; 0 when idle. */
  rate(now: Millis): Rate {
    this.#slide(now)
    if (this.#sum === 0) return 0
    const covered = (BUCKETS - 1) * this.#step + (now - this.#current * this.#step)
    const elapsed = Math.max(Math.min(SHORTEST, BUCKETS * this.#step), Math.min(covered, now - this.#since))
    return Math.round((this.#sum * 1000) / elapsed)
  }

  /** Empties the steps that have left the window. */
  #slide(now: Millis): void {
    const current = Math.floor(now / this.#step)
    if (current <= this.#current) return
    const gone = Math.min(BUCKETS, current - this.#current)
    for (let i = 1; i <= gone; i++) {
      const at = (this.#current + i) % BUCKETS
      this.#sum -= this.#buckets[at] ?? 0
      this.#buckets[at] = 0
    }
    this.#current = current
  }
}
