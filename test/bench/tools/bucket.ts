/**
 * A token bucket that behaves like a link: while there is demand, exactly the rate passes, however late timers are;
 * what nobody asked for in idle time is lost.
 */

/** How late a timer may be without a loss. */
const CAPACITY_SECONDS = 0.2

export class Bucket {
  /** Bytes/s. */
  readonly rate: number
  /** Bytes. */
  readonly #capacity: number
  /** Bytes: after idle time this much may pass at once. */
  readonly #smallest: number
  /** Bytes that may pass now; negative after something larger than the capacity. */
  #tokens = 0
  /** When `#tokens` was right, milliseconds. */
  #at: number

  constructor(rate: number, smallest: number, now: number) {
    this.rate = rate
    this.#smallest = smallest
    this.#capacity = Math.max(smallest, rate * CAPACITY_SECONDS)
    this.#at = now
  }

  /** Demand begins again after idle time. */
  wake(now: number): void {
    this.#refill(now)
    this.#tokens = Math.min(this.#tokens, this.#smallest)
  }

  /** Whether that many bytes may pass now; if so they are taken. */
  take(bytes: number, now: number): boolean {
    this.#refill(now)
    if (this.#tokens < Math.min(bytes, this.#capacity)) return false
    this.#tokens -= bytes
    return true
  }

  /** Milliseconds until that many bytes may pass, from the last `take` on. */
  wait(bytes: number): number {
    return Math.max(0, ((Math.min(bytes, this.#capacity) - this.#tokens) * 1000) / this.rate)
  }

  #refill(now: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + ((now - this.#at) * this.rate) / 1000)
    this.#at = now
  }
}
