/** The files of one torrent, main side: no file-system call, no hashing; only who is asked for what, and when. */
import { Layout } from '../../shared/torrent/layout.js'
import { EXTENT_SIZE, type FileIndex, type PieceIndex, type TorrentId } from '../../shared/units.js'
import type {
  DiskFault,
  FileFound,
  Frame,
  ReadRun,
  RemovalLook,
  Slot,
  Storage,
  StorageEvents,
  StorageSpec,
  VerifyJob,
} from '../ports/disk.js'
import type { Assembly, Hasher, Owner, Run } from './assembly.js'
import type { CheckCrew } from './check-crew.js'
import type { Answer, Ask, LaneJobs, Made, OpenAsk, StorageKey } from './jobs.js'
import type { Lane } from './lanes.js'
import { failureOf, MadeFiles } from './made.js'
import type { Reader } from './reader.js'
import type { SharedSlab } from './slab.js'
import { Dirty } from './sync.js'
import { Verification } from './verification.js'

const SNIFF_AT_ONCE = 64

export interface StorageInit {
  /** Of this opening; see StorageKey. */
  readonly key: StorageKey
  readonly spec: StorageSpec
}

export interface StoragePorts {
  readonly events: StorageEvents
  readonly assembly: Assembly
  readonly reader: Reader
  readonly crew: CheckCrew
  readonly slab: SharedSlab
  /** The lane of a folder's volume. */
  readonly laneOf: (dir: string) => Lane
}

/** An extent whose files are not made yet. */
interface Held {
  readonly run: Run
  readonly slot: Slot
  readonly memory: SharedArrayBuffer
  readonly extent: number
  readonly length: number
  readonly files: readonly FileIndex[]
}

type Settled = Answer<LaneJobs, 'sync'>

export class DiskStorage implements Storage, Owner {
  readonly torrent: TorrentId
  private readonly layout: Layout
  /** Pieces submitted and not answered. */
  private readonly runs = new Map<PieceIndex, Run>()
  /** Pieces that were bad and have not been good since. */
  private readonly suspects = new Set<PieceIndex>()
  /** In the order submitted. */
  private held: Held[] = []
  private readonly made: MadeFiles
  private readonly dirty = new Dirty()
  private readonly checks = new Set<Verification>()
  private lastCheck = 0
  /** The lane knows this storage. */
  private laneOpen = false
  /** So does the thread that syncs beside it. */
  private besideOpen = false
  /** What `bind` said last. */
  private volume: string | null = null
  /** Nothing is written or told any more. */
  private closed = false
  private readonly laneHasher: Hasher = {
    request: (kind, ask, done) => {
      this.request(kind, ask, done)
    },
  }
  /** Made at the first need: an idle torrent has no second copy of its digests. */
  private shared: OpenAsk | null = null

  constructor(
    private readonly init: StorageInit,
    private readonly ports: StoragePorts,
  ) {
    this.torrent = init.spec.torrent
    this.layout = new Layout(init.spec.files, init.spec.pieceLength)
    this.made = new MadeFiles({
      make: (files, done) => {
        if (!this.closed) this.request('make', { key: this.init.key, files }, done)
      },
      onMade: (made, again) => {
        this.takeMade(made, again)
      },
    })
  }

  expect(): void {
    this.ports.assembly.start()
  }

  makeReady(piece: PieceIndex): void {
    if (this.closed) return
    for (const file of this.layout.filesOf(piece)) if (!this.layout.isPad(file)) this.made.want(file)
  }

  submit(slot: Slot, piece: PieceIndex, extent: number, length: number): void {
    if (length !== this.layout.extentSize(piece, extent)) {
      throw new RangeError(`submit: ${String(length)} bytes for extent ${String(extent)}`)
    }
    const memory = this.ports.slab.handOver(slot)
    if (this.closed) {
      this.ports.slab.release(slot)
      return
    }
    const run = this.runs.get(piece) ?? this.begin(piece)
    const files = this.filesOf(piece, extent, length)
    if (files.every((file) => this.made.isReady(file))) {
      this.ports.assembly.send(run, slot, memory, extent, length)
      return
    }
    this.held.push({ run, slot, memory, extent, length, files })
    for (const file of files) this.made.want(file)
  }

  forget(piece: PieceIndex): void {
    const run = this.runs.get(piece)
    if (run === undefined) return
    this.runs.delete(piece)
    this.ports.assembly.forget(run)
    this.releaseHeld((held) => held.run === run)
  }

  read(run: ReadRun, done: (frame: Frame | null, fault: DiskFault | null) => void): () => void {
    if (this.closed) return () => undefined
    this.openLane()
    return this.ports.reader.read(this.init.key, this.ports.laneOf(this.init.spec.dir), run, done)
  }

  get short(): boolean {
    return this.ports.reader.short
  }

  async survey(again = false): Promise<FileFound[]> {
    this.ports.reader.forget(this.init.key)
    // What a worker still writes, forgotten or not, would move the mtime behind our back.
    await this.ports.assembly.quiet(this.init.key)
    if (this.closed) return []
    const found = await this.ask('survey', { key: this.init.key, again })
    for (const { file, name } of found) if (name !== 'part') this.made.invalidate(file)
    return found
  }

