/**
 * One connected peer of one torrent: what it told us, what we told it, and its wire. It judges whether a message is
 * legal; what follows from it is decided by the owner's parts.
 */
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { type Bytes, type Millis, type PieceIndex } from '../../shared/units.js'
import type { PeerView } from '../../shared/views.js'
import { formatAddress, type PeerAddress } from '../base/address.js'
import { RateMeter } from '../base/rate.js'
import { decodeExtensionHandshake, type PeerExtension } from '../codec/extension.js'
import { PEX_EXTENSION } from '../codec/pex.js'
import { decodeMetadata, METADATA_EXTENSION, type MetadataMessage } from '../codec/metadata.js'
import { clientName } from '../codec/peer-id.js'
import * as out from '../codec/wire-writer.js'
import { WireParser, type WireHandler } from '../codec/wire.js'
import { Chatter, COST } from './chatter.js'
import { OUR_METADATA_ID, OUR_PEX_ID } from './introduction.js'
import { PexLedger } from './pex.js'
import { PipelineDepth } from './requests.js'
import type { LinkHandler } from './link.js'
import { PeerUpload } from './peer-upload.js'
import type { Transport } from './transport.js'

/** What the peer tells its owner. */
export interface PeerOwner {
  /** The peer's pieces are known in bulk, for the first time. */
  piecesKnown(peer: Peer): void
  /** The peer has one more piece; `gained` follows. */
  pieceGained(peer: Peer, piece: PieceIndex): void
  /** What it offers has grown: once for all that came together. */
  gained(peer: Peer): void
  interestChanged(peer: Peer): void
  /** The peer choked us: what was asked will not come. */
  choked(peer: Peer): void
  unchoked(peer: Peer): void
  requested(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void
  cancelled(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void
  blockStart(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): Buffer | null
  blockEnd(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void
  rejected(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void
  /** It told of itself (BEP 10). */
  introduced(peer: Peer, told: PeerExtension): void
  /** Of peer exchange (BEP 11), unread. */
  exchanged(peer: Peer, payload: Buffer): void
  /** Of the metadata extension (BEP 9). */
  metadata(peer: Peer, message: MetadataMessage): void
  /** The port of the peer's DHT node (BEP 5); at most once. */
  dhtPort(peer: Peer, port: number): void
  /** All that has come so far was told. */
  parsed(peer: Peer): void
  closed(peer: Peer, reason: string): void
  /** Something of ours threw while the peer was handled. */
  broke(peer: Peer, error: unknown): void
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
  /** Left out: none. */
  readonly encryption?: PeerView['encryption']
  readonly now: Millis
  /** Of a connection that is taken over: it may be in the middle of a message. */
  readonly parser?: WireParser
}

/** Requests answered with a refusal before the peer is taken for hostile. */
const MAX_REFUSED = 300
/** A choke takes so long to be heard: it waits behind what was sent before. */
const CHOKE_GRACE: Millis = 10_000
/** Bytes unsent besides payload. More is written for nobody: the peer makes us answer and reads nothing. */
const MOST_UNSENT: Bytes = 512 * 1024
/** Requests of less are no way to download. */
const TINY: Bytes = 4096
/** One that floods waits; one that does so again so soon is let go. */
const PATIENCE: Millis = 60_000
/** Bytes of a bitfield or an extension handshake for a point of work. */
const BYTES_PER_POINT = 16
/** Allowed-fast pieces remembered of a peer (BEP 6 suggests ten). */
const MAX_ALLOWED_FAST = 64

export class Peer implements LinkHandler, WireHandler {
  readonly handle: number
  readonly transport: Transport
  readonly fast: boolean
  readonly extensions: boolean
  readonly source: PeerView['source']
  readonly encryption: PeerView['encryption']
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
  /** What it knows of other peers from us, and we from it. */
  readonly pex = new PexLedger()
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
  /** Of these, at least so many were asked for while nothing was limited: they are not given back to the limit. */
  unmetered = 0
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
  /** Payload in what is being parsed, and what of it is kept: counted when all of that is. */
  fresh: Bytes = 0
  freshKept: Bytes = 0
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
  /** Blocks of metadata it asked for. */
  metadataAsked = 0
  /** The id it wants metadata messages under; 0: it does not speak of them. */
  #metadataId = 0
  /** The same for messages of peer exchange. */
  #pexId = 0
  /** The owner's pieces arrive here when the peer is attached. */
  /** It has told the port of its DHT node. */
  #toldDht = false
  readonly #owner: PeerOwner
  readonly #parser: WireParser
  readonly #now: () => Millis
  /** A bitfield, have-all or have-none came. */
  #piecesTold = false
  /** Requests we refused since we last unchoked it. */
  #refused = 0
  /** What it makes us do for nothing. */
  readonly #chatter = new Chatter()
  /** It is not read until it has paid for that. */
  #muted = false
  /** When that began last; -Infinity: never. */
  #mutedAt: Millis = -Infinity
  /** More is unsent than it may have: the connection ends with the next tick, and nothing more is written. */
  #clogged = false
  /** Rejects that are held; null: they are sent at once. */
  #rejects: Buffer[] | null = null
  /** Of what came together: payload that is kept, pieces gained. */
  #gotPayload = false
  #gotPieces = false
  /** Changes of mind in what came together: the first is told at once, of the others only what came of them. */
  #changes = 0
  /** What the owner knows of `peerChoking` and `peerInterested`. */
  #toldChoking = true
  #toldInterested = false
  /** When we last choked it; -Infinity: never since it was unchoked first. */
  #chokedAt: Millis = -Infinity

  constructor(init: PeerInit, ports: { readonly owner: PeerOwner; readonly now: () => Millis }) {
    this.handle = init.handle
    this.transport = init.transport
    this.fast = init.fast
    this.extensions = init.extensions
    this.source = init.source
    this.encryption = init.encryption ?? 'none'
    this.peerId = Buffer.from(init.peerId).toString('hex')
    this.client = clientName(init.peerId)
    this.bits = new Bitfield(init.pieceCount)
    this.connectedAt = this.lastHeard = this.lastSent = this.lastBlock = this.lastTaken = init.now
    this.down = new RateMeter()
    this.up = new RateMeter()
    this.#owner = ports.owner
    this.#now = ports.now
    this.#parser = init.parser ?? new WireParser({ pieceCount: init.pieceCount }, this)
    this.#parser.handTo(this)
    this.#parser.setPieceCount(init.pieceCount)
  }

  get isSeed(): boolean {
    return this.bits.complete
  }

  // --- bytes in

  data(view: Buffer): void {
    if (this.closed) return
    const now = (this.lastHeard = this.#now())
    this.#gotPayload = this.receivingPiece >= 0
    this.holdRejects()
    const fault = this.#parser.push(view)
    this.sendRejects()
    if (fault !== null) return this.close(fault)
    this.#settle()
    this.#owner.parsed(this)
    this.transport.bulk = this.#gotPayload
    if (!this.#gotPayload) this.#chatter.addBytes(view.length)
    // A transport may deliver what it had read when it was paused.
    if (this.#muted || !this.#chatter.isOver(now)) return
    if (now - this.#mutedAt < PATIENCE) return this.close('floods')
    this.#mutedAt = now
    this.#muted = true
    this.transport.pause()
  }

  /** What it told before it was ours, said again. */
  replay(told: readonly ((handler: WireHandler) => void)[]): void {
    for (const again of told) if (!this.closed) again(this)
    if (this.closed) return
    this.#settle()
    this.#owner.parsed(this)
  }

  /** What all that came together amounts to. */
  #settle(): void {
    this.#changes = 0
    if (this.#toldChoking !== this.peerChoking) this.#tellChoking()
    if (this.#toldInterested !== this.peerInterested) this.#tellInterest()
    if (!this.#gotPieces || this.closed) return
    this.#gotPieces = false
    this.#owner.gained(this)
  }

  /** It makes us answer, and takes no answers. */
  get isClogged(): boolean {
    return this.#clogged
  }

  /** Every second or so: one that floods is read again when its time has come. */
  tick(now: Millis): void {
    if (!this.#muted || this.closed || this.#chatter.isOver(now)) return
    this.#muted = false
    this.transport.resume()
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

  broke(error: unknown): void {
    this.#owner.broke(this, error)
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
    this.#chatter.add(COST.idle)
  }

  choke(): void {
    this.#chatter.add(COST.idle)
    if (this.peerChoking) return
    this.peerChoking = true
    // Without BEP 6 what was asked is void, whatever it says next.
    if (this.#changes++ === 0 || (!this.fast && this.outstanding > 0)) this.#tellChoking()
  }

  unchoke(): void {
    this.#chatter.add(COST.idle)
    if (!this.peerChoking) return
    this.peerChoking = false
    if (this.#changes++ === 0) this.#tellChoking()
  }

  #tellChoking(): void {
    this.#chatter.add(COST.answered)
    this.#toldChoking = this.peerChoking
    if (this.peerChoking) this.#owner.choked(this)
    else this.#owner.unchoked(this)
  }

  interested(): void {
    this.#chatter.add(COST.idle)
    if (this.peerInterested) return
    this.peerInterested = true
    if (this.#changes++ === 0) this.#tellInterest()
  }

  notInterested(): void {
    this.#chatter.add(COST.idle)
    if (!this.peerInterested) return
    this.peerInterested = false
    if (this.#changes++ === 0) this.#tellInterest()
  }

  #tellInterest(): void {
    this.#chatter.add(COST.answered)
    this.#toldInterested = this.peerInterested
    this.#owner.interestChanged(this)
  }

  have(piece: number): void {
    if (piece >= this.bits.size) return this.close('have-out-of-range')
    this.#piecesTold = true
    if (!this.bits.set(piece)) return this.#chatter.add(COST.idle)
    if (this.bits.complete) this.uploadOnly = true
    this.#gotPieces = true
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
    // A look at every byte of both.
    this.#chatter.add(COST.answered + bits.bytes.length / BYTES_PER_POINT)
    for (let at = 0; at < bits.bytes.length; at++) {
      const byte = bits.bytes[at] ?? 0
      if ((byte & ~(this.bits.bytes[at] ?? 0)) !== 0) this.#gainByte(at, byte)
    }
  }

  #gainByte(at: number, byte: number): void {
    for (let bit = 0; bit < 8; bit++) {
      const piece = at * 8 + bit
      if ((byte & (0x80 >> bit)) !== 0 && !this.bits.get(piece)) this.have(piece)
    }
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
    if (length > 0 && length < TINY) this.#chatter.add(COST.tiny)
    this.#owner.requested(this, piece, begin, length)
  }

  cancel(piece: number, begin: number, length: number): void {
    this.#chatter.add(COST.cancel)
    this.#owner.cancelled(this, piece, begin, length)
  }

  pieceStart(piece: number, begin: number, length: number): Buffer | null {
    const view = this.#owner.blockStart(this, piece, begin, length)
    if (view === null) this.#chatter.add(COST.answered)
    else this.#gotPayload = true
    return view
  }

  pieceEnd(piece: number, begin: number, length: number): void {
    this.#owner.blockEnd(this, piece, begin, length)
  }

  reject(piece: number, begin: number, length: number): void {
    if (!this.fast) return this.close('reject-unexpected')
    this.#chatter.add(COST.idle)
    this.#owner.rejected(this, piece, begin, length)
  }

  allowedFast(piece: number): void {
    this.#chatter.add(COST.idle)
    if (!this.fast || piece >= this.bits.size || this.offeredFast.size >= MAX_ALLOWED_FAST) return
    this.offeredFast.add(piece)
    this.#gotPieces = true
  }

  suggest(): void {
    // A hint (BEP 6); rarest-first stands.
    this.#chatter.add(COST.idle)
  }

  port(port: number): void {
    this.#chatter.add(COST.idle)
    // Once: many ports would have us knock at each of them.
    if (this.#toldDht || port === 0) return
    this.#toldDht = true
    this.#owner.dhtPort(this, port)
  }

  unknown(): void {
    // Skipped by the parser.
    this.#chatter.add(COST.idle)
  }

  extended(id: number, payload: Buffer): void {
    if (id === OUR_METADATA_ID) return this.#metadata(payload)
    if (id === OUR_PEX_ID) return this.#exchange(payload)
    if (id !== 0) return this.#chatter.add(COST.idle)
    this.#chatter.add(COST.answered + payload.length / BYTES_PER_POINT)
    const told = decodeExtensionHandshake(payload)
    if (told === null) return this.close('extension-handshake-malformed')
    if (told.reqq !== undefined) this.depth.setReqq(told.reqq)
    if (told.version !== undefined && told.version !== '') this.client = told.version
    if (told.uploadOnly !== undefined) this.uploadOnly = told.uploadOnly
    this.#metadataId = told.messages.get(METADATA_EXTENSION) ?? this.#metadataId
    this.#pexId = told.messages.get(PEX_EXTENSION) ?? this.#pexId
    this.#owner.introduced(this, told)
  }

  #exchange(payload: Buffer): void {
    this.#chatter.add(COST.answered + payload.length / BYTES_PER_POINT)
    this.#owner.exchanged(this, payload)
  }

  #metadata(payload: Buffer): void {
    this.#chatter.add(COST.answered + payload.length / BYTES_PER_POINT)
    const message = decodeMetadata(payload)
    if (message !== null) this.#owner.metadata(this, message)
  }

  // --- messages out

  /** A message of BEP 9; nothing for a peer that does not speak of it. */
  sendMetadata(payload: Uint8Array): void {
    if (this.#metadataId > 0) this.send(out.encodeExtended(this.#metadataId, payload))
  }

  get speaksPex(): boolean {
    return this.#pexId > 0 && !this.closed
  }

  /** A message of BEP 11; nothing for a peer that does not speak of it. */
  sendPex(payload: Uint8Array): void {
    if (this.#pexId > 0) this.send(out.encodeExtended(this.#pexId, payload))
  }

  send(bytes: Uint8Array): void {
    if (this.closed || this.#clogged) return
    this.#sends()
    this.transport.write(bytes)
    this.#clogged = this.transport.unsent - this.upload.written > MOST_UNSENT
  }

  /** A frame of blocks; `taken` once its bytes may change. */
  sendFrame(bytes: Uint8Array, taken: () => void): void {
    this.#sends()
    this.transport.write(bytes, () => {
      try {
        this.lastTaken = this.#now()
        taken()
      } catch (error) {
        this.broke(error)
      }
    })
  }

  /** Answers a request we will not serve: a reject (BEP 6), or silence; too many end the connection. */
  refuse(piece: PieceIndex, begin: Bytes, length: Bytes): void {
    if (this.closed) return
    // Those that were on their way when we choked it are nobody's fault.
    this.#chatter.add(COST.answered)
    const late = this.amChoking && this.#now() - this.#chokedAt < CHOKE_GRACE
    if (!late && ++this.#refused > MAX_REFUSED) return this.close('too-many-bad-requests')
    this.sendReject(piece, begin, length)
  }

  /** Nothing for a peer without BEP 6: there is no such message for it. */
  sendReject(piece: PieceIndex, begin: Bytes, length: Bytes): void {
    if (!this.fast) return
    const bytes = Buffer.allocUnsafe(out.REQUEST_SIZE)
    out.writeReject(bytes, 0, piece, begin, length)
    if (this.#rejects === null) this.send(bytes)
    else this.#rejects.push(bytes)
  }

  /** From here on rejects wait for `sendRejects`, which writes them with one call. */
  holdRejects(): void {
    this.#rejects ??= []
  }

  sendRejects(): void {
    const rejects = this.#rejects
    this.#rejects = null
    if (rejects !== null && rejects.length > 0) this.send(Buffer.concat(rejects))
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
      encryption: this.encryption,
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
