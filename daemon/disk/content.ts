/** Lane jobs that look at what is there: checks of pieces, and the cheap look after a kill. */
import { BLOCK_SIZE, type FileIndex, type PieceIndex } from '../../shared/units.js'
import { closing, faultOf, refuse, unless } from './fault.js'
import { type Files, readFully, writeFully } from './files.js'
import type { Answer, LaneJobs, LoadAsk, LoadPart } from './jobs.js'

/** A file that is not there, or not all of it, is no fault of the disk: its pieces are bad. */
const ABSENT = ['ENOENT', 'ENOTDIR', 'EOF']

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
  const from = files.forReading(file)
  if (!readFully(from, bytes, position, path)) refuse('EOF', 'read', path)
  if (!files.isUnchanged(file, from)) {
    files.closeFile(file)
    refuse('ESTALE', 'read', path)
  }
  // A hole stays a hole.
  if (rewritten === null || !bytes.some((byte) => byte !== 0)) return
  closing(files.openForRepair(file), (fd) => {
    writeFully(fd, bytes, position, path)
  })
  rewritten.add(file)
  files.disown(file)
}
