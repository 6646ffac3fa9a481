/** What a torrent's pieces and files are and how much of them is there: the part loaded at the first peer. */
import type { Bitfield } from '../../shared/torrent/bitfield.js'
import type { Layout } from '../../shared/torrent/layout.js'
import { type FileIndex, type PieceIndex } from '../../shared/units.js'
import type { FileStatRow, FileWishRow, PieceOrder } from '../ports/store.js'
import { type Choice, FIRST_RANK, ranksOf, USUAL_ORDER } from './wishes.js'

export interface ContentFile {
  readonly path: string
  readonly length: number
  readonly pad: boolean
}

export interface ContentInit {
  readonly layout: Layout
  readonly files: readonly ContentFile[]
  /** Recorded pieces. The content owns it from now on. */
  readonly recorded: Bitfield
  readonly facts: readonly FileStatRow[]
  readonly wishes: readonly FileWishRow[]
  readonly order?: PieceOrder
}

export class Content {
  readonly layout: Layout
  readonly files: readonly ContentFile[]
  /** Pieces whose data are synced and committed: what may be claimed. */
  readonly recorded: Bitfield
  /** Pieces whose data are verified and readable, recorded or pending: what may be uploaded. */
  readonly have: Bitfield
  /** The last known facts of each file that was recorded, by file. */
  readonly facts = new Map<FileIndex, FileStatRow>()
  /** How much each file is wanted, by file, as a rank of the picker; -1: not at all. Pads count nothing. */
  #ranks: Int8Array
  #order: PieceOrder
  /** Pieces of a file that are not recorded yet, by file. */
  readonly #missingOf: Uint32Array
  /** Bytes of files the user wants. */
  #wantedBytes = 0
  /** Of these, bytes in recorded pieces. */
  #doneBytes = 0
  /** Wanted pieces that are not recorded. */
  #wantedMissing = 0

  constructor(init: ContentInit) {
    this.layout = init.layout
    this.files = init.files
    this.recorded = init.recorded
    this.have = init.recorded.clone()
    for (const row of init.facts) this.facts.set(row.file, row)
    this.#ranks = ranksOf(init.files.length, init.wishes)
    this.#order = init.order ?? USUAL_ORDER
    this.#missingOf = new Uint32Array(init.files.length)
    this.#recount()
  }

  get wantedBytes(): number {
    return this.#wantedBytes
  }
  get doneBytes(): number {
    return this.#doneBytes
  }
  /** Every wanted piece is recorded. */
  get complete(): boolean {
    return this.#wantedMissing === 0
  }
  /** Every piece is recorded. */
  get full(): boolean {
    return this.recorded.complete
  }

  /** Would every wanted piece be recorded if these were too? */
  completeWith(pieces: readonly PieceIndex[]): boolean {
    let missing = this.#wantedMissing
    for (const piece of pieces) if (!this.recorded.get(piece) && this.isWanted(piece)) missing--
    return missing <= 0
  }

  /** The files the user wants, pads left out. */
  wantedFiles(): FileIndex[] {
    return this.files.flatMap((file, index) => (!file.pad && this.isFileWanted(index) ? [index] : []))
  }

  isFileWanted(file: FileIndex): boolean {
    return this.fileRank(file) >= 0
  }

  /** How much the user wants it: a rank of the picker, or -1. */
  fileRank(file: FileIndex): number {
    return this.#ranks[file] ?? -1
  }

  /** Pieces are fetched by number. */
  get sequential(): boolean {
    return this.#order.sequential
  }

  /** A piece is wanted when a wanted file with content has a byte in it. */
  isWanted(piece: PieceIndex): boolean {
    for (const file of this.layout.filesOf(piece)) {
      if (this.isFileWanted(file) && this.files[file]?.pad === false) return true
    }
    return false
  }

  /** As much as the most wanted file in it; -1: it is not wanted. */
  rank(piece: PieceIndex): number {
    let rank = -1
    for (const file of this.layout.filesOf(piece)) {
      if (this.files[file]?.pad !== false || !this.isFileWanted(file)) continue
      rank = Math.max(
        rank,
        this.#order.firstLast && this.#isEdge(piece, file) ? FIRST_RANK : this.fileRank(file),
      )
    }
    return rank
  }

