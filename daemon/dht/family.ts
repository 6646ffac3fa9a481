/** Our node in one address family: its table, the peers it keeps for others, and how it comes into the network. */
import type { Millis } from '../../shared/units.js'
import type { Contact, Endpoint, NodeId } from '../codec/krpc.js'
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import { hostOf, idForHost, idFrom, isLawful, isNear, randomIdNear } from './id.js'
import { PeerStore } from './peer-store.js'
import { K, Table } from './table.js'
import { Votes } from './votes.js'

const FIRST_RETRY: Millis = 5_000
const LONGEST_RETRY: Millis = 900_000
/** Nodes to begin with that are kept beside the table. */
const MOST_HINTS = 100
const MOST_SAVED = 200

export interface SavedFamily {
  readonly family: 4 | 6
  readonly id: NodeId
  /** Those that answered last come first. */
  readonly nodes: readonly Contact[]
}

export interface FamilyStatus {
  readonly family: 4 | 6
  readonly id: NodeId
  readonly nodes: number
  readonly good: number
  readonly buckets: number
  /** Our address as others see it, one character a byte; null while they do not agree. */
  readonly host: string | null
  readonly booting: boolean
  readonly hashes: number
  readonly peers: number
}

export class Family {
  readonly family: 4 | 6
  table: Table
  readonly peers: PeerStore
  /** Addresses to begin with where nobody is known. */
  doors: readonly Endpoint[] = []
  /** When the next search for our own neighbourhood begins; Infinity: no need. */
  bootAt: Millis = Infinity
  booting = false
  readonly #clock: Clock
  readonly #random: Random
  readonly #votes = new Votes()
  #host: string | null = null
  /** Nodes that may be there: saved ones, and what the other family told. */
  #hints: Contact[]
  /** Searches in a row that found nobody. */
  #lonely = 0

  constructor(
    init: { readonly family: 4 | 6; readonly saved?: SavedFamily },
    ports: { readonly clock: Clock; readonly random: Random },
  ) {
    this.family = init.family
    this.#clock = ports.clock
    this.#random = ports.random
    this.table = new Table({ id: init.saved?.id ?? idFrom(ports.random.bytes(20)) })
    this.#hints = (init.saved?.nodes ?? []).slice(0, MOST_SAVED)
    this.peers = new PeerStore({ own: () => this.table.id }, ports)
  }

  /** A node answered. Routers serve everybody and are in nobody's table, but for those near us. */
  answered(contact: Contact, now: Millis): void {
    if (!this.doors.includes(contact.at) || isNear(contact.at)) this.table.answered(contact, now)
  }

  knows(at: Endpoint): boolean {
    for (const entry of this.table.entries()) if (entry.at === at) return true
    return false
  }

  hint(contacts: readonly Contact[]): void {
    if (this.table.size >= K || contacts.length === 0) return
    const first = this.#hints.length === 0
    this.#hints = [...contacts, ...this.#hints].slice(0, MOST_HINTS)
    if (first && !this.booting) this.bootAt = this.#clock.now()
  }

  /** Somebody told our address. True where our id does not fit it: it is another from now on (BEP 42). */
  vote(voter: Endpoint, seen: Endpoint): boolean {
    const host = this.#votes.add(voter, seen)
    if (host === null || host === this.#host) return false
    this.#host = host
    if (isLawful(this.table.id, seen)) return false
    const old = this.table
    this.table = new Table({ id: idForHost(hostOf(seen), this.#random.int(256), this.#random) })
    const now = this.#clock.now()
    for (const entry of old.entries()) if (entry.fails === 0) this.table.answered(entry, now)
    return true
  }

  /** The contacts to begin with, beside those of the table. */
  beginBoot(): readonly Contact[] {
    this.booting = true
    this.bootAt = Infinity
    const hints = this.#hints
    this.#hints = []
    return hints
  }

  endBoot(): void {
    this.booting = false
    if (this.table.size > 0) this.#lonely = 0
    else this.bootLater()
  }

  /** Nobody is there: again, ever later. */
  bootLater(): void {
    if (this.booting || this.bootAt < Infinity) return
    const pause = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** this.#lonely++)
    this.bootAt = this.#clock.now() + pause * (1 + 0.25 * this.#random.float())
  }

  /** A key in each bucket that has room. */
  thinPlaces(): NodeId[] {
    if (this.table.size < K) return []
    return this.table.thin().map((bits) => randomIdNear(this.table.id, bits, this.#random))
  }

  save(): SavedFamily {
    return { family: this.family, id: this.table.id, nodes: this.table.saved(MOST_SAVED) }
  }

  status(now: Millis): FamilyStatus {
    const { table, family, peers } = this
    return {
      family,
      id: table.id,
      nodes: table.size,
      good: table.good(now),
      buckets: table.buckets,
      host: this.#host,
      booting: this.booting,
      hashes: peers.hashes,
      peers: peers.peers,
    }
  }
}
