/** Which block a peer is asked for next, and the requests themselves. Nothing here is made for a block but its bytes. */
import {
  BLOCK_SIZE,
  type Bytes,
  EXTENT_SIZE,
  type Millis,
  type PieceIndex,
  type Rate,
} from '../../shared/units.js'
import type { Limiter } from '../base/limiter.js'
import * as out from '../codec/wire-writer.js'
import type { Blame } from './blame.js'
import type { Content } from './content.js'
import type { Peer } from './peer.js'
import type { Picker } from './picker.js'
import { type OpenPieces, ORPHAN, SHARED } from './pieces.js'
import { Rush } from './rush.js'
import type { SlotSource } from './slot-share.js'
import type { PieceMemory } from './slots.js'
import { rateOf, type Shares, timeFor } from './speed.js'

const BLOCKS_PER_EXTENT = EXTENT_SIZE / BLOCK_SIZE
/** So much longer than it would take a fast peer alone, and the piece is taken from slow ones. */
const EARLY_STEAL = 10
/** A piece open for so long is finished by whoever can. */
const OVERDUE: Millis = 30_000
/** A new piece goes before one that is begun where so many times more peers have that one. */
const RARER = 2
/** Peers above the rate fetch neighbouring pieces, up to so much in a row. */
const RUN_RATE: Rate = 8 * 1024 * 1024
const RUN: Bytes = 4 * 1024 * 1024
/** Requests written with one call. */
const REQUEST_BATCH = 256

export interface AskingPorts {
  readonly content: Content
  readonly picker: Picker
  readonly pieces: OpenPieces
  readonly memory: PieceMemory
  readonly slots: SlotSource
  readonly shares: Shares
  readonly blame: Blame
  readonly downLimit: Limiter
  readonly peers: () => Iterable<Peer>
  /** Counted in the picker as one that has everything. */
  readonly isSeed: (peer: Peer) => boolean
  /** The first block of a piece was asked for. */
  readonly begun: (piece: PieceIndex) => void
  readonly abandon: (piece: PieceIndex) => void
}

export class Asking {
  readonly #ports: AskingPorts
  readonly #picker: Picker
  readonly #pieces: OpenPieces
  readonly #rush: Rush
  /** The round under way was refused a slot. */
  #full = false
  /** Piece, begin, length of the requests being collected. */
  readonly #batch = new Uint32Array(REQUEST_BATCH * 3)
  /** How many these are; all of them for one peer. */
  #batched = 0

