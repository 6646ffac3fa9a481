/** How often one address is asked. Who gets more than 50 packets in 10 s from us, libtorrent say, is deaf for 5 minutes. */
import type { Millis } from '../../shared/units.js'
import type { Endpoint } from '../codec/krpc.js'

/** Questions that may go at once, and the time after which there may be one more: 41 in 10 s, and room for answers. */
const BURST = 16
const EACH: Millis = 400
/** Addresses that may be noted before those are looked for that need it no longer. */
const MANY = 1024

interface Held {
  readonly at: Millis
  readonly go: () => void
}

export class Pace {
  /** When the questions of an address have gone, were they sent one by one. */
  readonly #until = new Map<Endpoint, Millis>()
  /** Questions whose time has not come, the first to go first. */
  readonly #held: Held[] = []

  /** When `run` has something to do. */
  get dueAt(): Millis {
    return this.#held[0]?.at ?? Infinity
  }

  /** Calls `go`, which sends one question there: now, or in a later `run`. */
  ask(to: Endpoint, now: Millis, go: () => void): void {
    const until = Math.max(now, this.#until.get(to) ?? now)
    if (this.#until.size >= MANY) this.#forget(now)
    this.#until.set(to, until + EACH)
    const at = until - (BURST - 1) * EACH
    if (at <= now) return go()
    const after = this.#held.findLastIndex((held) => held.at <= at)
    this.#held.splice(after + 1, 0, { at, go })
  }

  run(now: Millis): void {
    while (this.dueAt <= now) this.#held.shift()?.go()
  }

  clear(): void {
    this.#held.length = 0
  }

  #forget(now: Millis): void {
    for (const [to, until] of this.#until) if (until <= now) this.#until.delete(to)
  }
}