  bind(volume: string): void {
    if (this.closed) return
    this.volume = volume
    this.request('bind', { key: this.init.key, volume }, () => undefined)
    if (this.besideOpen) this.requestBeside('bind', { key: this.init.key, volume }, () => undefined)
  }

  async prepare(files: readonly FileIndex[]): Promise<DiskFault | null> {
    if (this.closed) return this.cancelled('mkdir')
    const made = await this.ask('prepare', { key: this.init.key, files })
    this.dirty.addFolders(made.folders)
    for (const { file } of made.made) this.dirty.addFile(file)
    return made.failed[0]?.fault ?? null
  }

  async sync(also: readonly FileIndex[] = []): Promise<Settled> {
    if (this.closed) return { files: [], fault: this.cancelled('sync') }
    for (const file of also) this.dirty.addFile(file)
    const lost = this.made.takeLost()[0]
    const round = this.dirty.begin()
    if (round === null) return { files: [], fault: null }
    const files = round.files.map((file) => ({ file, ino: this.made.inoOf(file) }))
    const answer = await this.syncRound({ key: this.init.key, files, folders: round.folders })
    const fault = answer.fault ?? (lost === undefined ? null : this.fault('ESTALE', 'sync', lost))
    if (fault === null) return answer
    this.dirty.failed(round)
    return { files: [], fault }
  }

  async finish(files: readonly FileIndex[]): Promise<Settled> {
    if (this.closed) return { files: [], fault: this.cancelled('rename') }
    // Before and after: a job that makes one of them may be under way.
    for (const file of files) this.made.invalidate(file)
    const answer = await this.ask('finish', { key: this.init.key, files })
    for (const file of files) this.made.invalidate(file)
    this.ports.assembly.closeFiles(this.init.key, files)
    return answer
  }

  verify(
    pieces: readonly PieceIndex[],
    onPiece: (piece: PieceIndex, good: boolean) => void,
    done: (fault: DiskFault | null) => void,
    doubtful: (piece: PieceIndex) => boolean = () => false,
  ): VerifyJob {
    if (this.closed) return { cancel: () => undefined }
    const { key } = this.init
    const name = `${String(key)}/${String((this.lastCheck += 1))}`
    const check = new Verification(
      {
        key,
        name,
        pieces,
        layout: this.layout,
        digests: this.openAsk().digests,
        doubtful,
      },
      {
        crew: this.ports.crew,
        lane: () => this.ports.laneOf(this.init.spec.dir).line,
        load: (ask, answered) => {
          this.request('load', ask, answered)
        },
        onPiece,
        onRewritten: (files) => {
          for (const file of files) this.dirty.addFile(file)
        },
        done: (fault) => {
          this.checks.delete(check)
          done(fault)
        },
      },
    )
    this.checks.add(check)
    return check
  }

  /** In jobs of 64 pieces, so that reads pass between them. */
  async sniff(pieces: readonly PieceIndex[]): Promise<PieceIndex[]> {
    const found: PieceIndex[] = []
    for (let at = 0; at < pieces.length && !this.closed; at += SNIFF_AT_ONCE) {
      const some = pieces.slice(at, at + SNIFF_AT_ONCE)
      found.push(...(await this.ask('sniff', { key: this.init.key, pieces: some })))
    }
    return found
  }

  async planRemoval(): Promise<RemovalLook | DiskFault> {
    if (this.closed) return this.cancelled('stat')
    return this.ask('planRemoval', { key: this.init.key })
  }

  async remove(): Promise<DiskFault | null> {
    const { key } = this.init
    await this.quiet()
    const fault = await this.ask('remove', { key })
    await this.closeLane()
    return fault
  }

  async close(): Promise<void> {
    await this.quiet()
  }

  // What the assembly asks.

  openAsk(): OpenAsk {
    if (this.shared !== null) return this.shared
    const { dir, files, pieceLength, digests } = this.init.spec
    const copy = new Uint8Array(new SharedArrayBuffer(digests.length))
    copy.set(digests)
    this.shared = { key: this.init.key, dir, files, pieceLength, digests: copy }
    return this.shared
  }

  lane(): Hasher {
    return this.laneHasher
  }

  written(piece: PieceIndex, extent: number, length: number): void {
    for (const file of this.filesOf(piece, extent, length)) this.dirty.addFile(file)
  }

  ended(piece: PieceIndex, good: boolean, fault: DiskFault | null, blocks: Uint8Array | null): void {
    this.runs.delete(piece)
    if (fault !== null) {
      // It may be gone, or another one: looked at before the next write.
      for (const file of this.layout.filesOf(piece)) this.made.invalidate(file)
      this.releaseHeld((held) => held.run.piece === piece)
      this.ports.events.writeFailed(piece, fault)
    } else if (good) {
      this.suspects.delete(piece)
      this.ports.events.pieceGood(piece, blocks)
    } else {
      this.suspects.add(piece)
      this.ports.events.pieceBad(piece, blocks)
    }
  }

