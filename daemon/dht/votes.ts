/** What our address is, as others see it (BEP 42): each network has one vote, and many must agree. */
import { networkOf, isNear, hostOf } from './id.js'
import type { Endpoint } from '../codec/krpc.js'

/** Voters that are remembered, the latest. */
const VOTERS = 32
/** So many must agree, and be more than half. */
const AGREEING = 8

export class Votes {
  /** Host, as one character a byte, by the voter's network; the oldest first. */
  readonly #votes = new Map<string, string>()

  /** The host that most agree on once they are many; null until then. */
  add(voter: Endpoint, seen: Endpoint): string | null {
    // Who is near sees an address that nobody else does.
    if (isNear(voter) || isNear(seen) || voter.length !== seen.length) return null
    const network = networkOf(voter)
    this.#votes.delete(network)
    this.#votes.set(network, hostOf(seen))
    if (this.#votes.size > VOTERS) {
      for (const oldest of this.#votes.keys()) {
        this.#votes.delete(oldest)
        break
      }
    }
    const host = hostOf(seen)
    let agreeing = 0
    for (const each of this.#votes.values()) if (each === host) agreeing++
    return agreeing >= AGREEING && 2 * agreeing > this.#votes.size ? host : null
  }
}
