/**
 * Frames on their way to those who wait for them. Each is written to a socket in the call that gives it, and where
 * frames are at hand one write makes room for the next: without a bound one turn of the loop would go on until every
 * socket is full, and nothing else would have its turn.
 */
import type { Bytes } from '../../shared/units.js'

/** What is given in one turn, about three milliseconds of the main thread. */
const MOST_PER_TURN: Bytes = 2 * 1024 * 1024
/** A frame costs as much as so many bytes, however short it is: a call of the system. */
const PER_FRAME: Bytes = 32 * 1024

interface Delivery {
  readonly bytes: Bytes
  readonly give: () => void
}

export class Deliveries {
  /** Given since the last turn began. */
  #spent: Bytes = 0
  /** Oldest first from `#head` on. */
  #waiting: Delivery[] = []
  #head = 0
  /** The next turn is known to come. */
  #turning = false

  /** `turn` runs `fn` after the events that wait have had their turn. */
  constructor(private readonly turn: (fn: () => void) => void) {}

  /** Now where this turn has room for it, else in one of the next; always in the order of the calls. */
  add(bytes: Bytes, give: () => void): void {
    this.#arrange()
    if (this.#spent >= MOST_PER_TURN || this.#waiting.length > 0) this.#waiting.push({ bytes, give })
    else this.#give({ bytes, give })
  }

  #give({ bytes, give }: Delivery): void {
    this.#spent += bytes + PER_FRAME
    give()
  }

  /** A turn begins. */
  #next(): void {
    this.#turning = false
    this.#spent = 0
    for (; this.#spent < MOST_PER_TURN; this.#head++) {
      const delivery = this.#waiting[this.#head]
      if (delivery === undefined) break
      this.#give(delivery)
    }
    this.#waiting = this.#waiting.slice(this.#head)
    this.#head = 0
    if (this.#waiting.length > 0) this.#arrange()
  }

  /** There will be a next turn. */
  #arrange(): void {
    if (this.#turning) return
    this.#turning = true
    this.turn(() => {
      this.#next()
    })
  }
}
