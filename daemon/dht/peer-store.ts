/** What others announced to us (BEP 5, 33): peers by hash, bounded in every direction, gone after half an hour. */
import type { Millis } from '../../shared/units.js'
import type { Endpoint, NodeId } from '../codec/krpc.js'
import type { Random } from '../ports/random.js'
import { filterOf } from './filter.js'
import { compareDistance, hostOf } from './id.js'

/** Clients announce again every 15 minutes or so. */
const EXPIRY: Millis = 1_800_000
/** BEP 51: the set of samples is drawn anew this often, in seconds. */
export const SAMPLE_INTERVAL = 300
const MOST_SAMPLES = 20

export interface PeerStoreInit {
  /** Ours: of too many hashes the farthest goes first, so a flood must come near us to do harm. */
  readonly own: () => NodeId
  readonly mostHashes?: number
  readonly mostOfHash?: number
  readonly mostPeers?: number
}

interface Peer {
  readonly at: Endpoint
  readonly seed: boolean
  readonly since: Millis
}

export class PeerStore {
  readonly #own: () => NodeId
  readonly #mostHashes: number
  readonly #mostOfHash: number
  readonly #mostPeers: number
  readonly #random: Random
  /** By hash, then by address without port (BEP 33), the oldest first. */
  readonly #swarms = new Map<NodeId, Map<string, Peer>>()
  /** Peers of all hashes. */
  #peers = 0
  /** What is answered to sample_infohashes until `#drawnAt` is an interval ago. */
  #samples: NodeId[] = []
  #drawnAt: Millis = -Infinity

  constructor(init: PeerStoreInit, ports: { readonly random: Random }) {
    this.#own = init.own
    this.#mostHashes = init.mostHashes ?? 1000
    this.#mostOfHash = init.mostOfHash ?? 500
    this.#mostPeers = init.mostPeers ?? 20_000
    this.#random = ports.random
  }

  get hashes(): number {
    return this.#swarms.size
  }
  get peers(): number {
    return this.#peers
  }

  /** `peer` has the port it announced. False where there is no place for the hash. */
  add(hash: NodeId, peer: Endpoint, seed: boolean, now: Millis): boolean {
    const swarm = this.#swarms.get(hash) ?? new Map<string, Peer>()
    const host = hostOf(peer)
    if (swarm.delete(host)) this.#peers--
    else if (swarm.size >= this.#mostOfHash) this.#dropOldest(swarm)
    swarm.set(host, { at: peer, seed, since: now })
    this.#peers++
    this.#swarms.set(hash, swarm)
    if (this.#swarms.size > this.#mostHashes || this.#peers > this.#mostPeers) this.#makeRoom(now)
    return this.#swarms.has(hash)
  }

  /** At most `count` of the peers, in random order. */
  some(hash: NodeId, count: number, noSeed: boolean, now: Millis): Endpoint[] {
    const swarm = this.#fresh(hash, now)
    if (swarm === undefined) return []
    const all = [...swarm.values()].filter((peer) => !noSeed || !peer.seed).map((peer) => peer.at)
    for (let at = 0; at < Math.min(count, all.length); at++) {
      const other = at + this.#random.int(all.length - at)
      const [a, b] = [all[at], all[other]]
      if (a === undefined || b === undefined) continue
      all[at] = b
      all[other] = a
    }
    return all.slice(0, count)
  }

  /** BEP 33; undefined where the hash is not known. */
  filters(hash: NodeId, now: Millis): { readonly seeds: Buffer; readonly peers: Buffer } | undefined {
    const swarm = this.#fresh(hash, now)
    if (swarm === undefined) return undefined
    const hosts = (seed: boolean): string[] =>
      [...swarm].filter(([, peer]) => peer.seed === seed).map(([host]) => host)
    return { seeds: filterOf(hosts(true)), peers: filterOf(hosts(false)) }
  }

  /** BEP 51: the same hashes for a whole interval, so that nobody gets more by asking more often. */
  samples(now: Millis): {
    readonly hashes: readonly NodeId[]
    readonly num: number
    readonly interval: number
  } {
    if (now - this.#drawnAt >= SAMPLE_INTERVAL * 1000) {
      this.expire(now)
      const all = [...this.#swarms.keys()]
      this.#samples = []
      while (this.#samples.length < MOST_SAMPLES && all.length > 0) {
        this.#samples.push(...all.splice(this.#random.int(all.length), 1))
      }
      this.#drawnAt = now
    }
    return { hashes: this.#samples, num: this.#swarms.size, interval: SAMPLE_INTERVAL }
  }

  expire(now: Millis): void {
    for (const hash of [...this.#swarms.keys()]) this.#fresh(hash, now)
  }

  #fresh(hash: NodeId, now: Millis): Map<string, Peer> | undefined {
    const swarm = this.#swarms.get(hash)
    if (swarm === undefined) return undefined
    for (const [host, peer] of swarm) {
      if (now - peer.since <= EXPIRY) break
      swarm.delete(host)
      this.#peers--
    }
    if (swarm.size > 0) return swarm
    this.#swarms.delete(hash)
    return undefined
  }

  #dropOldest(swarm: Map<string, Peer>): void {
    for (const host of swarm.keys()) {
      swarm.delete(host)
      this.#peers--
      return
    }
  }

  #makeRoom(now: Millis): void {
    this.expire(now)
    while (this.#swarms.size > this.#mostHashes || this.#peers > this.#mostPeers) {
      const own = this.#own()
      let farthest: NodeId | null = null
      for (const hash of this.#swarms.keys()) {
        if (farthest === null || compareDistance(own, hash, farthest) > 0) farthest = hash
      }
      if (farthest === null) return
      this.#peers -= this.#swarms.get(farthest)?.size ?? 0
      this.#swarms.delete(farthest)
    }
  }
}
