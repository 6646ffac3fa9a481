/** The requests of one peer that wait to be read: numbers in typed arrays, in the order they came. */
import { BLOCK_SIZE, type Bytes, EXTENT_SIZE, type PieceIndex } from '../../shared/units.js'

const SMALLEST = 64
/** Counters of extents (256 KiB: 18 bits of `begin`); a power of two. */
const BUCKETS = 1024
/** Requests that may wait in one bucket: 16 blocks are one extent, and a few extents may share it. */
const MOST_IN_BUCKET = 128
const BLOCKS_PER_EXTENT = EXTENT_SIZE / BLOCK_SIZE
/** No entry. */
const NONE = -1

/** One request of a peer. */
export interface UploadRequest {
  readonly piece: PieceIndex
  readonly begin: Bytes
  readonly length: Bytes
}

export class UploadQueue {
  /** Requests that wait. */
  #length = 0
  /** The first entry that may be live, and the one behind the last. */
  #head = 0
  #tail = 0
  /** Piece and begin by entry; made by the first request. */
  #pieces = new Uint32Array(0)
  #begins = new Uint32Array(0)
  /** Bytes by entry; 0: taken back or served already. */
  #lengths = new Uint32Array(0)
  /** The entry behind each in its bucket, or NONE: a search looks at one bucket, whatever else waits. */
  #behind = new Int32Array(0)
  /** By bucket, the extent an entry begins in, hashed: how many wait, the oldest of them and the youngest. */
  #counts = new Uint16Array(0)
  #oldest = new Int32Array(0)
  #youngest = new Int32Array(0)

  get length(): number {
    return this.#length
  }

