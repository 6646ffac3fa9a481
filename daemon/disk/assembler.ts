/**
 * Pieces on their way, in a worker: extents are hashed in order while the running state is kept here, and written.
 * One out of order waits in its slot; under pressure it is written unhashed and read back when its turn comes
 * (unhashed bytes on the disk claim nothing).
 */
import { createHash, type Hash } from 'node:crypto'
import { BLOCK_SIZE, EXTENT_SIZE, type PieceIndex } from '../../shared/units.js'
import { FaultError } from './fault.js'
import type { Descriptors } from './files.js'
import { Files, readFully, writeFully } from './files.js'
import type { ExtentAsk, Handlers, HashJobs, OpenAsk, Outcome, RunEnd, StorageKey } from './jobs.js'

/** An extent that is not hashed yet. */
interface Waiting {
  readonly length: number
  /** Its bytes, or null once they were written unhashed and the slot was let go. */
  slot: { readonly bytes: Buffer; readonly ticket: number } | null
}

interface Run {
  readonly id: number
  readonly files: Files
  readonly piece: PieceIndex
  /** An earlier try of it was bad. */
  readonly suspect: boolean
  readonly hash: Hash
  /** Extents hashed so far: the next one due. */
  next: number
  readonly waiting: Map<number, Waiting>
}

export class Assembler {
  private readonly storages = new Map<StorageKey, Files>()
  /** In the order they began: the oldest spill first. */
  private readonly runs = new Map<number, Run>()
  /** What the job under way lets go of. */
  private outcome: { freed: number[]; ends: RunEnd[] } = { freed: [], ends: [] }
  /** Slots are short: nothing waits in one. */
  private tight = false
  /** An extent read back is hashed from here. */
  private readonly scratch = Buffer.allocUnsafeSlow(EXTENT_SIZE)

  constructor(readonly descriptors: Descriptors) {}

  readonly handlers: Handlers<HashJobs> = {
    open: (ask) => this.job(() => this.open(ask)),
    extent: (ask) => this.job(() => this.extent(ask)),
    forget: ({ run }) => this.job(() => this.drop(this.runs.get(run))),
    tight: ({ tight }) => this.job(() => this.press(tight)),
    closeFiles: ({ key, files }) =>
      this.job(() => {
        for (const file of files) this.storages.get(key)?.closeFile(file)
      }),
    close: ({ key }) => this.job(() => this.close(key)),
    stop: () => this.job(() => undefined),
  }

  /** The files of a storage that was opened here and not closed. */
  filesOf(key: StorageKey): Files | null {
    return this.storages.get(key) ?? null
  }

  private job(run: () => void): Outcome {
    this.outcome = { freed: [], ends: [] }
    run()
    return this.outcome
  }

  private open(ask: OpenAsk): void {
    this.storages.set(ask.key, new Files(ask, this.descriptors))
  }

  private close(key: StorageKey): void {
    for (const run of this.runs.values()) if (run.files.key === key) this.drop(run)
    this.storages.get(key)?.closeAll()
    this.storages.delete(key)
  }

  private extent(ask: ExtentAsk): void {
    if (ask.tight !== this.tight) this.press(ask.tight)
    const run = this.runs.get(ask.run) ?? this.begin(ask)
    if (run === null) {
      this.outcome.freed.push(ask.ticket)
      return
    }
    const bytes = Buffer.from(ask.memory, ask.offset, ask.length)
    run.waiting.set(ask.extent, { length: ask.length, slot: { bytes, ticket: ask.ticket } })
    this.guard(run, () => {
      this.advance(run)
      if (this.tight) this.spill(run)
    })
  }

  private begin(ask: ExtentAsk): Run | null {
    const files = this.storages.get(ask.key)
    if (files === undefined || !ask.first) return null
    const run: Run = {
      id: ask.run,
      files,
      piece: ask.piece,
      suspect: ask.suspect,
      hash: createHash('sha1'),
      next: 0,
      waiting: new Map(),
    }
    this.runs.set(run.id, run)
    return run
  }

