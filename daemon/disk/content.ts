/** Lane jobs that read: frames, checks of pieces, the cheap look after a kill. */
import * as fs from 'node:fs'
import { BLOCK_SIZE, type FileIndex, type PieceIndex } from '../../shared/units.js'
import type { DiskFault } from '../ports/disk.js'
import { attempt, faultOf, refuse, unless } from './fault.js'
import { type Files, readFully, writeFully } from './files.js'
import type { Answer, LaneJobs, LoadAsk, LoadPart, ReadAsk } from './jobs.js'
import { closing } from './make.js'

/** Length prefix, id, piece, begin (BEP 3). */
const HEADER = 13
const PIECE_ID = 7
/** Buffers one preadv takes, by POSIX at least 16 and here and on macOS 1024. */
const MOST_BUFFERS = 512
/** A file that is not there, or not all of it, is no fault of the disk: its pieces are bad. */
const ABSENT = ['ENOENT', 'ENOTDIR', 'EOF']

/**
 * Reads a run into wire frames. A missing or short file is a fault, never zeros; so is a finished one that changed
 * since the last survey or finish (ESTALE): what it holds now may not hash.
 */
export function readRun(files: Files, ask: ReadAsk): DiskFault | null {
  return faultOf(() => {
    const blocks = frameBlocks(ask)
    const whole = blocks.reduce((sum, block) => sum + block.length, 0)
    let block = 0
    let within = 0
    for (const span of files.layout.spans(ask.piece, ask.offset, whole)) {
      const views: Buffer[] = []
      for (let left = span.length; left > 0;) {
        const view = blocks[block]?.subarray(within, within + left)
        if (view === undefined) throw new Error('read: the spans are longer than the run')
        views.push(view)
        left -= view.length
        within += view.length
        if (within === blocks[block]?.length) {
          block += 1
          within = 0
        }
      }
      if (span.pad) for (const view of views) view.fill(0)
      else readViews(files, span.file, span.fileOffset, views)
      if (!span.pad) files.checkUnchanged(span.file, files.forReading(span.file))
    }
  })
}

/** Reads parts of pieces for a check, what lies together with one call. */
export function loadParts(files: Files, ask: LoadAsk): Answer<LaneJobs, 'load'> {
  const absent: number[] = []
  const rewritten = ask.rewrite ? new Set<FileIndex>() : null
  const load = (parts: readonly LoadPart[]): boolean =>
    unless(ABSENT, () => {
      for (const { file, position, at, length } of stretchesOf(files, parts)) {
        const bytes = Buffer.from(ask.memory, at, length)
        if (file === null) bytes.fill(0)
        else readSpan(files, file, position, bytes, rewritten)
      }
      return true
    }) === true
  const fault = faultOf(() => {
    if (load(ask.parts)) return
    // Which ones?
    ask.parts.forEach((part, index) => {
      if (!load([part])) absent.push(index)
    })
  })
  return { absent, rewritten: [...(rewritten ?? [])], fault }
}

interface Stretch {
  /** Null: a pad. */
  readonly file: FileIndex | null
  readonly position: number
  readonly at: number
  length: number
}

function stretchesOf(files: Files, parts: readonly LoadPart[]): Stretch[] {
  const stretches: Stretch[] = []
  for (const part of parts) {
    let { at } = part
    for (const span of files.layout.spans(part.piece, part.offset, part.length)) {
      const last = stretches.at(-1)
      const file = span.pad ? null : span.file
      const goesOn = last?.file === file && last.position + last.length === span.fileOffset
      if (goesOn) last.length += span.length
      else stretches.push({ file, position: span.fileOffset, at, length: span.length })
      at += span.length
    }
  }
  return stretches
}

/** Those whose first 16 KiB lie on the disk and are not all zero. A refused read claims nothing. */
export function sniffPieces(files: Files, pieces: readonly PieceIndex[]): PieceIndex[] {
  const found: PieceIndex[] = []
  for (const piece of pieces) {
    faultOf(() => {
      if (hasContent(files, piece)) found.push(piece)
    })
  }
  return found
}

function hasContent(files: Files, piece: PieceIndex): boolean {
  const start = Buffer.alloc(Math.min(BLOCK_SIZE, files.layout.pieceSize(piece)))
  let at = 0
  for (const span of files.layout.spans(piece, 0, start.length)) {
    const part = start.subarray(at, at + span.length)
    if (!span.pad) readSpan(files, span.file, span.fileOffset, part, null)
    at += span.length
  }
  return start.some((byte) => byte !== 0)
}

function readSpan(
  files: Files,
  file: FileIndex,
  position: number,
  bytes: Buffer,
  rewritten: Set<FileIndex> | null,
): void {
  const path = files.path(file)
  if (!readFully(files.forReading(file), bytes, position, path)) refuse('EOF', 'read', path)
  if (rewritten === null) return
  closing(files.openForRepair(file), (fd) => {
    writeFully(fd, bytes, position, path)
  })
  rewritten.add(file)
  files.disown(file)
}

/** Writes the headers into the frame; answers where each block belongs. */
function frameBlocks(ask: ReadAsk): Buffer[] {
  let at = 0
  let begin = ask.offset
  return ask.lengths.map((length) => {
    const header = Buffer.from(ask.memory, at, HEADER)
    header.writeUInt32BE(HEADER - 4 + length, 0)
    header.writeUInt8(PIECE_ID, 4)
    header.writeUInt32BE(ask.piece, 5)
    header.writeUInt32BE(begin, 9)
    const block = Buffer.from(ask.memory, at + HEADER, length)
    at += HEADER + length
    begin += length
    return block
  })
}

function readViews(files: Files, file: FileIndex, offset: number, views: readonly Buffer[]): void {
  const path = files.path(file)
  const fd = files.forReading(file)
  let position = offset
  for (let first = 0; first < views.length; first += MOST_BUFFERS) {
    const some = views.slice(first, first + MOST_BUFFERS)
    const wanted = some.reduce((sum, view) => sum + view.length, 0)
    const at = position
    const read = attempt('read', path, () => fs.readvSync(fd, some, at))
    position += wanted
    if (read === wanted) continue
    // Short: a signal, or the end of the file. Once more view by view, which tells the two apart.
    let again = at
    for (const view of some) {
      if (!readFully(fd, view, again, path)) refuse('EIO', 'read', path)
      again += view.length
    }
  }
}
