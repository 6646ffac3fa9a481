/** Peers that we know of and may dial: each once, with a pause after a failure, and never one that was banned. */
import type { Millis } from '../../shared/units.js'
import { addressKey, classOf, type PeerAddress } from '../base/address.js'
import { ipBytes } from '../base/ip.js'
import type { Random } from '../ports/random.js'
import { OwnAddresses, peerPriority } from './priority.js'

/** Where we heard of a peer. */
export type CandidateSource = 'tracker' | 'dht' | 'lsd' | 'pex' | 'incoming' | 'resume' | 'user' | 'magnet'

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
  /** The network of the peer that named it (BEP 11); null: it came another way. */
  teller: string | null
  use: 'idle' | 'dialling' | 'connected'
  /** Attempts and useless connections since the last useful one. */
  failures: number
  /** Not before. */
  retryAt: Millis
  /** It was of use once: worth keeping over others, and over a restart. */
  useful: boolean
  /** It had everything when it was last connected: of no use to one that has everything too. */
  seed: boolean
  /** It took our call in secret (MSE) when it last took one, or is said to; false: plainly; null: nobody knows. */
  secret: boolean | null
  /** Its canonical priority (BEP 40), and the version of our own addresses that it was computed from. */
  priority: number
  pricedAt: number
}

