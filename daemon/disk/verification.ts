/**
 * A check of pieces, main side. The volume's lane reads chunk after chunk, one at a time, so that reads and syncs of
 * the same lane pass between them; threads that touch no file hash what was read. A chunk ends with a piece, or with
 * the buffer where the piece is longer; the parts of one piece go to one thread.
 */
import type { Layout } from '../../shared/torrent/layout.js'
import type { Bytes, FileIndex, Millis, PieceIndex } from '../../shared/units.js'
import type { DiskFault, VerifyJob } from '../ports/disk.js'
import type { CheckCrew } from './check-crew.js'
import { BAD, GOOD } from './digester.js'
import type { Answer, Ask, LaneJobs, LoadPart, StorageKey } from './jobs.js'

/** Pieces may be tiny. */
const MOST_PARTS = 1024
/** A slow volume is read in smaller chunks: who waits behind one waits about so long. */
const SMALLEST_PART = 8
const TOO_LONG: Millis = 100
const SHORT: Millis = 25

export interface VerificationInit {
  readonly key: StorageKey
  /** Of this check, in all the disk. */
  readonly name: string
  readonly pieces: readonly PieceIndex[]
  readonly layout: Layout
  /** Of all pieces, in shared memory. */
  readonly digests: Uint8Array
  /**
   * Pieces that may have been in a sync that failed, in this run or the one before: then the page cache may hold, as if
   * clean, what the disk never got. A check would pass, and a sync after it would write nothing. What is read of these
   * is written back, so that the sync has work.
   */
  readonly doubtful: (piece: PieceIndex) => boolean
}

export interface VerificationPorts {
  /** Names the thread that reads. */
  readonly lane: () => object
  readonly crew: Pick<
    CheckCrew,
    'chunk' | 'now' | 'join' | 'leave' | 'take' | 'give' | 'lose' | 'found' | 'choose' | 'digest'
  >
  /** Asks the lane. */
  readonly load: (ask: Ask<LaneJobs, 'load'>, done: (answer: Answer<LaneJobs, 'load'>) => void) => void
  readonly onPiece: (piece: PieceIndex, good: boolean) => void
  readonly onRewritten: (files: readonly FileIndex[]) => void
  readonly done: (fault: DiskFault | null) => void
}

export class Verification implements VerifyJob {
  /** Index into `pieces` of the next one to read, and the bytes of it that were asked. */
  private at = 0
  private offset = 0
  /** Bytes to read at once; falls where the lane is slow or busy. */
  private size: Bytes
  /** A buffer was asked for, or the lane has one. */
  private loading = false
  /** Takes back that the last buffer was asked for, where it is waited for still. */
  private unask = (): void => undefined
  /** The lane that has a buffer; null: none has. */
  private filling: object | null = null
  /** Chunks being hashed. */
  private hashing = 0
  /** The thread with the parts of a piece that goes on in the next chunk; -1: none does. */
  private worker = -1
  /** The piece being read lies in a missing or short file: not hashed, and bad. */
  private broken = -1
  private fault: DiskFault | null = null
  private cancelled = false
  /** Its storage was closed: nobody is told. */
  private dropped = false
  private ended = false

  constructor(
    private readonly init: VerificationInit,
    private readonly ports: VerificationPorts,
  ) {
    this.size = ports.crew.chunk
    ports.crew.join()
    queueMicrotask(() => {
      this.next()
    })
  }

  cancel(): void {
    this.cancelled = true
    this.letGo()
  }

  drop(): void {
    this.dropped = true
    this.letGo()
  }

  /** The lane may never answer: the buffer that it has, or was to get, is nothing to wait for. */
  private letGo(): void {
    if (!this.loading) return
    if (this.filling !== null) this.ports.crew.lose(this.filling)
    this.unask()
    this.filling = null
    this.loading = false
    queueMicrotask(() => {
      this.next()
    })
  }

