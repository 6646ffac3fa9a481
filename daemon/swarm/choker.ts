/**
 * Whom we upload to (BEP 3): while we download, those who give most, and by turns somebody new; while we seed,
 * everybody in turn. Answers what has to change; sends nothing and reads no clock.
 */
import type { Bytes, Millis, Rate } from '../../shared/units.js'
import type { Random } from '../ports/random.js'

/** What the choker asks of a peer. */
export interface ChokerPeer {
  /** Told from the other peers by it; may be used again by a later peer. */
  readonly id: number
  /** It wants what we have. */
  readonly interested: boolean
  /** We choke it. */
  readonly choked: boolean
  /** Payload it gives us, over the last 20 s. */
  readonly downRate: Rate
  /** Payload we give it, over the last 20 s. */
  readonly upRate: Rate
  /** Payload it got since we last unchoked it. */
  readonly uploadedSinceUnchoke: Bytes
  /** On the clock that the choker is called with. */
  readonly connectedAt: Millis
  /** Asked for blocks and gave none for `SNUB_AFTER`. */
  readonly snubbed: boolean
  /** It has every piece, or said that it will not download (BEP 21). */
  readonly uploadOnly: boolean
}

export interface ChokerInit {
  readonly pieceLength: Bytes
}

export interface ChokerPorts {
  readonly random: Random
}

export interface RoundInit {
  /** Nothing is left to download: what peers give us says nothing. */
  readonly seeding: boolean
  /** Peers that may be unchoked at once. */
  readonly slots: number
}

export interface Verdict<P> {
  readonly choke: readonly P[]
  readonly unchoke: readonly P[]
}

/** Time between two calls of `round` (BEP 3). */
export const ROUND_INTERVAL: Millis = 10_000
/** A peer that gave nothing for so long though asked counts as snubbing us. */
export const SNUB_AFTER: Millis = 60_000

const OPTIMISTIC_INTERVAL: Millis = 30_000
/** One slot of so many is given without regard to rate. */
const SLOTS_PER_OPTIMISTIC = 4
/** A peer never tried is so much likelier to be tried next (BEP 3). */
const NEWCOMER_WEIGHT = 3
/** A newcomer that waited so long comes first in every second draw: 90 s with the rounds in between. */
const NEWCOMER_PATIENCE: Millis = 20_000
/** While seeding a turn is over after that much ... */
const QUOTA_PIECES = 20
const QUOTA_BYTES: Bytes = 32 * 1024 * 1024
/** ... or so long, sooner for one that takes nothing. */
const TURN: Millis = 120_000
const IDLE_TURN: Millis = 30_000

interface Memory {
  /** Of the peer that is meant: an id may be used again. */
  readonly connectedAt: Millis
  /** When it was first seen wanting something. */
  readonly seenAt: Millis
  /** When we last unchoked it, or null: never. */
  unchokedAt: Millis | null
  /** The last round that found it unchoked; -Infinity: none. */
  servedAt: Millis
  /** It holds a slot without having earned it, until the next draw. */
  optimistic: boolean
}

export class Choker<P extends ChokerPeer> {
  readonly #init: ChokerInit
  readonly #random: Random
  /** What we know of the interested peers of the last round, and of those since, by id. */
  readonly #memory = new Map<number, Memory>()
  /** Peers that may be unchoked at once, as of the round under way. */
  #slots = 0
  /** When the optimistic slots were last drawn, or null. */
  #drawnAt: Millis | null = null
  /** In the next draw those who waited come first. Every second draw is blind, so that a flood of new peers cannot
   * take them all. */
  #patientDraw = true

  constructor(init: ChokerInit, ports: ChokerPorts) {
    this.#init = init
    this.#random = ports.random
  }

  /** Every `ROUND_INTERVAL`, with every connected peer: what to change. The caller carries it out. */
  round(now: Millis, peers: Iterable<P>, init: RoundInit): Verdict<P> {
    this.#slots = Math.max(1, Math.floor(init.slots))
    const everyone = [...peers]
    const wanting = everyone.filter((peer) => peer.interested && !peer.uploadOnly)
    this.#remember(now, wanting)
    const chosen = init.seeding ? this.#inTurn(now, wanting) : this.#byRate(now, wanting)
    const verdict = {
      choke: everyone.filter((peer) => !peer.choked && !chosen.has(peer)),
      unchoke: [...chosen].filter((peer) => peer.choked),
    }
    for (const peer of verdict.unchoke) this.#of(now, peer).unchokedAt = now
    return verdict
  }

  /**
   * Between rounds: who of those that wait, all of them interested and choked, gets one of the `free` slots. While
   * seeding those who waited longest; else the best givers, then those never tried, then by lot.
   */
  fill(now: Millis, waiting: readonly P[], free: number, seeding: boolean): P[] {
    const order = waiting.map((peer) => {
      const memory = this.#of(now, peer)
      const since = seeding ? memory.servedAt : (memory.unchokedAt ?? -Infinity)
      const rate = seeding || peer.snubbed ? 0 : peer.downRate
      return {
        peer,
        memory,
        rate,
        since: seeding || since === -Infinity ? since : 0,
        lot: this.#random.float(),
      }
    })
    order.sort((a, b) => b.rate - a.rate || compare(a.since, b.since) || a.lot - b.lot)
    return order.slice(0, free).map(({ peer, memory }) => {
      memory.unchokedAt = now
      memory.optimistic = true
      return peer
    })
  }

