/**
 * Which piece to begin next: of the highest rank that the peer has a piece of, the rarest (BEP 3), or the first by
 * number where pieces are fetched in order. A rank is how much the user wants a piece.
 */
import type { PieceIndex } from '../../shared/units.js'
import type { Random } from '../ports/random.js'
import { clearBit, type PieceSet, Rarity, setBit } from './rarity.js'

export interface PickerInit {
  readonly pieceCount: number
}

export interface PickerPorts {
  readonly random: Random
}

export interface PickOptions {
  /** The peer has every piece: its bits are not looked at. */
  readonly isSeed?: boolean
  /** Pieces of a rank looked at in order of rarity before the bits are compared as a whole. */
  readonly limit?: number
}

/** Ranks are 0 to this less 1: low, as usual, high, and what is fetched before all else. */
export const RANKS = 4
/** What a piece has without a word of the user's. */
export const USUAL_RANK = 1

/** So many pieces are begun at random: a new peer needs something to give, and rare pieces come slowly. */
const RANDOM_FIRST = 4
const SCAN_LIMIT = 512
/** A bitfield that changes more than this part of the pieces is sorted in at once. */
const BULK_PART = 8

const WANTED = 1
const DONE = 2
const OPEN = 4

export class Picker {
  readonly pieceCount: number
  readonly #random: Random
  /** WANTED, DONE and OPEN of each piece. */
  readonly #flags: Uint8Array
  /** Of each piece. */
  readonly #ranks: Uint8Array
  /** Connected peers, seeds left out, that have the piece. */
  readonly #avail: Uint16Array
  /** Where a piece that may be begun lies in the order of its rank, or -1. */
  readonly #pos: Int32Array
  /** Pieces that may be begun (wanted, not done, not open) by rank; a rank that was never used has none. */
  readonly #orders: (Rarity | undefined)[] = []
  /** The bits of the pieces that are wanted and not done, laid out as on the wire. */
  readonly #needed: Uint8Array
  /** Pieces that may be begun. */
  #size = 0
  /** Connected peers that have every piece. */
  #seeds = 0
  /** Pieces that are wanted and not done. */
  #wantedMissing = 0
  /** Pieces that are done, wanted or not. */
  #done = 0
  /** Pieces that are open. */
  #open = 0
  /** Pieces of a rank are begun by number, and not by rarity. */
  sequential = false

