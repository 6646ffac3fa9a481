/**
 * Pieces that may be begun and are wanted alike, the rarest first (BEP 3). They lie in one array sorted by
 * availability, with the ends of the buckets beside it, so that a HAVE is one swap.
 */
import type { PieceIndex } from '../../shared/units.js'
import type { Random } from '../ports/random.js'

/** What is asked of a peer's bitfield; layout of `bytes` as on the wire, first piece in the high bit. */
export interface PieceSet {
  readonly bytes: Uint8Array
  readonly count: number
  get(piece: PieceIndex): boolean
  forEachSet(visit: (piece: PieceIndex) => void): void
}

export interface RarityInit {
  /** Connected peers, seeds left out, that have each piece; whoever changes it says so. */
  readonly avail: Uint16Array
  /** Where each piece lies in the order that it is in, or -1; shared by the orders of all ranks. */
  readonly pos: Int32Array
}

export interface RarityPorts {
  readonly random: Random
}

export class Rarity {
  readonly #random: Random
  readonly #avail: Uint16Array
  readonly #pos: Int32Array
  /** The pieces by rising availability; `#size` are valid. */
  readonly #order: Uint32Array
  /** Their bits, laid out as on the wire. */
  readonly #pickable: Uint8Array
  /** Pieces in `#order`. */
  #size = 0
  /** End in `#order` of the bucket of each availability; `#top` are valid, and the last of them is `#size`. */
  #bound = new Uint32Array(16)
  /** Buckets in use: above the availability of every piece in `#order`. */
  #top = 1
  /** Before this byte `#pickable` is empty. */
  #low = 0
  /** False: counts changed in bulk since `#order` and `#bound` were made. Many may come and go before the next pick. */
  #isSorted = true

  constructor(init: RarityInit, ports: RarityPorts) {
    this.#random = ports.random
    this.#avail = init.avail
    this.#pos = init.pos
    this.#order = new Uint32Array(init.pos.length)
    this.#pickable = new Uint8Array(Math.ceil(init.pos.length / 8))
  }

  get size(): number {
    return this.#size
  }

  /** The availability of many pieces changed. */
  stir(): void {
    this.#isSorted = false
  }

  /** One more peer has a piece that is in here, if it may be begun. O(1). */
  raised(piece: PieceIndex, old: number): void {
    const at = this.#pos[piece] ?? -1
    if (!this.#isSorted || at < 0) return
    this.#widen(old + 1)
    const last = (this.#bound[old] ?? 0) - 1
    this.#swap(at, last)
    this.#bound[old] = last
  }

  /** One peer less has it. O(1). */
  lowered(piece: PieceIndex, old: number): void {
    const at = this.#pos[piece] ?? -1
    if (!this.#isSorted || at < 0) return
    const first = this.#bound[old - 1] ?? 0
    this.#swap(at, first)
    this.#bound[old - 1] = first + 1
  }

  /** Any of them that the peer has, at random; null: it has every piece. */
  pickAny(bits: PieceSet | null, limit: number): PieceIndex {
    this.#sort()
    const found = this.#scan(this.#start(bits), this.#size, bits, limit)
    return found >= 0 ? found : this.#compare(bits)
  }

  /** The rarest that the peer has, at random among equals; null: it has every piece. -1: none. */
  pick(bits: PieceSet | null, limit: number): PieceIndex {
    this.#sort()
    let left = limit
    for (let bucket = bits === null ? 0 : 1; bucket < this.#top && left > 0; bucket++) {
      const from = bucket === 0 ? 0 : (this.#bound[bucket - 1] ?? 0)
      const end = this.#bound[bucket] ?? 0
      if (from === end) continue
      const found = this.#scan(from, end, bits, left)
      if (found >= 0) return found
      left -= end - from
    }
    return left > 0 ? -1 : this.#compare(bits)
  }

  /** The first by number that the peer has; null: it has every piece. -1: none. */
  first(bits: PieceSet | null): PieceIndex {
    const bytes = this.#pickable.length
    while (this.#low < bytes && this.#pickable[this.#low] === 0) this.#low++
    for (let at = this.#low; at < bytes; at++) {
      const common = (this.#pickable[at] ?? 0) & (bits === null ? 255 : (bits.bytes[at] ?? 0))
      if (common !== 0) return at * 8 + Math.clz32(common) - 24
    }
    return -1
  }

  /** Puts a piece at the end of its bucket; the first of each bucket above moves to that bucket's end. */
  insert(piece: PieceIndex): void {
    this.#sort()
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
    this.#low = Math.min(this.#low, piece >> 3)
  }

  /** Takes a piece out; the last of its bucket and of each bucket above moves into the hole. */
  remove(piece: PieceIndex): void {
    this.#sort()
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

  /** What no other than seeds has cannot be had from a peer that is none. */
  #start(bits: PieceSet | null): number {
    return bits === null ? 0 : (this.#bound[0] ?? 0)
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

/** Of bits laid out as on the wire. */
export function setBit(bytes: Uint8Array, index: number): void {
  const at = index >> 3
  bytes[at] = (bytes[at] ?? 0) | (128 >> (index & 7))
}

export function clearBit(bytes: Uint8Array, index: number): void {
  const at = index >> 3
  bytes[at] = (bytes[at] ?? 0) & ~(128 >> (index & 7))
}
