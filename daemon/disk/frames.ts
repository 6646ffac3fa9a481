/** Lane jobs that read frames for the wire: runs of a batch that are neighbours in a file are read with one call. */
import * as fs from 'node:fs'
import { BLOCK_SIZE, type FileIndex } from '../../shared/units.js'
import type { DiskFault } from '../ports/disk.js'
import { attempt, faultOf, refuse } from './fault.js'
import { type Files, readFully } from './files.js'
import type { FrameAsk, ReadAsk, ReadBatch, StorageKey } from './jobs.js'

/** Length prefix, id, piece, begin (BEP 3). */
const HEADER = 13
const PIECE_ID = 7
/** Buffers one preadv takes, by POSIX at least 16 and here and on macOS 1024. */
const MOST_BUFFERS = 512

/** Memory of the main side, with a view for each block of 16 KiB in it. */
interface Memory {
  readonly bytes: Buffer
  readonly blocks: readonly Buffer[]
}

/** A stretch of a file and the views it fills. */
interface Stretch {
  readonly file: FileIndex
  readonly offset: number
  end: number
  readonly views: Buffer[]
}

export class FrameReader {
  /** By the main side's number. */
  private readonly memories = new Map<number, Memory>()

  constructor(private readonly filesOf: (key: StorageKey) => Files) {}

  /** Null where all is well, else what became of each. */
  read(batch: ReadBatch): (DiskFault | null)[] | null {
    for (const id of batch.gone) this.memories.delete(id)
    for (const ask of batch.fresh) this.memories.set(ask.id, memoryOf(ask))
    const faults: (DiskFault | null)[] = []
    for (let at = 0; at < batch.runs.length;) {
      const some = sameFiles(batch.runs, at)
      faults.push(...this.readSome(some))
      at += some.length
    }
    return faults.some((fault) => fault !== null) ? faults : null
  }

  /** Runs of one storage. Where one fails, each is tried alone: the others are good. */
  private readSome(runs: readonly ReadAsk[]): (DiskFault | null)[] {
    const fault = this.tryAll(runs)
    if (fault === null || runs.length === 1) return runs.map(() => fault)
    return runs.map((run) => this.tryAll([run]))
  }

  private tryAll(runs: readonly ReadAsk[]): DiskFault | null {
    return faultOf(() => {
      const [first] = runs
      if (first === undefined) return
      const files = this.filesOf(first.key)
      const stretches: Stretch[] = []
      for (const run of runs) this.addRun(files, run, stretches)
      for (const stretch of stretches) readStretch(files, stretch)
    })
  }

  /** Writes the headers, and adds where the blocks are to be read from. */
  private addRun(files: Files, run: ReadAsk, stretches: Stretch[]): void {
    const memory = this.memories.get(run.memory)
    if (memory === undefined) throw new Error(`frames: no buffer ${String(run.memory)}`)
    const blocks = frameBlocks(memory, run)
    const whole = run.lengths.reduce((sum, length) => sum + length, 0)
    let block = 0
    let within = 0
    for (const span of files.layout.spans(run.piece, run.offset, whole)) {
      const views: Buffer[] = []
      for (let left = span.length; left > 0;) {
        const current = blocks[block]
        if (current === undefined) throw new Error('frames: the spans are longer than the run')
        const rest = current.length - within
        const view = within === 0 && left >= rest ? current : current.subarray(within, within + left)
        views.push(view)
        left -= view.length
        within += view.length
        if (within === current.length) {
          block += 1
          within = 0
        }
      }
      if (span.pad) for (const view of views) view.fill(0)
      else addStretch(stretches, span.file, span.fileOffset, span.length, views)
    }
  }
}

function memoryOf({ shared, offset, size }: FrameAsk): Memory {
  const blocks: Buffer[] = []
  for (let at = HEADER; at + BLOCK_SIZE <= size; at += HEADER + BLOCK_SIZE) {
    blocks.push(Buffer.from(shared, offset + at, BLOCK_SIZE))
  }
  return { bytes: Buffer.from(shared, offset, size), blocks }
}

function sameFiles(runs: readonly ReadAsk[], from: number): ReadAsk[] {
  const key = runs[from]?.key
  let end = from + 1
  while (end < runs.length && runs[end]?.key === key) end++
  return runs.slice(from, end)
}

/** Writes the headers into the frame; answers where each block belongs. */
function frameBlocks(memory: Memory, run: ReadAsk): Buffer[] {
  const { bytes } = memory
  let at = 0
  let begin = run.offset
  return run.lengths.map((length, index) => {
    bytes.writeUInt32BE(HEADER - 4 + length, at)
    bytes[at + 4] = PIECE_ID
    bytes.writeUInt32BE(run.piece, at + 5)
    bytes.writeUInt32BE(begin, at + 9)
    const usual = memory.blocks[index]
    const start = at + HEADER
    at = start + length
    begin += length
    return length === BLOCK_SIZE && usual !== undefined && start === index * (HEADER + BLOCK_SIZE) + HEADER
      ? usual
      : bytes.subarray(start, at)
  })
}

function addStretch(
  stretches: Stretch[],
  file: FileIndex,
  offset: number,
  length: number,
  views: Buffer[],
): void {
  const last = stretches.at(-1)
  if (last?.file === file && last.end === offset && last.views.length + views.length <= MOST_BUFFERS) {
    last.views.push(...views)
    last.end += length
  } else stretches.push({ file, offset, end: offset + length, views })
}

/**
 * A missing file is a fault, never zeros; so is a finished one that changed since the last survey or finish (ESTALE),
 * a short one among them: what it holds now may not hash. One look at the descriptor after the read tells both.
 */
function readStretch(files: Files, stretch: Stretch): void {
  if (readOnce(files, stretch)) return
  // Deleted or replaced while we held it: look again by name.
  files.closeFile(stretch.file)
  if (!readOnce(files, stretch)) refuse('ESTALE', 'read', files.path(stretch.file))
}

function readOnce(files: Files, { file, offset, views }: Stretch): boolean {
  const path = files.path(file)
  const fd = files.forReading(file)
  let position = offset
  let whole = true
  for (let first = 0; first < views.length; first += MOST_BUFFERS) {
    const some = views.length <= MOST_BUFFERS ? views : views.slice(first, first + MOST_BUFFERS)
    const wanted = some.reduce((sum, view) => sum + view.length, 0)
    const at = position
    const read = attempt('read', path, () => fs.readvSync(fd, some, at))
    position += wanted
    if (read === wanted) continue
    // Short: a signal, or the end of the file. Once more view by view, which tells the two apart.
    let again = at
    for (const view of some) {
      whole &&= readFully(fd, view, again, path)
      again += view.length
    }
  }
  if (!files.isUnchanged(file, fd)) return false
  if (!whole) refuse('ESTALE', 'read', path)
  return true
}
