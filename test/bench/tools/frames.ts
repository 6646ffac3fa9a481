/**
 * Blocks as wire messages, headers included: up to 64 of them are one buffer and one write. Contiguous blocks come
 * from the files with one `readv` into the gaps between the headers; the hot ones are kept ready for everybody.
 */
import { openSync, closeSync, readSync, readvSync } from 'node:fs'
import { join } from 'node:path'
import type { ContentFile, Metainfo } from './metainfo.js'
import { BLOCK, PIECE_HEADER, putPieceHeader } from './wire.js'

/** Most blocks in one frame: 1 MiB. */
export const RUN = 64
const FRAMED = PIECE_HEADER + BLOCK
/** Longest block that is served. */
export const MOST_BLOCK = 131_072
const MOST_OPEN = 4096

/** Reads the content of a torrent across its files. */
export class Content {
  readonly #files: readonly ContentFile[]
  readonly #dir: string
  /** Descriptors by file index, least recently opened first. */
  readonly #open = new Map<number, number>()

  constructor(meta: Metainfo, dir: string) {
    this.#files = meta.files
    this.#dir = dir
  }

  /** Fills the views with what begins at `offset`, in order. */
  read(views: readonly Buffer[], length: number, offset: number): void {
    const index = this.#find(offset)
    const file = this.#files[index]
    if (file === undefined) throw new Error('content: past the end')
    if (!file.pad && offset + length <= file.offset + file.length) {
      const got = readvSync(this.#descriptor(index), views, offset - file.offset)
      if (got !== length) throw new Error(`${file.path} is short`)
      return
    }
    let at = offset
    for (const view of views) {
      this.#across(view, at)
      at += view.length
    }
  }

  #across(view: Buffer, offset: number): void {
    let done = 0
    for (let index = this.#find(offset); done < view.length; index += 1) {
      const file = this.#files[index]
      if (file === undefined) throw new Error('content: past the end')
      const inFile = offset + done - file.offset
      const length = Math.min(view.length - done, file.length - inFile)
      if (length === 0) continue
      if (file.pad) view.fill(0, done, done + length)
      else if (readSync(this.#descriptor(index), view, done, length, inFile) !== length) {
        throw new Error(`${file.path} is short`)
      }
      done += length
    }
  }

  /** The file that holds this byte: the last that begins at or before it (empty ones before it are skipped so). */
  #find(offset: number): number {
    let low = 0
    let high = this.#files.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#files[middle]?.offset ?? Infinity) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  #descriptor(index: number): number {
    const known = this.#open.get(index)
    if (known !== undefined) return known
    for (const [oldest, descriptor] of this.#open) {
      if (this.#open.size < MOST_OPEN) break
      closeSync(descriptor)
      this.#open.delete(oldest)
    }
    const opened = openSync(join(this.#dir, this.#files[index]?.path ?? ''), 'r')
    this.#open.set(index, opened)
    return opened
  }
}

/** The requests of one connection, oldest first. */
export class RequestQueue {
  #piece = new Uint32Array(1024)
  #begin = new Uint32Array(1024)
  #length = new Uint32Array(1024)
  #head = 0
  count = 0

  get capacity(): number {
    return this.#piece.length
  }

  push(piece: number, begin: number, length: number): void {
    if (this.count === this.#piece.length) this.#grow()
    const at = (this.#head + this.count) & (this.#piece.length - 1)
    this.#piece[at] = piece
    this.#begin[at] = begin
    this.#length[at] = length
    this.count += 1
  }

  piece(index: number): number {
    return this.#piece[(this.#head + index) & (this.#piece.length - 1)] ?? 0
  }
  begin(index: number): number {
    return this.#begin[(this.#head + index) & (this.#piece.length - 1)] ?? 0
  }
  length(index: number): number {
    return this.#length[(this.#head + index) & (this.#piece.length - 1)] ?? 0
  }

  drop(count: number): void {
    this.#head = (this.#head + count) & (this.#piece.length - 1)
    this.count -= count
  }

  /** Takes one out wherever it is; false where it is not there. */
  remove(piece: number, begin: number, length: number): boolean {
    for (let i = 0; i < this.count; i += 1) {
      if (this.piece(i) !== piece || this.begin(i) !== begin || this.length(i) !== length) continue
      for (let later = i; later > 0; later -= 1) this.#copy(later - 1, later)
      this.drop(1)
      return true
    }
    return false
  }

  #copy(from: number, to: number): void {
    const mask = this.#piece.length - 1
    const source = (this.#head + from) & mask
    const target = (this.#head + to) & mask
    this.#piece[target] = this.#piece[source] ?? 0
    this.#begin[target] = this.#begin[source] ?? 0
    this.#length[target] = this.#length[source] ?? 0
  }

  #grow(): void {
    const size = this.#piece.length * 2
    const wider = (old: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
      const made = new Uint32Array(size)
      made.set(old.subarray(this.#head))
      made.set(old.subarray(0, this.#head), old.length - this.#head)
      return made
    }
    this.#piece = wider(this.#piece)
    this.#begin = wider(this.#begin)
    this.#length = wider(this.#length)
    this.#head = 0
  }
}

/** A buffer for one frame, with the views between its headers where all blocks are 16 KiB. */
class Space {
  readonly bytes = Buffer.allocUnsafeSlow(RUN * FRAMED)
  readonly views: readonly Buffer[]

  constructor() {
    const view = (i: number): Buffer => this.bytes.subarray(i * FRAMED + PIECE_HEADER, (i + 1) * FRAMED)
    this.views = Array.from({ length: RUN }, (_, i) => view(i))
  }
}

/** What is written next, and what it was made of. */
export interface Frame {
  readonly bytes: Buffer
  /** Requests answered by it. */
  readonly requests: number
  /** Bytes of blocks in it. */
  readonly payload: number
  /** To be given back when the socket has taken it; null where it stays as it is. */
  readonly space: Space | null
}

export class Frames {
  readonly #meta: Metainfo
  readonly #content: Content
  /** Frames of 64 blocks each, by position in the content, kept for good. */
  readonly #hot: Buffer[] = []
  readonly #idle: Space[] = []

  /** `hotBytes` of the beginning of the content are read at once and kept. */
  constructor(meta: Metainfo, dir: string, hotBytes: number) {
    this.#meta = meta
    this.#content = new Content(meta, dir)
    if (meta.pieceLength % BLOCK !== 0) return
    const queue = new RequestQueue()
    const end = Math.min(hotBytes, meta.totalBytes)
    for (let at = 0; at < end; at += RUN * BLOCK) {
      for (let block = at; block < Math.min(at + RUN * BLOCK, meta.totalBytes); block += BLOCK) {
        const piece = Math.floor(block / meta.pieceLength)
        const length = Math.min(BLOCK, meta.totalBytes - block)
        queue.push(piece, block - piece * meta.pieceLength, length)
      }
      const frame = this.#read(queue, queue.count, new Space())
      queue.drop(frame.requests)
      this.#hot.push(frame.bytes)
    }
  }

  /** The next `most` requests or fewer as one frame. They stay in the queue. */
  take(queue: RequestQueue, most: number): Frame {
    return this.#ready(queue, most) ?? this.#read(queue, Math.min(most, RUN), this.#idle.pop() ?? new Space())
  }

  give(space: Space): void {
    this.#idle.push(space)
  }

  #offset(queue: RequestQueue, index: number): number {
    return queue.piece(index) * this.#meta.pieceLength + queue.begin(index)
  }

  #whole(queue: RequestQueue, index: number, offset: number): boolean {
    return queue.length(index) === Math.min(BLOCK, this.#meta.totalBytes - offset)
  }

  /** A part of a hot frame, or null. */
  #ready(queue: RequestQueue, most: number): Frame | null {
    const start = this.#offset(queue, 0)
    const hot = this.#hot[Math.floor(start / (RUN * BLOCK))]
    if (hot === undefined || start % BLOCK !== 0) return null
    const first = (start / BLOCK) % RUN
    const limit = Math.min(most, queue.count, RUN - first)
    let count = 0
    let payload = 0
    while (count < limit) {
      const offset = start + count * BLOCK
      if (this.#offset(queue, count) !== offset || !this.#whole(queue, count, offset)) break
      payload += queue.length(count)
      count += 1
    }
    if (count === 0) return null
    const from = first * FRAMED
    const bytes = hot.subarray(from, from + payload + count * PIECE_HEADER)
    return { bytes, requests: count, payload, space: null }
  }

  #read(queue: RequestQueue, most: number, space: Space): Frame {
    const { bytes } = space
    let views: Buffer[] = []
    let runStart = 0
    let runLength = 0
    let at = 0
    let payload = 0
    let count = 0
    const limit = Math.min(most, queue.count)
    while (count < limit) {
      const length = queue.length(count)
      if (at + PIECE_HEADER + length > bytes.length) break
      const offset = this.#offset(queue, count)
      if (views.length > 0 && offset !== runStart + runLength) {
        this.#content.read(views, runLength, runStart)
        views = []
      }
      if (views.length === 0) {
        runStart = offset
        runLength = 0
      }
      putPieceHeader(bytes, at, queue.piece(count), queue.begin(count), length)
      const ready = length === BLOCK && at === count * FRAMED ? space.views[count] : undefined
      views.push(ready ?? bytes.subarray(at + PIECE_HEADER, at + PIECE_HEADER + length))
      runLength += length
      at += PIECE_HEADER + length
      payload += length
      count += 1
    }
    if (views.length > 0) this.#content.read(views, runLength, runStart)
    return { bytes: bytes.subarray(0, at), requests: count, payload, space }
  }
}
