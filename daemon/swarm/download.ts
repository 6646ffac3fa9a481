/**
 * Gets the missing pieces of one torrent: what is asked of whom, where the bytes go, and what a verdict on a piece
 * means for those who sent it. A slot is taken when the first block of an extent is asked for, so what is on its way
 * can never exceed the slab.
 */
import { BLOCK_SIZE, type Bytes, EXTENT_SIZE, type Millis, type PieceIndex } from '../../shared/units.js'
import * as out from '../codec/wire-writer.js'
import type { Limiter } from '../base/limiter.js'
import type { Clock } from '../ports/clock.js'
import type { Storage } from '../ports/disk.js'
import type { Random } from '../ports/random.js'
import type { Content } from './content.js'
import type { Peer } from './peer.js'
import { Picker } from './picker.js'
import { OpenPieces } from './pieces.js'
import type { Recorder } from './recorder.js'
import { PieceMemory } from './slots.js'
import type { SlotSource } from './slot-share.js'

const BLOCKS_PER_EXTENT = EXTENT_SIZE / BLOCK_SIZE
/** In endgame a block is asked of another peer once it was waited for so long. */
const DUPLICATE_AFTER: Millis = 300
/** Requests of one peer that may be duplicates. */
const MAX_DUPLICATES = 16
/** Requests written with one call. */
const REQUEST_BATCH = 64
/** While the slab is empty: a piece that nobody sends for gives its slots back after this. */
const STALE_AFTER: Millis = 20_000

export interface DownloaderPorts {
  readonly clock: Clock
  readonly random: Random
  /** Memory for blocks on their way. */
  readonly slots: SlotSource
  readonly storage: Storage
  /** How fast payload may come in, all torrents together; metered where a block is asked for. */
  readonly downLimit: Limiter
  readonly recorder: Recorder
  readonly peer: (handle: number) => Peer | undefined
  readonly peers: () => Iterable<Peer>
  /** A piece is verified; `needed` when it was one of the wanted ones. */
  readonly verified: (piece: PieceIndex, needed: boolean) => void
  /** Which pieces are needed changed in bulk. */
  readonly needsChanged: () => void
  readonly ban: (peer: Peer) => void
  /** Payload came; `kept` is false for what is thrown away. */
  readonly received: (peer: Peer, bytes: Bytes, kept: boolean) => void
  readonly wasted: (bytes: Bytes) => void
}

export class Downloader {
  readonly #content: Content
  readonly #ports: DownloaderPorts
  readonly #picker: Picker
  readonly #pieces: OpenPieces
  readonly #memory: PieceMemory
  /** Peers counted as seeds in the picker. */
  readonly #seeds = new Set<Peer>()
  /** Peers whose pieces are counted one by one. */
  readonly #counted = new Set<Peer>()
  /** Full extents that wait for their files' marks. */
  #held: { readonly piece: PieceIndex; readonly extent: number }[] = []
  /** After a bad piece with several senders, the next try comes from one peer alone. */
  readonly #alone = new Map<PieceIndex, Peer | null>()
  /** When a block of the piece last came, by open piece. */
  readonly #movedAt = new Map<PieceIndex, Millis>()
  /** Blocks are asked for only between `open` and `close`. */
  #active = false
  /** Piece, begin, length of the requests being collected. */
  readonly #batch = new Uint32Array(REQUEST_BATCH * 3)
  #batched = 0

  constructor(init: { readonly content: Content }, ports: DownloaderPorts) {
    this.#content = init.content
    this.#ports = ports
    const { layout } = init.content
    this.#picker = new Picker({ pieceCount: layout.pieceCount }, { random: ports.random })
    this.#pieces = new OpenPieces({ pieceSize: (piece) => layout.pieceSize(piece) })
    this.#memory = new PieceMemory(ports.slots)
  }

  /** Slots held by blocks on their way. */
  get slots(): number {
    return this.#memory.held
  }

