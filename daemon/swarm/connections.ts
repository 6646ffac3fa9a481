/** The peers of one running torrent: what each says goes to the part that it concerns, once a second each is looked at. */
import type { Bytes, Millis, PieceIndex, SwarmKey, TorrentId } from '../../shared/units.js'
import type { PeerView } from '../../shared/views.js'
import { addressKey, type PeerAddress } from '../base/address.js'
import type { Addresses } from '../base/addresses.js'
import { type Log, stackOf } from '../base/log.js'
import type { PeerExtension } from '../codec/extension.js'
import type { MetadataMessage } from '../codec/metadata.js'
import * as out from '../codec/wire-writer.js'
import type { WireParser } from '../codec/wire.js'
import type { Cancel, Clock } from '../ports/clock.js'
import { Admission } from './admission.js'
import type { Candidates } from './candidates.js'
import type { ChokerDriver } from './choker-driver.js'
import type { ConnectionBudget } from './connection-budget.js'
import type { Content } from './content.js'
import type { DhtGate } from './dht-port.js'
import { Dialling } from './dialling.js'
import type { Downloader } from './download.js'
import type { Greeting, Link } from './link.js'
import type { Handover } from './metadata-peer.js'
import type { MetadataServer } from './metadata-server.js'
import { forgiveSilence, reasonToEnd } from './patience.js'
import { PeerTable } from './peer-table.js'
import { Peer, type PeerOwner } from './peer.js'
import { Pex } from './pex.js'
import { ALLOWED_FAST, Telling } from './telling.js'
import type { Uploader } from './upload.js'

const TICK: Millis = 1000
/** BEP 3: a keep-alive every two minutes; sent earlier so that a slow clock does not cost the connection. */
const KEEP_ALIVE_AFTER: Millis = 100_000
/** A peer that was told we have nothing is told of so many pieces one by one; else it is better met anew. */
const MOST_HAVES_AT_ONCE = 5000

