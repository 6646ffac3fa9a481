/**
 * How long whoever has something to do on the main thread waits for it: a timer that comes late tells. It runs only
 * while payload moves, so that an idle daemon sleeps.
 */
import type { Millis } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'

const EVERY: Millis = 20
/** Without payload for so long it rests. */
const QUIET: Millis = 3000
/** The last minute, in steps. */
const STEP: Millis = 10_000
const STEPS = 6
/** Delays up to this are told apart by the millisecond. */
const LONGEST = 1000

export interface LoopDelayView {
  /** 99 of 100 moments waited no longer; null without a sample in the last minute. */
  readonly p99: Millis | null
  readonly max: Millis | null
  readonly samples: number
}

interface Step {
  /** Counted from time 0 of the clock; -1 for one that was never used. */
  number: number
  /** Moments by delay in milliseconds, the last one for all that are longer. */
  readonly counts: Uint32Array
  max: Millis
}

export class LoopDelay {
  readonly #clock: Clock
  readonly #steps: Step[] = Array.from({ length: STEPS }, () => ({
    number: -1,
    counts: new Uint32Array(LONGEST + 1),
    max: 0,
  }))
  /** When payload moved last. */
  #stirred: Millis = 0
  /** When the timer came last. */
  #last: Millis = 0
  #timer: Cancel | null = null

  constructor(ports: { readonly clock: Clock }) {
    this.#clock = ports.clock
  }

  /** Payload moves. */
  stir(): void {
    this.#stirred = this.#clock.now()
    if (this.#timer !== null) return
    this.#last = this.#stirred
    this.#timer = this.#clock.every(EVERY, () => {
      this.#tick()
    })
  }

  read(): LoopDelayView {
    const now = Math.floor(this.#clock.now() / STEP)
    const recent = this.#steps.filter((step) => step.number >= 0 && step.number > now - STEPS)
    const samples = recent.reduce((sum, step) => sum + step.counts.reduce((all, count) => all + count, 0), 0)
    if (samples === 0) return { p99: null, max: null, samples: 0 }
    const max = Math.max(...recent.map((step) => step.max))
    let beyond = Math.floor(samples / 100)
    let delay = LONGEST
    const at = (ms: number): number => recent.reduce((sum, step) => sum + (step.counts[ms] ?? 0), 0)
    for (; delay > 0 && at(delay) <= beyond; delay--) beyond -= at(delay)
    return { p99: delay === LONGEST ? max : delay, max, samples }
  }

  /** Forgets what was seen. */
  reset(): void {
    for (const step of this.#steps) step.number = -1
    this.#last = this.#clock.now()
  }

  #tick(): void {
    const now = this.#clock.now()
    const late = Math.max(0, now - this.#last - EVERY)
    this.#last = now
    const step = this.#step(now)
    step.max = Math.max(step.max, late)
    // A long stall is one timer, and yet all the moments in it waited: for as long as was left of it.
    for (let delay = late; delay >= 0; delay -= EVERY) {
      const at = Math.min(delay, LONGEST)
      step.counts[at] = (step.counts[at] ?? 0) + 1
    }
    if (now - this.#stirred < QUIET) return
    this.#timer?.()
    this.#timer = null
  }

  #step(now: Millis): Step {
    const number = Math.floor(now / STEP)
    const step = this.#steps[number % STEPS]
    if (step === undefined) throw new RangeError(`step ${String(number)}`)
    if (step.number === number) return step
    step.number = number
    step.counts.fill(0)
    step.max = 0
    return step
  }
}
