/**
 * Where the bytes of a torrent lie: pieces over files laid end to end (BEP 3), pad files (BEP 47) among them.
 * Whoever asks gets functions, not formulas, so that pieces which end with their file (BEP 52) stay possible.
 */
import { BLOCK_SIZE, EXTENT_SIZE, type Bytes, type FileIndex, type PieceIndex } from '../units.js'

export interface LayoutFile {
  readonly length: Bytes
  readonly pad: boolean
}

/** A run of bytes of one piece in one file. A pad's bytes are zeros that are neither written nor read. */
export interface Span {
  readonly file: FileIndex
  readonly fileOffset: Bytes
  readonly length: Bytes
  readonly pad: boolean
}

export class Layout {
  /** Pieces of the torrent; the last one may be short. */
  readonly pieceCount: number
  /** Bytes of all files, pads counted. */
  readonly totalSize: Bytes
  /** Bytes of all files but the pads. */
  readonly contentSize: Bytes
  readonly fileCount: number
  /** offsets[i] is where file i begins in the torrent; one more entry holds totalSize. Never decreasing. */
  private readonly offsets: Float64Array
  /** 1 where file i is a pad. */
  private readonly pads: Uint8Array

  constructor(
    files: readonly LayoutFile[],
    /** Bytes of every piece but the last. */
    readonly pieceLength: Bytes,
  ) {
    this.fileCount = files.length
    this.offsets = new Float64Array(files.length + 1)
    this.pads = new Uint8Array(files.length)
    let total = 0
    let content = 0
    for (const [index, file] of files.entries()) {
      this.offsets[index] = total
      this.pads[index] = file.pad ? 1 : 0
      total += file.length
      if (!file.pad) content += file.length
    }
    this.offsets[files.length] = total
    this.totalSize = total
    this.contentSize = content
    this.pieceCount = Math.ceil(total / pieceLength)
  }

  /** Bytes of a piece. A RangeError here and below is a bug of the caller's. */
  pieceSize(piece: PieceIndex): Bytes {
    this.checkPiece(piece)
    return Math.min(this.pieceLength, this.totalSize - piece * this.pieceLength)
  }

  /** Where `length` bytes from `offset` in a piece lie, in order. Files of length 0 never appear. */
  spans(piece: PieceIndex, offset: Bytes, length: Bytes): Span[] {
    if (offset < 0 || length < 0 || offset + length > this.pieceSize(piece)) {
      throw new RangeError(`${String(length)} bytes at ${String(offset)} of piece ${String(piece)}`)
    }
    const result: Span[] = []
    let at = piece * this.pieceLength + offset
    const end = at + length
    for (let file = this.fileAt(at); at < end; file += 1) {
      const stop = Math.min(this.startOf(file + 1), end)
      if (stop === at) continue
      const pad = this.pads[file] === 1
      result.push({ file, fileOffset: at - this.startOf(file), length: stop - at, pad })
      at = stop
    }
    return result
  }

  /** Where a file begins in the torrent. */
  fileOffset(file: FileIndex): Bytes {
    this.checkFile(file)
    return this.startOf(file)
  }

  fileLength(file: FileIndex): Bytes {
    this.checkFile(file)
    return this.startOf(file + 1) - this.startOf(file)
  }

  isPad(file: FileIndex): boolean {
    this.checkFile(file)
    return this.pads[file] === 1
  }

  /** The pieces that hold bytes of a file; null for an empty one. */
  filePieces(file: FileIndex): { first: PieceIndex; last: PieceIndex } | null {
    const length = this.fileLength(file)
    if (length === 0) return null
    const start = this.startOf(file)
    return {
      first: Math.floor(start / this.pieceLength),
      last: Math.floor((start + length - 1) / this.pieceLength),
    }
  }

  /** The files with bytes in a piece, ascending, pads among them, empty ones not. */
  filesOf(piece: PieceIndex): FileIndex[] {
    const end = piece * this.pieceLength + this.pieceSize(piece)
    const result: FileIndex[] = []
    for (let file = this.fileAt(piece * this.pieceLength); file < this.fileCount; file += 1) {
      if (this.startOf(file) >= end) break
      if (this.startOf(file + 1) > this.startOf(file)) result.push(file)
    }
    return result
  }

  /** Extents of a piece: EXTENT_SIZE bytes each, the last may be short. */
  extentCount(piece: PieceIndex): number {
    return Math.ceil(this.pieceSize(piece) / EXTENT_SIZE)
  }

  extentSize(piece: PieceIndex, extent: number): Bytes {
    const start = extent * EXTENT_SIZE
    const size = this.pieceSize(piece)
    if (start < 0 || start >= size) throw new RangeError(`extent ${String(extent)} of piece ${String(piece)}`)
    return Math.min(EXTENT_SIZE, size - start)
  }

  /** Blocks of a piece: BLOCK_SIZE bytes each, the last may be short. */
  blockCount(piece: PieceIndex): number {
    return Math.ceil(this.pieceSize(piece) / BLOCK_SIZE)
  }

  /** The last file that begins at or before a byte: the one that holds it, wherever one does. */
  private fileAt(position: Bytes): FileIndex {
    let low = 0
    let high = this.fileCount - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.startOf(middle) <= position) low = middle
      else high = middle - 1
    }
    return low
  }

  private startOf(file: FileIndex): Bytes {
    return this.offsets[file] ?? this.totalSize
  }

  private checkPiece(piece: PieceIndex): void {
    if (!Number.isInteger(piece) || piece < 0 || piece >= this.pieceCount) {
      throw new RangeError(`piece ${String(piece)} of ${String(this.pieceCount)}`)
    }
  }

  private checkFile(file: FileIndex): void {
    if (!Number.isInteger(file) || file < 0 || file >= this.fileCount) {
      throw new RangeError(`file ${String(file)} of ${String(this.fileCount)}`)
    }
  }
}
