/** What one peer takes from us: its requests, what is read for it, and how much of that it may hold. */
import type { Bytes, Millis, PieceIndex, Rate } from '../../shared/units.js'
import { RateMeter } from '../base/rate.js'
import type { ReadRun } from '../ports/disk.js'
import { UploadQueue } from './upload-queue.js'

/** The window is what a peer takes in half a second, within these. */
const WINDOW_SECONDS = 0.5
const LEAST_WINDOW: Bytes = 64 * 1024
const MOST_WINDOW: Bytes = 2 * 1024 * 1024
/** What it is at least until the peer was watched for a second. */
const FIRST_WINDOW: Bytes = 256 * 1024
const WATCHED_FOR: Millis = 1000
/** The rate that counts is that of so long. */
const PACE_WINDOW: Millis = 2000

/** Blocks of one peer that are read together. */
export interface UploadRun {
  readonly piece: PieceIndex
  /** What is read: the blocks themselves, or the whole extent they lie in. */
  readonly read: ReadRun
  /** Blocks of the extent that were asked for, a bit each; 0: all that is read, block by block. */
  readonly mask: number
  /** Payload that was asked for. */
  readonly bytes: Bytes
}

/** A run on its way from the disk. */
export interface UploadRead {
  readonly run: UploadRun
  /** Nothing comes of it any more. */
  readonly cancel: () => void
}

export class PeerUpload {
  readonly queue = new UploadQueue()
  /** Being read; neither written nor cancelled. */
  readonly reads = new Set<UploadRead>()
  /** Payload being read, or written and not yet taken by the kernel. */
  unsent: Bytes = 0
  /** The part of `unsent` that was written. */
  written: Bytes = 0
  /** It has taken nothing of what was written for a long time: no slot for it until it has. */
  stalled = false
  /** Goes on when the limit lets more through; made at the first need, and always the same. */
  again: (() => void) | null = null
  /** The extent that was read for it last. */
  #lastPiece: PieceIndex = -1
  #lastExtent = 0
  /** What the kernel takes for it; made by the first run. */
  #pace: RateMeter | null = null
  /** When the first run after a rest was read. */
  #since: Millis = 0

  /** A run is read. */
  began(now: Millis, bytes: Bytes): void {
    if (this.unsent === 0 && this.#rate(now) === 0) this.#since = now
    this.unsent += bytes
  }

  /** The kernel took so much. */
  took(now: Millis, bytes: Bytes): void {
    this.#pace ??= new RateMeter({ window: PACE_WINDOW })
    this.#pace.add(now, bytes)
  }

  /** An extent is read: is it the one behind the last. */
  follows(piece: PieceIndex, extent: number): boolean {
    const inPiece = piece === this.#lastPiece && extent === this.#lastExtent + 1
    const next = piece === this.#lastPiece + 1 && extent === 0 && this.#lastPiece >= 0
    this.#lastPiece = piece
    this.#lastExtent = extent
    return inPiece || next
  }

  /** The most that may be unsent now. */
  window(now: Millis): Bytes {
    const rate = this.#rate(now)
    const rests = rate === 0 && this.unsent === 0
    const least = rests || now - this.#since < WATCHED_FOR ? FIRST_WINDOW : LEAST_WINDOW
    return Math.min(MOST_WINDOW, Math.max(least, WINDOW_SECONDS * rate))
  }

  /** All that are being read; they are the caller's now. */
  takeReads(): UploadRead[] {
    const reads = [...this.reads]
    this.reads.clear()
    return reads
  }

  #rate(now: Millis): Rate {
    return this.#pace?.rate(now) ?? 0
  }
}
