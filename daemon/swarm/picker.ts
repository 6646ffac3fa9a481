/**
 * Which piece to begin next: the rarest that the peer has (BEP 3). The pieces that may be begun lie in one array
 * sorted by availability, with the ends of the buckets beside it, so that a HAVE is one swap.
 */
import type { PieceIndex } from '../../shared/units.js'
import type { Random } from '../ports/random.js'

/** What the picker asks of a peer's bitfield; layout of `bytes` as on the wire, first piece in the high bit. */
export interface PieceSet {
  readonly bytes: Uint8Array
  readonly count: number
  get(piece: PieceIndex): boolean
  forEachSet(visit: (piece: PieceIndex) => void): void
}

export interface PickerInit {
  readonly pieceCount: number
}

export interface PickerPorts {
  readonly random: Random
}

export interface PickOptions {
  /** The peer has every piece: its bits are not looked at. */
  readonly isSeed?: boolean
  /** Pieces looked at in order of rarity before the bits are compared as a whole. */
  readonly limit?: number
}

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
  /** Connected peers, seeds left out, that have the piece. */
  readonly #avail: Uint16Array
  /** Pieces that may be begun (wanted, not done, not open), by rising availability; `#size` are valid. */
  readonly #order: Uint32Array
  /** Where a piece lies in `#order`, or -1. */
  readonly #pos: Int32Array
  /** The bits of the pieces in `#order`, laid out as on the wire. */
  readonly #pickable: Uint8Array
  /** The bits of the pieces that are wanted and not done, laid out as on the wire. */
  readonly #needed: Uint8Array
  /** End in `#order` of the bucket of each availability; `#top` are valid, and the last of them is `#size`. */
  #bound = new Uint32Array(16)
  /** Buckets in use: above the availability of every piece in `#order`. */
  #top = 1
  /** Pieces in `#order`. */
  #size = 0
  /** Connected peers that have every piece. */
  #seeds = 0
  /** Pieces that are wanted and not done. */
  #wantedMissing = 0
  /** Pieces that are done, wanted or not. */
  #done = 0
  /** Pieces that are open. */
  #open = 0
  /** False: counts changed in bulk since `#order` and `#bound` were made. Many may come and go before the next pick. */
  #isSorted = true

  /** Every piece starts wanted, missing and not open. */
  constructor(init: PickerInit, ports: PickerPorts) {
    const count = init.pieceCount
    this.pieceCount = count
    this.#random = ports.random
    this.#flags = new Uint8Array(count).fill(WANTED)
    this.#avail = new Uint16Array(count)
    this.#order = new Uint32Array(count)
    this.#pos = new Int32Array(count)
    this.#pickable = new Uint8Array(Math.ceil(count / 8))
    this.#needed = new Uint8Array(Math.ceil(count / 8))
    for (let piece = 0; piece < count; piece++) {
      this.#order[piece] = piece
      this.#pos[piece] = piece
      setBit(this.#pickable, piece)
      setBit(this.#needed, piece)
    }
    this.#size = count
    this.#wantedMissing = count
    this.#bound[0] = count
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
    this.#isSorted = false
  }
  /** A peer left that had these pieces in the end. */
  removePeer(bits: PieceSet): void {
    if (bits.count * BULK_PART <= this.pieceCount) return bits.forEachSet((piece) => this.#lower(piece))
    bits.forEachSet((piece) => this.#shift(piece, -1))
    this.#isSorted = false
  }
  /** One more connected peer has the piece. O(1). */
  have(piece: PieceIndex): void {
    const old = this.#shift(piece, 1)
    if (!this.#isSorted) return
    const at = this.#pos[piece] ?? -1
    if (at < 0) return
    this.#widen(old + 1)
    const last = (this.#bound[old] ?? 0) - 1
    this.#swap(at, last)
    this.#bound[old] = last
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
    if (this.#size === 0) return -1
    this.#sort()
    const isSeed = options.isSeed === true || has.count === this.pieceCount
    // What no other than seeds has cannot be had from this peer.
    const start = isSeed ? 0 : (this.#bound[0] ?? 0)
    const bits = isSeed ? null : has
    const limit = Math.max(1, options.limit ?? SCAN_LIMIT)
    if (this.#done + this.#open < RANDOM_FIRST) {
      const found = this.#scan(start, this.#size, bits, limit)
      return found >= 0 ? found : this.#compare(bits)
    }
    let left = limit
    for (let bucket = isSeed ? 0 : 1; bucket < this.#top && left > 0; bucket++) {
      const from = bucket === 0 ? 0 : (this.#bound[bucket - 1] ?? 0)
      const end = this.#bound[bucket] ?? 0
      if (from === end) continue
      const found = this.#scan(from, end, bits, left)
      if (found >= 0) return found
      left -= end - from
    }
    return left > 0 ? -1 : this.#compare(bits)
  }

  /** Looks at a part of `#order` from a random place on, round the end, at most `limit` pieces. */
  #scan(from: number, end: number, bits: PieceSet | null, limit: number): PieceIndex {
    const length = end - from
    if (length <= 0) return -1
    const offset = length === 1 ? 0 : this.#random.int(length)
    for (let i = 0, steps = Math.min(length, limit); i < steps; i++) {
      const at = from + ((offset + i) % length)
      const piece = this.#order[at] ?? 0
      if (bits === null || bits.get(piece)) return piece
    }
    return -1
  }

  /** The rarest piece common to the peer's bits and ours, byte by byte: exact, and 2 KiB for 16,384 pieces. */
  #compare(bits: PieceSet | null): PieceIndex {
    const bytes = this.#pickable.length
    const offset = this.#random.int(bytes)
    let best = -1
    let least = Infinity
    for (let i = 0; i < bytes; i++) {
      const at = (offset + i) % bytes
      let common = (this.#pickable[at] ?? 0) & (bits === null ? 255 : (bits.bytes[at] ?? 0))
      while (common !== 0) {
        const high = Math.clz32(common) - 24
        common &= ~(128 >> high)
        const piece = at * 8 + high
        const avail = this.#avail[piece] ?? 0
        if (avail < least) {
          least = avail
          best = piece
        }
      }
    }
    return best
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
    if (after === WANTED || before === WANTED) this.#sort()
    if (after === WANTED) this.#insert(piece)
    else if (before === WANTED) this.#remove(piece)
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
    if (!this.#isSorted) return
    const at = this.#pos[piece] ?? -1
    if (at < 0) return
    const first = this.#bound[old - 1] ?? 0
    this.#swap(at, first)
    this.#bound[old - 1] = first + 1
  }

  /** Puts a piece at the end of its bucket; the first of each bucket above moves to that bucket's end. */
  #insert(piece: PieceIndex): void {
    const avail = this.#avail[piece] ?? 0
    this.#widen(avail)
    let hole = this.#size++
    for (let bucket = this.#top - 1; bucket > avail; bucket--) {
      const first = this.#bound[bucket - 1] ?? 0
      this.#place(this.#order[first] ?? 0, hole, first !== hole)
      hole = first
      this.#bound[bucket] = (this.#bound[bucket] ?? 0) + 1
    }
    this.#bound[avail] = (this.#bound[avail] ?? 0) + 1
    this.#place(piece, hole, true)
    setBit(this.#pickable, piece)
  }

  /** Takes a piece out; the last of its bucket and of each bucket above moves into the hole. */
  #remove(piece: PieceIndex): void {
    let hole = this.#pos[piece] ?? 0
    for (let bucket = this.#avail[piece] ?? 0; bucket < this.#top; bucket++) {
      const last = (this.#bound[bucket] ?? 0) - 1
      this.#place(this.#order[last] ?? 0, hole, last !== hole)
      hole = last
      this.#bound[bucket] = last
    }
    this.#size--
    this.#pos[piece] = -1
    clearBit(this.#pickable, piece)
  }

  /** Makes a bucket for this availability, and empty ones below it. */
  #widen(avail: number): void {
    if (avail < this.#top) return
    if (avail >= this.#bound.length) {
      const wider = new Uint32Array(Math.max(avail + 1, this.#bound.length * 2))
      wider.set(this.#bound)
      this.#bound = wider
    }
    this.#bound.fill(this.#size, this.#top, avail + 1)
    this.#top = avail + 1
  }

  #place(piece: PieceIndex, at: number, really: boolean): void {
    if (!really) return
    this.#order[at] = piece
    this.#pos[piece] = at
  }

  #swap(a: number, b: number): void {
    const first = this.#order[a] ?? 0
    const second = this.#order[b] ?? 0
    this.#place(second, a, true)
    this.#place(first, b, true)
  }

  /** Sorts `#order` anew by counting, where many counts changed at once. */
  #sort(): void {
    if (this.#isSorted) return
    this.#isSorted = true
    const pieces = this.#order.slice(0, this.#size)
    let most = 0
    for (const piece of pieces) most = Math.max(most, this.#avail[piece] ?? 0)
    this.#widen(most)
    this.#top = most + 1
    const starts = new Uint32Array(this.#top + 1)
    for (const piece of pieces) {
      const above = (this.#avail[piece] ?? 0) + 1
      starts[above] = (starts[above] ?? 0) + 1
    }
    for (let bucket = 1; bucket <= this.#top; bucket++) {
      starts[bucket] = (starts[bucket] ?? 0) + (starts[bucket - 1] ?? 0)
      this.#bound[bucket - 1] = starts[bucket] ?? 0
    }
    for (const piece of pieces) {
      const avail = this.#avail[piece] ?? 0
      const at = starts[avail] ?? 0
      starts[avail] = at + 1
      this.#place(piece, at, true)
    }
  }
}

function setBit(bytes: Uint8Array, index: number): void {
  const at = index >> 3
  bytes[at] = (bytes[at] ?? 0) | (128 >> (index & 7))
}

function clearBit(bytes: Uint8Array, index: number): void {
  const at = index >> 3
  bytes[at] = (bytes[at] ?? 0) & ~(128 >> (index & 7))
}

function ones(byte: number): number {
  let count = 0
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++
  return count
}