  /** Reads on, or ends when nothing is under way. */
  private next(): void {
    if (this.loading) return
    if (this.isOver() || this.at >= this.init.pieces.length) {
      this.end()
      return
    }
    this.loading = true
    const lane = this.ports.lane()
    this.unask = this.ports.crew.take(lane, (memory) => {
      this.load(lane, memory)
    })
  }

  private load(lane: object, memory: SharedArrayBuffer): void {
    if (this.isOver()) {
      this.loading = false
      this.ports.crew.give(memory)
      this.end()
      return
    }
    const parts = this.cut()
    const since = this.ports.crew.now
    const ask = {
      key: this.init.key,
      parts,
      memory,
      rewrite: parts.some(({ piece }) => this.init.doubtful(piece)),
    }
    this.filling = lane
    this.ports.load(ask, (answer) => {
      if (this.filling === null) {
        this.ports.crew.found(lane, memory)
        if (!this.dropped) this.ports.onRewritten(answer.rewritten)
        this.next()
        return
      }
      this.filling = null
      this.loading = false
      this.adapt(this.ports.crew.now - since)
      if (!this.dropped) this.ports.onRewritten(answer.rewritten)
      this.fault ??= answer.fault
      if (this.isOver()) this.ports.crew.give(memory)
      else this.hash(parts, new Set(answer.absent), memory)
      this.next()
    })
  }

  private hash(parts: readonly LoadPart[], absent: ReadonlySet<number>, memory: SharedArrayBuffer): void {
    const whole = parts.filter(({ piece }, index) => {
      if (absent.has(index)) this.broken = piece
      return this.broken !== piece
    })
    const told = (verdicts: Uint8Array): void => {
      this.ports.crew.give(memory)
      let next = 0
      for (const part of parts) {
        const verdict = part === whole[next] ? verdicts[next++] : BAD
        if (part.last) this.tell(part.piece, verdict === GOOD)
      }
    }
    if (whole.length === 0) {
      told(new Uint8Array())
      return
    }
    const goesOn = (whole[0]?.offset ?? 0) > 0
    if (!goesOn) this.worker = this.ports.crew.choose()
    this.hashing += 1
    const ask = { verify: this.init.name, parts: whole, memory, digests: this.init.digests }
    this.ports.crew.digest(this.worker, ask, (verdicts) => {
      this.hashing -= 1
      told(verdicts)
      this.next()
    })
  }

  private tell(piece: PieceIndex, good: boolean): void {
    // A listener may cancel, or close the storage, at each.
    if (!this.cancelled && !this.dropped) this.ports.onPiece(piece, good)
  }

  private end(): void {
    if (this.hashing > 0 || this.ended) return
    this.ended = true
    const { crew, done } = this.ports
    crew.leave(this.init.name)
    if (!this.dropped) done(this.fault)
  }

  private isOver(): boolean {
    return this.cancelled || this.dropped || this.fault !== null
  }

  private adapt(took: Millis): void {
    const { chunk } = this.ports.crew
    if (took > TOO_LONG) this.size = Math.max(chunk / SMALLEST_PART, this.size / 2)
    else if (took < SHORT) this.size = Math.min(chunk, this.size * 2)
  }

  private cut(): LoadPart[] {
    const parts: LoadPart[] = []
    for (let at = 0; at < this.size && parts.length < MOST_PARTS;) {
      const piece = this.init.pieces[this.at]
      if (piece === undefined) break
      const left = this.init.layout.pieceSize(piece) - this.offset
      // A whole piece that does not fit waits for the next chunk, unless it would fit in none.
      if (left > this.size - at && parts.length > 0) break
      // What is written back is never a neighbour that nobody doubts.
      const first = parts[0]?.piece ?? piece
      if (this.init.doubtful(piece) !== this.init.doubtful(first)) break
      const length = Math.min(left, this.size - at)
      parts.push({ piece, offset: this.offset, length, last: length === left, at })
      at += length
      this.offset += length
      if (length === left) {
        this.at += 1
        this.offset = 0
      }
    }
    return parts
  }
}