const NOBODY: readonly Candidate[] = []
const LIMIT = 3000
const MOST_BANS = 1000
/** Candidates in the list that one network named by peer exchange, and that all did: half of the list. */
const MOST_OF_TELLER = 200
const SHARE_OF_PEX = 1 / 2
/** Of a peer with which we share no family: neither first nor last. */
const MIDDLING = 2 ** 31
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
  // Each of these is made when it is first filled: most torrents of a long list know nobody.
  /** Known peers by address, the oldest first. */
  #known: Map<string, Candidate> | null = null
  /** What is never dialled or let in, by ban key, the oldest first; at most MOST_BANS. */
  #banned: Set<string> | null = null
  /** Our own addresses, as far as we know them. */
  #own: Set<string> | null = null
  /** How others see us: what priorities are computed from. */
  #seenAs: OwnAddresses | null = null
  /** Our port at the last word of a peer on our address. */
  #ownPort = 0
  /** Candidates in the list by the network that named them, and their sum. */
  #tellers: Map<string, number> | null = null
  #exchanged = 0
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
    return this.#known?.size ?? 0
  }

  /** Of these, did not answer, or were of no use, when they were last tried. */
  get failing(): number {
    let count = 0
    for (const { failures, use } of this.#all()) if (failures > 0 && use !== 'connected') count++
    return count
  }

  /**
   * Remembers a peer. False where it was known, may not be dialled (port, ban, ourselves), or there is no room. Only
   * the user may name the port of a foreign service. `teller`: the peer that named it by peer exchange; one network, and
   * all of them, have only so much room.
   */
  add(address: PeerAddress, source: CandidateSource, teller?: PeerAddress): boolean {
    if (!isDialable(address, source) || this.isBanned(address)) return false
    const key = addressKey(address)
    if (this.#own?.has(key) === true) return false
    const known = this.#known?.get(key)
    if (known !== undefined) {
      if (source === 'user') this.#favour(known)
      return false
    }
    const network = teller === undefined ? null : networkOf(teller)
    if (network !== null && !this.#hasRoomFor(network)) return false
    if (this.size >= this.#limit && !this.#evict(source)) return false
    if (network !== null) this.#countTold(network, 1)
    this.#known ??= new Map()
    this.#known.set(key, {
      address,
      source,
      teller: network,
      use: 'idle',
      failures: 0,
      retryAt: -Infinity,
      useful: false,
      seed: false,
      secret: null,
      priority: MIDDLING,
      pricedAt: 0,
    })
    this.#nothingBefore = -Infinity
    return true
  }

  /**
   * The peer to dial now, or null. It counts as in use until `failed`, `connected` or `closed`. Those that never
   * failed come first, by canonical priority (BEP 40) as soon as a peer told us our address, else in random order.
   * `withoutSeeds`: we have everything, so who had everything is left alone.
   */
  next(now: Millis, withoutSeeds = false): PeerAddress | null {
    if (now < this.#nothingBefore && withoutSeeds === this.#withoutSeeds) return null
    this.#withoutSeeds = withoutSeeds
    let best: Candidate | null = null
    let equals = 0
    let soonest = Infinity
    for (const candidate of this.#all()) {
      if (candidate.use !== 'idle' || (withoutSeeds && candidate.seed)) continue
      if (candidate.retryAt > now) {
        soonest = Math.min(soonest, candidate.retryAt)
        continue
      }
      const order =
        best === null ? -1 : compare(candidate, best) || this.#price(best) - this.#price(candidate)
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
    const candidate = this.#known?.get(addressKey(address))
    if (candidate !== undefined) this.#pause(candidate, now)
  }

  /** A connection with this peer stands, whoever made it. */
  connected(address: PeerAddress): void {
    const candidate = this.#known?.get(addressKey(address))
    if (candidate !== undefined) candidate.use = 'connected'
  }

  /** The connection ended. `useful`: it brought us something; otherwise it counts as a failure. */
  closed(address: PeerAddress, now: Millis, useful: boolean): void {
    const candidate = this.#known?.get(addressKey(address))
    if (candidate === undefined) return
    if (!useful) return this.#pause(candidate, now)
    candidate.useful = true
    candidate.failures = 0
    this.#idle(candidate, now + this.#jittered(RETURN_PAUSE))
  }

  /** The connection ended as our own address went: it is due at once. */
  stranded(address: PeerAddress): void {
    const candidate = this.#known?.get(addressKey(address))
    if (candidate !== undefined) this.#idle(candidate, -Infinity)
  }

  /** BEP 27: those whom no tracker named are known no more. */
  forgetForeign(): void {
    for (const candidate of this.#all()) if (isForeign(candidate.source)) this.#drop(candidate)
  }

  /** Where we heard of it first. */
  sourceOf(address: PeerAddress): CandidateSource {
    return this.#known?.get(addressKey(address))?.source ?? 'tracker'
  }

  /** It has everything. */
  noteSeed(address: PeerAddress): void {
    const candidate = this.#known?.get(addressKey(address))
    if (candidate !== undefined) candidate.seed = true
  }

  /** It took a call in secret, or plainly: the next one begins so. */
  noteSecret(address: PeerAddress, secret: boolean): void {
    const candidate = this.#known?.get(addressKey(address))
    if (candidate !== undefined) candidate.secret = secret
  }

  /** Whether a call in secret or a plain one is likely to be taken; null: nobody knows. */
  secretOf(address: PeerAddress): boolean | null {
    return this.#known?.get(addressKey(address))?.secret ?? null
  }

  /** We ended the attempt ourselves: it is due at once. */
  release(address: PeerAddress): void {
    const candidate = this.#known?.get(addressKey(address))
    if (candidate?.use === 'dialling') this.#idle(candidate, -Infinity)
  }

  /** We ended every connection and attempt ourselves: these peers, and those that were useful, are due at once. */
  releaseAll(): void {
    for (const candidate of this.#all()) {
      const welcome = candidate.useful && candidate.failures === 0
      if (candidate.use !== 'idle' || welcome) this.#idle(candidate, -Infinity)
    }
  }

  /** Never again, neither dialled nor let in: the host, or on this machine the one port. */
  ban(address: PeerAddress): void {
    const key = banKey(address)
    const banned = (this.#banned ??= new Set())
    banned.delete(key)
    banned.add(key)
    const [oldest] = banned
    if (banned.size > MOST_BANS && oldest !== undefined) banned.delete(oldest)
    for (const candidate of this.#all()) {
      if (banKey(candidate.address) === key) this.#drop(candidate)
    }
  }

  isBanned(address: PeerAddress): boolean {
    return this.#banned?.has(banKey(address)) === true
  }

  /** This address is our own: it answered with our peer id, or we listen there. */
  addSelf(address: PeerAddress): void {
    const key = addressKey(address)
    this.#own ??= new Set()
    this.#own.add(key)
    const known = this.#known?.get(key)
    if (known !== undefined) this.#drop(known)
  }

  /** A peer says that it sees us at `host` (BEP 10 `yourip`); `port` is where we listen. */
  heardOwn(teller: PeerAddress, host: string, port: number): void {
    this.#ownPort = port
    this.#seenAs ??= new OwnAddresses()
    this.#seenAs.heard(teller, host)
  }

  /** The canonical priority of a peer (BEP 40), 0..2^32-1; null while nobody like it told us our address. */
  priorityOf(peer: PeerAddress): number | null {
    const host = this.#seenAs?.towards(peer) ?? null
    return host === null ? null : peerPriority({ host, port: this.#ownPort, family: peer.family }, peer)
  }

  /** Peers that were useful once, at most so many: worth remembering over a restart. */
  worthKeeping(limit: number): PeerAddress[] {
    const kept: PeerAddress[] = []
    for (const candidate of this.#all()) {
      if (kept.length >= limit) break
      if (candidate.useful || candidate.use === 'connected') kept.push(candidate.address)
    }
    return kept
  }

  #all(): Iterable<Candidate> {
    return this.#known?.values() ?? NOBODY
  }

  #favour(candidate: Candidate): void {
    candidate.source = 'user'
    if (candidate.teller !== null) this.#countTold(candidate.teller, -1)
    candidate.teller = null
    candidate.failures = 0
    if (candidate.use === 'idle') this.#idle(candidate, -Infinity)
  }

  /** As `priorityOf`, kept with the candidate. */
  #price(candidate: Candidate): number {
    const version = this.#seenAs?.version ?? 0
    if (candidate.pricedAt !== version) {
      candidate.pricedAt = version
      candidate.priority = this.priorityOf(candidate.address) ?? MIDDLING
    }
    return candidate.priority
  }

  #drop(candidate: Candidate): void {
    this.#known?.delete(addressKey(candidate.address))
    if (candidate.teller !== null) this.#countTold(candidate.teller, -1)
  }

  #hasRoomFor(network: string): boolean {
    const told = this.#tellers?.get(network) ?? 0
    return told < MOST_OF_TELLER && this.#exchanged < this.#limit * SHARE_OF_PEX
  }

  #countTold(network: string, more: 1 | -1): void {
    const tellers = (this.#tellers ??= new Map<string, number>())
    const told = (tellers.get(network) ?? 0) + more
    this.#exchanged += more
    if (told > 0) tellers.set(network, told)
    else tellers.delete(network)
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
    for (const candidate of this.#all()) {
      if (++seen > EVICTION_SCAN && source !== 'user') return false
      const failed = candidate.failures > 0 && !candidate.useful
      const weaker = !isHearsay(source) && isHearsay(candidate.source) && !candidate.useful
      if (candidate.use !== 'idle' || !(failed || weaker)) continue
      this.#drop(candidate)
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
  return source === 'dht' || source === 'lsd' || source === 'pex'
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

/** What one party may have all of: a host, of IPv6 its /64. */
function networkOf({ host, family }: PeerAddress): string {
  return family === 4
    ? host
    : Buffer.from((ipBytes(host) ?? new Uint8Array(8)).subarray(0, 8)).toString('hex')
}

function banKey(address: PeerAddress): string {
  return classOf(address.host) === 'loopback' ? addressKey(address) : address.host
}
