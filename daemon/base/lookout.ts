/**
 * Looks after the main loop from another thread, for a turn that never ends: such a turn cannot tell of itself. It is
 * woken when a turn begins after a rest, looks every 10 s while turns come, and sleeps again once none came in that
 * time, so that a daemon at rest pays nothing for it. Time is counted in looks: where the whole process stood still
 * (the machine slept, SIGSTOP), no look was missed.
 */
import type { Millis } from '../../shared/units.js'
import type { Phase, WatchShared } from './watch.js'

export const LOOK_EVERY: Millis = 10_000
/** Looks that find the same turn before the process is given up: a minute. */
const MOST_LOOKS = 6

/** A turn that has not ended. */
export interface Standing {
  /** At least so long. */
  readonly duration: Millis
  readonly phase: Phase
  /** The torrent at work, 0: none. */
  readonly torrent: number
}

export interface LookoutPorts {
  /** Calls once; the thread may end before. */
  readonly after: (delay: Millis, call: () => void) => void
  /** At each look that finds the turn of the last one. */
  readonly stands: (standing: Standing) => void
  /** It has stood for too long: the process is to end. Called once. */
  readonly over: (standing: Standing) => void
}

export class Lookout {
  readonly #shared: WatchShared
  readonly #every: Millis
  readonly #ports: LookoutPorts
  /** A look is to come. */
  #awake = false
  /** The turn that the last look found. */
  #turn = 0
  /** Looks after the first that found it under way. */
  #looks = 0

  constructor(init: { readonly shared: WatchShared; readonly every: Millis }, ports: LookoutPorts) {
    this.#shared = init.shared
    this.#every = init.every
    this.#ports = ports
  }

  /** The main loop has begun to turn. */
  wake(): void {
    if (this.#awake) return
    this.#turn = this.#shared.turn
    this.#looks = 0
    this.#next()
  }

  #next(): void {
    this.#awake = true
    this.#ports.after(this.#every, () => {
      this.#awake = false
      this.#look()
    })
  }

  #look(): void {
    const { turn } = this.#shared
    const same = turn === this.#turn
    this.#turn = turn
    if (!same) this.#looks = 0
    else if (turn % 2 === 0) return this.#rest()
    else if (this.#stands()) return
    this.#next()
  }

  /** A turn that begins just now has seen that it is looked after, or wakes us: none goes unseen. */
  #rest(): void {
    this.#shared.lookedAfter(false)
    if (this.#shared.turn !== this.#turn && !this.#shared.lookedAfter(true)) this.wake()
  }

  /** True when it is over. */
  #stands(): boolean {
    this.#looks++
    const { phase, torrent } = this.#shared
    const standing = { duration: this.#looks * this.#every, phase, torrent }
    this.#ports.stands(standing)
    if (this.#looks < MOST_LOOKS) return false
    this.#ports.over(standing)
    return true
  }
}