/** Why a connection ends whose address is not ours any more. */
const STRANDED = 'network-changed'

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
  readonly #torrent: TorrentId
  readonly #ports: ConnectionsPorts
  readonly #peers = new PeerTable()
  readonly #dialling: Dialling
  readonly #admission: Admission
  readonly #telling: Telling
  /** Whom peers are told of (BEP 11). */
  readonly #pex = new Pex()
  /** Runs while there is somebody to look after, or to dial. */
  #ticker: Cancel | null = null
  #closed = false

  constructor(init: ConnectionsInit, ports: ConnectionsPorts) {
    this.#torrent = init.torrent
    this.#ports = ports
    const { clock, content, candidates, budget, dial, listenPort, pex } = ports
    const peers = this.#peers
    this.#dialling = new Dialling(init, { clock, content, candidates, peers, budget, dial })
    this.#telling = new Telling(init, { clock, content, peers, listenPort, pex })
    this.#admission = new Admission(init, {
      ...{ clock, candidates, peers, listenPort },
      moved: () => {
        this.#pex.moved()
      },
    })
  }

  get size(): number {
    return this.#peers.size
  }
  get seeds(): number {
    return this.#peers.seeds
  }
  all(): IterableIterator<Peer> {
    return this.#peers.all()
  }
  byHandle(handle: number): Peer | undefined {
    return this.#peers.get(handle)
  }
  views(): PeerView[] {
    const now = this.#ports.clock.now()
    return this.#peers.list().map((peer) => peer.view(now))
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
    this.#telling.close()
    this.#dialling.close()
    for (const peer of this.#peers.list()) peer.close(reason)
    this.#ports.candidates.releaseAll()
  }

  // --- coming

  /** Dials those who are known and due; to be called whenever more become known. */
  dialMore(): void {
    this.#dialling.more()
    this.#arm()
  }

  dialFailed(address: PeerAddress): void {
    this.#dialling.failed(address)
  }

  /** A link that has shaken hands. It is closed where it is not wanted. */
  attach(link: Link, greeting: Greeting, source: PeerView['source']): void {
    const { address, direction } = link.transport
    const dialled = direction === 'out' && this.#dialling.arrived(address)
    const refusal = this.#refusal(link, greeting)
    if (refusal !== null) {
      if (dialled) this.#ports.budget.give()
      this.#admission.refused(refusal, address, greeting, dialled)
      return link.close(refusal)
    }
    if (!dialled && !this.#ports.budget.take()) return link.close('too-many-connections')
    this.#ports.candidates.connected(address)
    const peer = this.#admit(link, greeting, source)
    this.#telling.open(peer)
    const dhtPort = greeting.features.dht ? (this.#ports.dht?.port() ?? 0) : 0
    if (dhtPort > 0) peer.send(out.encodePort(dhtPort))
    link.take(peer, this.#torrent)
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
    this.#telling.openLate(peer, told)
    peer.replay(given.told)
    this.#ports.changed()
  }

  #refusal(link: Link, greeting: Greeting): string | null {
    return this.#closed ? 'stopped' : this.#admission.refusal(link, greeting)
  }

  #admit(link: Link, greeting: Greeting, source: PeerView['source'], parser?: WireParser): Peer {
    const { clock, content } = this.#ports
    const peer = new Peer(
      {
        handle: this.#peers.takeHandle(),
        transport: link.transport,
        peerId: greeting.peerId,
        pieceCount: content.layout.pieceCount,
        fast: greeting.features.fast,
        extensions: greeting.features.extension,
        source,
        encryption: link.encryption,
        now: clock.now(),
        ...(parser === undefined ? {} : { parser }),
      },
      { owner: this, now: () => clock.now() },
    )
    this.#peers.add(peer)
    this.#arm()
    this.#pex.moved()
    this.#ports.downloader.joined(peer)
    return peer
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
    this.#ports.choker.interestChanged(peer, this.#peers.all())
    this.#ports.uploader.pump(peer)
  }

  /** There may be a slot for somebody who waits. */
  fillSlots(): void {
    if (!this.#closed) this.#ports.choker.fillSlots(this.#peers.all())
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
    if (this.#telling.pexStance !== 'on') return
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
    this.#admission.reachedAt(peer, address)
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
    this.#peers.remove(peer)
    this.#pex.moved()
    this.#ports.budget.give()
    this.#count(peer)
    this.#ports.downloader.left(peer)
    this.#ports.uploader.left(peer)
    this.#noteEnd(peer, reason)
    this.#ports.log.debug({ peer: addressKey(peer.transport.address), reason }, 'peer closed')
    this.#refillOthers(peer)
    if (this.#closed) return
    this.fillSlots()
    this.#ports.changed()
    if (this.#peers.size === 0) this.#ports.empty()
  }

  #noteEnd(peer: Peer, reason: string): void {
    const { candidates, clock } = this.#ports
    const known = peer.listening ?? peer.transport.address
    const useful = peer.downloaded > 0
    if (peer.bits.complete) candidates.noteSeed(known)
    if (reason === STRANDED) return candidates.stranded(known)
    // That we end it ourselves is no failure of the peer.
    if (useful || !this.#closed) candidates.closed(known, clock.now(), useful)
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
    for (const peer of needed ? this.#peers.list() : []) {
      if (!peer.bits.get(piece)) continue
      peer.interesting--
      if (peer.interesting <= 0) peer.setInterested(false)
    }
    this.#telling.verified(piece)
  }

  /** Which pieces are needed changed in bulk: another choice of files, or lost pieces. */
  needsChanged(): void {
    for (const peer of this.#peers.list()) {
      this.#ports.downloader.recount(peer)
      peer.setInterested(peer.interesting > 0)
      this.#ports.downloader.fill(peer)
    }
  }

  /** Peer exchange was turned on or off. */
  pexChanged(): void {
    if (this.#ports.pex === null) return
    for (const peer of this.#peers.list()) {
      this.#pex.forget(peer)
      this.#telling.introduce(peer)
    }
  }

  /** Everything wanted is recorded: peers that want nothing either are of no use. */
  completed(): void {
    for (const peer of this.#peers.list()) {
      if (this.#bothDone(peer)) peer.close('both-complete')
      // BEP 21: who was told that we want pieces is told that we do not any more.
      else this.#telling.introduce(peer)
    }
  }

  /**
   * Nothing ran for so long, or these are our addresses now. A connection from one that is not ours any more is dead,
   * and nobody will say so. A word is said to each other, which one that is gone answers with its end.
   */
  woke(gap: Millis, addresses: Addresses): void {
    const now = this.#ports.clock.now()
    for (const peer of this.#peers.list()) {
      if (!addresses.holds(peer.transport.local)) {
        peer.close(STRANDED)
        continue
      }
      forgiveSilence(peer, gap, now)
      peer.send(out.KEEP_ALIVE)
    }
  }

  banned(peer: Peer): void {
    this.#ports.candidates.ban(peer.transport.address)
    peer.close('sent-bad-data')
  }

  #bothDone(peer: Peer): boolean {
    return this.#ports.content.complete && peer.uploadOnly && !peer.peerInterested && peer.bits.complete
  }

  #refillOthers(gone: Peer): void {
    if (this.#closed) return
    for (const peer of this.#peers.all()) {
      if (peer !== gone && !peer.peerChoking) this.#ports.downloader.fill(peer)
    }
  }

  #tick(): void {
    const { downloader, metadata, uploader, choker, changed } = this.#ports
    const now = this.#ports.clock.now()
    downloader.tick(now)
    metadata.tick(now)
    for (const peer of this.#peers.list()) {
      peer.tick(now)
      uploader.tick(peer, now)
      const end = reasonToEnd(peer, now)
      if (end !== null) peer.close(end)
      else if (now - peer.lastSent > KEEP_ALIVE_AFTER) peer.send(out.KEEP_ALIVE)
    }
    choker.tick(now, this.#peers.all())
    if (this.#telling.pexStance === 'on') this.#pex.tick(now, () => this.#peers.all())
    this.dialMore()
    if (this.#peers.size > 0) changed()
  }
}
