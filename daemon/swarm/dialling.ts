/** Attempts to reach those who are known: how many at once, and what becomes of each. */
import { addressKey, type PeerAddress } from '../base/address.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Candidates } from './candidates.js'
import type { ConnectionBudget } from './connection-budget.js'
import type { Content } from './content.js'
import type { PeerTable } from './peer-table.js'

/** Dials begun in one tick. */
const DIALS_PER_TICK = 30

export interface DiallingPorts {
  readonly clock: Clock
  readonly content: Content
  readonly candidates: Candidates
  readonly peers: PeerTable
  readonly budget: ConnectionBudget
  /** Opens a connection and shakes hands; `arrived` or `failed` follows. */
  readonly dial: (address: PeerAddress) => Cancel
}

export class Dialling {
  readonly #maxPeers: number
  readonly #ports: DiallingPorts
  /** Attempts under way, by address; each has its part of the budget. */
  readonly #attempts = new Map<string, Cancel>()
  #closed = false

  constructor(init: { readonly maxPeers: number }, ports: DiallingPorts) {
    this.#maxPeers = init.maxPeers
    this.#ports = ports
  }

  get size(): number {
    return this.#attempts.size
  }

  /** Dials those who are known and due. */
  more(): void {
    const { clock, candidates, content, budget, peers, dial } = this.#ports
    const now = clock.now()
    for (let begun = 0; begun < DIALS_PER_TICK && !this.#closed; begun++) {
      if (peers.size + this.#attempts.size >= this.#maxPeers) return
      if (!budget.take()) return
      const address = candidates.next(now, content.complete)
      if (address === null) return budget.give()
      this.#attempts.set(addressKey(address), dial(address))
    }
  }

  /** An attempt led to a link, which takes over its part of the budget; false: it was none of ours. */
  arrived(address: PeerAddress): boolean {
    return this.#attempts.delete(addressKey(address))
  }

  failed(address: PeerAddress): void {
    if (!this.arrived(address)) return
    this.#ports.budget.give()
    this.#ports.candidates.failed(address, this.#ports.clock.now())
  }

  close(): void {
    this.#closed = true
    // Out of the table first: what a cancelled attempt says of itself is not counted again.
    const attempts = [...this.#attempts.values()]
    this.#attempts.clear()
    for (const cancel of attempts) {
      cancel()
      this.#ports.budget.give()
    }
  }
}