  /** Every piece starts wanted as usual, missing and not open. */
  constructor(init: PickerInit, ports: PickerPorts) {
    const count = init.pieceCount
    this.pieceCount = count
    this.#random = ports.random
    this.#flags = new Uint8Array(count).fill(WANTED)
    this.#ranks = new Uint8Array(count).fill(USUAL_RANK)
    this.#avail = new Uint16Array(count)
    this.#pos = new Int32Array(count).fill(-1)
    this.#needed = new Uint8Array(Math.ceil(count / 8))
    const usual = this.#orderOf(USUAL_RANK)
    for (let piece = 0; piece < count; piece++) {
      usual.insert(piece)
      setBit(this.#needed, piece)
    }
    this.#size = count
    this.#wantedMissing = count
  }

  /** Pieces that are wanted and not done, open ones among them. */
  get wantedMissing(): number {
    return this.#wantedMissing
  }
  /** Pieces that may be begun. */
  get pickableCount(): number {
    return this.#size
  }
  /** Connected peers that have the piece. */
  availability(piece: PieceIndex): number {
    return (this.#avail[piece] ?? 0) + this.#seeds
  }
  isWanted(piece: PieceIndex): boolean {
    return (this.#flag(piece) & WANTED) !== 0
  }
  isOpen(piece: PieceIndex): boolean {
    return (this.#flag(piece) & OPEN) !== 0
  }
  /** May be begun: wanted, not done and not open. */
  isPickable(piece: PieceIndex): boolean {
    return this.#flag(piece) === WANTED
  }
  /** Wanted and not done: having such a piece makes a peer interesting. */
  isNeeded(piece: PieceIndex): boolean {
    return (this.#flag(piece) & (WANTED | DONE)) === WANTED
  }
  rank(piece: PieceIndex): number {
    return this.#ranks[piece] ?? 0
  }
  /** The highest rank of a piece that may be begun, or -1. */
  get topRank(): number {
    for (let rank = RANKS - 1; rank >= 0; rank--) if ((this.#orders[rank]?.size ?? 0) > 0) return rank
    return -1
  }
  /** How many needed pieces a peer has: the start of a count that HAVE and completion keep up to date. */
  countNeeded(bits: PieceSet): number {
    let count = 0
    for (let i = 0; i < this.#needed.length; i++) count += ones((this.#needed[i] ?? 0) & (bits.bytes[i] ?? 0))
    return count
  }

  /** A peer that has every piece came. It is not counted by `addPeer` too. */
  addSeed(): void {
    this.#seeds++
  }
  removeSeed(): void {
    if (this.#seeds === 0) throw new RangeError('picker: no seed to remove')
    this.#seeds--
  }
  /** A peer came with these pieces. Every later HAVE of it is told by `have`. */
  addPeer(bits: PieceSet): void {
    if (bits.count * BULK_PART <= this.pieceCount) return bits.forEachSet((piece) => this.have(piece))
    bits.forEachSet((piece) => this.#shift(piece, 1))
    this.#stir()
  }
  /** A peer left that had these pieces in the end. */
  removePeer(bits: PieceSet): void {
    if (bits.count * BULK_PART <= this.pieceCount) return bits.forEachSet((piece) => this.#lower(piece))
    bits.forEachSet((piece) => this.#shift(piece, -1))
    this.#stir()
  }
  /** One more connected peer has the piece. O(1). */
  have(piece: PieceIndex): void {
    const old = this.#shift(piece, 1)
    this.#orders[this.rank(piece)]?.raised(piece, old)
  }

  /** How much a piece is wanted. */
  setRank(piece: PieceIndex, rank: number): void {
    if (!(rank >= 0 && rank < RANKS)) throw new RangeError(`picker: no rank ${String(rank)}`)
    if (this.rank(piece) === rank) return
    const pickable = this.isPickable(piece)
    if (pickable) this.#orderOf(this.rank(piece)).remove(piece)
    this.#ranks[piece] = rank
    if (pickable) this.#orderOf(rank).insert(piece)
  }
  setWanted(piece: PieceIndex, wanted: boolean): void {
    this.#change(piece, WANTED, wanted)
  }
  /** Verified: no longer asked for. Closes it too. */
  setDone(piece: PieceIndex): void {
    this.#change(piece, OPEN, false)
    this.#change(piece, DONE, true)
  }
  /** Lost again, or found bad. */
  setMissing(piece: PieceIndex): void {
    this.#change(piece, DONE, false)
  }
  /** Being downloaded or verified: not offered again until `close`. */
  open(piece: PieceIndex): void {
    this.#change(piece, OPEN, true)
  }
  /** Given up: may be begun again. */
  close(piece: PieceIndex): void {
    this.#change(piece, OPEN, false)
  }

  /** The piece to begin next with this peer, or -1 where it has none. Changes nothing: see `open`. */
  pick(has: PieceSet, options: PickOptions = {}): PieceIndex {
    const isSeed = options.isSeed === true || has.count === this.pieceCount
    const bits = isSeed ? null : has
    const limit = Math.max(1, options.limit ?? SCAN_LIMIT)
    for (let rank = RANKS - 1; rank >= 0; rank--) {
      const order = this.#orders[rank]
      if (order === undefined || order.size === 0) continue
      const found = this.#pickOf(order, bits, limit)
      if (found >= 0) return found
    }
    return -1
  }

  #pickOf(order: Rarity, bits: PieceSet | null, limit: number): PieceIndex {
    if (this.sequential) return order.first(bits)
    const begins = this.#done + this.#open < RANDOM_FIRST
    return begins ? order.pickAny(bits, limit) : order.pick(bits, limit)
  }

  #orderOf(rank: number): Rarity {
    return (this.#orders[rank] ??= new Rarity(
      { avail: this.#avail, pos: this.#pos },
      { random: this.#random },
    ))
  }

  #stir(): void {
    for (const order of this.#orders) order?.stir()
  }

  #flag(piece: PieceIndex): number {
    return this.#flags[piece] ?? 0
  }

  #change(piece: PieceIndex, flag: number, on: boolean): void {
    if (!(piece >= 0 && piece < this.pieceCount)) throw new RangeError(`picker: no piece ${String(piece)}`)
    const before = this.#flag(piece)
    const after = on ? before | flag : before & ~flag
    if (after === before) return
    this.#flags[piece] = after
    const step = on ? 1 : -1
    if (flag === DONE) this.#done += step
    if (flag === OPEN) this.#open += step
    const neededBefore = (before & (WANTED | DONE)) === WANTED
    const neededAfter = (after & (WANTED | DONE)) === WANTED
    if (neededBefore !== neededAfter) {
      this.#wantedMissing += neededAfter ? 1 : -1
      if (neededAfter) setBit(this.#needed, piece)
      else clearBit(this.#needed, piece)
    }
    if (after !== WANTED && before !== WANTED) return
    this.#size += after === WANTED ? 1 : -1
    const order = this.#orderOf(this.rank(piece))
    if (after === WANTED) order.insert(piece)
    else order.remove(piece)
  }

  /** Changes the count of a piece without moving it, and answers the old one. */
  #shift(piece: PieceIndex, by: number): number {
    const old = this.#avail[piece]
    if (old === undefined) throw new RangeError(`picker: no piece ${String(piece)}`)
    if (old + by < 0) throw new RangeError(`picker: piece ${String(piece)} is had by nobody`)
    this.#avail[piece] = old + by
    return old
  }

  #lower(piece: PieceIndex): void {
    const old = this.#shift(piece, -1)
    this.#orders[this.rank(piece)]?.lowered(piece, old)
  }
}

function ones(byte: number): number {
  let count = 0
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++
  return count
}