  #isEdge(piece: PieceIndex, file: FileIndex): boolean {
    const range = this.layout.filePieces(file)
    return piece === range?.first || piece === range?.last
  }

  /** Bytes of a file that lie in recorded pieces. */
  fileDone(file: FileIndex): number {
    const range = this.layout.filePieces(file)
    if (range === null) return 0
    const missing = this.#missingOf[file] ?? 0
    const length = this.files[file]?.length ?? 0
    if (missing === 0) return length
    if (missing === range.last - range.first + 1) return 0
    let done = 0
    for (let piece = range.first; piece <= range.last; piece++) {
      if (this.recorded.get(piece)) done += this.#overlap(piece, file)
    }
    return done
  }

  /** Replaces the choice of files. */
  choose({ wishes, order }: Choice): void {
    this.#ranks = ranksOf(this.files.length, wishes)
    this.#order = order
    this.#recount()
  }

  /** The files that these pieces will finish once they are recorded. */
  finishedBy(pieces: readonly PieceIndex[]): FileIndex[] {
    const missing = new Map<FileIndex, number>()
    for (const piece of pieces) {
      if (this.recorded.get(piece)) continue
      for (const file of this.layout.filesOf(piece)) {
        missing.set(file, (missing.get(file) ?? this.#missingOf[file] ?? 0) - 1)
      }
    }
    return [...missing].flatMap(([file, left]) =>
      left === 0 && this.files[file]?.pad === false ? [file] : [],
    )
  }

  /** Sets a recorded bit; answers the files that are finished by it. */
  record(piece: PieceIndex): FileIndex[] {
    if (this.recorded.get(piece)) return []
    this.recorded.set(piece)
    this.have.set(piece)
    this.#doneBytes += this.wantedBytesOf(piece)
    if (this.isWanted(piece)) this.#wantedMissing--
    const finished: FileIndex[] = []
    for (const file of this.layout.filesOf(piece)) {
      const left = (this.#missingOf[file] ?? 0) - 1
      this.#missingOf[file] = left
      if (left === 0 && this.files[file]?.pad === false) finished.push(file)
    }
    return finished
  }

  /** Takes a piece back, recorded or pending. */
  lose(piece: PieceIndex): void {
    this.have.clear(piece)
    if (!this.recorded.get(piece)) return
    this.recorded.clear(piece)
    this.#doneBytes -= this.wantedBytesOf(piece)
    if (this.isWanted(piece)) this.#wantedMissing++
    for (const file of this.layout.filesOf(piece)) this.#missingOf[file] = (this.#missingOf[file] ?? 0) + 1
  }

  /** It has content, and no piece of it is recorded. */
  isUntouched(file: FileIndex): boolean {
    const range = this.layout.filePieces(file)
    if (range === null || this.files[file]?.pad !== false) return false
    return this.#missingOf[file] === range.last - range.first + 1
  }

  /** All pieces of the file are recorded. */
  isFileComplete(file: FileIndex): boolean {
    return this.#missingOf[file] === 0
  }

  /** Wanted bytes of one piece. */
  wantedBytesOf(piece: PieceIndex): number {
    let bytes = 0
    for (const span of this.layout.spans(piece, 0, this.layout.pieceSize(piece))) {
      if (!span.pad && this.isFileWanted(span.file)) bytes += span.length
    }
    return bytes
  }

  #overlap(piece: PieceIndex, file: FileIndex): number {
    for (const span of this.layout.spans(piece, 0, this.layout.pieceSize(piece))) {
      if (span.file === file) return span.length
    }
    return 0
  }

  #recount(): void {
    this.#missingOf.fill(0)
    this.#wantedBytes = 0
    this.#doneBytes = 0
    this.#wantedMissing = 0
    this.files.forEach((file, index) => {
      if (!file.pad && this.isFileWanted(index)) this.#wantedBytes += file.length
    })
    for (let piece = 0; piece < this.layout.pieceCount; piece++) {
      if (this.recorded.get(piece)) {
        this.#doneBytes += this.wantedBytesOf(piece)
        continue
      }
      if (this.isWanted(piece)) this.#wantedMissing++
      for (const file of this.layout.filesOf(piece)) this.#missingOf[file] = (this.#missingOf[file] ?? 0) + 1
    }
  }
}
