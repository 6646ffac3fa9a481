/** The peers of a torrent that is only a hash so far, and the fetching of its metadata from them (BEP 9). */
import type { Bytes, Millis, SwarmKey, TorrentId } from '../../shared/units.js'
import type { PeerView } from '../../shared/views.js'
import { addressKey, type PeerAddress } from '../base/address.js'
import { type Log, stackOf } from '../base/log.js'
import type { PeerExtension } from '../codec/extension.js'
import { encodeMetadataReject, encodeMetadataRequest, type MetadataMessage } from '../codec/metadata.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Candidates, CandidateSource } from './candidates.js'
import type { ConnectionBudget } from './connection-budget.js'
import type { Introduction } from './introduction.js'
import type { Greeting, Link } from './link.js'
import { MetadataAssembly } from './metadata-assembly.js'
import { type Handover, MetadataPeer, type MetadataPeerOwner } from './metadata-peer.js'
import { MAX_QUEUED_REQUESTS } from './upload.js'

const TICK: Millis = 1000
/** Connections while only metadata are wanted. */
const MOST_PEERS = 30
/** Dials begun in one tick. */
const DIALS_PER_TICK = 10
const SILENT_AFTER: Millis = 120_000
/** With a full house, one that had nothing for so long makes room. */
const USELESS_AFTER: Millis = 15_000
/** Late or wrong blocks of one peer. */
const MOST_STRIKES = 3

export interface MetadataFetchInit {
  readonly torrent: TorrentId
  readonly key: SwarmKey
  readonly peerId: Uint8Array
  /** Shown to peers. */
  readonly version: string
  readonly maxPeers: number
}

export interface MetadataFetchPorts {
  readonly clock: Clock
  readonly log: Log
  readonly candidates: Candidates
  readonly budget: ConnectionBudget
  readonly dial: (address: PeerAddress) => Cancel
  readonly listenPort: () => number
  /** Whether peers may tell us of others (BEP 11). */
  readonly pex: () => boolean
  /** Do these bytes have the info hash? Answers later. */
  readonly verify: (bytes: Uint8Array, done: (right: boolean) => void) => void
  /** They are here, once. */
  readonly fetched: (info: Uint8Array) => void
  /** A fault of our own ended one connection. */
  readonly peerBroke: () => void
  /** A fault of our own that went further than one connection. */
  readonly broke: (error: unknown) => void
  /** A peer came or went, or a block came. */
  readonly changed: () => void
}

export class MetadataFetch implements MetadataPeerOwner {
  readonly #init: MetadataFetchInit
  readonly #ports: MetadataFetchPorts
  readonly #assembly: MetadataAssembly
  readonly #peers = new Set<MetadataPeer>()
  /** Attempts under way, by address. */
  readonly #dialling = new Map<string, { readonly address: PeerAddress; readonly cancel: Cancel }>()
  #ticker: Cancel | null = null
  #closed = false

  constructor(init: MetadataFetchInit, ports: MetadataFetchPorts) {
    this.#init = init
    this.#ports = ports
    this.#assembly = new MetadataAssembly({
      verify: ports.verify,
      right: (bytes) => {
        if (!this.#closed) ports.fetched(bytes)
      },
      lied: (peer) => {
        for (const known of this.#peers) if (known === peer) this.#ban(known)
      },
      changed: () => {
        this.#askAll()
      },
    })
  }

