/** A disk in virtual time that keeps a tag of each block: it takes a while, may fail, and knows a lie. */
import type {
  Disk,
  DiskFault,
  DiskPressure,
  FileFound,
  Frame,
  ReadRun,
  Slab,
  Slot,
  SpaceView,
  Storage,
  StorageEvents,
  StorageSpec,
  Waits,
  VerifyJob,
} from '../../../daemon/ports/disk.js'
import { BLOCK_SIZE, type Bytes, EXTENT_SIZE, type Millis, type PieceIndex } from '../../../shared/units.js'
import type { SimClock } from './sim-clock.js'
import { type SimTorrent, TAG } from './sim-torrent.js'

const BLOCKS = EXTENT_SIZE / BLOCK_SIZE
/** SHA-1. */
const DIGEST = 20

export interface SimDiskInit {
  /** What a read or a write costs besides its bytes. */
  readonly delay?: Millis
  /** Bytes a second, read and written in one queue. */
  readonly rate?: number
  /** The slab's limit; 48 MiB where left out. */
  readonly slots?: number
  /** A code where this operation fails now. */
  readonly fault?: (operation: 'read' | 'write' | 'sync', now: Millis) => string | null
}

interface SimSlot extends Slot {
  readonly tags: Buffer
}

/** Slots of 8 bytes a block: what is copied into a block's part beyond its tag goes nowhere. */
class SimSlab implements Slab {
  readonly capacity: number
  private used = 0
  private readonly spare: SimSlot[] = []
  private listener: (() => void) | null = null
  private told = true

  constructor(
    slots: number,
    private readonly clock: SimClock,
  ) {
    this.capacity = slots
  }

  get available(): number {
    return this.capacity - this.used
  }

  take(): Slot | null {
    if (this.used >= this.capacity) return null
    this.used++
    const slot = this.spare.pop() ?? makeSlot(this.used)
    slot.tags.fill(0)
    return slot
  }

  free(slot: Slot): void {
    slot.released?.()
    slot.released = null
    this.used--
    this.spare.push(slot as SimSlot)
    if (this.listener === null || !this.told) return
    this.told = false
    this.clock.at(0, () => {
      this.told = true
      this.listener?.()
    })
  }

  onFree(listener: () => void): void {
    this.listener = listener
  }
}

function makeSlot(index: number): SimSlot {
  const tags = Buffer.alloc(BLOCKS * TAG)
  const parts = Array.from({ length: BLOCKS }, (_, block) =>
    partOf(tags.subarray(block * TAG, (block + 1) * TAG)),
  )
  const view = Buffer.alloc(0)
  view.subarray = (from = 0): Buffer<ArrayBuffer> => parts[from / BLOCK_SIZE] ?? view
  return { index, view, tags }
}

/** A block's part of a slot: it takes the bytes of the whole block, and keeps the tag. */
function partOf(tag: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const part = Buffer.alloc(0)
  part.fill = (value: string | number | Uint8Array, at?: unknown): typeof part => {
    const from = Number(at ?? 0)
    if (from < TAG && value instanceof Uint8Array) tag.set(value.subarray(0, TAG - from), from)
    return part
  }
  return part
}

export class SimDisk implements Disk {
  readonly slab: SimSlab
  /** Of the one torrent; made by `open`. */
  storage: SimStorage | null = null
  /** Reads, writes and bytes of them. */
  reads = 0
  writes = 0
  /** Verified pieces, from the start or since. */
  readonly good: Uint8Array
  goodCount = 0
  private freeAt: Millis = 0

  constructor(
    private readonly init: SimDiskInit,
    readonly clock: SimClock,
    readonly torrent: SimTorrent,
    /** A piece was verified here. */
    readonly gained: (piece: PieceIndex) => void,
    /** This node sends lies for these pieces. */
    readonly lies: (piece: PieceIndex, offset: Bytes) => boolean,
  ) {
    this.slab = new SimSlab(init.slots ?? 192, clock)
    this.good = new Uint8Array(torrent.pieceCount)
  }

  fill(): void {
    this.good.fill(1)
    this.goodCount = this.good.length
  }

  keep(piece: PieceIndex): void {
    if (this.good[piece] === 1) return
    this.good[piece] = 1
    this.goodCount++
    this.gained(piece)
  }

  fault(operation: 'read' | 'write' | 'sync'): DiskFault | null {
    const code = this.init.fault?.(operation, this.clock.now()) ?? null
    return code === null ? null : { code, operation, path: '/data/content' }
  }

  /** Runs when the disk has moved so many bytes, after what it was asked before. */
  job(bytes: Bytes, done: () => void): void {
    const { delay = 1, rate = 200_000_000 } = this.init
    this.freeAt = Math.max(this.clock.now(), this.freeAt) + (bytes * 1000) / rate
    this.clock.at(this.freeAt + delay, done)
  }

  ask<T>(answer: () => T): Promise<T> {
    this.clock.stir()
    return new Promise((resolve) => {
      this.job(0, () => {
        this.clock.stir()
        resolve(answer())
      })
    })
  }

  open(spec: StorageSpec, events: StorageEvents): Storage {
    this.storage = new SimStorage(spec, events, this)
    return this.storage
  }

  mover(): never {
    throw new Error('nothing is moved in the virtual world')
  }

  mark(): Promise<null> {
    return Promise.resolve(null)
  }
  makeBelow(): Promise<null> {
    return Promise.resolve(null)
  }
  dropBelow(): Promise<null> {
    return Promise.resolve(null)
  }
  prepareDir(): Promise<SpaceView | DiskFault> {
    return this.space()
  }
  space(): Promise<SpaceView | DiskFault> {
    return this.ask(() => ({ freeBytes: 1e12, volume: '1', reserve: 0, marker: null }))
  }
  waits(_dir: string): Waits {
    return { oldest: 0, silent: false }
  }

