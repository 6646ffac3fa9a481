/** Reads and hashes pieces of one torrent, in its turn, and commits what was found. */
import type { FileIndex, PieceIndex } from '../../shared/units.js'
import type { DiskFault, Storage, VerifyJob } from '../ports/disk.js'
import type { Content } from './content.js'
import type { Recorder } from './recorder.js'

/** One check reads at a time on each volume: two would only make one disk seek. */
export interface CheckGate {
  /** Calls `go` when it is this one's turn; the result gives the turn (or the place in the queue) back. */
  enter(volume: string, go: () => void): () => void
}

export interface CheckPorts {
  readonly content: Content
  readonly storage: Storage
  readonly recorder: Recorder
  readonly gate: CheckGate
  /** The turn came. */
  readonly begun: () => void
  /** `done` pieces of the check were looked at. */
  readonly progress: (done: number) => void
  /** Committed, or given up with a fault. Not called after `cancel`. */
  readonly finished: (fault: DiskFault | null) => void
}

export class Check {
  readonly #pieces: readonly PieceIndex[]
  readonly #ports: CheckPorts
  /** Pieces looked at. */
  #done = 0
  readonly #good: PieceIndex[] = []
  readonly #bad: PieceIndex[] = []
  #job: VerifyJob | null = null
  #leave: () => void
  #over = false

  constructor(init: { readonly pieces: readonly PieceIndex[]; readonly volume: string }, ports: CheckPorts) {
    this.#pieces = init.pieces
    this.#ports = ports
    this.#leave = () => undefined
    this.#leave = ports.gate.enter(init.volume, () => {
      this.#begin()
    })
  }

  cancel(): void {
    if (this.#over) return
    this.#over = true
    this.#job?.cancel()
    this.#leave()
  }

  #begin(): void {
    if (this.#over) return
    this.#ports.begun()
    this.#job = this.#ports.storage.verify(
      this.#pieces,
      (piece, good) => {
        if (this.#over) return
        ;(good ? this.#good : this.#bad).push(piece)
        this.#ports.progress(++this.#done)
      },
      (fault) => {
        if (!this.#over) this.#read(fault)
      },
    )
  }

  #read(fault: DiskFault | null): void {
    // The next one may read while this one is synced and committed.
    this.#leave()
    if (fault !== null) return this.#end(fault)
    // What was found is not ours to believe synced: it may have been copied there a second ago.
    this.#ports.storage.sync(this.#files()).then(
      ({ fault: unsynced }) => {
        if (this.#over) return
        if (unsynced !== null) return this.#end(unsynced)
        this.#record()
      },
      () => undefined,
    )
  }

  /** The facts of every file, those with nothing good in them too: they were looked at, and need not be again. */
  #record(): void {
    const { content, recorder, storage } = this.#ports
    storage.survey().then(
      (found) => {
        if (this.#over) return
        for (const piece of this.#bad) content.lose(piece)
        for (const piece of this.#good) content.record(piece)
        recorder.recordCheck(found, () => {
          if (!this.#over) this.#end(null)
        })
      },
      () => undefined,
    )
  }

  #files(): FileIndex[] {
    const files = new Set<FileIndex>()
    for (const piece of this.#good)
      for (const file of this.#ports.content.layout.filesOf(piece)) files.add(file)
    return [...files].filter((file) => this.#ports.content.files[file]?.pad === false)
  }

  #end(fault: DiskFault | null): void {
    this.#over = true
    this.#leave()
    this.#ports.finished(fault)
  }
}