  /** Forgets the peers that left or want nothing now, and meets the new ones. */
  #remember(now: Millis, wanting: readonly P[]): void {
    const ids = new Set(wanting.map((peer) => peer.id))
    for (const id of this.#memory.keys()) if (!ids.has(id)) this.#memory.delete(id)
    for (const peer of wanting) {
      const memory = this.#of(now, peer)
      if (!peer.choked) memory.servedAt = now
    }
  }

  #of(now: Millis, peer: P): Memory {
    const known = this.#memory.get(peer.id)
    if (known?.connectedAt === peer.connectedAt) return known
    const memory: Memory = {
      connectedAt: peer.connectedAt,
      seenAt: now,
      unchokedAt: null,
      servedAt: -Infinity,
      optimistic: false,
    }
    this.#memory.set(peer.id, memory)
    return memory
  }

  /** Downloading: the best givers, and the rest of the slots by lot. */
  #byRate(now: Millis, wanting: readonly P[]): Set<P> {
    const lots = Math.max(1, Math.floor(this.#slots / SLOTS_PER_OPTIMISTIC))
    const givers = wanting.filter((peer) => peer.downRate > 0 && !peer.snubbed)
    // On a tie the one that is unchoked stays: changing to and fro helps nobody.
    givers.sort((a, b) => b.downRate - a.downRate || Number(a.choked) - Number(b.choked))
    const chosen = new Set(givers.slice(0, this.#slots - lots))
    for (const peer of chosen) this.#of(now, peer).optimistic = false
    const rest = wanting.filter((peer) => !chosen.has(peer))
    for (const peer of this.#optimistic(now, rest, this.#slots - chosen.size)) chosen.add(peer)
    return chosen
  }

  /** Who holds the slots that are not earned. Drawn anew every 30 s; in between only what fell vacant. */
  #optimistic(now: Millis, rest: readonly P[], room: number): P[] {
    const due = this.#drawnAt === null || now - this.#drawnAt >= OPTIMISTIC_INTERVAL
    const held = rest.filter((peer) => this.#of(now, peer).optimistic && !peer.choked)
    const others = rest.filter((peer) => !held.includes(peer))
    // The last to come stays longest, where there are fewer slots than before.
    held.sort((a, b) => this.#unchokedAt(b) - this.#unchokedAt(a))
    const keep = due ? [] : held.slice(0, room)
    const holders = [...keep, ...this.#draw(now, others, room - keep.length)]
    if (due) {
      holders.push(...held.slice(0, room - holders.length))
      this.#drawnAt = now
      this.#patientDraw = !this.#patientDraw
    }
    for (const peer of rest) this.#of(now, peer).optimistic = holders.includes(peer)
    return holders
  }

  /** `count` of the peers by lot, newcomers with three tickets each. */
  #draw(now: Millis, peers: readonly P[], count: number): P[] {
    const pool = [...peers]
    const drawn: P[] = []
    while (drawn.length < count && pool.length > 0) {
      const at = this.#longestWaiting(now, pool) ?? this.#lot(pool)
      drawn.push(...pool.splice(at, 1))
    }
    return drawn
  }

  /** In every second draw: the newcomer that has waited longest, if it has waited long enough. */
  #longestWaiting(now: Millis, pool: readonly P[]): number | null {
    if (!this.#patientDraw) return null
    let best: number | null = null
    let longest = NEWCOMER_PATIENCE
    pool.forEach((peer, at) => {
      const memory = this.#of(now, peer)
      const waited = now - memory.seenAt
      if (memory.unchokedAt !== null || waited < longest) return
      if (best === null || waited > longest) best = at
      longest = waited
    })
    return best
  }

  #lot(pool: readonly P[]): number {
    const weights = pool.map((peer) => (this.#unchokedAt(peer) === -Infinity ? NEWCOMER_WEIGHT : 1))
    let ticket = this.#random.int(weights.reduce((sum, weight) => sum + weight, 0))
    for (const [at, weight] of weights.entries()) {
      if (ticket < weight) return at
      ticket -= weight
    }
    return 0
  }

  #unchokedAt(peer: P): Millis {
    return this.#memory.get(peer.id)?.unchokedAt ?? -Infinity
  }

  /**
   * Seeding: whose turn is not over stays (where slots become fewer, those who take fastest), then those who waited
   * longest, then those whose turn is over, the longest served last.
   */
  #inTurn(now: Millis, wanting: readonly P[]): Set<P> {
    for (const memory of this.#memory.values()) memory.optimistic = false
    const order = wanting.map((peer) => {
      const lot = this.#random.float()
      if (peer.choked) return { peer, rank: 1, key: this.#of(now, peer).servedAt, lot }
      if (this.#turnIsOver(now, peer)) return { peer, rank: 2, key: -this.#unchokedAt(peer), lot }
      return { peer, rank: 0, key: -peer.upRate, lot }
    })
    order.sort((a, b) => {
      if (a.rank !== b.rank) return a.rank - b.rank
      if (a.key !== b.key) return compare(a.key, b.key)
      return a.peer.connectedAt - b.peer.connectedAt || a.lot - b.lot
    })
    return new Set(order.slice(0, this.#slots).map(({ peer }) => peer))
  }

  #turnIsOver(now: Millis, peer: P): boolean {
    const quota = Math.min(QUOTA_BYTES, QUOTA_PIECES * this.#init.pieceLength)
    if (peer.uploadedSinceUnchoke >= quota) return true
    const held = now - this.#unchokedAt(peer)
    return held >= (peer.uploadedSinceUnchoke === 0 ? IDLE_TURN : TURN)
  }
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}
