/** Peers that we know of and may dial: each once, with a pause after a failure, and never one that was banned. */
import type { Millis } from '../../shared/units.js'
import { addressKey, classOf, type PeerAddress } from '../base/address.js'
import type { Random } from '../ports/random.js'

/** Where we heard of a peer. */
export type CandidateSource = 'tracker' | 'dht' | 'lsd' | 'incoming' | 'resume' | 'user' | 'magnet'

export interface CandidatesInit {
  /** The most to keep. */
  readonly limit?: number
}

export interface CandidatesPorts {
  readonly random: Random
}

interface Candidate {
  readonly address: PeerAddress
  source: CandidateSource
  use: 'idle' | 'dialling' | 'connected'
  /** Attempts and useless connections since the last useful one. */
  failures: number
  /** Not before. */
  retryAt: Millis
  /** It was of use once: worth keeping over others, and over a restart. */
  useful: boolean
  /** It had everything when it was last connected: of no use to one that has everything too. */
  seed: boolean
}

const LIMIT = 3000
const MOST_BANS = 1000
const FIRST_PAUSE: Millis = 30_000
const LONGEST_PAUSE: Millis = 3_600_000
/** A pause is longer by up to this part, so that those who failed together do not come back together. */
const JITTER = 0.25
/** How soon a peer is dialled again that was useful and left. */
const RETURN_PAUSE: Millis = 30_000
/** Looked at to find one that may be dropped for a new one. */
const EVICTION_SCAN = 64
/** Ports of services that no peer listens on: a tracker that names them wants us to knock there. */
const FOREIGN_PORTS = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 53, 69, 79, 110, 111, 113, 119, 123, 135, 137, 138,
  139, 143, 161, 179, 389, 427, 445, 465, 512, 513, 514, 515, 526, 530, 540, 548, 554, 556, 563, 587, 601,
  636, 989, 990, 993, 995, 2049, 3306, 3389, 5060, 5061, 5432, 5900, 6379, 6667, 11_211,
])

export class Candidates {
  readonly #limit: number
  readonly #random: Random
  /** Known peers by address, the oldest first. */
  readonly #known = new Map<string, Candidate>()
  /** What is never dialled or let in, by ban key, the oldest first; at most MOST_BANS. */
  readonly #banned = new Set<string>()
  /** Our own addresses, as far as we know them. */
  readonly #own = new Set<string>()
  /** `next` found nothing that is due before this, and nothing changed since. */
  #nothingBefore: Millis = -Infinity
  /** Seeds were left out in that search. */
  #withoutSeeds = false

  constructor(init: CandidatesInit, ports: CandidatesPorts) {
    this.#limit = init.limit ?? LIMIT
    this.#random = ports.random
  }

  /** Known peers, those in use among them. */
  get size(): number {
    return this.#known.size
  }

