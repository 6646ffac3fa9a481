/** The peers of one running torrent: who is let in, who is dialled, what each is told, and when one is given up. */
import type { Bytes, Millis, PieceIndex, SwarmKey, TorrentId } from '../../shared/units.js'
import type { PeerView } from '../../shared/views.js'
import { addressKey, type PeerAddress } from '../base/address.js'
import { ipBytes } from '../base/ip.js'
import { type Log, stackOf } from '../base/log.js'
import { allowedFastSet } from '../codec/allowed-fast.js'
import type { PeerExtension } from '../codec/extension.js'
import type { MetadataMessage } from '../codec/metadata.js'
import * as out from '../codec/wire-writer.js'
import type { WireParser } from '../codec/wire.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Candidates } from './candidates.js'
import type { ChokerDriver } from './choker-driver.js'
import type { Content } from './content.js'
import type { DhtGate } from './dht-port.js'
import type { Downloader } from './download.js'
import { introduce, type PexStance } from './introduction.js'
import type { Greeting, Link } from './link.js'
import type { Handover } from './metadata-peer.js'
import type { MetadataServer } from './metadata-server.js'
import { Peer, type PeerOwner } from './peer.js'
import { Pex } from './pex.js'
import { MAX_QUEUED_REQUESTS, type Uploader } from './upload.js'

const TICK: Millis = 1000
const HAVE_BATCH: Millis = 100
/** BEP 3: a keep-alive every two minutes; sent earlier so that a slow clock does not cost the connection. */
const KEEP_ALIVE_AFTER: Millis = 100_000
const GIVE_UP_AFTER: Millis = 180_000
/** After a long sleep, a peer that lives is heard within this. */
const SHOW_WITHIN: Millis = 30_000
/** Neither side has wanted anything of the other for so long. */
const USELESS_AFTER: Millis = 600_000
/** What we wrote was not taken for so long: its frames hold memory that others could use. */
const TAKES_NOTHING_AFTER: Millis = 120_000
/** Dials begun in one tick. */
const DIALS_PER_TICK = 30
/** A peer that was told we have nothing is told of so many pieces one by one; else it is better met anew. */
const MOST_HAVES_AT_ONCE = 5000
/** One that moved nothing for so long makes room, in a full torrent, for one of higher priority. */
const IDLE_AFTER: Millis = 60_000
/** Pieces a peer may take while choked, as long as it has fewer than that (BEP 6). */
const ALLOWED_FAST = 10

/** Connections of the whole daemon; a torrent asks before it makes one. */
export interface ConnectionBudget {
  take(): boolean
  give(): void
}

export interface ConnectionsInit {
  readonly torrent: TorrentId
  readonly key: SwarmKey
  readonly peerId: Uint8Array
  /** Shown to peers as BEP 10 `v`. */
  readonly version: string
  readonly maxPeers: number
  /** Bytes of the info dictionary (BEP 9). */
  readonly metadataSize: Bytes
}

export interface ConnectionsPorts {
  readonly clock: Clock
  readonly log: Log
  readonly content: Content
  readonly candidates: Candidates
  readonly downloader: Downloader
  readonly uploader: Uploader
  readonly choker: ChokerDriver
  readonly metadata: MetadataServer
  readonly budget: ConnectionBudget
  /** Payload came, `kept` bytes of it are not thrown away. */
  readonly received: (peer: Peer, bytes: Bytes, kept: Bytes) => void
  /** Opens a connection and shakes hands; `attach` or `dialFailed` follows. */
  readonly dial: (address: PeerAddress) => Cancel
  readonly listenPort: () => number
  /** Null: this torrent has nothing to do with it. */
  readonly dht: DhtGate | null
  /** Whether peers tell each other of peers; null: never, in a private torrent. */
  readonly pex: (() => boolean) | null
  /** A peer came, went, or moved bytes. */
  readonly changed: () => void
  /** Nobody is connected any more. */
  readonly empty: () => void
  /** A fault of our own ended one connection. */
  readonly peerBroke: () => void
  /** A fault of our own that went further than one connection. */
  readonly broke: (error: unknown) => void
}

