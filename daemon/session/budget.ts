import type { CheckGate } from '../swarm/check.js'
import type { ConnectionBudget } from '../swarm/connection-budget.js'

/** Connections of the whole daemon, those under way among them. */
export class Budget implements ConnectionBudget {
  readonly #max: number
  #used = 0

  constructor(init: { readonly max: number }) {
    this.#max = init.max
  }

  get used(): number {
    return this.#used
  }
  get full(): boolean {
    return this.#used >= this.#max
  }

  take(): boolean {
    if (this.full) return false
    this.#used++
    return true
  }

  give(): void {
    if (this.#used > 0) this.#used--
  }
}

/** Lets one through at a time on each volume, in the order they came. */
export class Turnstile implements CheckGate {
  /** By volume; one that nobody holds or waits for is forgotten. */
  readonly #lines = new Map<string, Line>()

  enter(volume: string, go: () => void): () => void {
    const line = this.#lines.get(volume) ?? { current: null, queue: new Map() }
    this.#lines.set(volume, line)
    const ticket = Symbol('turn')
    line.queue.set(ticket, go)
    // Later: whoever enters has not yet got its way out in hand.
    queueMicrotask(() => {
      this.#next(volume, line)
    })
    return () => {
      line.queue.delete(ticket)
      if (line.current !== ticket) return
      line.current = null
      this.#next(volume, line)
    }
  }

  #next(volume: string, line: Line): void {
    if (line.current !== null) return
    for (const [ticket, go] of line.queue) {
      line.queue.delete(ticket)
      line.current = ticket
      return go()
    }
    if (this.#lines.get(volume) === line) this.#lines.delete(volume)
  }
}

interface Line {
  /** Whose turn it is, or null. */
  current: symbol | null
  /** Those who wait, in the order they came. */
  readonly queue: Map<symbol, () => void>
}
