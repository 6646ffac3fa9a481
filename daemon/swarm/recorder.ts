/**
 * What is on the disk is what is claimed: verified pieces wait here until their bytes are synced, and only then one
 * transaction sets their bits together with the size and mtime of their files. Before the first write to a file its
 * `writing` mark is committed, so that a kill between our write and our record is not taken for a stranger's change.
 */
import type { FileIndex, Millis, PieceIndex, TorrentId } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { DiskFault, FileFound, Storage } from '../ports/disk.js'
import type { FileStatRow, HaveRound, Store } from '../ports/store.js'
import type { Content } from './content.js'

const CHUNK_BYTES = 2048
/** So many files are marked with one commit where so many will be written: one commit for each is one sync for each. */
const MARKED_AT_ONCE = 2048

export interface RecorderInit {
  readonly torrent: TorrentId
  readonly content: Content
  /** The data were checked once since they were added. */
  readonly checked: boolean
  readonly completedAt: Millis | null
  /** A round starts once so many bytes wait. */
  readonly roundBytes?: number
  /** A round starts so long after the first piece began to wait. */
  readonly roundMillis?: Millis
  /** A failed commit is tried again after this. */
  readonly retryMillis?: Millis
}

export interface RecorderListener {
  /** Committed. `finished` files are complete and have their names, unless `finishFailed` came before; then so are their facts. */
  recorded(pieces: readonly PieceIndex[], finished: readonly FileIndex[]): void
  /** The sync failed: these pieces claim nothing any more, though they were verified. */
  voided(pieces: readonly PieceIndex[], fault: DiskFault): void
  /** The store failed with this code, or works again (null). */
  storeTrouble(code: string | null): void
  /** A finished file could not get its name. */
  finishFailed(fault: DiskFault): void
  /** Marks were committed: extents that waited may be submitted. */
  marked(): void
}

export interface RecorderPorts {
  readonly clock: Clock
  readonly storage: Storage
  readonly store: Store
  readonly listener: RecorderListener
}

export class Recorder {
  readonly #init: RecorderInit
  readonly #ports: RecorderPorts
  readonly #content: Content
  /** Verified, written, not committed. */
  readonly #pending = new Set<PieceIndex>()
  /** Bytes of the pending pieces. */
  #pendingBytes = 0
  /** Files whose `writing` mark is committed. */
  readonly #marked = new Set<FileIndex>()
  /** Files whose mark is asked for and not yet committed. */
  readonly #marking = new Set<FileIndex>()
  /** Pieces of the round under way; empty when none is. */
  #round: PieceIndex[] = []
  /** A round is under way, from sync to commit. */
  #busy = false
  /** The timer of the next round or retry. */
  #timer: Cancel | null = null
  /** Called when nothing is pending and nothing under way. */
  readonly #idle: (() => void)[] = []
  /** Set by the first whole check. */
  #checked: boolean
  /** Date of the commit that completed the wanted files; set after that commit. */
  #completedAt: Millis | null
  /** Pieces taken back while a round was under way: their bits are to be committed once more. */
  readonly #takenBack = new Set<PieceIndex>()
  /** No completion is looked at any more. */
  #closed = false

  constructor(init: RecorderInit, ports: RecorderPorts) {
    this.#init = init
    this.#ports = ports
    this.#content = init.content
    this.#checked = init.checked
    this.#completedAt = init.completedAt
    for (const fact of init.content.facts.values()) if (fact.writing) this.#marked.add(fact.file)
  }

  get completedAt(): Millis | null {
    return this.#completedAt
  }
  get pending(): number {
    return this.#pending.size
  }

