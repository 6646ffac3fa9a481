/**
 * Gets the missing pieces of one torrent: what is asked of whom, where the bytes go, and what a verdict on a piece
 * means for those who sent it. A slot is taken when the first block of an extent is asked for, so what is on its way
 * can never exceed the slab.
 */
import {
  BLOCK_SIZE,
  type Bytes,
  EXTENT_SIZE,
  type Millis,
  type PieceIndex,
  type Rate,
} from '../../shared/units.js'
import * as out from '../codec/wire-writer.js'
import type { Limiter } from '../base/limiter.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Storage } from '../ports/disk.js'
import type { Random } from '../ports/random.js'
import { Blame } from './blame.js'
import type { Content } from './content.js'
import type { Peer } from './peer.js'
import { Picker } from './picker.js'
import { MAX_HOLDERS, OpenPieces, ORPHAN, SHARED } from './pieces.js'
import type { Recorder } from './recorder.js'
import { PieceMemory } from './slots.js'
import type { SlotSource } from './slot-share.js'
import { Rush, STEAL_RATIO } from './rush.js'
import { LINK_FLOOR, rateOf, Shares, timeFor } from './speed.js'

const BLOCKS_PER_EXTENT = EXTENT_SIZE / BLOCK_SIZE
/** A batch of requests goes out when fewer than this part of the pipeline are on their way. */
const REFILL_BELOW = 0.75
/** So much longer than it would take a fast peer alone, and the piece is taken from slow ones. */
const EARLY_STEAL = 10
/** A piece open for so long is finished by whoever can. */
const OVERDUE: Millis = 30_000
/** A new piece goes before one that is begun where so many times more peers have that one. */
const RARER = 2
/** How often an idle peer is offered what others have not brought, at the end. */
const RUSH_EVERY: Millis = 100
/** Peers above the rate fetch neighbouring pieces, up to so much in a row. */
const RUN_RATE: Rate = 8 * 1024 * 1024
const RUN: Bytes = 4 * 1024 * 1024
/** Requests written with one call. */
const REQUEST_BATCH = 256
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
  readonly #blame: Blame
  readonly #rush: Rush
  /** Who may have how much on its way. */
  readonly #shares: Shares
  /** The fill under way was refused a slot. */
  #full = false
  /** Where the next round among the peers begins. */
  #turn = 0
  /** Set while somebody idles at the end. */
  #rushTimer: Cancel | null = null
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
    this.#shares = new Shares(ports.slots)
    this.#blame = new Blame({ ban: ports.ban })
    this.#rush = new Rush({
      pieces: this.#pieces,
      memory: this.#memory,
      peers: ports.peers,
      isEndgame: () => this.#picker.pickableCount === 0 && this.#pieces.allRequested,
      mayTake: (peer, piece) => this.#mayTake(peer, piece),
      ask: (peer, piece, block, now) => this.#ask(peer, piece, block, now),
      withdraw: (peer, piece, block) => {
        this.#withdraw(peer, piece, block)
      },
    })
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
    this.#rushTimer?.()
    this.#rushTimer = null
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
    this.#revoke(peer)
    // Who lies and leaves before the verdict is to be found all the same.
    const stone = this.#pieces.hasGiven(peer.handle) ? this.#blame.bury(peer) : undefined
    this.#giveBack(this.#pieces.forget(peer.handle, stone))
    peer.outstanding = 0
    peer.piece = -1
    if (peer.hungry) this.#shares.expire()
    peer.hungry = false
    if (this.#seeds.delete(peer)) this.#picker.removeSeed()
    else if (this.#counted.delete(peer)) this.#picker.removePeer(peer.bits)
    this.#standBack(peer)
  }

  /** A peer that had pieces to itself gives nothing now: each of them begins anew with another. */
  #standBack(peer: Peer): void {
    for (const piece of this.#blame.standBack(peer)) {
      if (this.#pieces.has(piece) && this.#pieces.requestedBlocks(piece) + this.#pieces.freeBlocks(piece) > 0)
        this.#abandon(piece)
    }
  }

  /** The peer choked us. One with BEP 6 rejects each request itself, or still answers it. */
  choked(peer: Peer): void {
    this.#standBack(peer)
    this.#pieces.disown(peer.handle)
    if (peer.fast) return
    this.#giveBack(this.#pieces.release(peer.handle))
    peer.outstanding = 0
  }

  /** So many blocks that were asked for will not come. */
  #giveBack(blocks: number): void {
    if (blocks > 0) this.#ports.downLimit.give(blocks * BLOCK_SIZE)
  }

  rejected(peer: Peer, piece: PieceIndex, begin: Bytes): void {
    const block = Math.floor(begin / BLOCK_SIZE)
    if (peer.peerChoking) peer.offeredFast.delete(piece)
    if (!this.#pieces.releaseBlock(piece, block, peer.handle, this.#ports.clock.now())) return
    peer.outstanding--
    this.#giveBack(1)
  }

  // --- asking

  /** Slots or allowance came free: those first who have nothing on its way. */
  readonly refill = (): void => {
    if (!this.#active) return
    for (const peer of this.#ports.peers()) if (peer.hungry) this.fill(peer)
    const peers = [...this.#ports.peers()]
    // Nobody is always the first to be served where there is not enough for all.
    this.#turn = (this.#turn + 1) % Math.max(1, peers.length)
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[(this.#turn + i) % peers.length]
      // What this torrent may ask for now is used up: another peer begins the next round.
      if (peer !== undefined && !this.fill(peer)) return
    }
  }

  /** Asks a peer for as much as its pipeline takes. False: the limit of all downloads lets less through for now. */
  fill(peer: Peer): boolean {
    if (!this.#active || peer.closed || !peer.amInterested) return true
    if (peer.peerChoking && peer.offeredFast.size === 0) return true
    const limit = this.#shares.limit(peer)
    // A batch is worth a write; a trickle is not.
    if (peer.outstanding > 0 && peer.outstanding > limit * REFILL_BELOW) return true
    const now = this.#ports.clock.now()
    this.#shares.refresh(this.#ports.peers(), now)
    const { downLimit } = this.#ports
    const room = this.#shares.limit(peer) - peer.outstanding
    const metered = downLimit.rate !== null
    const granted = metered ? downLimit.take(room * BLOCK_SIZE, this.refill) : room * BLOCK_SIZE
    let left = Math.floor(granted / BLOCK_SIZE)
    this.#full = false
    while (left > 0 && this.#askNext(peer, now)) left--
    if (metered) downLimit.give(left * BLOCK_SIZE)
    this.#sendBatch(peer)
    this.#noteHunger(peer)
    if (left > 0) this.#rushSoon()
    return granted >= room * BLOCK_SIZE
  }

  #noteHunger(peer: Peer): void {
    const hungry = this.#full && peer.outstanding < LINK_FLOOR
    if (hungry === peer.hungry) return
    peer.hungry = hungry
    this.#shares.expire()
  }

  /**
   * The piece it is on; then one that somebody left, or that slow ones share; then a new one; and when there is none,
   * whatever others have not got to, or not got.
   */
  #askNext(peer: Peer, now: Millis): boolean {
    const own = peer.piece
    if (own >= 0 && this.#askIn(peer, own, now)) return true
    const whole = this.#shares.takesWhole(peer, this.#content.layout.pieceLength, now)
    if (!this.#full && !this.#ports.slots.offers(this.#shares.claim(peer))) this.#full = true
    const fresh = this.#full ? -1 : this.#nextOfRun(peer, own, whole, now)
    if (this.#askPartial(peer, now, whole, fresh)) return true
    if (fresh >= 0) return this.#askNew(peer, fresh, now, whole)
    const idle = this.#picker.pickableCount === 0 || !this.#full
    if (idle && this.#askAny(peer, now)) return true
    return this.#rush.ask(peer, now)
  }

  #askIn(peer: Peer, piece: PieceIndex, now: Millis): boolean {
    if (!this.#mayTake(peer, piece)) return false
    for (let from = 0; ;) {
      const block = this.#pieces.nextBlock(piece, peer.handle, now, from)
      if (block < 0) return false
      if (this.#ask(peer, piece, block, now)) return true
      // No slot for this extent: another one may have its own.
      from = (((block / BLOCKS_PER_EXTENT) | 0) + 1) * BLOCKS_PER_EXTENT
    }
  }

  /** Passes over what is not nearly as rare as `fresh`: what hardly anybody has is not to wait for what many have. */
  #askPartial(peer: Peer, now: Millis, whole: boolean, fresh: PieceIndex): boolean {
    const most = fresh < 0 ? Infinity : RARER * this.#picker.availability(fresh)
    for (const piece of this.#pieces.partial()) {
      if (this.#picker.availability(piece) >= most) continue
      const owner = this.#pieces.owner(piece)
      const open = owner === ORPHAN || (owner === SHARED && !whole)
      if (!open && !this.#isOverdue(peer, piece, now, whole)) continue
      if (!this.#askIn(peer, piece, now)) continue
      if (owner !== SHARED) this.#pieces.setOwner(piece, whole ? peer.handle : SHARED)
      return true
    }
    return false
  }

  /** Others are at it for so long that a fast one goes on with it rather than begin another. */
  #isOverdue(peer: Peer, piece: PieceIndex, now: Millis, whole: boolean): boolean {
    const age = now - this.#pieces.openedAt(piece)
    if (age < OVERDUE) return false
    return !whole || age > EARLY_STEAL * timeFor(peer, this.#pieces.blockCount(piece), now)
  }

  #askAny(peer: Peer, now: Millis): boolean {
    for (const piece of this.#pieces.partial()) if (this.#askIn(peer, piece, now)) return true
    return false
  }

  #askNew(peer: Peer, piece: PieceIndex, now: Millis, whole: boolean): boolean {
    this.#picker.open(piece)
    this.#pieces.open(piece, now, whole ? peer.handle : SHARED)
    this.#memory.open(piece, this.#pieces.blockCount(piece))
    if (this.#askIn(peer, piece, now)) {
      this.#makeReady(piece)
      return true
    }
    // It has no slot: as if it had not been opened.
    if (this.#pieces.requestedBlocks(piece) === 0) this.#abandon(piece)
    return false
  }

  /** Marks and files are made while the first blocks are on their way. */
  #makeReady(piece: PieceIndex): void {
    if (this.#ports.recorder.mayWrite(piece)) this.#ports.storage.makeReady(piece)
  }

  #mayTake(peer: Peer, piece: PieceIndex): boolean {
    if (!peer.bits.get(piece) || (peer.peerChoking && !peer.offeredFast.has(piece))) return false
    return this.#blame.mayTake(piece, peer)
  }

  /** A very fast peer goes on where it was, so that its disk and ours see long runs; else the rarest piece. */
  #nextOfRun(peer: Peer, last: PieceIndex, whole: boolean, now: Millis): PieceIndex {
    if (peer.peerChoking) return this.#pickOffered(peer)
    const next = last + 1
    if (
      whole &&
      last >= 0 &&
      Math.floor((next * this.#content.layout.pieceLength) / RUN) ===
        Math.floor((last * this.#content.layout.pieceLength) / RUN) &&
      next < this.#content.layout.pieceCount &&
      this.#picker.isPickable(next) &&
      peer.bits.get(next) &&
      this.#picker.availability(next) <= this.#picker.availability(last) &&
      rateOf(peer, now) > RUN_RATE
    )
      return next
    return this.#picker.pick(peer.bits, { isSeed: this.#seeds.has(peer) })
  }

  #pickOffered(peer: Peer): PieceIndex {
    for (const piece of peer.offeredFast)
      if (peer.bits.get(piece) && this.#picker.isPickable(piece)) return piece
    return -1
  }

  #ask(peer: Peer, piece: PieceIndex, block: number, now: Millis): boolean {
    if (!this.#memory.hasSlot(piece, block)) {
      if (this.#full) return false
      if (!this.#memory.reserve(piece, block, this.#shares.claim(peer))) {
        this.#full = true
        return false
      }
    }
    if (!this.#pieces.requested(piece, block, peer.handle, now)) return false
    peer.piece = piece
    if (peer.outstanding++ === 0) peer.busySince = now
    const at = this.#batched * 3
    this.#batch[at] = piece
    this.#batch[at + 1] = block * BLOCK_SIZE
    this.#batch[at + 2] = this.#pieces.blockLength(piece, block)
    if (++this.#batched === REQUEST_BATCH) this.#sendBatch(peer)
    return true
  }

  #sendBatch(peer: Peer): void {
    if (this.#batched === 0) return
    const bytes = Buffer.allocUnsafe(this.#batched * out.REQUEST_SIZE)
    out.writeRequests(bytes, 0, this.#batch, this.#batched)
    this.#batched = 0
    peer.send(bytes)
  }

  /** Takes a request back from a peer. */
  #withdraw(peer: Peer, piece: PieceIndex, block: number): void {
    const length = this.#pieces.blockLength(piece, block)
    peer.outstanding--
    this.#ports.downLimit.give(length)
    const bytes = Buffer.allocUnsafe(out.REQUEST_SIZE)
    out.writeCancel(bytes, 0, piece, block * BLOCK_SIZE, length)
    peer.send(bytes)
  }

  /** Somebody has nothing to do while others still have: looked at again before the next second. */
  #rushSoon(): void {
    if (this.#rushTimer !== null || this.#picker.pickableCount > 0 || this.#pieces.size === 0) return
    this.#rushTimer = this.#ports.clock.after(RUSH_EVERY, () => {
      this.#rushTimer = null
      for (const peer of this.#ports.peers()) this.fill(peer)
    })
  }

  // --- receiving

  /** Where a block's bytes go; null discards them. */
  blockStart(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): Buffer | null {
    const block = begin / BLOCK_SIZE
    if (!this.#active || (begin & (BLOCK_SIZE - 1)) !== 0) return null
    if (length !== this.#pieces.blockLength(piece, block) || this.#pieces.isReceived(piece, block))
      return null
    this.#overtake(peer, piece, block)
    const view = this.#memory.begin(piece, block, length, peer.handle)
    if (view === null) return null
    peer.receivingPiece = piece
    peer.receivingBlock = block
    return view
  }

  /** A block that crawls in from a much slower peer is written by this one instead. */
  #overtake(peer: Peer, piece: PieceIndex, block: number): void {
    const source = this.#memory.source(piece, block)
    if (source === 0) return
    const other = this.#ports.peer(source)
    if (other === undefined || other === peer) return
    const now = this.#ports.clock.now()
    if (rateOf(other, now) * STEAL_RATIO <= rateOf(peer, now)) this.#revoke(other)
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
    const receipt = this.#pieces.received(piece, block, peer.handle, now)
    if (receipt === 'extent' || receipt === 'piece') {
      this.#submit(piece, (block / BLOCKS_PER_EXTENT) | 0)
    }
  }

  /** False where the bytes went nowhere: another copy, nothing we asked for, or a slot that was taken back. */
  #endView(peer: Peer, piece: PieceIndex, block: number): boolean {
    if (peer.receivingPiece !== piece || peer.receivingBlock !== block) return false
    peer.receivingPiece = peer.receivingBlock = -1
    return this.#memory.end(piece, block, peer.handle)
  }

  #cancelOthers(peer: Peer, piece: PieceIndex, block: number): void {
    for (let nth = 0; nth < MAX_HOLDERS; nth++) {
      const handle = this.#pieces.holderAt(piece, block, nth)
      const other = handle === peer.handle ? undefined : this.#ports.peer(handle)
      if (other !== undefined) this.#withdraw(other, piece, block)
    }
  }

  /** Nothing more is written for the block that a peer is sending. */
  #revoke(peer: Peer): void {
    const { receivingPiece: piece, receivingBlock: block } = peer
    if (piece < 0) return
    peer.receivingPiece = peer.receivingBlock = -1
    peer.dropBlock()
    this.#memory.end(piece, block, peer.handle)
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
    for (const piece of this.#memory.pieces()) this.#makeReady(piece)
    for (const { piece, extent } of this.#held.splice(0)) this.#submit(piece, extent)
  }

  // --- verdicts

  /** `digests` of its blocks where an earlier try was bad: SHA-1 of each, in a row. */
  pieceGood(piece: PieceIndex, digests: Uint8Array | null): void {
    const needed = this.#picker.isNeeded(piece)
    this.#forget(piece)
    this.#content.have.set(piece)
    this.#picker.setDone(piece)
    this.#ports.recorder.add(piece)
    this.#ports.verified(piece, needed)
    this.#blame.good(piece, digests)
    if (this.#picker.wantedMissing > 0) return
    // Nothing more will come: the last round need not wait for its time.
    this.#ports.slots.leave()
    this.#ports.recorder.flush(() => undefined)
  }

  /** `digests` of its blocks as they came; null where they could not be read. */
  pieceBad(piece: PieceIndex, digests: Uint8Array | null): void {
    this.#ports.wasted(this.#content.layout.pieceSize(piece))
    const senders = Array.from(
      this.#pieces.senders(piece),
      (handle) => this.#ports.peer(handle) ?? this.#blame.buried(handle) ?? null,
    )
    this.#forget(piece)
    this.#picker.close(piece)
    this.#blame.bad(piece, senders, digests)
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
      this.#giveBack(1)
      if (peer.receivingPiece === piece && peer.receivingBlock === block) this.#revoke(peer)
      peer.depth.snub()
      late.add(peer)
    })
    for (const peer of late) {
      this.#pieces.disown(peer.handle)
      this.#standBack(peer)
    }
    if (this.#ports.slots.exhausted) this.#dropStale(now)
    this.refill()
  }

  #dropStale(now: Millis): void {
    for (const piece of [...this.#pieces.partial()]) {
      const stands = now - this.#pieces.movedAt(piece) > STALE_AFTER
      if (stands && !this.#memory.isBusy(piece)) this.#abandon(piece)
    }
  }

  /** Gives up what there is of a piece that is not complete. */
  #abandon(piece: PieceIndex): void {
    for (let block = 0; block < this.#pieces.blockCount(piece); block++) {
      for (let nth = 0; nth < MAX_HOLDERS; nth++) {
        const peer = this.#ports.peer(this.#pieces.holderAt(piece, block, nth))
        if (peer !== undefined) this.#withdraw(peer, piece, block)
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
      if (peer.receivingPiece === piece) this.#revoke(peer)
      if (peer.piece === piece) peer.piece = -1
    }
    this.#memory.close(piece)
    this.#pieces.close(piece)
    this.#held = this.#held.filter((held) => held.piece !== piece)
  }
}
