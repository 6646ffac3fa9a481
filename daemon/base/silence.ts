/**
 * Whether a thread answers: a disk that is gone can hold it in a system call for ever, and no thread can be taken out
 * of one. It is looked at while jobs wait, and not otherwise. Looks are counted, and not seconds: where the whole process
 * stood still no look was missed.
 */
import type { Millis } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'

export const LOOK_EVERY: Millis = 10_000
/** Looks that find no answer since the one before. */
const MOST_LOOKS = 2

export interface SilencePorts {
  readonly clock: Clock
  /** It has not answered for `MOST_LOOKS` looks. */
  readonly began?: () => void
  /** It answers again. */
  readonly ended?: () => void
}

export class Silence {
  readonly #every: Millis
  readonly #ports: SilencePorts
  /** Jobs that wait for their answer. */
  #waiting = 0
  /** Answers so far, and how many there were at the last look. */
  #answers = 0
  #seen = 0
  /** Looks in a row that found none. */
  #looks = 0
  /** A look is to come. */
  #awake = false
  #silent = false

  constructor(init: { readonly every: Millis }, ports: SilencePorts) {
    this.#every = init.every
    this.#ports = ports
  }

  /** It is asked and does not answer. */
  get silent(): boolean {
    return this.#silent
  }

  asked(): void {
    this.#waiting += 1
    if (this.#awake) return
    this.#seen = this.#answers
    this.#looks = 0
    this.#next()
  }

  answered(): void {
    this.#waiting -= 1
    this.#answers += 1
    if (!this.#silent) return
    this.#silent = false
    this.#ports.ended?.()
  }

  #next(): void {
    this.#awake = true
    this.#ports.clock.after(this.#every, () => {
      this.#awake = false
      this.#look()
    })
  }

  #look(): void {
    if (this.#waiting === 0) return
    const answered = this.#answers !== this.#seen
    this.#seen = this.#answers
    this.#looks = answered ? 0 : this.#looks + 1
    // The next answer ends it: nothing is to be looked at until then.
    if (this.#looks < MOST_LOOKS) return this.#next()
    this.#silent = true
    this.#ports.began?.()
  }
}