  /** True when every file of the piece is durably marked; else asks for the marks and answers by `marked`. */
  mayWrite(piece: PieceIndex): boolean {
    let ready = true
    const missing: FileIndex[] = []
    for (const file of this.#content.layout.filesOf(piece)) {
      if (this.#content.files[file]?.pad !== false || this.#marked.has(file)) continue
      ready = false
      if (!this.#marking.has(file)) missing.push(file)
    }
    if (missing.length > 0) this.#mark(this.#withNext(missing))
    return ready
  }

  /**
   * These files and, up to a bound, those behind them that will be written later. A mark makes a restart believe what
   * is recorded of a file, so only files of which nothing is are marked before their time.
   */
  #withNext(missing: FileIndex[]): FileIndex[] {
    const content = this.#content
    const files = [...missing]
    for (let file = (missing.at(-1) ?? 0) + 1; file < content.files.length; file++) {
      if (files.length >= MARKED_AT_ONCE) break
      if (this.#marked.has(file) || this.#marking.has(file)) continue
      if (content.isFileWanted(file) && content.isUntouched(file)) files.push(file)
    }
    return files
  }

  /** A piece was verified and written. */
  add(piece: PieceIndex): void {
    if (this.#pending.has(piece)) return
    this.#pending.add(piece)
    this.#pendingBytes += this.#content.layout.pieceSize(piece)
    this.#schedule()
  }

  /** Takes a piece out that turned out to be unreadable or changed. */
  drop(piece: PieceIndex): void {
    if (this.#pending.delete(piece)) this.#pendingBytes -= this.#content.layout.pieceSize(piece)
  }

  /** A recorded or pending piece cannot be read: it is had no more, and its bit is taken back durably. */
  takeBack(piece: PieceIndex): void {
    this.drop(piece)
    this.#content.lose(piece)
    this.#takenBack.add(piece)
    if (!this.#busy) this.#commitTakenBack()
  }

  /** A file is not what was recorded, whatever its size and times say: the next start hashes it. */
  distrust(file: FileIndex): void {
    const fact = this.#content.facts.get(file)
    if (fact === undefined || this.#closed) return
    const row = { ...fact, mtimeNs: '0', writing: false }
    this.#content.facts.set(file, row)
    this.#commitAside(
      () => this.#row([], [row], this.#content.doneBytes),
      () => undefined,
    )
  }

  /** Commits at once what a check found: every bit, the facts given, and that a check was done. */
  recordCheck(facts: readonly FileFound[], then: () => void): void {
    this.#checked = true
    for (const found of facts) {
      if (found.name === 'missing') this.#content.facts.delete(found.file)
      else this.#content.facts.set(found.file, this.#fact(found))
    }
    const completedAt = this.#completionWith([])
    const row = (): HaveRound =>
      this.#row(this.#allChunks(), [...this.#content.facts.values()], this.#content.doneBytes, completedAt)
    this.#commitAside(row, () => {
      this.#completedAt = completedAt
      then()
    })
  }

  /** Commits the wanted bytes after another choice of files. */
  noteChoice(): void {
    const completedAt = this.#content.complete ? this.#completionWith([]) : null
    this.#commitAside(
      () => this.#row([], [], this.#content.doneBytes, completedAt),
      () => {
        this.#completedAt = completedAt
      },
    )
  }

  /** A round now; `done` when nothing is pending, or the round failed. */
  flush(done: () => void): void {
    if (this.#closed) return done()
    this.#idle.push(done)
    this.#cancelTimer()
    this.#startRound()
  }

  /** Last round, then the marks are taken off; `done` after the commit, or where it cannot be had. */
  close(done: () => void): void {
    if (this.#closed) return done()
    this.flush(() => {
      const end = (): void => {
        this.#closed = true
        this.#cancelTimer()
        done()
      }
      if (this.#marked.size === 0) return end()
      this.#ports.storage.survey().then(
        (found) => {
          // One that was marked and never made has a row that fits no file: whatever lies there later is looked at.
          const facts = found
            .filter(({ file }) => this.#marked.has(file))
            .filter(({ file, name }) => name !== 'missing' || this.#content.isUntouched(file))
            .map((file) => ({ ...this.#fact(file), writing: false }))
          this.#ports.store.recordRound(this.#row([], facts, this.#content.doneBytes)).then(end, end)
        },
        () => {
          end()
        },
      )
    })
  }

  /** Drops everything without a commit: the torrent is being removed. */
  abandon(): void {
    this.#closed = true
    this.#cancelTimer()
    this.#pending.clear()
    this.#pendingBytes = 0
    this.#settle()
  }

  #mark(files: FileIndex[]): void {
    for (const file of files) this.#marking.add(file)
    this.#ports.store.markWriting(this.#init.torrent, files).then(
      () => {
        for (const file of files) {
          this.#marking.delete(file)
          this.#marked.add(file)
        }
        if (this.#closed) return
        this.#ports.listener.storeTrouble(null)
        this.#ports.listener.marked()
      },
      (error: unknown) => {
        for (const file of files) this.#marking.delete(file)
        if (this.#closed) return
        this.#ports.listener.storeTrouble(codeOf(error))
        this.#ports.clock.after(this.#retryMillis, () => {
          if (!this.#closed) this.#ports.listener.marked()
        })
      },
    )
  }

  #schedule(): void {
    if (this.#busy || this.#closed) return
    if (this.#pendingBytes >= (this.#init.roundBytes ?? 32 * 1024 * 1024)) {
      this.#cancelTimer()
      this.#startRound()
    } else {
      this.#timer ??= this.#ports.clock.after(this.#init.roundMillis ?? 3000, () => {
        this.#timer = null
        this.#startRound()
      })
    }
  }

  #startRound(): void {
    if (this.#busy || this.#closed) return
    if (this.#pending.size === 0) return this.#settle()
    this.#busy = true
    this.#round = [...this.#pending]
    this.#ports.storage.sync().then(
      (synced) => {
        this.#synced(synced.files, synced.fault)
      },
      () => {
        this.#endRound()
      },
    )
  }

  #synced(files: readonly FileFound[], fault: DiskFault | null): void {
    if (this.#closed) return this.#endRound()
    if (fault !== null) return this.#void(fault)
    const round = this.#round.filter((piece) => this.#pending.has(piece))
    for (const found of files) this.#content.facts.set(found.file, this.#fact(found))
    // Files that this round finishes are written down once more when they have their names: until then their mark says
    // all that a restart wants to know.
    const finished = new Set(this.#content.finishedBy(round))
    const facts = files.filter(({ file }) => !finished.has(file)).map((found) => this.#fact(found))
    const done = round.reduce(
      (sum, piece) => sum + this.#content.wantedBytesOf(piece),
      this.#content.doneBytes,
    )
    this.#commit(
      this.#row(this.#chunksOf(round), facts, done),
      () => {
        this.#committed(round)
      },
      () => {
        this.#roundFailed()
      },
    )
  }

  /** Not the round alone: what was written while it ran may have been lost with it, and the next sync would not tell. */
  #void(fault: DiskFault): void {
    const lost = [...this.#pending]
    for (const piece of lost) this.drop(piece)
    this.#ports.listener.voided(lost, fault)
    this.#endRound()
  }

  /** What is said to be complete lies there under its name, and that is committed, too. */
  #committed(committed: readonly PieceIndex[]): void {
    // Without those that were taken back meanwhile.
    const round = committed.filter((piece) => this.#pending.has(piece))
    const finished = this.#content.finishedBy(round)
    if (finished.length === 0) return this.#record(round)
    this.#ports.storage.finish(finished).then(
      ({ files, fault }) => {
        if (this.#closed) return this.#endRound()
        if (fault !== null) this.#ports.listener.finishFailed(fault)
        this.#commitNames(files, fault === null ? round : null, {
          then: () => {
            this.#record(round)
          },
          failed: () => {
            this.#roundFailed()
          },
        })
      },
      () => {
        this.#endRound()
      },
    )
  }

  /** Facts of files that have their names now, and the date where `round` completes what is wanted; null: it does not. */
  #commitNames(
    files: readonly FileFound[],
    round: readonly PieceIndex[] | null,
    after: { readonly then: () => void; readonly failed: () => void },
  ): void {
    const facts = files.map((file) => ({ ...this.#fact(file), writing: false }))
    const completedAt = round === null ? this.#completedAt : this.#completionWith(round)
    const done = (round ?? []).reduce((sum, piece) => sum + this.#newBytesOf(piece), this.#content.doneBytes)
    if (facts.length === 0 && completedAt === this.#completedAt) return after.then()
    this.#commit(
      this.#row([], facts, done, completedAt),
      () => {
        for (const fact of facts) {
          this.#content.facts.set(fact.file, fact)
          this.#marked.delete(fact.file)
        }
        this.#completedAt = completedAt
        after.then()
      },
      after.failed,
    )
  }

  #newBytesOf(piece: PieceIndex): number {
    return this.#content.recorded.get(piece) ? 0 : this.#content.wantedBytesOf(piece)
  }

  #record(named: readonly PieceIndex[]): void {
    if (this.#closed) return this.#endRound()
    const finished: FileIndex[] = []
    const round = named.filter((piece) => this.#pending.has(piece))
    for (const piece of round) {
      this.drop(piece)
      finished.push(...this.#content.record(piece))
    }
    this.#ports.listener.recorded(round, finished)
    this.#endRound()
  }

  /**
   * Gives files their name whose pieces are recorded already, and commits that. `then` says whether a file could not
   * get it, and whether everything wanted is complete by it.
   */
  finish(files: readonly FileIndex[], then: (fault: DiskFault | null, completes: boolean) => void): void {
    this.#ports.storage.finish(files).then(
      ({ files: found, fault }) => {
        if (this.#closed) return
        const was = this.#completedAt
        const commit = (): void => {
          this.#commitNames(found, fault === null ? [] : null, {
            then: () => {
              then(fault, was === null && this.#completedAt !== null)
            },
            failed: () => {
              this.#later(commit)
            },
          })
        }
        commit()
      },
      () => undefined,
    )
  }

  #later(again: () => void): void {
    this.#ports.clock.after(this.#retryMillis, () => {
      if (!this.#closed) again()
    })
  }

  /** Commits now; on a failure tells the listener, calls `failed`, and leaves the retry to it. */
  #commit(row: HaveRound, then: () => void, failed: () => void): void {
    this.#ports.store.recordRound(row).then(
      () => {
        if (this.#closed) return this.#settle()
        this.#ports.listener.storeTrouble(null)
        then()
      },
      (error: unknown) => {
        if (this.#closed) return this.#settle()
        this.#ports.listener.storeTrouble(codeOf(error))
        failed()
      },
    )
  }

  /** Commits a row apart from the rounds, and tries again until it is in. */
  #commitAside(row: () => HaveRound, then: () => void): void {
    this.#commit(row(), then, () => {
      this.#later(() => {
        this.#commitAside(row, then)
      })
    })
  }

  #commitTakenBack(): void {
    if (this.#takenBack.size === 0 || this.#closed) return
    const chunks = new Set([...this.#takenBack].map((piece) => Math.floor(piece / 8 / CHUNK_BYTES)))
    this.#takenBack.clear()
    const { bytes } = this.#content.recorded
    this.#commitAside(
      () =>
        this.#row(
          [...chunks].map((chunk) => ({ chunk, bits: chunkOf(bytes, chunk) })),
          [],
          this.#content.doneBytes,
        ),
      () => undefined,
    )
  }

  /** The round could not be committed: its pieces stay pending, and whoever waits for it waits no longer. */
  #roundFailed(): void {
    this.#busy = false
    this.#round = []
    this.#commitTakenBack()
    this.#settle()
    if (this.#closed) return
    this.#timer ??= this.#ports.clock.after(this.#retryMillis, () => {
      this.#timer = null
      this.#startRound()
    })
  }

  #endRound(): void {
    this.#busy = false
    this.#round = []
    this.#commitTakenBack()
    if (this.#pending.size === 0) this.#settle()
    else if (this.#idle.length > 0) this.#startRound()
    else this.#schedule()
  }

  #settle(): void {
    for (const done of this.#idle.splice(0)) done()
  }

  /** The date to be committed with these. */
  #completionWith(round: readonly PieceIndex[]): Millis | null {
    if (this.#completedAt !== null || !this.#content.completeWith(round)) return this.#completedAt
    return this.#ports.clock.wall()
  }

  #row(
    chunks: HaveRound['chunks'],
    files: readonly FileStatRow[],
    done: number,
    completedAt = this.#completedAt,
  ): HaveRound {
    return { torrent: this.#init.torrent, chunks, files, done, completedAt, checked: this.#checked }
  }

  #fact(found: FileFound): FileStatRow {
    const writing = this.#marked.has(found.file)
    return { file: found.file, size: found.size, mtimeNs: found.mtimeNs, ino: found.ino, writing }
  }

  #chunksOf(pieces: readonly PieceIndex[]): HaveRound['chunks'] {
    const bits = this.#content.recorded.clone()
    const numbers = new Set<number>()
    for (const piece of pieces) {
      bits.set(piece)
      numbers.add(Math.floor(piece / 8 / CHUNK_BYTES))
    }
    return [...numbers].map((chunk) => ({ chunk, bits: chunkOf(bits.bytes, chunk) }))
  }

  #allChunks(): HaveRound['chunks'] {
    const { bytes } = this.#content.recorded
    const count = Math.ceil(bytes.length / CHUNK_BYTES)
    return Array.from({ length: count }, (_, chunk) => ({ chunk, bits: chunkOf(bytes, chunk) }))
  }

  get #retryMillis(): Millis {
    return this.#init.retryMillis ?? 5000
  }

  #cancelTimer(): void {
    this.#timer?.()
    this.#timer = null
  }
}

function chunkOf(bytes: Uint8Array, chunk: number): Uint8Array {
  return bytes.slice(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES)
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return 'UNKNOWN'
}
