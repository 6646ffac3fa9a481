/** What one peer takes from us: its requests, what is read for it, and how much of that it may hold. */
import type { Bytes, Millis, PieceIndex, Rate } from '../../shared/units.js'
import { RateMeter } from '../base/rate.js'
import type { ReadRun } from '../ports/disk.js'
import { UploadQueue } from './upload-queue.js'

/** What may be unsent is what a peer takes in half a second, within these. */
const WINDOW_SECONDS = 0.5
const LEAST_WINDOW: Bytes = 64 * 1024
const MOST_WINDOW: Bytes = 2 * 1024 * 1024
const FIRST_WINDOW: Bytes = 128 * 1024
/** As much as this for one that takes all at once: how fast it could be, only more of it shows. */
const EAGER_WINDOW: Bytes = 256 * 1024
const EAGER_FROM: Bytes = 1024 * 1024
/** A frame taken within the first says that the window is small, one that waited for the second that it is large. */
const SOON: Millis = 250
const LATE: Millis = 500
/** A window grows only while this part of it is in use. */
const MOST_UNUSED = 4
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
  /** What of it the limit counts. */
  readonly metered: Bytes
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
  /** By how long its frames wait, within the bounds. */
  #window: Bytes = FIRST_WINDOW

  /**
   * The kernel took so much, `waited` after it was written; `held` was unsent until then. That a few blocks are taken
   * at once says nothing of the line: a peer that asks for no more at a time fits into the kernel's buffer.
   */
  took(now: Millis, bytes: Bytes, waited: Millis, held: Bytes): void {
    this.#pace ??= new RateMeter({ window: PACE_WINDOW })
    this.#pace.add(now, bytes)
    if (waited < SOON) {
      if (held * MOST_UNUSED >= this.#window) this.#window = Math.min(MOST_WINDOW, this.#window + bytes)
    } else if (waited > LATE) this.#window = Math.max(LEAST_WINDOW, this.#window / 2)
  }

  /** An extent is read: is it the one behind the last. */
  follows(piece: PieceIndex, extent: number): boolean {
    const inPiece = piece === this.#lastPiece && extent === this.#lastExtent + 1
    const next = piece === this.#lastPiece + 1 && extent === 0 && this.#lastPiece >= 0
    this.#lastPiece = piece
    this.#lastExtent = extent
    return inPiece || next
  }

  /** It took what it got at once, and more than the buffers of a slow line swallow. */
  get eager(): boolean {
    return this.#window >= EAGER_FROM
  }

  /** The most that may be unsent now. */
  window(now: Millis): Bytes {
    return Math.min(this.#window, Math.max(EAGER_WINDOW, WINDOW_SECONDS * this.#rate(now)))
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