  /** Hashes and writes what is in order; ends the run after its last extent. */
  private advance(run: Run): void {
    for (let due = run.waiting.get(run.next); due !== undefined; due = run.waiting.get(run.next)) {
      if (due.slot !== null) {
        run.hash.update(due.slot.bytes)
        this.write(run, run.next, due.slot.bytes)
        this.outcome.freed.push(due.slot.ticket)
      } else {
        run.hash.update(this.readBack(run, run.next, due.length))
      }
      run.waiting.delete(run.next)
      run.next += 1
    }
    if (run.next < run.files.layout.extentCount(run.piece)) return
    const start = run.piece * 20
    const good = run.hash.digest().equals(run.files.digests.subarray(start, start + 20))
    this.runs.delete(run.id)
    const blocks = good && !run.suspect ? null : this.digestBlocks(run)
    this.outcome.ends.push({ run: run.id, good, fault: null, blocks })
  }

  /** Who sent a bad block is found out by comparing tries. Read back: the slots are others' by now. */
  private digestBlocks(run: Run): Uint8Array | null {
    const { layout } = run.files
    const digests: Buffer[] = []
    try {
      for (let extent = 0; extent < layout.extentCount(run.piece); extent += 1) {
        const bytes = this.readBack(run, extent, layout.extentSize(run.piece, extent))
        for (let at = 0; at < bytes.length; at += BLOCK_SIZE)
          digests.push(
            createHash('sha1')
              .update(bytes.subarray(at, at + BLOCK_SIZE))
              .digest(),
          )
      }
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
      return null
    }
    return Buffer.concat(digests)
  }

  private press(tight: boolean): void {
    this.tight = tight
    if (!tight) return
    for (const run of this.runs.values()) {
      this.guard(run, () => {
        this.spill(run)
      })
    }
  }

  /** Writes what waits, unhashed. */
  private spill(run: Run): void {
    for (const [extent, waiting] of run.waiting) {
      if (waiting.slot === null) continue
      this.write(run, extent, waiting.slot.bytes)
      this.outcome.freed.push(waiting.slot.ticket)
      waiting.slot = null
    }
  }

  /** A refused call ends the run. */
  private guard(run: Run, work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
      this.drop(run)
      this.outcome.ends.push({ run: run.id, good: false, fault: error.fault, blocks: null })
    }
  }

  private drop(run: Run | undefined): void {
    if (run === undefined) return
    this.runs.delete(run.id)
    for (const { slot } of run.waiting.values()) if (slot !== null) this.outcome.freed.push(slot.ticket)
    run.waiting.clear()
  }

  private write(run: Run, extent: number, bytes: Buffer): void {
    const { files } = run
    const spans = files.layout.spans(run.piece, extent * EXTENT_SIZE, bytes.length)
    files.inOneJob(() => {
      let at = 0
      for (const span of spans) {
        if (!span.pad) {
          const fd = files.forWriting(span.file)
          writeFully(fd, bytes.subarray(at, at + span.length), span.fileOffset, files.path(span.file))
        }
        at += span.length
      }
    })
  }

  private readBack(run: Run, extent: number, length: number): Buffer {
    const bytes = this.scratch.subarray(0, length)
    let at = 0
    for (const span of run.files.layout.spans(run.piece, extent * EXTENT_SIZE, length)) {
      const part = bytes.subarray(at, at + span.length)
      // A pad was not written and reads as zeros, whatever a peer sent for it (BEP 47).
      if (span.pad) part.fill(0)
      else if (
        !readFully(run.files.forWriting(span.file), part, span.fileOffset, run.files.path(span.file))
      ) {
        throw new FaultError({ code: 'EIO', operation: 'read', path: run.files.path(span.file) })
      }
      at += span.length
    }
    return bytes
  }
}
