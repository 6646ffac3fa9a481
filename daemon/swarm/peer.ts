/**
 * One connected peer of one torrent: what it told us, what we told it, and its wire. It judges whether a message is
 * legal; what follows from it is decided by the owner's parts.
 */
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { type Bytes, type Millis, type PieceIndex } from '../../shared/units.js'
import type { PeerView } from '../../shared/views.js'
import { formatAddress, type PeerAddress } from '../base/address.js'
import { RateMeter } from '../base/rate.js'
import { decodeExtensionHandshake } from '../codec/extension.js'
import { clientName } from '../codec/peer-id.js'
import * as out from '../codec/wire-writer.js'
import { WireParser, type WireHandler } from '../codec/wire.js'
import { PipelineDepth } from './requests.js'
import type { LinkHandler } from './link.js'
import { PeerUpload } from './peer-upload.js'
import type { Transport } from './transport.js'

/** What the peer tells its owner. */
export interface PeerOwner {
  /** The peer's pieces are known in bulk, for the first time. */
  piecesKnown(peer: Peer): void
  /** The peer has one more piece. */
  pieceGained(peer: Peer, piece: PieceIndex): void
  interestChanged(peer: Peer): void
  /** The peer choked us: what was asked will not come. */
  choked(peer: Peer): void
  unchoked(peer: Peer): void
  requested(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void
  cancelled(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void
  blockStart(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): Buffer | null
  blockEnd(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void
  rejected(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void
  /** The peer's own listening port (BEP 10 `p`). */
  listensOn(peer: Peer, port: number): void
  /** All that has come so far was told. */
  parsed(peer: Peer): void
  closed(peer: Peer, reason: string): void
}

export interface PeerInit {
  /** Small and unique in the torrent: what the block table stores. */
  readonly handle: number
  readonly transport: Transport
  readonly peerId: Uint8Array
  readonly pieceCount: number
  /** BEP 6 on both sides. */
  readonly fast: boolean
  /** BEP 10 on both sides. */
  readonly extensions: boolean
  readonly source: PeerView['source']
  readonly now: Millis
}

/** Requests answered with a refusal before the peer is taken for hostile. */
const MAX_REFUSED = 300
/** A choke takes so long to be heard: it waits behind what was sent before. */
const CHOKE_GRACE: Millis = 10_000
/** Allowed-fast pieces remembered of a peer (BEP 6 suggests ten). */
const MAX_ALLOWED_FAST = 64

export class Peer implements LinkHandler, WireHandler {
  readonly handle: number
  readonly transport: Transport
  readonly fast: boolean
  readonly extensions: boolean
  readonly source: PeerView['source']
  /** The 20 bytes of its handshake, as hex. */
  readonly peerId: string
  /** What the peer has. */
  readonly bits: Bitfield
  readonly down: RateMeter
  readonly up: RateMeter
  readonly depth = new PipelineDepth()
  readonly connectedAt: Millis
  /** What it takes from us. */
  readonly upload = new PeerUpload()
  /** Pieces the peer serves though it chokes us (BEP 6). */
  readonly offeredFast = new Set<PieceIndex>()
  /** Pieces we serve though we choke the peer (BEP 6). */
  readonly grantedFast = new Set<PieceIndex>()
  amChoking = true
  amInterested = false
  peerChoking = true
  peerInterested = false
  /** Wants nothing itself (BEP 21), or has every piece. */
  uploadOnly = false
  /** Blocks asked for and not come. */
  outstanding = 0
  /** The piece whose blocks it is asked for, or -1. */
  piece: PieceIndex = -1
  /** The block whose bytes are arriving in a slot; -1 and -1 for none. */
  receivingPiece: PieceIndex = -1
  receivingBlock = -1
  /** Blocks that may be on their way from it by its part in the slab; Infinity while there is enough for all. */
  share = Infinity
  /** It got no slot for its first blocks. */
  hungry = false
  /** When it was last asked with nothing on its way. */
  busySince: Millis = 0
  /** Wanted pieces the peer has and we lack. */
  interesting = 0
  /** Payload of this connection. */
  downloaded: Bytes = 0
  uploaded: Bytes = 0
  /** `uploaded` when we last unchoked the peer. */
  uploadedAtUnchoke: Bytes = 0
  unchokedAt: Millis = 0
  /** When the last byte came, the last message went, the last block ended. */
  lastHeard: Millis
  lastSent: Millis
  lastBlock: Millis
  /** When a block of its last came to us: what we give it says nothing of what it gives. */
  lastReceived: Millis = -Infinity
  /** When the kernel last took a frame whole, or had nothing of ours left to take. */
  lastTaken: Millis
  /** Where the peer listens, of one that dialled us; null: unknown. */
  listening: PeerAddress | null = null
  client: string
  closed = false
  /** The owner's pieces arrive here when the peer is attached. */
  readonly #owner: PeerOwner
  readonly #parser: WireParser
  readonly #now: () => Millis
  /** A bitfield, have-all or have-none came. */
  #piecesTold = false
  /** Requests we refused since we last unchoked it. */
  #refused = 0
  /** When we last choked it; -Infinity: never since it was unchoked first. */
  #chokedAt: Millis = -Infinity

  constructor(init: PeerInit, ports: { readonly owner: PeerOwner; readonly now: () => Millis }) {
    this.handle = init.handle
    this.transport = init.transport
    this.fast = init.fast
    this.extensions = init.extensions
    this.source = init.source
    this.peerId = Buffer.from(init.peerId).toString('hex')
    this.client = clientName(init.peerId)
    this.bits = new Bitfield(init.pieceCount)
    this.connectedAt = this.lastHeard = this.lastSent = this.lastBlock = this.lastTaken = init.now
    this.down = new RateMeter()
    this.up = new RateMeter()
    this.#owner = ports.owner
    this.#now = ports.now
    this.#parser = new WireParser({ pieceCount: init.pieceCount }, this)
  }

  get isSeed(): boolean {
    return this.bits.complete
  }

  // --- bytes in

  data(view: Buffer): void {
    if (this.closed) return
    this.lastHeard = this.#now()
    const fault = this.#parser.push(view)
    if (fault !== null) this.close(fault)
    else this.#owner.parsed(this)
  }

  /** The slot of the block that is arriving was taken back: the rest of it is thrown away. */
  dropBlock(): void {
    this.#parser.dropBlock()
  }

  /** The transport ended. */
  transportClosed(reason: string): void {
    if (this.closed) return
    this.closed = true
    this.#parser.stop()
    this.#owner.closed(this, reason)
  }

  /** Ends the connection; the reason is a code for the log. */
  close(reason: string): void {
    if (this.closed) return
    this.closed = true
    this.#parser.stop()
    this.transport.close(reason)
    this.#owner.closed(this, reason)
  }

  // --- messages in (WireHandler)

  keepAlive(): void {
    // lastHeard moved; nothing else is meant by it.
  }

  choke(): void {
    if (this.peerChoking) return
    this.peerChoking = true
    this.#owner.choked(this)
  }

  unchoke(): void {
    if (!this.peerChoking) return
    this.peerChoking = false
    this.#owner.unchoked(this)
  }

  interested(): void {
    if (this.peerInterested) return
    this.peerInterested = true
    this.#owner.interestChanged(this)
  }

  notInterested(): void {
    if (!this.peerInterested) return
    this.peerInterested = false
    this.#owner.interestChanged(this)
  }

  have(piece: number): void {
    if (piece >= this.bits.size) return this.close('have-out-of-range')
    this.#piecesTold = true
    if (this.bits.get(piece)) return
    this.bits.set(piece)
    if (this.bits.complete) this.uploadOnly = true
    this.#owner.pieceGained(this, piece)
  }

  bitfield(bytes: Buffer): void {
    const bits = Bitfield.fromWire(bytes, this.bits.size)
    if (bits === null) return this.close('bitfield-malformed')
    // BEP 3 wants it first; aria2 sends another later, in place of many haves.
    if (!this.bits.empty) return this.#gainAll(bits)
    this.#tellPieces(() => {
      bits.forEachSet((piece) => {
        this.bits.set(piece)
      })
    })
  }

  #gainAll(bits: Bitfield): void {
    bits.forEachSet((piece) => {
      if (!this.closed) this.have(piece)
    })
  }

  haveAll(): void {
    if (!this.fast || this.#piecesTold) return this.close('have-all-unexpected')
    this.#tellPieces(() => {
      this.bits.setAll()
    })
  }

