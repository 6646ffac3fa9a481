/** Reads and hashes pieces of one torrent, in its turn, and commits what was found. */
import type { FileIndex, PieceIndex } from '../../shared/units.js'
import type { DiskFault, FileFound, Storage, VerifyJob } from '../ports/disk.js'
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
  /** Guarded files have bad pieces: nothing was committed, the records are as they were. */
  readonly ruined: (files: readonly FileIndex[], found: readonly FileFound[]) => void
}

export interface CheckInit {
  readonly pieces: readonly PieceIndex[]
  readonly volume: string
  /** See SurveyPlan. */
  readonly guarded: ReadonlySet<FileIndex>
  /** It lies there under its unfinished name: what no record claims of it was written by us. */
  readonly isPart: (file: FileIndex) => boolean
}

export class Check {
  readonly #init: CheckInit
  readonly #ports: CheckPorts
  /** Pieces looked at. */
  #done = 0
  readonly #good: PieceIndex[] = []
  readonly #bad: PieceIndex[] = []
  #job: VerifyJob | null = null
  #leave: () => void
  #over = false

  constructor(init: CheckInit, ports: CheckPorts) {
    this.#init = init
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
      this.#init.pieces,
      (piece, good) => {
        if (this.#over) return
        ;(good ? this.#good : this.#bad).push(piece)
        this.#ports.progress(++this.#done)
      },
      (fault) => {
        if (!this.#over) this.#read(fault)
      },
      (piece) => this.#isDoubtful(piece),
    )
  }

  /** Written by us and never recorded: its sync may have failed, and the page cache hide that. */
  #isDoubtful(piece: PieceIndex): boolean {
    const { recorded, layout } = this.#ports.content
    return !recorded.get(piece) && layout.filesOf(piece).some((file) => this.#init.isPart(file))
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
    storage.survey(true).then(
      (found) => {
        if (this.#over) return
        const ruined = this.#ruined()
        if (ruined.length > 0) {
          this.#over = true
          return this.#ports.ruined(ruined, found)
        }
        for (const piece of this.#bad) content.lose(piece)
        for (const piece of this.#good) content.record(piece)
        recorder.recordCheck(found, () => {
          if (!this.#over) this.#end(null)
        })
      },
      () => undefined,
    )
  }

  #ruined(): FileIndex[] {
    const { layout, recorded } = this.#ports.content
    const files = this.#bad
      .filter((piece) => recorded.get(piece))
      .flatMap((piece) => layout.filesOf(piece).filter((file) => this.#init.guarded.has(file)))
    return [...new Set(files)]
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