  /** Of these, did not answer, or were of no use, when they were last tried. */
  get failing(): number {
    let count = 0
    for (const { failures, use } of this.#known.values()) if (failures > 0 && use !== 'connected') count++
    return count
  }

  /**
   * Remembers a peer. False where it was known, may not be dialled (port, ban, ourselves), or there is no room. Only
   * the user may name the port of a foreign service.
   */
  add(address: PeerAddress, source: CandidateSource): boolean {
    if (!isDialable(address, source) || this.isBanned(address)) return false
    const key = addressKey(address)
    if (this.#own.has(key)) return false
    const known = this.#known.get(key)
    if (known !== undefined) {
      if (source === 'user') this.#favour(known)
      return false
    }
    if (this.#known.size >= this.#limit && !this.#evict(source)) return false
    this.#known.set(key, {
      address,
      source,
      use: 'idle',
      failures: 0,
      retryAt: -Infinity,
      useful: false,
      seed: false,
    })
    this.#nothingBefore = -Infinity
    return true
  }

  /**
   * The peer to dial now, or null. It counts as in use until `failed`, `connected` or `closed`. Those that never
   * failed come first, in random order. `withoutSeeds`: we have everything, so who had everything is left alone.
   */
  next(now: Millis, withoutSeeds = false): PeerAddress | null {
    if (now < this.#nothingBefore && withoutSeeds === this.#withoutSeeds) return null
    this.#withoutSeeds = withoutSeeds
    let best: Candidate | null = null
    let equals = 0
    let soonest = Infinity
    for (const candidate of this.#known.values()) {
      if (candidate.use !== 'idle' || (withoutSeeds && candidate.seed)) continue
      if (candidate.retryAt > now) {
        soonest = Math.min(soonest, candidate.retryAt)
        continue
      }
      const order = best === null ? -1 : compare(candidate, best)
      if (order > 0) continue
      equals = order < 0 ? 1 : equals + 1
      if (equals === 1 || this.#random.int(equals) === 0) best = candidate
    }
    if (best === null) {
      this.#nothingBefore = soonest
      return null
    }
    best.use = 'dialling'
    return best.address
  }

  /** The attempt failed, or the handshake did: again after 30 s, 60 s, ... up to an hour. */
  failed(address: PeerAddress, now: Millis): void {
    const candidate = this.#known.get(addressKey(address))
    if (candidate !== undefined) this.#pause(candidate, now)
  }

  /** A connection with this peer stands, whoever made it. */
  connected(address: PeerAddress): void {
    const candidate = this.#known.get(addressKey(address))
    if (candidate !== undefined) candidate.use = 'connected'
  }

  /** The connection ended. `useful`: it brought us something; otherwise it counts as a failure. */
  closed(address: PeerAddress, now: Millis, useful: boolean): void {
    const candidate = this.#known.get(addressKey(address))
    if (candidate === undefined) return
    if (!useful) return this.#pause(candidate, now)
    candidate.useful = true
    candidate.failures = 0
    this.#idle(candidate, now + this.#jittered(RETURN_PAUSE))
  }

  /** BEP 27: those whom no tracker named are known no more. */
  forgetForeign(): void {
    for (const [key, { source }] of this.#known) if (isForeign(source)) this.#known.delete(key)
  }

  /** Where we heard of it first. */
  sourceOf(address: PeerAddress): CandidateSource {
    return this.#known.get(addressKey(address))?.source ?? 'tracker'
  }

  /** It has everything. */
  noteSeed(address: PeerAddress): void {
    const candidate = this.#known.get(addressKey(address))
    if (candidate !== undefined) candidate.seed = true
  }

  /** We ended every connection and attempt ourselves: these peers, and those that were useful, are due at once. */
  releaseAll(): void {
    for (const candidate of this.#known.values()) {
      const welcome = candidate.useful && candidate.failures === 0
      if (candidate.use !== 'idle' || welcome) this.#idle(candidate, -Infinity)
    }
  }

  /** Never again, neither dialled nor let in: the host, or on this machine the one port. */
  ban(address: PeerAddress): void {
    const key = banKey(address)
    this.#banned.delete(key)
    this.#banned.add(key)
    const [oldest] = this.#banned
    if (this.#banned.size > MOST_BANS && oldest !== undefined) this.#banned.delete(oldest)
    for (const [known, candidate] of this.#known) {
      if (banKey(candidate.address) === key) this.#known.delete(known)
    }
  }

  isBanned(address: PeerAddress): boolean {
    return this.#banned.has(banKey(address))
  }

  /** This address is our own: it answered with our peer id, or we listen there. */
  addSelf(address: PeerAddress): void {
    const key = addressKey(address)
    this.#own.add(key)
    this.#known.delete(key)
  }

  /** Peers that were useful once, at most so many: worth remembering over a restart. */
  worthKeeping(limit: number): PeerAddress[] {
    const kept: PeerAddress[] = []
    for (const candidate of this.#known.values()) {
      if (kept.length >= limit) break
      if (candidate.useful || candidate.use === 'connected') kept.push(candidate.address)
    }
    return kept
  }

  #favour(candidate: Candidate): void {
    candidate.source = 'user'
    candidate.failures = 0
    if (candidate.use === 'idle') this.#idle(candidate, -Infinity)
  }

  #pause(candidate: Candidate, now: Millis): void {
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** candidate.failures)
    candidate.failures++
    this.#idle(candidate, now + this.#jittered(pause))
  }

  #jittered(pause: Millis): Millis {
    return pause * (1 + JITTER * this.#random.float())
  }

  #idle(candidate: Candidate, retryAt: Millis): void {
    candidate.use = 'idle'
    candidate.retryAt = retryAt
    this.#nothingBefore = Math.min(this.#nothingBefore, retryAt)
  }

  /** Makes room by dropping one that failed; for what is worth more than a tracker's word, any that never helped. */
  #evict(source: CandidateSource): boolean {
    let seen = 0
    for (const [key, candidate] of this.#known) {
      if (++seen > EVICTION_SCAN && source !== 'user') return false
      const failed = candidate.failures > 0 && !candidate.useful
      const weaker = !isHearsay(source) && isHearsay(candidate.source) && !candidate.useful
      if (candidate.use !== 'idle' || !(failed || weaker)) continue
      this.#known.delete(key)
      return true
    }
    return false
  }
}

/** Anybody may have said it. */
function isHearsay(source: CandidateSource): boolean {
  return source === 'tracker' || isForeign(source)
}

/** Of whom a private torrent must not hear (BEP 27). */
export function isForeign(source: CandidateSource): boolean {
  return source === 'dht' || source === 'lsd'
}

/** Below 0: the first is to be dialled before the second. */
function compare(a: Candidate, b: Candidate): number {
  const rank = (candidate: Candidate): number => (candidate.source === 'user' ? 0 : candidate.useful ? 1 : 2)
  return a.failures - b.failures || rank(a) - rank(b)
}

function isDialable(address: PeerAddress, source: CandidateSource): boolean {
  const { host, port } = address
  if (!Number.isInteger(port) || port < 1 || port > 65_535 || classOf(host) === 'never') return false
  return source === 'user' || !FOREIGN_PORTS.has(port)
}

function banKey(address: PeerAddress): string {
  return classOf(address.host) === 'loopback' ? addressKey(address) : address.host
}