  constructor(ports: AskingPorts) {
    this.#ports = ports
    this.#picker = ports.picker
    this.#pieces = ports.pieces
    this.#rush = new Rush({
      pieces: ports.pieces,
      memory: ports.memory,
      peers: ports.peers,
      isEndgame: () => this.#picker.pickableCount === 0 && this.#pieces.allRequested,
      mayTake: (peer, piece) => this.#mayTake(peer, piece),
      ask: (peer, piece, block, now) => this.#ask(peer, piece, block, now),
      withdraw: (peer, piece, block) => {
        this.withdraw(peer, piece, block)
      },
    })
  }

  /** The round was refused a slot. */
  get full(): boolean {
    return this.#full
  }

  /** A round for a peer: so many blocks at most. Answers how many of them there were none for. */
  round(peer: Peer, most: number, now: Millis): number {
    let left = most
    this.#full = false
    while (left > 0 && this.#next(peer, now)) left--
    this.#send(peer)
    return left
  }

  /** So many blocks of a peer that were asked for will not come: the limit has them back where it counted them. */
  giveBack(peer: Peer, blocks: number): void {
    const free = Math.min(blocks, peer.unmetered)
    peer.outstanding -= blocks
    peer.unmetered -= free
    if (blocks > free) this.#ports.downLimit.give((blocks - free) * BLOCK_SIZE)
  }

  /** Takes a request back from a peer. */
  withdraw(peer: Peer, piece: PieceIndex, block: number): void {
    const length = this.#pieces.blockLength(piece, block)
    this.giveBack(peer, 1)
    const bytes = Buffer.allocUnsafe(out.REQUEST_SIZE)
    out.writeCancel(bytes, 0, piece, block * BLOCK_SIZE, length)
    peer.send(bytes)
  }

  /**
   * The piece it is on; then one that somebody left, or that slow ones share; then a new one; and when there is none,
   * whatever others have not got to, or not got.
   */
  #next(peer: Peer, now: Millis): boolean {
    const { shares, slots, content } = this.#ports
    const own = peer.piece
    if (own >= 0 && this.#askIn(peer, own, now)) return true
    const whole = shares.takesWhole(peer, content.layout.pieceLength, now)
    if (!this.#full && !slots.offers(shares.claim(peer))) this.#full = true
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

  #askPartial(peer: Peer, now: Millis, whole: boolean, fresh: PieceIndex): boolean {
    for (const piece of this.#pieces.partial()) {
      if (fresh >= 0 && this.#comesBefore(fresh, piece)) continue
      const owner = this.#pieces.owner(piece)
      const open = owner === ORPHAN || (owner === SHARED && !whole)
      if (!open && !this.#isOverdue(peer, piece, now, whole)) continue
      if (!this.#askIn(peer, piece, now)) continue
      if (owner !== SHARED) this.#pieces.setOwner(piece, whole ? peer.handle : SHARED)
      return true
    }
    return false
  }

  /** What is wanted more, or what hardly anybody has, is not to wait for a piece that is begun. */
  #comesBefore(fresh: PieceIndex, begun: PieceIndex): boolean {
    const picker = this.#picker
    const more = picker.rank(fresh) - picker.rank(begun)
    if (more !== 0 || picker.sequential) return more > 0
    return picker.availability(begun) >= RARER * picker.availability(fresh)
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
    this.#ports.memory.open(piece, this.#pieces.blockCount(piece))
    if (this.#askIn(peer, piece, now)) {
      this.#ports.begun(piece)
      return true
    }
    // It has no slot: as if it had not been opened.
    if (this.#pieces.requestedBlocks(piece) === 0) this.#ports.abandon(piece)
    return false
  }

  #mayTake(peer: Peer, piece: PieceIndex): boolean {
    if (!peer.bits.get(piece) || (peer.peerChoking && !peer.offeredFast.has(piece))) return false
    return this.#ports.blame.mayTake(piece, peer)
  }

  /** A very fast peer goes on where it was, so that its disk and ours see long runs; else the rarest piece. */
  #nextOfRun(peer: Peer, last: PieceIndex, whole: boolean, now: Millis): PieceIndex {
    if (peer.peerChoking) return this.#pickOffered(peer)
    const next = last + 1
    if (
      whole &&
      last >= 0 &&
      Math.floor((next * this.#ports.content.layout.pieceLength) / RUN) ===
        Math.floor((last * this.#ports.content.layout.pieceLength) / RUN) &&
      next < this.#ports.content.layout.pieceCount &&
      !this.#picker.sequential &&
      this.#picker.isPickable(next) &&
      this.#picker.rank(next) >= this.#picker.topRank &&
      peer.bits.get(next) &&
      this.#picker.availability(next) <= this.#picker.availability(last) &&
      rateOf(peer, now) > RUN_RATE
    )
      return next
    return this.#picker.pick(peer.bits, { isSeed: this.#ports.isSeed(peer) })
  }

  #pickOffered(peer: Peer): PieceIndex {
    let best = -1
    for (const piece of peer.offeredFast) {
      if (!peer.bits.get(piece) || !this.#picker.isPickable(piece)) continue
      if (best < 0 || this.#picker.rank(piece) > this.#picker.rank(best)) best = piece
    }
    return best
  }

  #ask(peer: Peer, piece: PieceIndex, block: number, now: Millis): boolean {
    if (!this.#ports.memory.hasSlot(piece, block)) {
      if (this.#full) return false
      if (!this.#ports.memory.reserve(piece, block, this.#ports.shares.claim(peer))) {
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
    if (++this.#batched === REQUEST_BATCH) this.#send(peer)
    return true
  }

  #send(peer: Peer): void {
    if (this.#batched === 0) return
    const bytes = Buffer.allocUnsafe(this.#batched * out.REQUEST_SIZE)
    out.writeRequests(bytes, 0, this.#batch, this.#batched)
    this.#batched = 0
    peer.send(bytes)
  }
}