  /** Begins: from here on blocks are asked for. */
  open(): void {
    this.#active = true
    this.#content.have.forEachSet((piece) => {
      this.#picker.setDone(piece)
    })
    this.choiceChanged()
  }

  /** Ends: nothing is asked for or kept any more. */
  close(): void {
    this.#active = false
    this.#held = []
    for (const piece of this.#memory.pieces()) this.#abandon(piece)
    this.#ports.slots.leave()
  }

  /** The user wants other files. */
  choiceChanged(): void {
    const count = this.#content.layout.pieceCount
    for (let piece = 0; piece < count; piece++) this.#picker.setWanted(piece, this.#content.isWanted(piece))
    for (const piece of this.#memory.pieces()) {
      const begun = this.#pieces.receivedBlocks(piece) > 0
      if (!this.#picker.isWanted(piece) && !begun) this.#abandon(piece)
    }
  }

  // --- peers

  joined(peer: Peer): void {
    this.#counted.add(peer)
  }

  piecesKnown(peer: Peer): void {
    if (peer.isSeed) {
      this.#counted.delete(peer)
      this.#seeds.add(peer)
      this.#picker.addSeed()
    } else this.#picker.addPeer(peer.bits)
    this.recount(peer)
  }

  pieceGained(peer: Peer, piece: PieceIndex): void {
    this.#picker.have(piece)
    if (this.#picker.isNeeded(piece)) peer.interesting++
  }

  recount(peer: Peer): void {
    peer.interesting = this.#picker.countNeeded(peer.bits)
  }

  left(peer: Peer): void {
    this.#abort(peer)
    this.#pieces.forget(peer.handle)
    peer.outstanding = 0
    if (this.#seeds.delete(peer)) this.#picker.removeSeed()
    else if (this.#counted.delete(peer)) this.#picker.removePeer(peer.bits)
    this.#standBack(peer)
  }

  /** A peer that had pieces to itself gives nothing now: each of them begins anew with another. */
  #standBack(peer: Peer): void {
    for (const [piece, only] of this.#alone) {
      if (only !== peer) continue
      this.#alone.set(piece, null)
      if (this.#pieces.has(piece) && this.#pieces.requestedBlocks(piece) + this.#pieces.freeBlocks(piece) > 0)
        this.#abandon(piece)
    }
  }

  /** The peer choked us. One with BEP 6 rejects each request itself, or still answers it. */
  choked(peer: Peer): void {
    this.#standBack(peer)
    if (peer.fast) return
    this.#pieces.release(peer.handle)
    peer.outstanding = 0
  }

  rejected(peer: Peer, piece: PieceIndex, begin: Bytes): void {
    const block = Math.floor(begin / BLOCK_SIZE)
    if (peer.peerChoking) peer.offeredFast.delete(piece)
    if (this.#pieces.releaseBlock(piece, block, peer.handle, this.#ports.clock.now())) peer.outstanding--
  }

  // --- asking

  /** Asks a peer for as much as its pipeline takes. */
  fill(peer: Peer): void {
    if (!this.#active || peer.closed || !peer.amInterested) return
    if (peer.peerChoking && peer.offeredFast.size === 0) return
    const now = this.#ports.clock.now()
    const depth = peer.depth.depth
    // A batch is worth a write; a trickle is not.
    if (peer.outstanding > 0 && peer.outstanding > depth * 0.75) return
    while (peer.outstanding < depth && this.#askNext(peer, now));
    this.#sendBatch(peer)
  }

  #askNext(peer: Peer, now: Millis): boolean {
    const started = this.#fromOpen(peer, now)
    if (started !== 'none') return started === 'asked'
    const piece = this.#pickNew(peer)
    if (piece >= 0) {
      this.#openPiece(piece, now)
      return this.#ask(peer, piece, this.#pieces.nextBlock(piece, peer.handle, now), now)
    }
    // Endgame: not before every missing block is asked of somebody.
    return this.#pieces.allRequested && this.#picker.pickableCount === 0 && this.#askDuplicate(peer, now)
  }

  /** A free block of a piece that is open: the peer's own piece first, then the longest open. */
  #fromOpen(peer: Peer, now: Millis): 'asked' | 'full' | 'none' {
    if (peer.piece >= 0 && this.#mayTake(peer, peer.piece)) {
      const block = this.#pieces.nextBlock(peer.piece, peer.handle, now)
      if (block >= 0) return this.#ask(peer, peer.piece, block, now) ? 'asked' : 'full'
    }
    for (const piece of this.#pieces.partial()) {
      if (!this.#mayTake(peer, piece)) continue
      const block = this.#pieces.nextBlock(piece, peer.handle, now)
      if (block < 0) continue
      peer.piece = piece
      return this.#ask(peer, piece, block, now) ? 'asked' : 'full'
    }
    return 'none'
  }

  #mayTake(peer: Peer, piece: PieceIndex): boolean {
    if (!peer.bits.get(piece) || (peer.peerChoking && !peer.offeredFast.has(piece))) return false
    const only = this.#alone.get(piece)
    if (only === undefined || only === peer) return true
    if (only !== null) return false
    this.#alone.set(piece, peer)
    return true
  }

  #pickNew(peer: Peer): PieceIndex {
    if (!peer.peerChoking) return this.#picker.pick(peer.bits, { isSeed: this.#seeds.has(peer) })
    for (const piece of peer.offeredFast) {
      if (peer.bits.get(piece) && this.#picker.isNeeded(piece) && !this.#picker.isOpen(piece)) return piece
    }
    return -1
  }

  #openPiece(piece: PieceIndex, now: Millis): void {
    this.#picker.open(piece)
    this.#pieces.open(piece)
    this.#memory.open(piece, this.#pieces.blockCount(piece))
    this.#movedAt.set(piece, now)
  }

  #askDuplicate(peer: Peer, now: Millis): boolean {
    if (peer.outstanding >= MAX_DUPLICATES) return false
    // A block that this peer would have sent by now is late; one that it would bring no sooner is only wasted.
    const late = Math.max(DUPLICATE_AFTER, peer.depth.meanTrip)
    for (const piece of this.#pieces.pieces()) {
      if (!this.#mayTake(peer, piece)) continue
      const block = this.#pieces.nextDuplicate(piece, peer.handle, now, late)
      if (block >= 0) return this.#ask(peer, piece, block, now)
    }
    return false
  }

  #ask(peer: Peer, piece: PieceIndex, block: number, now: Millis): boolean {
    if (block < 0 || !this.#memory.reserve(piece, block)) return false
    if (!this.#pieces.requested(piece, block, peer.handle, now)) return false
    peer.piece = piece
    peer.outstanding++
    this.#batch[this.#batched * 3] = piece
    this.#batch[this.#batched * 3 + 1] = block * BLOCK_SIZE
    this.#batch[this.#batched * 3 + 2] = this.#pieces.blockLength(piece, block)
    this.#batched++
    if (this.#batched === REQUEST_BATCH) this.#sendBatch(peer)
    return true
  }

  #sendBatch(peer: Peer): void {
    if (this.#batched === 0) return
    const bytes = Buffer.allocUnsafe(this.#batched * out.REQUEST_SIZE)
    out.writeRequests(bytes, 0, this.#batch, this.#batched)
    this.#batched = 0
    peer.send(bytes)
  }

  // --- receiving

  /** Where a block's bytes go; null discards them. */
  blockStart(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): Buffer | null {
    const block = begin / BLOCK_SIZE
    const expected = Number.isInteger(block) && length === this.#pieces.blockLength(piece, block)
    if (!this.#active || !expected || this.#pieces.isReceived(piece, block)) return null
    const view = this.#memory.begin(piece, block, length, peer.handle)
    if (view !== null) peer.receiving = { piece, block }
    return view
  }

  blockEnd(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void {
    const block = begin / BLOCK_SIZE
    const now = this.#ports.clock.now()
    const kept = this.#endView(peer, piece, block)
    this.#ports.received(peer, length, kept)
    const asked = this.#pieces.isRequestedFrom(piece, block, peer.handle)
    if (asked) peer.depth.onBlock(now, this.#pieces.waited(piece, block, peer.handle, now))
    // Another copy is arriving, or is here. While it arrives this request stands, so that the peer is not asked again.
    if (!kept) return this.#ports.wasted(length)
    if (asked) peer.outstanding--
    // It may have been taken back from this peer, which was slow, and asked of another.
    if (!asked || this.#pieces.duplicates > 0) this.#cancelOthers(peer, piece, block)
    const receipt = this.#pieces.received(piece, block, peer.handle)
    this.#movedAt.set(piece, now)
    if (receipt === 'extent' || receipt === 'piece') {
      this.#submit(piece, Math.floor(block / BLOCKS_PER_EXTENT))
    }
  }

  /** False where the bytes went nowhere: another copy, nothing we asked for, or a slot that was taken back. */
  #endView(peer: Peer, piece: PieceIndex, block: number): boolean {
    const receiving = peer.receiving
    if (receiving?.piece !== piece || receiving.block !== block) return false
    peer.receiving = null
    return this.#memory.end(piece, block, peer.handle)
  }

  #cancelOthers(peer: Peer, piece: PieceIndex, block: number): void {
    const length = this.#pieces.blockLength(piece, block)
    for (const handle of this.#pieces.holders(piece, block)) {
      const other = handle === peer.handle ? undefined : this.#ports.peer(handle)
      if (other === undefined) continue
      other.outstanding--
      const bytes = Buffer.allocUnsafe(out.REQUEST_SIZE)
      out.writeCancel(bytes, 0, piece, block * BLOCK_SIZE, length)
      other.send(bytes)
    }
  }

  /** The connection ends in the middle of a block: its view is no longer written. */
  #abort(peer: Peer): void {
    const receiving = peer.receiving
    peer.receiving = null
    if (receiving !== null) this.#memory.end(receiving.piece, receiving.block, peer.handle)
  }

  #submit(piece: PieceIndex, extent: number): void {
    if (!this.#ports.recorder.mayWrite(piece)) {
      this.#held.push({ piece, extent })
      return
    }
    const slot = this.#memory.hand(piece, extent)
    if (slot === null) return
    this.#ports.storage.submit(slot, piece, extent, this.#content.layout.extentSize(piece, extent))
  }

  /** Marks were committed: what waited for them goes on. */
  writable(): void {
    for (const { piece, extent } of this.#held.splice(0)) this.#submit(piece, extent)
  }

  // --- verdicts

  pieceGood(piece: PieceIndex): void {
    const needed = this.#picker.isNeeded(piece)
    this.#forget(piece)
    this.#alone.delete(piece)
    this.#content.have.set(piece)
    this.#picker.setDone(piece)
    this.#ports.recorder.add(piece)
    this.#ports.verified(piece, needed)
    if (this.#picker.wantedMissing > 0) return
    // Nothing more will come: the last round need not wait for its time.
    this.#ports.slots.leave()
    this.#ports.recorder.flush(() => undefined)
  }

  pieceBad(piece: PieceIndex): void {
    this.#ports.wasted(this.#content.layout.pieceSize(piece))
    // Those who left count as one more: who is left must not pay for them.
    const senders = new Set<Peer | null>()
    for (const handle of this.#pieces.senders(piece)) senders.add(this.#ports.peer(handle) ?? null)
    this.#forget(piece)
    this.#picker.close(piece)
    const [only, second] = senders
    if (only !== undefined && only !== null && second === undefined) this.#ports.ban(only)
    // Several had a part in it: the next try comes from one of them alone, and tells.
    else this.#alone.set(piece, null)
    this.#ports.needsChanged()
  }

  /** A write failed; the disk has forgotten the piece. */
  writeFailed(piece: PieceIndex): void {
    this.#forget(piece)
    this.#picker.close(piece)
  }

  /** Verified pieces that claim nothing any more. */
  lost(pieces: readonly PieceIndex[]): void {
    for (const piece of pieces) {
      this.#content.lose(piece)
      this.#picker.setMissing(piece)
    }
    this.#ports.needsChanged()
  }

  // --- time

  /** Once a second: requests that took too long are asked of others; pieces that rot give their memory back. */
  tick(now: Millis): void {
    if (!this.#active || this.#pieces.size === 0) return
    const late = new Set<Peer>()
    this.#pieces.eachRequest(now, (piece, block, handle, age) => {
      const peer = this.#ports.peer(handle)
      if (peer === undefined || age < peer.depth.blockTimeout) return
      if (!this.#pieces.releaseBlock(piece, block, handle, now)) return
      peer.outstanding--
      peer.depth.snub()
      late.add(peer)
    })
    for (const peer of late) this.#standBack(peer)
    if (this.#ports.slots.exhausted) this.#dropStale(now)
    for (const peer of this.#ports.peers()) this.fill(peer)
  }

  #dropStale(now: Millis): void {
    for (const [piece, moved] of [...this.#movedAt]) {
      const waits = this.#pieces.freeBlocks(piece) > 0 && !this.#memory.isBusy(piece)
      if (waits && now - moved > STALE_AFTER) this.#abandon(piece)
    }
  }

  /** Gives up what there is of a piece that is not complete. */
  #abandon(piece: PieceIndex): void {
    for (let block = 0; block < this.#pieces.blockCount(piece); block++) {
      for (const handle of this.#pieces.holders(piece, block)) {
        const peer = this.#ports.peer(handle)
        if (peer !== undefined) peer.outstanding--
      }
    }
    const received = this.#pieces.receivedBlocks(piece)
    if (received > 0) this.#ports.wasted(received * BLOCK_SIZE)
    this.#ports.storage.forget(piece)
    this.#forget(piece)
    this.#picker.close(piece)
  }

  #forget(piece: PieceIndex): void {
    for (const peer of this.#ports.peers()) {
      if (peer.receiving?.piece === piece) {
        peer.receiving = null
        peer.dropBlock()
      }
      if (peer.piece === piece) peer.piece = -1
    }
    this.#memory.close(piece)
    this.#pieces.close(piece)
    this.#movedAt.delete(piece)
    this.#held = this.#held.filter((held) => held.piece !== piece)
  }
}