  pressure(): DiskPressure {
    return {
      hash: 0,
      lanes: 0,
      reads: 0,
      checks: 0,
      oldest: 0,
      frameBytes: 0,
      checkBytes: 0,
      write: { last: null, slowest: null },
      sync: { last: null, slowest: null },
    }
  }
  stop(): Promise<void> {
    return this.ask(() => undefined)
  }
}

class SimStorage implements Storage {
  readonly short = false
  /** Pieces of which a try was bad. */
  private readonly bad = new Set<PieceIndex>()
  private closed = false
  /** Tags of the extents of pieces under way, by piece. */
  private readonly runs = new Map<PieceIndex, { readonly tags: Map<number, Buffer> }>()

  constructor(
    private readonly spec: StorageSpec,
    private readonly events: StorageEvents,
    private readonly disk: SimDisk,
  ) {}

  makeReady(): void {
    return undefined
  }
  planRemoval(): never {
    throw new Error('nothing is removed in the virtual world')
  }
  bind(): void {
    return undefined
  }

  expect(): void {
    // Nothing has to be started.
  }

  submit(slot: Slot, piece: PieceIndex, extent: number, length: Bytes): void {
    const run = this.runs.get(piece) ?? { tags: new Map<number, Buffer>() }
    this.runs.set(piece, run)
    const { tags } = slot as SimSlot
    this.disk.writes++
    this.disk.job(length, () => {
      const copy = Buffer.from(tags)
      this.disk.slab.free(slot)
      if (this.closed || this.runs.get(piece) !== run) return
      const fault = this.disk.fault('write')
      if (fault !== null) {
        this.runs.delete(piece)
        return this.events.writeFailed(piece, fault)
      }
      run.tags.set(extent, copy)
      if (run.tags.size * EXTENT_SIZE >= this.spec.pieceLength) this.judge(piece, run.tags)
    })
  }

  forget(piece: PieceIndex): void {
    this.runs.delete(piece)
  }

  read(run: ReadRun, done: (frame: Frame | null, fault: DiskFault | null) => void): () => void {
    let wanted = true
    this.disk.reads++
    this.disk.job(run.lengths.length * BLOCK_SIZE, () => {
      if (this.closed || !wanted) return
      const fault = this.disk.fault('read')
      if (fault !== null) return done(null, fault)
      const lie = this.disk.lies(run.piece, run.offset)
      const bytes = this.disk.torrent.frame(run.piece, run.offset, run.lengths.length, lie)
      done({ bytes, release: () => undefined }, null)
    })
    return () => {
      wanted = false
    }
  }

  survey(): Promise<FileFound[]> {
    return this.disk.ask(() => [this.found()])
  }
  prepare(): Promise<DiskFault | null> {
    return this.disk.ask(() => null)
  }
  sync(): Promise<{ files: FileFound[]; fault: DiskFault | null }> {
    return this.disk.ask(() => {
      const fault = this.disk.fault('sync')
      return { files: fault === null ? [this.found()] : [], fault }
    })
  }
  finish(): Promise<{ files: FileFound[]; fault: DiskFault | null }> {
    return this.disk.ask(() => ({ files: [this.found()], fault: null }))
  }

  verify(
    pieces: readonly PieceIndex[],
    onPiece: (piece: PieceIndex, good: boolean) => void,
    done: (fault: DiskFault | null) => void,
  ): VerifyJob {
    let cancelled = false
    this.disk.job(0, () => {
      if (this.closed) return
      for (const piece of cancelled ? [] : pieces) onPiece(piece, this.disk.good[piece] === 1)
      this.disk.clock.stir()
      done(null)
    })
    return {
      cancel: () => {
        cancelled = true
      },
    }
  }

  sniff(pieces: readonly PieceIndex[]): Promise<PieceIndex[]> {
    return this.disk.ask(() => pieces.filter((piece) => this.disk.good[piece] === 1))
  }
  remove(): Promise<DiskFault | null> {
    return this.disk.ask(() => null)
  }
  close(): Promise<void> {
    this.closed = true
    this.runs.clear()
    return this.disk.ask(() => undefined)
  }

  private judge(piece: PieceIndex, extents: ReadonlyMap<number, Buffer>): void {
    this.runs.delete(piece)
    const { torrent } = this.disk
    const digests = Buffer.alloc(torrent.blocksPerPiece * DIGEST)
    let good = true
    for (let block = 0; block < torrent.blocksPerPiece; block++) {
      const tags = extents.get(Math.floor(block / BLOCKS))
      const at = (block % BLOCKS) * TAG
      // What tells one block's content from another's: as good as a digest.
      tags?.copy(digests, block * DIGEST, at, at + TAG)
      good &&= tags !== undefined && torrent.fits(tags, at, piece, block)
    }
    if (!good) {
      this.bad.add(piece)
      return this.events.pieceBad(piece, digests)
    }
    this.disk.keep(piece)
    this.events.pieceGood(piece, this.bad.delete(piece) ? digests : null)
  }

  private found(): FileFound {
    const { good, goodCount } = this.disk
    const name = goodCount === good.length ? 'final' : goodCount > 0 ? 'part' : 'missing'
    const size = name === 'missing' ? 0 : this.disk.torrent.size
    return { file: 0, name, size, mtimeNs: '1', ino: '1' }
  }
}
