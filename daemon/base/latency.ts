/** How long answers took: the last one, and the slowest of the last minute. Two numbers an answer, and no timer. */
import type { Millis } from '../../shared/units.js'

/** The last minute, in two halves: the slowest is that of one half at least and of both at most. */
const HALF: Millis = 30_000

export interface LatencyView {
  /** Null before the first. */
  readonly last: Millis | null
  /** Null without one in the last minute. */
  readonly slowest: Millis | null
}

export class Latency {
  readonly #now: () => Millis
  #last: Millis | null = null
  /** Number of the half minute under way, its slowest, and that of the one before; -1: none came. */
  #half = 0
  #slowest: Millis = -1
  #before: Millis = -1

  constructor(ports: { readonly now: () => Millis }) {
    this.#now = ports.now
  }

  add(took: Millis): void {
    this.#turn()
    this.#last = took
    this.#slowest = Math.max(this.#slowest, took)
  }

  read(): LatencyView {
    this.#turn()
    const slowest = Math.max(this.#slowest, this.#before)
    return { last: this.#last, slowest: slowest < 0 ? null : slowest }
  }

  #turn(): void {
    const half = Math.floor(this.#now() / HALF)
    if (half === this.#half) return
    this.#before = half === this.#half + 1 ? this.#slowest : -1
    this.#slowest = -1
    this.#half = half
  }
}

/** The same object; what its promises take is counted. */
export function timed<T extends object>(target: T, latency: Latency, now: () => Millis): T {
  return new Proxy(target, {
    get: (_, key): unknown => {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        const since = now()
        const answer: unknown = Reflect.apply(value, target, args)
        if (!(answer instanceof Promise)) return answer
        return answer.finally(() => {
          latency.add(now() - since)
        })
      }
    },
  })
}