  /** The oldest, or null. */
  first(): UploadRequest | null {
    if (this.#length === 0) return null
    while (this.#lengths[this.#head] === 0) this.#head++
    return this.#at(this.#head)
  }

  /** So many wait for this extent that the same blocks are asked for again and again: each would cost a search. */
  isCrowded(piece: PieceIndex, begin: Bytes): boolean {
    return (this.#counts[bucketOf(piece, begin)] ?? 0) >= MOST_IN_BUCKET
  }

  push(piece: PieceIndex, begin: Bytes, length: Bytes): void {
    if (this.#tail === this.#lengths.length) this.#makeRoom()
    const at = this.#tail++
    this.#pieces[at] = piece
    this.#begins[at] = begin
    this.#lengths[at] = length
    this.#link(at)
    this.#length++
  }

  /** Takes the oldest of these back; false where there is none. */
  remove(piece: PieceIndex, begin: Bytes, length: Bytes): boolean {
    const bucket = bucketOf(piece, begin)
    let before = NONE
    for (let at = this.#first(bucket); at !== NONE; before = at, at = this.#behind[at] ?? NONE) {
      if (this.#pieces[at] !== piece || this.#begins[at] !== begin || this.#lengths[at] !== length) continue
      this.#drop(at, before)
      return true
    }
    return false
  }

  /**
   * Which blocks of an extent are asked for as whole blocks, wherever they wait: a bit for each. `extentSize` is in
   * bytes; the last block of a piece may be shorter.
   */
  maskOf(piece: PieceIndex, extent: number, extentSize: Bytes): number {
    let mask = 0
    this.#eachWhole(piece, extent, extentSize, (_at, bit) => {
      mask |= bit
      return false
    })
    return mask
  }

  /** Takes one request for each block of the mask. */
  takeMask(piece: PieceIndex, extent: number, extentSize: Bytes, mask: number): void {
    let left = mask
    this.#eachWhole(piece, extent, extentSize, (at, bit, before) => {
      if ((left & bit) === 0) return false
      left &= ~bit
      this.#drop(at, before)
      return true
    })
  }

  /** Takes the oldest and those right behind it that continue it in its piece, up to `most` bytes. */
  takeRun(most: Bytes): UploadRequest[] {
    const run: UploadRequest[] = []
    let bytes = 0
    let end = 0
    const first = this.first()
    for (let at = this.#head; first !== null && at < this.#tail; at++) {
      const { piece, begin, length } = this.#at(at)
      if (length === 0) continue
      const follows = piece === first.piece && begin === end && bytes + length <= most
      if (run.length > 0 && !follows) break
      run.push({ piece, begin, length })
      bytes += length
      end = begin + length
      this.#drop(at, this.#before(at))
    }
    return run
  }

  /** Takes all, oldest first. */
  takeAll(): UploadRequest[] {
    const all: UploadRequest[] = []
    for (let at = this.#head; at < this.#tail; at++) if (this.#lengths[at] !== 0) all.push(this.#at(at))
    this.clear()
    return all
  }

  /** Forgets all, and their memory. */
  clear(): void {
    this.#length = this.#head = this.#tail = 0
    this.#pieces = this.#begins = this.#lengths = new Uint32Array(0)
    this.#behind = this.#oldest = this.#youngest = new Int32Array(0)
    this.#counts = new Uint16Array(0)
  }

  /** Oldest first; `each` answers whether it dropped the entry. `before` is the one before it in the bucket. */
  #eachWhole(
    piece: PieceIndex,
    extent: number,
    extentSize: Bytes,
    each: (at: number, bit: number, before: number) => boolean,
  ): void {
    const start = extent * EXTENT_SIZE
    let before = NONE
    for (let at = this.#first(bucketOf(piece, start)); at !== NONE;) {
      const behind = this.#behind[at] ?? NONE
      const within = (this.#begins[at] ?? 0) - start
      const here = this.#pieces[at] === piece && within >= 0 && within < EXTENT_SIZE
      const whole = here && isWhole(within, this.#lengths[at] ?? 0, extentSize)
      if (!whole || !each(at, 1 << (within / BLOCK_SIZE), before)) before = at
      at = behind
    }
  }

  /** The oldest entry of a bucket, or NONE. */
  #first(bucket: number): number {
    return (this.#counts[bucket] ?? 0) === 0 ? NONE : (this.#oldest[bucket] ?? NONE)
  }

  /** The entry before this one in its bucket, or NONE. */
  #before(entry: number): number {
    let before = NONE
    let at = this.#first(bucketOf(this.#pieces[entry] ?? 0, this.#begins[entry] ?? 0))
    for (; at !== entry && at !== NONE; at = this.#behind[at] ?? NONE) before = at
    return before
  }

  /** The youngest entry goes to the end of its bucket. */
  #link(at: number): void {
    const bucket = bucketOf(this.#pieces[at] ?? 0, this.#begins[at] ?? 0)
    const count = this.#counts[bucket] ?? 0
    this.#behind[at] = NONE
    if (count === 0) this.#oldest[bucket] = at
    else this.#behind[this.#youngest[bucket] ?? 0] = at
    this.#youngest[bucket] = at
    this.#counts[bucket] = count + 1
  }

  #at(at: number): UploadRequest {
    return {
      piece: this.#pieces[at] ?? 0,
      begin: this.#begins[at] ?? 0,
      length: this.#lengths[at] ?? 0,
    }
  }

  #drop(at: number, before: number): void {
    const bucket = bucketOf(this.#pieces[at] ?? 0, this.#begins[at] ?? 0)
    const behind = this.#behind[at] ?? NONE
    if (before === NONE) this.#oldest[bucket] = behind
    else this.#behind[before] = behind
    if (behind === NONE) this.#youngest[bucket] = before
    this.#counts[bucket] = (this.#counts[bucket] ?? 1) - 1
    this.#lengths[at] = 0
    if (--this.#length === 0) this.#head = this.#tail = 0
    else if (at === this.#head) this.#head++
  }

  /** Closes the holes; where there are few, the arrays double. */
  #makeRoom(): void {
    this.#counts = new Uint16Array(BUCKETS)
    if (this.#oldest.length === 0) {
      this.#oldest = new Int32Array(BUCKETS)
      this.#youngest = new Int32Array(BUCKETS)
    }
    const room = this.#lengths.length
    const grows = this.#length > room / 2 || room === 0
    const size = grows ? Math.max(SMALLEST, 2 * room) : room
    const pieces = grows ? new Uint32Array(size) : this.#pieces
    const begins = grows ? new Uint32Array(size) : this.#begins
    const lengths = grows ? new Uint32Array(size) : this.#lengths
    let to = 0
    for (let at = this.#head; at < this.#tail; at++) {
      const length = this.#lengths[at] ?? 0
      if (length === 0) continue
      pieces[to] = this.#pieces[at] ?? 0
      begins[to] = this.#begins[at] ?? 0
      lengths[to++] = length
    }
    this.#pieces = pieces
    this.#begins = begins
    this.#lengths = lengths
    this.#head = 0
    this.#tail = to
    if (grows) this.#behind = new Int32Array(size)
    for (let at = 0; at < to; at++) this.#link(at)
  }
}

/** Does a request, `within` bytes into its extent, ask for exactly one block. */
export function isWhole(within: Bytes, length: Bytes, extentSize: Bytes): boolean {
  return within % BLOCK_SIZE === 0 && length === Math.min(BLOCK_SIZE, extentSize - within)
}

/** Blocks of the mask. */
export function countOf(mask: number): number {
  let count = 0
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++
  return count
}

/** Where the run of set bits that begins at or behind `from` begins and ends; null when there is none. */
export function nextRun(mask: number, from: number): { readonly first: number; readonly end: number } | null {
  let first = from
  while (first < BLOCKS_PER_EXTENT && (mask & (1 << first)) === 0) first++
  if (first === BLOCKS_PER_EXTENT) return null
  let end = first
  while (end < BLOCKS_PER_EXTENT && (mask & (1 << end)) !== 0) end++
  return { first, end }
}

function bucketOf(piece: PieceIndex, begin: Bytes): number {
  return (Math.imul(piece, 31) + (begin >>> 18)) & (BUCKETS - 1)
}
