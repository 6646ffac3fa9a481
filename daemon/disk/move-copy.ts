/**
 * Lane jobs that copy a file to another volume. The old place's lane reads, and compares recorded pieces with their
 * digests; the new place's lane writes the same memory. Read back it would come from the page cache, which proves
 * nothing of the disk: what is read is hashed, what is written is synced, and sizes are compared.
 */
import { createHash, type Hash } from 'node:crypto'
import * as fs from 'node:fs'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import type { CrashPoint } from '../base/crash-point.js'
import type { DiskFault } from '../ports/disk.js'
import { attempt, closing, faultOf, refuse, unless } from './fault.js'
import { type Files, readFully, writeFully } from './files.js'
import type { Ask, LaneJobs } from './jobs.js'
import { makeFoldersOf } from './move-files.js'
import { dropName } from './move-name.js'
import { tempOf } from './move-site.js'
import { syncFolder } from './settle.js'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = fs.constants
/** What is all zero in so many bytes is left out: a hole stays one. */
const HOLE = 64 * 1024
const ZEROS = Buffer.alloc(HOLE)
const DIGEST = 20

/** Hashes recorded pieces as the bytes of a torrent's files pass, in order. */
export class PassingPieces {
  /** Where in the torrent the next byte lies. */
  private at = 0
  /** The hash of the piece at `at`; null: not recorded, or not all of it passed. */
  private hash: Hash | null = null

  constructor(
    private readonly files: Files,
    private readonly recorded: Bitfield,
  ) {}

  /** Bytes of a file; answers the first piece that is not as it was recorded, or null. */
  pass(file: number, offset: number, bytes: Buffer): number | null {
    const { layout } = this.files
    const start = layout.fileOffset(file) + offset
    if (start !== this.at) {
      const bad = this.skipTo(start)
      if (bad !== null) return bad
    }
    let done = 0
    while (done < bytes.length) {
      const piece = Math.floor(this.at / layout.pieceLength)
      const pieceStart = piece * layout.pieceLength
      if (this.at === pieceStart) this.hash = this.recorded.get(piece) ? createHash('sha1') : null
      const length = Math.min(pieceStart + layout.pieceSize(piece) - this.at, bytes.length - done)
      this.hash?.update(bytes.subarray(done, done + length))
      done += length
      this.at += length
      if (this.at === pieceStart + layout.pieceSize(piece) && !this.isGood(piece)) return piece
    }
    return null
  }

  /** Over pads, which are zeros; over anything else the piece cannot be hashed. Answers a bad piece that ends there. */
  private skipTo(start: number): number | null {
    const { layout } = this.files
    const from = this.at
    this.at = start
    const piece = Math.floor(from / layout.pieceLength)
    if (this.hash === null || start < from) {
      this.hash = null
      return null
    }
    const end = piece * layout.pieceLength + layout.pieceSize(piece)
    const upTo = Math.min(start, end)
    if (!this.isPadding(from, upTo)) this.hash = null
    this.hash?.update(Buffer.alloc(upTo - from))
    if (upTo < end) return null
    return this.isGood(piece) ? null : piece
  }

  private isPadding(from: number, to: number): boolean {
    const { layout } = this.files
    const piece = Math.floor(from / layout.pieceLength)
    const spans = layout.spans(piece, from - piece * layout.pieceLength, to - from)
    return spans.every(({ pad }) => pad)
  }

  private isGood(piece: number): boolean {
    if (this.hash === null) return true
    const digest = this.hash.digest()
    this.hash = null
    return digest.equals(this.files.digests.subarray(piece * DIGEST, (piece + 1) * DIGEST))
  }
}

export function passingPieces(files: Files, recorded: Uint8Array | null): PassingPieces {
  const { pieceCount } = files.layout
  const bits = recorded === null ? null : Bitfield.fromWire(recorded, pieceCount)
  return new PassingPieces(files, bits ?? new Bitfield(pieceCount))
}

export function readPart(
  files: Files,
  pieces: PassingPieces,
  { file, offset, length, memory }: Ask<LaneJobs, 'copyRead'>,
): DiskFault | null {
  return faultOf(() => {
    const path = files.path(file)
    const fd = files.forReading(file)
    const bytes = Buffer.from(memory, 0, length)
    if (!readFully(fd, bytes, offset, path)) refuse('ESTALE', 'read', path)
    if (pieces.pass(file, offset, bytes) !== null) refuse('EBADMSG', 'read', path)
  })
}

/** Writes a part to the temporary file; the first one makes it, the last one makes it last. */
export function writePart(
  files: Files,
  { file, offset, length, memory, temp, end }: Ask<LaneJobs, 'copyWrite'>,
  crashPoint: CrashPoint,
): DiskFault | null {
  return faultOf(() => {
    const path = tempOf(files, file, temp)
    if (offset === 0) begin(files, file, path)
    const fd = attempt('open', path, () => fs.openSync(path, O_RDWR | O_NOFOLLOW))
    closing(fd, () => {
      writeWhatIsThere(fd, Buffer.from(memory, 0, length), offset, path)
      if (end !== null) finish(fd, path, end.size, end.mtimeNs)
    })
    crashPoint('move.copying')
  })
}

/** What an earlier run left half copied goes. */
function begin(files: Files, file: number, path: string): void {
  const folders = new Set<string>()
  makeFoldersOf(files, file, folders)
  unless(['ENOENT'], () => {
    dropName(path)
  })
  fs.closeSync(attempt('open', path, () => fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666)))
  for (const folder of [...folders, files.folder(file)]) syncFolder(files, folder)
}

function writeWhatIsThere(fd: number, bytes: Buffer, position: number, path: string): void {
  for (let at = 0; at < bytes.length; at += HOLE) {
    const some = bytes.subarray(at, at + HOLE)
    if (!some.equals(ZEROS.subarray(0, some.length))) writeFully(fd, some, position + at, path)
  }
}

/** fsync, not fdatasync: the time of the file is recorded, too. */
function finish(fd: number, path: string, size: number, mtimeNs: string): void {
  attempt('write', path, () => {
    fs.ftruncateSync(fd, size)
    const seconds = Number(BigInt(mtimeNs) / 1000n) / 1e6
    fs.futimesSync(fd, seconds, seconds)
  })
  attempt('sync', path, () => {
    fs.fsyncSync(fd)
  })
  if (fs.fstatSync(fd).size !== size) refuse('EIO', 'write', path)
}
