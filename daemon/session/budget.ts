import type { CheckGate } from '../swarm/check.js'
import type { ConnectionBudget } from '../swarm/connections.js'

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

/** Lets one through at a time, in the order they came. */
export class Turnstile implements CheckGate {
  /** Whose turn it is, or null. */
  #current: symbol | null = null
  readonly #queue = new Map<symbol, () => void>()

  enter(go: () => void): () => void {
    const ticket = Symbol('turn')
    this.#queue.set(ticket, go)
    // Later: whoever enters has not yet got its way out in hand.
    queueMicrotask(() => {
      this.#next()
    })
    return () => {
      this.#queue.delete(ticket)
      if (this.#current !== ticket) return
      this.#current = null
      this.#next()
    }
  }

  #next(): void {
    if (this.#current !== null) return
    for (const [ticket, go] of this.#queue) {
      this.#queue.delete(ticket)
      this.#current = ticket
      return go()
    }
  }
}
