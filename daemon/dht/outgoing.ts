/** How much we send: 8 KB a second on average. Answers beyond that are left out, searches of our own wait. */
import type { Bytes, Millis, Rate } from '../../shared/units.js'

const RATE: Rate = 8192
/** What may go at once after a rest: a few searches. */
const BURST: Bytes = 4 * RATE

export class Outgoing {
  /** Bytes that may be sent; below 0 where our own questions went ahead. */
  #left: Bytes = BURST
  #at: Millis
  /** Bytes sent so far. */
  sent: Bytes = 0

  constructor(init: { readonly now: Millis }) {
    this.#at = init.now
  }

  /** Whether an answer of that size may go. */
  has(size: Bytes, now: Millis): boolean {
    this.#refill(now)
    return this.#left >= size
  }

  spend(size: Bytes): void {
    this.#left -= size
    this.sent += size
  }

  /** When there is something left again. */
  freeAt(now: Millis): Millis {
    this.#refill(now)
    return this.#left > 0 ? now : now + Math.ceil((1000 * (1 - this.#left)) / RATE)
  }

  #refill(now: Millis): void {
    this.#left = Math.min(BURST, this.#left + (RATE * (now - this.#at)) / 1000)
    this.#at = now
  }
}