  haveNone(): void {
    if (!this.fast || this.#piecesTold) return this.close('have-none-unexpected')
    this.#tellPieces(() => undefined)
  }

  request(piece: number, begin: number, length: number): void {
    this.#owner.requested(this, piece, begin, length)
  }

  cancel(piece: number, begin: number, length: number): void {
    this.#owner.cancelled(this, piece, begin, length)
  }

  pieceStart(piece: number, begin: number, length: number): Buffer | null {
    return this.#owner.blockStart(this, piece, begin, length)
  }

  pieceEnd(piece: number, begin: number, length: number): void {
    this.#owner.blockEnd(this, piece, begin, length)
  }

  reject(piece: number, begin: number, length: number): void {
    if (!this.fast) return this.close('reject-unexpected')
    this.#owner.rejected(this, piece, begin, length)
  }

  allowedFast(piece: number): void {
    if (!this.fast || piece >= this.bits.size || this.offeredFast.size >= MAX_ALLOWED_FAST) return
    this.offeredFast.add(piece)
    this.#owner.unchoked(this)
  }

  suggest(): void {
    // A hint (BEP 6); rarest-first stands.
  }

  port(): void {
    // The DHT port (BEP 5) has no reader here.
  }

  unknown(): void {
    // Skipped by the parser.
  }

  extended(id: number, payload: Buffer): void {
    if (id !== 0) return
    const told = decodeExtensionHandshake(payload)
    if (told === null) return this.close('extension-handshake-malformed')
    if (told.reqq !== undefined) this.depth.setReqq(told.reqq)
    if (told.version !== undefined && told.version !== '') this.client = told.version
    if (told.uploadOnly !== undefined) this.uploadOnly = told.uploadOnly
    if (told.port !== undefined) this.#owner.listensOn(this, told.port)
  }

  // --- messages out

  send(bytes: Uint8Array): void {
    if (this.closed) return
    this.#sends()
    this.transport.write(bytes)
  }

  /** A frame of blocks; `taken` once its bytes may change. */
  sendFrame(bytes: Uint8Array, taken: () => void): void {
    this.#sends()
    this.transport.write(bytes, () => {
      this.lastTaken = this.#now()
      taken()
    })
  }

  /** Answers a request we will not serve: a reject (BEP 6), or silence; too many end the connection. */
  refuse(piece: PieceIndex, begin: Bytes, length: Bytes): void {
    if (this.closed) return
    // Those that were on their way when we choked it are nobody's fault.
    const late = this.amChoking && this.#now() - this.#chokedAt < CHOKE_GRACE
    if (!late && ++this.#refused > MAX_REFUSED) return this.close('too-many-bad-requests')
    this.sendReject(piece, begin, length)
  }

  /** Nothing for a peer without BEP 6: there is no such message for it. */
  sendReject(piece: PieceIndex, begin: Bytes, length: Bytes): void {
    if (!this.fast) return
    const bytes = Buffer.allocUnsafe(out.REQUEST_SIZE)
    out.writeReject(bytes, 0, piece, begin, length)
    this.send(bytes)
  }

  setInterested(value: boolean): void {
    if (this.amInterested === value) return
    this.amInterested = value
    this.send(value ? out.INTERESTED : out.NOT_INTERESTED)
  }

  setChoking(value: boolean): void {
    if (this.amChoking === value) return
    this.amChoking = value
    if (value) this.#chokedAt = this.#now()
    else {
      this.unchokedAt = this.#now()
      this.uploadedAtUnchoke = this.uploaded
      this.#refused = 0
    }
    this.send(value ? out.CHOKE : out.UNCHOKE)
  }

  view(now: Millis): PeerView {
    return {
      address: formatAddress(this.transport.address),
      client: this.client,
      direction: this.transport.direction,
      source: this.source,
      progress: this.bits.size === 0 ? 0 : this.bits.count / this.bits.size,
      downRate: this.down.rate(now),
      upRate: this.up.rate(now),
      downloaded: this.downloaded,
      uploaded: this.uploaded,
      amChoking: this.amChoking,
      amInterested: this.amInterested,
      peerChoking: this.peerChoking,
      peerInterested: this.peerInterested,
    }
  }

  #sends(): void {
    this.lastSent = this.#now()
    if (this.transport.unsent === 0) this.lastTaken = this.lastSent
  }

  #tellPieces(fill: () => void): void {
    this.#piecesTold = true
    fill()
    if (this.bits.complete) this.uploadOnly = true
    this.#owner.piecesKnown(this)
  }
}
