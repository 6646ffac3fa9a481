/**
 * A check of pieces, main side: cut into jobs of at most 16 MiB, one at a time, so that reads and syncs of the same
 * lane pass between them.
 */
import type { Layout } from '../../shared/torrent/layout.js'
import type { FileIndex, PieceIndex } from '../../shared/units.js'
import type { DiskFault, VerifyJob } from '../ports/disk.js'
import type { Answer, Ask, LaneJobs, StorageKey, VerifyPart } from './jobs.js'

const JOB_SIZE = 16 * 1024 * 1024
/** Pieces may be tiny. */
const MOST_PARTS = 1024

export interface VerificationInit {
  readonly key: StorageKey
  /** Of this check, in all the disk. */
  readonly name: string
  readonly pieces: readonly PieceIndex[]
  readonly layout: Layout
  /**
   * After a failed fdatasync the page cache may hold, as if clean, what the disk never got: a check would pass and a
   * sync after it would write nothing. What is read from these files is written back, so that the sync has work.
   */
  readonly tainted: (file: FileIndex) => boolean
}

export interface VerificationPorts {
  /** Asks the lane. */
  readonly request: <K extends 'verify' | 'verifyEnd'>(
    kind: K,
    ask: Ask<LaneJobs, K>,
    done: (answer: Answer<LaneJobs, K>) => void,
  ) => void
  readonly onPiece: (piece: PieceIndex, good: boolean) => void
  readonly onRewritten: (files: readonly FileIndex[]) => void
  readonly done: (fault: DiskFault | null) => void
}

export class Verification implements VerifyJob {
  /** Index into `pieces` of the one under way, and the bytes of it that were asked. */
  private at = 0
  private offset = 0
  private cancelled = false
  /** Its storage was closed: nobody is told. */
  private dropped = false

  constructor(
    private readonly init: VerificationInit,
    private readonly ports: VerificationPorts,
  ) {
    queueMicrotask(() => {
      this.step()
    })
  }

  cancel(): void {
    this.cancelled = true
  }

  drop(): void {
    this.dropped = true
  }

  private step(): void {
    const parts = this.isOver() ? [] : this.cut()
    if (parts.length === 0) {
      this.ports.request('verifyEnd', { verify: this.init.name }, () => {
        if (!this.dropped) this.ports.done(null)
      })
      return
    }
    const { key, name: verify } = this.init
    this.ports.request('verify', { key, verify, parts, rewrite: this.rewrites(parts) }, (answer) => {
      this.ports.onRewritten(answer.rewritten)
      for (const { piece, good } of answer.results) if (!this.isOver()) this.ports.onPiece(piece, good)
      if (this.dropped || answer.fault === null) this.step()
      else this.ports.done(answer.fault)
    })
  }

  /** A listener may cancel, or close the storage. */
  private isOver(): boolean {
    return this.cancelled || this.dropped
  }

  private cut(): VerifyPart[] {
    const parts: VerifyPart[] = []
    for (let room = JOB_SIZE; room > 0 && parts.length < MOST_PARTS;) {
      const piece = this.init.pieces[this.at]
      if (piece === undefined) break
      const left = this.init.layout.pieceSize(piece) - this.offset
      // A whole piece that does not fit waits for the next job, unless it would fit in none.
      if (left > room && parts.length > 0) break
      const length = Math.min(left, room)
      parts.push({ piece, offset: this.offset, length, last: length === left })
      room -= length
      this.offset += length
      if (length === left) {
        this.at += 1
        this.offset = 0
      }
    }
    return parts
  }

  private rewrites(parts: readonly VerifyPart[]): boolean {
    return parts.some((part) =>
      this.init.layout
        .spans(part.piece, part.offset, part.length)
        .some((span) => this.init.tainted(span.file)),
    )
  }
}
