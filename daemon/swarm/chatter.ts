/**
 * What a peer makes us do for nothing: messages that move no payload and change nothing. They are counted in points
 * of about 50 ns of the main thread; who spends more than is given back is not read until it has waited for it.
 */
import type { Millis } from '../../shared/units.js'

/** Points that may be spent at once: a thousand blocks that nobody asked for, 20,000 haves told twice. */
const BURST = 20_000
/** Points given back in a second. */
const RATE = 10_000

/** Points of one message. A byte that is no payload costs one in 512 besides. */
export const COST = {
  /** Read and forgotten. */
  idle: 1,
  /** A search among what waits, and an answer of 17 bytes. */
  cancel: 8,
  /** Answered with a reject, or followed by a look at every peer. */
  answered: 20,
  /** A read of the disk that brings next to nothing. */
  tiny: 50,
} as const

const BYTES_PER_POINT = 512

export class Chatter {
  /** Points spent and not given back, as of `#at`. */
  #debt = 0
  #at: Millis = 0

  add(points: number): void {
    this.#debt += points
  }

  /** Bytes came that were no payload of use. */
  addBytes(count: number): void {
    this.#debt += count / BYTES_PER_POINT
  }

  /** It is not read while this holds. */
  isOver(now: Millis): boolean {
    if (this.#debt <= BURST) return false
    this.#debt = Math.max(0, this.#debt - ((now - this.#at) * RATE) / 1000)
    this.#at = now
    return this.#debt > BURST
  }
}