export class Connections implements PeerOwner {
  readonly #init: ConnectionsInit
  readonly #ports: ConnectionsPorts
  /** Attached peers by handle. */
  readonly #peers = new Map<number, Peer>()
  /** Attempts under way, by address. */
  readonly #dialling = new Map<string, Cancel>()
  /** Handles are small and used again: the block table stores them in 16 bits. */
  readonly #freeHandles: number[] = []
  #nextHandle = 1
  /** Verified pieces not yet told to the peers. */
  #haves: PieceIndex[] = []
  #haveTimer: Cancel | null = null
  #ticker: Cancel | null = null
  #closed = false
  /** Whom peers are told of (BEP 11). */
  readonly #pex = new Pex()

  constructor(init: ConnectionsInit, ports: ConnectionsPorts) {
    this.#init = init
    this.#ports = ports
  }

  get size(): number {
    return this.#peers.size
  }
  get seeds(): number {
    let seeds = 0
    for (const peer of this.#peers.values()) if (peer.isSeed) seeds++
    return seeds
  }
  all(): IterableIterator<Peer> {
    return this.#peers.values()
  }
  views(): PeerView[] {
    const now = this.#ports.clock.now()
    return [...this.#peers.values()].map((peer) => peer.view(now))
  }

  /** Ticks only while there is somebody to look after: an idle torrent wakes nobody. */
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

  /** Ends every connection and every attempt. */
  close(reason: string): void {
    this.#closed = true
    this.#ticker?.()
    this.#haveTimer?.()
    // Out of the table first: what a cancelled attempt says of itself is not counted again.
    const attempts = [...this.#dialling.values()]
    this.#dialling.clear()
    for (const cancel of attempts) {
      cancel()
      this.#ports.budget.give()
    }
    for (const peer of [...this.#peers.values()]) peer.close(reason)
    this.#ports.candidates.releaseAll()
  }

  // --- coming

  /** Dials those who are known and due; to be called whenever more become known. */
  dialMore(): void {
    this.#dialSome()
    this.#arm()
  }

  #dialSome(): void {
    const now = this.#ports.clock.now()
    for (let begun = 0; begun < DIALS_PER_TICK && !this.#closed; begun++) {
      if (this.#peers.size + this.#dialling.size >= this.#init.maxPeers) return
      if (!this.#ports.budget.take()) return
      const address = this.#ports.candidates.next(now, this.#ports.content.complete)
      if (address === null) return this.#ports.budget.give()
      this.#dialling.set(addressKey(address), this.#ports.dial(address))
    }
  }

  dialFailed(address: PeerAddress): void {
    if (!this.#dialling.delete(addressKey(address))) return
    this.#ports.budget.give()
    this.#ports.candidates.failed(address, this.#ports.clock.now())
  }

  /** A link that has shaken hands. It is closed where it is not wanted. */
  attach(link: Link, greeting: Greeting, source: PeerView['source']): void {
    const { address, direction } = link.transport
    const dialled = direction === 'out' && this.#dialling.delete(addressKey(address))
    const refusal = this.#refusal(link, greeting)
    if (refusal !== null) {
      if (dialled) this.#ports.budget.give()
      if (refusal === 'self') this.#knowSelf(address)
      else if (dialled) this.#unwanted(refusal, address, greeting)
      return link.close(refusal)
    }
    if (!dialled && !this.#ports.budget.take()) return link.close('too-many-connections')
    this.#ports.candidates.connected(address)
    const peer = this.#admit(link, greeting, source)
    this.#open(peer)
    const dhtPort = greeting.features.dht ? (this.#ports.dht?.port() ?? 0) : 0
    if (dhtPort > 0) peer.send(out.encodePort(dhtPort))
    link.take(peer, this.#init.torrent)
    this.#ports.changed()
  }

  /** A connection of the time without metadata; it is in the budget already, and we said that we have nothing. */
  adopt(given: Handover): void {
    const { link, greeting, source } = given
    const { have } = this.#ports.content
    const told: PieceIndex[] = []
    have.forEachSet((piece) => told.push(piece))
    const much = told.length > MOST_HAVES_AT_ONCE ? 'knows-too-little' : null
    const refusal = link.gone ? 'gone' : (much ?? this.#refusal(link, greeting))
    if (refusal !== null) {
      this.#ports.budget.give()
      this.#ports.candidates.closed(link.transport.address, this.#ports.clock.now(), true)
      return link.transport.close(refusal)
    }
    this.#ports.candidates.connected(link.transport.address)
    const peer = this.#admit(link, greeting, source, given.parser)
    link.pass(peer)
    if (told.length > 0) peer.send(out.encodeHaves(told))
    // It may have been offered what a private torrent has not.
    const pex = this.#pexStance === 'on' ? 'on' : 'off'
    if (peer.extensions) peer.send(out.encodeExtended(0, this.#extension(peer, pex)))
    peer.replay(given.told)
    this.#ports.changed()
  }

  /** Either end may see it first; the one that was dialled knows the host, and its own port. */
  #knowSelf(address: PeerAddress): void {
    const { candidates, listenPort } = this.#ports
    candidates.addSelf(address)
    candidates.addSelf({ ...address, port: listenPort() })
  }

  /** We dialled and do not keep it: not to be dialled again while the other connection stands. */
  #unwanted(refusal: string, address: PeerAddress, greeting: Greeting): void {
    const standing =
      refusal === 'connected-already' ? this.#byPeerId(greeting.peerId.toString('hex')) : undefined
    if (standing === undefined) this.#ports.candidates.failed(address, this.#ports.clock.now())
    else this.#reachedAt(standing, address)
  }

  #byPeerId(id: string): Peer | undefined {
    for (const peer of this.#peers.values()) if (peer.peerId === id) return peer
    return undefined
  }

  /** The peer that dialled us can be dialled there: as long as it is connected, it need not be. */
  #reachedAt(peer: Peer, address: PeerAddress): void {
    if (peer.listening !== null && addressKey(peer.listening) !== addressKey(address)) return
    peer.listening = address
    this.#pex.moved()
    this.#ports.candidates.connected(address)
  }

  #refusal(link: Link, greeting: Greeting): string | null {
    if (this.#closed) return 'stopped'
    if (link.ended) return 'gone'
    if (Buffer.compare(greeting.peerId, this.#init.peerId) === 0) return 'self'
    if (this.#ports.candidates.isBanned(link.transport.address)) return 'banned'
    const known = this.#byPeerId(greeting.peerId.toString('hex'))
    if (known !== undefined) {
      if (!this.#prefersNew(known, link, greeting)) return 'connected-already'
      known.close('connected-twice')
    }
    if (this.#peers.size < this.#init.maxPeers || this.#makeRoom(link.transport.address)) return null
    return 'too-many-peers'
  }

  /** BEP 40: a full torrent lets the idle peer of least priority go for one of more. */
  #makeRoom(newcomer: PeerAddress): boolean {
    const { candidates, clock } = this.#ports
    const idle = clock.now() - IDLE_AFTER
    let least: Peer | null = null
    let lowest = candidates.priorityOf(newcomer) ?? 0
    for (const peer of this.#peers.values()) {
      if (Math.max(peer.connectedAt, peer.lastBlock) > idle) continue
      const priority = candidates.priorityOf(peer.listening ?? peer.transport.address)
      if (priority === null || priority >= lowest) continue
      lowest = priority
      least = peer
    }
    least?.close('outranked')
    return least !== null
  }

  /** Both dialled at once: both sides keep the connection that the smaller peer id began. */
  #prefersNew(old: Peer, link: Link, greeting: Greeting): boolean {
    if (old.transport.direction === link.transport.direction) return false
    const weAreSmaller = Buffer.compare(this.#init.peerId, greeting.peerId) < 0
    return (link.transport.direction === 'out') === weAreSmaller
  }

  #admit(link: Link, greeting: Greeting, source: PeerView['source'], parser?: WireParser): Peer {
    const { clock, content } = this.#ports
    const peer = new Peer(
      {
        handle: this.#freeHandles.pop() ?? this.#nextHandle++,
        transport: link.transport,
        peerId: greeting.peerId,
        pieceCount: content.layout.pieceCount,
        fast: greeting.features.fast,
        extensions: greeting.features.extension,
        source,
        now: clock.now(),
        ...(parser === undefined ? {} : { parser }),
      },
      { owner: this, now: () => clock.now() },
    )
    this.#peers.set(peer.handle, peer)
    this.#arm()
    this.#pex.moved()
    this.#ports.downloader.joined(peer)
    return peer
  }

  /** What a peer is told first: our pieces, then what we understand. */
  #open(peer: Peer): void {
    const { have } = this.#ports.content
    if (peer.fast && have.complete) peer.send(out.HAVE_ALL)
    else if (peer.fast && have.empty) peer.send(out.HAVE_NONE)
    else if (!have.empty) peer.send(out.encodeBitfield(have.bytes.slice()))
    if (peer.extensions) peer.send(out.encodeExtended(0, this.#extension(peer)))
    // Not from a seed: it looks for nothing in return, and in a crowd every newcomer would fetch the pieces it was
    // granted from it, past its slots, whatever is rare.
    if (peer.fast && !have.empty && !have.complete) this.#grantFast(peer)
  }

  get #pexStance(): PexStance {
    return this.#ports.pex === null ? 'never' : this.#ports.pex() ? 'on' : 'off'
  }

  #extension(peer: Peer, pex: PexStance = this.#pexStance): Uint8Array {
    return introduce(peer.transport, {
      version: this.#init.version,
      reqq: MAX_QUEUED_REQUESTS,
      port: this.#ports.listenPort(),
      metadataSize: this.#init.metadataSize,
      uploadOnly: this.#ports.content.complete,
      pex,
    })
  }

  #grantFast(peer: Peer): void {
    const { content } = this.#ports
    const [a, b, c, d, ...rest] = ipBytes(peer.transport.address.host) ?? []
    // BEP 6 defines the set for IPv4 only.
    if (a === undefined || b === undefined || c === undefined || d === undefined || rest.length > 0) return
    const count = content.layout.pieceCount
    for (const piece of allowedFastSet(this.#init.key, [a, b, c, d], count, ALLOWED_FAST)) {
      if (!content.have.get(piece)) continue
      peer.grantedFast.add(piece)
      peer.send(out.encodeAllowedFast(piece))
    }
  }

  // --- what peers say (PeerOwner)

  dhtPort(peer: Peer, port: number): void {
    this.#ports.dht?.node({ ...peer.transport.address, port })
  }

  piecesKnown(peer: Peer): void {
    this.#ports.downloader.piecesKnown(peer)
    this.#afterGain(peer)
  }

  pieceGained(peer: Peer, piece: PieceIndex): void {
    this.#ports.downloader.pieceGained(peer, piece)
  }

  #afterGain(peer: Peer): void {
    if (peer.bits.count >= ALLOWED_FAST) peer.grantedFast.clear()
    if (this.#bothDone(peer)) return peer.close('both-complete')
    peer.setInterested(peer.interesting > 0)
    this.#ports.downloader.fill(peer)
  }

  interestChanged(peer: Peer): void {
    this.#ports.choker.interestChanged(peer, this.#peers.values())
    this.#ports.uploader.pump(peer)
  }

  /** There may be a slot for somebody who waits. */
  fillSlots(): void {
    if (!this.#closed) this.#ports.choker.fillSlots(this.#peers.values())
  }

  choked(peer: Peer): void {
    peer.depth.onChoke()
    this.#ports.downloader.choked(peer)
    this.#refillOthers(peer)
  }

  unchoked(peer: Peer): void {
    this.#ports.downloader.fill(peer)
  }

  requested(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void {
    this.#ports.uploader.request(peer, piece, begin, length)
  }

  cancelled(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void {
    this.#ports.uploader.cancel(peer, piece, begin, length)
  }

  blockStart(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): Buffer | null {
    return this.#ports.downloader.blockStart(peer, piece, begin, length)
  }

  blockEnd(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void {
    this.#ports.downloader.blockEnd(peer, piece, begin, length)
  }

  rejected(peer: Peer, piece: PieceIndex, begin: Bytes): void {
    this.#ports.downloader.rejected(peer, piece, begin)
  }

  metadata(peer: Peer, message: MetadataMessage): void {
    this.#ports.metadata.message(peer, message)
  }

  exchanged(peer: Peer, payload: Buffer): void {
    if (this.#pexStance !== 'on') return
    const { candidates, clock } = this.#ports
    const fault = peer.pex.intake.read(payload, peer.transport.address, clock.now(), candidates)
    if (fault !== null) peer.close(fault)
  }

  introduced(peer: Peer, { port, yourIp }: PeerExtension): void {
    if (yourIp !== undefined)
      this.#ports.candidates.heardOwn(peer.transport.address, yourIp, this.#ports.listenPort())
    if (port !== undefined) this.#listensOn(peer, port)
  }

  #listensOn(peer: Peer, port: number): void {
    if (peer.transport.direction !== 'in') return
    const address = { ...peer.transport.address, port }
    this.#ports.candidates.add(address, 'incoming')
    this.#reachedAt(peer, address)
  }

  gained(peer: Peer): void {
    this.#afterGain(peer)
  }

  /** Blocks come many at a time: they are counted, and the next ones asked for, once for all of them. */
  parsed(peer: Peer): void {
    if (this.#count(peer)) this.#ports.downloader.fill(peer)
    this.#ports.uploader.pump(peer)
  }

  /** True where payload came. */
  #count(peer: Peer): boolean {
    const { fresh, freshKept } = peer
    if (fresh === 0) return false
    peer.fresh = peer.freshKept = 0
    this.#ports.received(peer, fresh, freshKept)
    return true
  }

  closed(peer: Peer, reason: string): void {
    this.#peers.delete(peer.handle)
    this.#pex.moved()
    this.#freeHandles.push(peer.handle)
    this.#ports.budget.give()
    this.#count(peer)
    this.#ports.downloader.left(peer)
    this.#ports.uploader.left(peer)
    const known = peer.listening ?? peer.transport.address
    const useful = peer.downloaded > 0
    if (peer.bits.complete) this.#ports.candidates.noteSeed(known)
    // That we end it ourselves is no failure of the peer.
    if (useful || !this.#closed) this.#ports.candidates.closed(known, this.#ports.clock.now(), useful)
    this.#ports.log.debug({ peer: addressKey(peer.transport.address), reason }, 'peer closed')
    this.#refillOthers(peer)
    if (this.#closed) return
    this.fillSlots()
    this.#ports.changed()
    if (this.#peers.size === 0) this.#ports.empty()
  }

  broke(peer: Peer, error: unknown): void {
    const fields = { peer: addressKey(peer.transport.address), error: stackOf(error) }
    this.#ports.log.error(fields, 'a bug in the handling of a peer; its connection is closed')
    // In the middle of its end: what the torrent knows of it is half true.
    if (peer.closed) return this.#ports.broke(error)
    try {
      peer.close('bug')
      this.#ports.peerBroke()
    } catch (worse) {
      this.#ports.broke(worse)
    }
  }

  // --- what the torrent says

  /** A piece was verified: who has it has less to offer, who lacks it is told. */
  verified(piece: PieceIndex, needed: boolean): void {
    for (const peer of needed ? [...this.#peers.values()] : []) {
      if (!peer.bits.get(piece)) continue
      peer.interesting--
      if (peer.interesting <= 0) peer.setInterested(false)
    }
    this.#haves.push(piece)
    this.#haveTimer ??= this.#ports.clock.after(HAVE_BATCH, () => {
      this.#haveTimer = null
      this.#flushHaves()
    })
  }

  /** Which pieces are needed changed in bulk: another choice of files, or lost pieces. */
  needsChanged(): void {
    for (const peer of [...this.#peers.values()]) {
      this.#ports.downloader.recount(peer)
      peer.setInterested(peer.interesting > 0)
      this.#ports.downloader.fill(peer)
    }
  }

  /** Peer exchange was turned on or off. */
  pexChanged(): void {
    if (this.#ports.pex === null) return
    for (const peer of [...this.#peers.values()]) {
      this.#pex.forget(peer)
      if (peer.extensions) peer.send(out.encodeExtended(0, this.#extension(peer)))
    }
  }

  /** Everything wanted is recorded: peers that want nothing either are of no use. */
  completed(): void {
    for (const peer of [...this.#peers.values()]) {
      if (this.#bothDone(peer)) peer.close('both-complete')
      // BEP 21: who was told that we want pieces is told that we do not any more.
      else if (peer.extensions) peer.send(out.encodeExtended(0, this.#extension(peer)))
    }
  }

  /**
   * Nothing ran for so long. Who would have been given up meanwhile has a moment to show that it is still there; to
   * the others a word is said, which a connection that is gone answers with its end.
   */
  woke(gap: Millis): void {
    const now = this.#ports.clock.now()
    for (const peer of [...this.#peers.values()]) {
      if (gap > GIVE_UP_AFTER) peer.lastHeard = Math.min(peer.lastHeard, now - GIVE_UP_AFTER + SHOW_WITHIN)
      peer.send(out.KEEP_ALIVE)
    }
  }

  banned(peer: Peer): void {
    this.#ports.candidates.ban(peer.transport.address)
    peer.close('sent-bad-data')
  }

  byHandle(handle: number): Peer | undefined {
    return this.#peers.get(handle)
  }

  #bothDone(peer: Peer): boolean {
    return this.#ports.content.complete && peer.uploadOnly && !peer.peerInterested && peer.bits.complete
  }

  #refillOthers(gone: Peer): void {
    if (this.#closed) return
    for (const peer of this.#peers.values()) {
      if (peer !== gone && !peer.peerChoking) this.#ports.downloader.fill(peer)
    }
  }

  #flushHaves(): void {
    const pieces = this.#haves
    this.#haves = []
    for (const peer of [...this.#peers.values()]) {
      const lacking = peer.isSeed ? [] : pieces.filter((piece) => !peer.bits.get(piece))
      if (lacking.length > 0) peer.send(out.encodeHaves(lacking))
    }
  }

  #tick(): void {
    const now = this.#ports.clock.now()
    this.#ports.downloader.tick(now)
    this.#ports.metadata.tick(now)
    for (const peer of [...this.#peers.values()]) {
      peer.tick(now)
      this.#ports.uploader.tick(peer, now)
      if (now - peer.lastHeard > GIVE_UP_AFTER) peer.close('silent')
      else if (this.#isUseless(peer, now)) peer.close('useless')
      else if (peer.isClogged) peer.close('reads-nothing')
      else if (peer.transport.unsent > 0 && now - peer.lastTaken > TAKES_NOTHING_AFTER)
        peer.close('reads-nothing')
      else if (now - peer.lastSent > KEEP_ALIVE_AFTER) peer.send(out.KEEP_ALIVE)
    }
    this.#ports.choker.tick(now, this.#peers.values())
    if (this.#pexStance === 'on') this.#pex.tick(now, () => this.#peers.values())
    this.dialMore()
    if (this.#peers.size > 0) this.#ports.changed()
  }

  #isUseless(peer: Peer, now: Millis): boolean {
    if (peer.amInterested || peer.peerInterested) return false
    return now - Math.max(peer.lastBlock, peer.connectedAt) > USELESS_AFTER
  }
}