  get size(): number {
    return this.#peers.size
  }
  /** 0..1 */
  get progress(): number {
    return this.#assembly.progress
  }
  views(): PeerView[] {
    return [...this.#peers].map((peer) => peer.view())
  }

  /** Dials those who are known and due; to be called whenever more become known. */
  dialMore(): void {
    this.#dialSome()
    this.#arm()
  }

  /** A link that has shaken hands. It is closed where it is not wanted. */
  attach(link: Link, greeting: Greeting, source: CandidateSource): void {
    const { address, direction } = link.transport
    const dialled = direction === 'out' && this.#dialling.delete(addressKey(address))
    const refusal = this.#refusal(link, greeting)
    if (refusal !== null) {
      if (dialled) this.#ports.budget.give()
      if (refusal === 'self') this.#ports.candidates.addSelf(address)
      else if (dialled) this.#ports.candidates.failed(address, this.#ports.clock.now())
      return link.close(refusal)
    }
    if (!dialled && !this.#ports.budget.take()) return link.close('too-many-connections')
    this.#ports.candidates.connected(address)
    const peer = new MetadataPeer(
      { link, greeting, source, own: this.#introduction() },
      { owner: this, now: () => this.#ports.clock.now() },
    )
    this.#peers.add(peer)
    this.#arm()
    link.take(peer, this.#init.torrent)
    this.#ports.changed()
  }

  dialFailed(address: PeerAddress): void {
    if (!this.#dialling.delete(addressKey(address))) return
    this.#ports.budget.give()
    this.#ports.candidates.failed(address, this.#ports.clock.now())
  }

  /** Ends every attempt, and gives the connections away: they stay in the budget. */
  handOver(): Handover[] {
    const peers = [...this.#peers]
    this.#peers.clear()
    this.#end()
    return peers.map((peer) => peer.handOver())
  }

  close(reason: string): void {
    this.#end()
    for (const peer of [...this.#peers]) peer.close(reason)
    this.#ports.candidates.releaseAll()
  }

  // --- what peers say (MetadataPeerOwner)

  offered(peer: MetadataPeer, size: Bytes): void {
    if (!this.#assembly.offers(peer, size)) return peer.close('metadata-size')
    this.#ask(peer)
  }

  message(peer: MetadataPeer, message: MetadataMessage): void {
    const { piece } = message
    const now = this.#ports.clock.now()
    if (message.kind === 'request') return peer.ask(encodeMetadataReject(piece))
    if (message.kind === 'reject') this.#assembly.rejected(peer, piece, now)
    else if (this.#assembly.received(peer, piece, message.total, message.data, now) === 'bad')
      this.#strike(peer)
    this.#ports.changed()
    this.#ask(peer)
  }

  introduced(peer: MetadataPeer, { yourIp }: PeerExtension): void {
    const { candidates, listenPort } = this.#ports
    if (yourIp !== undefined) candidates.heardOwn(peer.link.transport.address, yourIp, listenPort())
  }

  exchanged(peer: MetadataPeer, payload: Buffer): void {
    const { candidates, clock, pex } = this.#ports
    if (!pex()) return
    const fault = peer.pex.read(payload, peer.link.transport.address, clock.now(), candidates)
    if (fault !== null) return peer.close(fault)
    this.dialMore()
  }

  /** Peer exchange was turned on or off. */
  pexChanged(): void {
    for (const peer of [...this.#peers]) peer.introduce(this.#introduction())
  }

  closed(peer: MetadataPeer, reason: string): void {
    this.#assembly.left(peer)
    if (!this.#peers.delete(peer)) return
    const { address } = peer.link.transport
    this.#ports.budget.give()
    if (!this.#closed) this.#ports.candidates.closed(address, this.#ports.clock.now(), false)
    this.#ports.log.debug({ peer: addressKey(address), reason }, 'peer closed')
    if (this.#closed) return
    this.#askAll()
    this.#ports.changed()
  }

  broke(peer: MetadataPeer, error: unknown): void {
    const fields = { peer: addressKey(peer.link.transport.address), error: stackOf(error) }
    this.#ports.log.error(fields, 'a bug in the handling of a peer; its connection is closed')
    if (peer.closed) return this.#ports.broke(error)
    try {
      peer.close('bug')
      this.#ports.peerBroke()
    } catch (worse) {
      this.#ports.broke(worse)
    }
  }

  // ---

  #end(): void {
    this.#closed = true
    this.#ticker?.()
    this.#ticker = null
    const attempts = [...this.#dialling.values()]
    this.#dialling.clear()
    for (const { address, cancel } of attempts) {
      cancel()
      // The torrent goes on without us, and dials it itself.
      this.#ports.candidates.release(address)
      this.#ports.budget.give()
    }
  }

  /** Ticks only while there is somebody to look after. */
  #arm(): void {
    const needed = this.#peers.size + this.#dialling.size > 0 || this.#ports.candidates.size > 0
    if (needed && !this.#closed) {
      this.#ticker ??= this.#ports.clock.every(TICK, () => {
        this.#tick()
      })
    } else {
      this.#ticker?.()
      this.#ticker = null
    }
  }

  get #most(): number {
    return Math.min(MOST_PEERS, this.#init.maxPeers)
  }

  #dialSome(): void {
    const now = this.#ports.clock.now()
    for (let begun = 0; begun < DIALS_PER_TICK && !this.#closed; begun++) {
      if (this.#peers.size + this.#dialling.size >= this.#most) return
      if (!this.#ports.budget.take()) return
      const address = this.#ports.candidates.next(now)
      if (address === null) return this.#ports.budget.give()
      this.#dialling.set(addressKey(address), { address, cancel: this.#ports.dial(address) })
    }
  }

  #refusal(link: Link, greeting: Greeting): string | null {
    if (this.#closed) return 'stopped'
    if (link.ended) return 'gone'
    if (Buffer.compare(greeting.peerId, this.#init.peerId) === 0) return 'self'
    if (this.#ports.candidates.isBanned(link.transport.address)) return 'banned'
    const id = greeting.peerId.toString('hex')
    if ([...this.#peers].some((peer) => peer.peerId === id)) return 'connected-already'
    return this.#peers.size >= this.#most ? 'too-many-peers' : null
  }

  #introduction(): Introduction {
    return {
      version: this.#init.version,
      reqq: MAX_QUEUED_REQUESTS,
      port: this.#ports.listenPort(),
      metadataSize: undefined,
      uploadOnly: false,
      pex: this.#ports.pex() ? 'on' : 'off',
    }
  }

  #ask(peer: MetadataPeer): void {
    const now = this.#ports.clock.now()
    for (let block = this.#next(peer, now); block !== null; block = this.#next(peer, now)) {
      peer.ask(encodeMetadataRequest(block))
    }
  }

  #next(peer: MetadataPeer, now: Millis): number | null {
    return peer.closed || this.#closed ? null : this.#assembly.next(peer, now)
  }

  #askAll(): void {
    for (const peer of [...this.#peers]) this.#ask(peer)
  }

  #strike(peer: MetadataPeer): void {
    peer.strikes++
    if (peer.strikes >= MOST_STRIKES) peer.close('bad-metadata')
  }

  #ban(peer: MetadataPeer): void {
    this.#ports.candidates.ban(peer.link.transport.address)
    peer.close('sent-bad-metadata')
  }

  #tick(): void {
    const now = this.#ports.clock.now()
    const slow = new Set(this.#assembly.expire(now))
    for (const peer of [...this.#peers]) {
      if (slow.has(peer)) this.#strike(peer)
      if (now - peer.lastHeard > SILENT_AFTER) peer.close('silent')
    }
    if (this.#peers.size >= this.#most) this.#makeRoom(now)
    this.#askAll()
    this.dialMore()
  }

  #makeRoom(now: Millis): void {
    for (const peer of [...this.#peers]) {
      if (!peer.hasExtension && now - peer.connectedAt > USELESS_AFTER) return peer.close('has-no-metadata')
    }
  }
}
