/**
 * Memory for frames, main side: chunks of shared memory, each cut in halves and halves again as frames need it. A
 * chunk serves every size in turn: a buffer that is dropped for one of another size would live on until all threads
 * that know it have collected their garbage, and that is far too late for who reads fast.
 */
import type { Bytes, Millis } from '../../shared/units.js'

/** A block of 16 KiB with its header, the least that is given out. */
const UNIT: Bytes = 16_397
/** A chunk holds an extent of 256 KiB in blocks with their headers, 16 units; less where the limit is less. */
const MOST_LEVELS = 4

/** A stretch of a chunk; lanes know it by its number. */
export interface FrameMemory {
  /** The same stretch has the same number as long as its chunk exists; never used for another. */
  readonly id: number
  readonly size: Bytes
  readonly bytes: Buffer
  readonly shared: SharedArrayBuffer
  /** Where it begins in `shared`. */
  readonly offset: Bytes
}

/** A piece of a chunk as it was given out. */
interface Cut extends FrameMemory {
  /** Null: a buffer of its own, larger than a chunk. */
  readonly chunk: Chunk | null
  readonly node: number
}

/** Halves in a binary tree: node 0 is all of it, the halves of node n are 2n + 1 and 2n + 2. */
class Chunk {
  readonly shared: SharedArrayBuffer
  /** By node; made when it is first given out. */
  readonly cuts: (Cut | undefined)[] = []
  /** When some of it was last given out. */
  usedAt: Millis = 0
  /** By node: 1 + the height of the largest free piece in it, 0: none. */
  readonly #free: Uint8Array

  constructor(readonly levels: number) {
    this.shared = new SharedArrayBuffer(UNIT << levels)
    this.#free = new Uint8Array((2 << levels) - 1)
    for (let node = 0; node < this.#free.length; node++) this.#free[node] = this.#whole(node)
  }

  /** 1 + the height of the largest free piece; 0: none. */
  get room(): number {
    return this.#free[0] ?? 0
  }

  get empty(): boolean {
    return this.room === this.levels + 1
  }

  /** A free piece of this height, of which there is one: where it fits best, so that large ones stay whole. */
  take(height: number): number {
    let node = 0
    for (let at = this.levels; at > height; at--) {
      const [left, right] = [this.#free[2 * node + 1] ?? 0, this.#free[2 * node + 2] ?? 0]
      node = left > height && (right <= height || left <= right) ? 2 * node + 1 : 2 * node + 2
    }
    this.#free[node] = 0
    this.#toldAbove(node)
    return node
  }

  give(node: number): void {
    this.#free[node] = this.#whole(node)
    this.#toldAbove(node)
  }

  #toldAbove(from: number): void {
    for (let node = from; node > 0;) {
      node = (node - 1) >> 1
      const [left, right] = [this.#free[2 * node + 1] ?? 0, this.#free[2 * node + 2] ?? 0]
      const whole = this.#whole(node)
      this.#free[node] = left === whole - 1 && right === left ? whole : Math.max(left, right)
    }
  }

  /** What a node has when all of it is free. */
  #whole(node: number): number {
    return this.levels + 1 - (31 - Math.clz32(node + 1))
  }
}

export class FramePool {
  /** Bytes of all chunks and buffers that exist. */
  private all: Bytes = 0
  private lastId = 0
  private chunks: Chunk[] = []
  private readonly levels: number

  constructor(
    private readonly init: { readonly most: Bytes },
    private readonly now: () => Millis,
    /** The memory with this number is gone. */
    private readonly onGone: (id: number) => void,
  ) {
    let levels = MOST_LEVELS
    while (levels > 0 && UNIT << levels > init.most) levels--
    this.levels = levels
  }

  get bytes(): Bytes {
    return this.all
  }

  /** The size of the memory that a frame of so many bytes gets. */
  sizeFor(length: Bytes): Bytes {
    const height = heightOf(length)
    return height > this.levels ? length : UNIT << height
  }

  /** Null where the limit leaves no room; what alone passes the limit is given when nothing else is held. */
  take(size: Bytes): FrameMemory | null {
    const height = heightOf(size)
    if (height > this.levels) return this.takeLarge(size)
    const chunk = this.fitting(height) ?? this.grow()
    if (chunk === null) return null
    const node = chunk.take(height)
    chunk.usedAt = this.now()
    return (chunk.cuts[node] ??= this.cut(chunk, node, height))
  }

  give(memory: FrameMemory): void {
    const { chunk, node } = memory as Cut
    if (chunk !== null) return chunk.give(node)
    this.all -= memory.size
    this.onGone(memory.id)
  }

  /** Lets the chunks go of which nothing was given out for so long. */
  trim(unused: Millis): void {
    const now = this.now()
    this.dropEmpty((chunk) => now - chunk.usedAt >= unused)
  }

  /** The chunk that has just enough in one piece: the small go together. */
  private fitting(height: number): Chunk | null {
    let best: Chunk | null = null
    for (const chunk of this.chunks) {
      if (chunk.room > height && (best === null || chunk.room < best.room)) best = chunk
    }
    return best
  }

  private grow(): Chunk | null {
    const bytes = UNIT << this.levels
    if (this.all > 0 && this.all + bytes > this.init.most) return null
    const chunk = new Chunk(this.levels)
    this.chunks.push(chunk)
    this.all += bytes
    return chunk
  }

  private takeLarge(size: Bytes): FrameMemory | null {
    if (this.all + size > this.init.most) this.dropEmpty(() => true)
    if (this.all > 0 && this.all + size > this.init.most) return null
    this.all += size
    const shared = new SharedArrayBuffer(size)
    const own: Cut = {
      id: this.newId(),
      size,
      bytes: Buffer.from(shared),
      shared,
      offset: 0,
      chunk: null,
      node: 0,
    }
    return own
  }

  private cut(chunk: Chunk, node: number, height: number): Cut {
    const { shared, levels } = chunk
    const size = UNIT << height
    const offset = (node + 1 - (1 << (levels - height))) * size
    return { id: this.newId(), size, bytes: Buffer.from(shared, offset, size), shared, offset, chunk, node }
  }

  private newId(): number {
    return (this.lastId += 1)
  }

  private dropEmpty(which: (chunk: Chunk) => boolean): void {
    const gone = new Set(this.chunks.filter((chunk) => chunk.empty && which(chunk)))
    this.chunks = this.chunks.filter((chunk) => !gone.has(chunk))
    for (const chunk of gone) {
      this.all -= chunk.shared.byteLength
      for (const cut of chunk.cuts) if (cut !== undefined) this.onGone(cut.id)
    }
  }
}

/** Halvings of a chunk's size above a unit: 0 for a block. */
function heightOf(length: Bytes): number {
  return length <= UNIT ? 0 : 32 - Math.clz32(Math.ceil(length / UNIT) - 1)
}