  private begin(piece: PieceIndex): Run {
    this.ports.reader.forget(this.init.key, piece)
    const run = this.ports.assembly.begin(this.init.key, this, piece, this.suspects.has(piece))
    this.runs.set(piece, run)
    return run
  }

  private takeMade(made: Made, again: readonly FileIndex[]): void {
    this.dirty.addFolders(made.folders)
    for (const { file } of made.made) this.dirty.addFile(file)
    if (again.length > 0) this.closeFiles(again)
    const failed = new Map<Run, DiskFault>()
    for (const { run, files } of this.held) {
      const fault = failureOf(made, files)
      if (fault !== null) failed.set(run, fault)
    }
    this.releaseHeld((held) => failed.has(held.run))
    this.sendReady()
    for (const [run, fault] of failed) {
      if (this.runs.get(run.piece) !== run) continue
      this.runs.delete(run.piece)
      this.ports.assembly.forget(run)
      this.ports.events.writeFailed(run.piece, fault)
    }
  }

  private sendReady(): void {
    const held = this.held
    this.held = []
    for (const one of held) {
      if (one.files.every((file) => this.made.isReady(file))) {
        this.ports.assembly.send(one.run, one.slot, one.memory, one.extent, one.length)
        continue
      }
      this.held.push(one)
      for (const file of one.files) this.made.want(file)
    }
  }

  private releaseHeld(which: (held: Held) => boolean): void {
    const gone = this.held.filter(which)
    this.held = this.held.filter((held) => !gone.includes(held))
    for (const { slot } of gone) this.ports.slab.release(slot)
  }

  /** Ends what is under way; resolves when no worker has a descriptor or a slot of ours. */
  private async quiet(): Promise<void> {
    this.closed = true
    for (const check of this.checks) check.drop()
    this.checks.clear()
    this.runs.clear()
    this.releaseHeld(() => true)
    this.ports.reader.close(this.init.key)
    await Promise.all([this.ports.assembly.close(this.init.key), this.closeBeside(), this.closeLane()])
  }

  private async closeLane(): Promise<void> {
    if (!this.laneOpen) return
    this.laneOpen = false
    const outcome = await this.ports.laneOf(this.init.spec.dir).ask('close', { key: this.init.key })
    this.ports.assembly.settle(outcome)
  }

  /** Descriptors of these lead elsewhere. */
  private closeFiles(files: readonly FileIndex[]): void {
    this.ports.assembly.closeFiles(this.init.key, files)
    if (this.besideOpen) this.requestBeside('closeFiles', { key: this.init.key, files }, () => undefined)
  }

  private syncRound(ask: Ask<LaneJobs, 'sync'>): Promise<Settled> {
    if (!this.besideOpen) {
      if (!this.ports.laneOf(this.init.spec.dir).syncsBeside) return this.ask('sync', ask)
      this.besideOpen = true
      const { key } = this.init
      this.requestBeside('open', this.openAsk(), () => undefined)
      if (this.volume !== null) this.requestBeside('bind', { key, volume: this.volume }, () => undefined)
    }
    return new Promise((resolve) => {
      this.requestBeside('sync', ask, resolve)
    })
  }

  /** After the sync under way: nothing of it is left when the files are moved or deleted. */
  private closeBeside(): Promise<void> {
    if (!this.besideOpen) return Promise.resolve()
    this.besideOpen = false
    return new Promise((resolve) => {
      this.requestBeside('close', { key: this.init.key }, () => {
        resolve()
      })
    })
  }

  private requestBeside<K extends keyof LaneJobs>(
    kind: K,
    ask: Ask<LaneJobs, K>,
    done: (answer: Answer<LaneJobs, K>) => void,
  ): void {
    this.ports.laneOf(this.init.spec.dir).requestBeside(kind, ask, done)
  }

  /** Files with bytes in an extent, pads left out. */
  private filesOf(piece: PieceIndex, extent: number, length: number): FileIndex[] {
    const spans = this.layout.spans(piece, extent * EXTENT_SIZE, length)
    return spans.filter((span) => !span.pad).map((span) => span.file)
  }

  private cancelled(operation: string): DiskFault {
    return { code: 'ECANCELED', operation, path: this.init.spec.dir }
  }

  private fault(code: string, operation: string, file: FileIndex): DiskFault {
    const { dir, files } = this.init.spec
    return { code, operation, path: `${dir}/${files[file]?.path ?? ''}` }
  }

  private ask<K extends keyof LaneJobs>(kind: K, ask: Ask<LaneJobs, K>): Promise<Answer<LaneJobs, K>> {
    return new Promise((resolve) => {
      this.request(kind, ask, resolve)
    })
  }

  private request<K extends keyof LaneJobs>(
    kind: K,
    ask: Ask<LaneJobs, K>,
    done: (answer: Answer<LaneJobs, K>) => void,
  ): void {
    this.openLane()
    this.ports.laneOf(this.init.spec.dir).request(kind, ask, done)
  }

  private openLane(): void {
    if (this.laneOpen) return
    this.laneOpen = true
    this.ports.laneOf(this.init.spec.dir).request('open', this.openAsk(), () => undefined)
  }
}
