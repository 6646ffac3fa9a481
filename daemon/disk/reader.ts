/**
 * Runs into frames, main side. A frame of a whole extent is shared by all who want it, pinned as long as a socket
 * needs it, and kept for a minute after. All frames together are bounded: what would pass the limit waits.
 */
import { type Bytes, EXTENT_SIZE, type Millis } from '../../shared/units.js'
import type { DiskFault, Frame, ReadRun } from '../ports/disk.js'
import { Deliveries } from './deliveries.js'
import { type FrameMemory, FramePool } from './frame-memory.js'
import type { StorageKey } from './jobs.js'
import { type LaneReads, type Waiting, ReadQueue } from './read-queue.js'

export type ReadDone = (frame: Frame | null, fault: DiskFault | null) => void

const HEADER = 13
/** A frame that nobody wants any more is kept for so long. */
const KEPT: Millis = 60_000
/** A run of 64 KiB. */
const LITTLE: Bytes = 65_588
/** What one who reads on may have in memory. */
const AHEAD: Bytes = 1024 * 1024
/** Those who are not known to take frames fast get this part of the memory at most. */
const PATIENT_PART = 0.5

/** One who waits for a run. */
interface Asker {
  readonly done: ReadDone
  cancelled: boolean
}

/** One run: being read, pinned, or kept. */
class Reading implements Waiting {
  memory: FrameMemory | null = null
  /** Null once the frame is there. */
  askers: Asker[] | null = []
  /** Holders of the frame. */
  pins = 0
  /** Its storage was closed, or its bytes may be old: not given to anybody new. */
  stale = false
  /** Read ahead: nobody waits for it yet. */
  ahead = false
  /** Its storage was closed: nobody is told. */
  closed = false
  /** When the last holder let go of it. */
  freed: Millis = 0

  constructor(
    readonly key: StorageKey,
    readonly run: ReadRun,
    /** In the map of its storage; -1: not shared. */
    readonly name: number,
    /** Bytes of the frame: blocks and headers. */
    readonly length: Bytes,
    /** Everybody who wants it is; settled when it gets its memory. */
    public patient: boolean,
  ) {}

  /** Somebody waits for it. */
  get asked(): boolean {
    return this.askers?.some((asker) => !asker.cancelled) ?? false
  }

  get wanted(): boolean {
    return this.ahead || this.asked
  }
}

export class Reader {
  /** Shared runs by storage, then by piece and extent. */
  private readonly known = new Map<StorageKey, Map<number, Reading>>()
  /** Frames that nobody holds, the longest unused first. */
  private readonly kept = new Set<Reading>()
  private readonly queues = new Map<LaneReads, ReadQueue<Reading>>()
  private readonly pool: FramePool
  /** Bytes of buffers being filled or pinned, and those of patient runs among them. */
  private pinned: Bytes = 0
  private patient: Bytes = 0
  /** Bytes of buffers by the one for whom they were read, patient ones only. */
  private readonly holds = new WeakMap<object, Bytes>()
  /** A run waits for memory. */
  private waits = false
  /** A microtask that sends is on its way. */
  private sending = false

  private readonly deliveries: Deliveries
  private readonly now: () => Millis

  constructor(
    private readonly init: { readonly most: Bytes },
    ports: {
      readonly now: () => Millis
      /** Runs `fn` after the events that wait have had their turn: setImmediate. */
      readonly turn: (fn: () => void) => void
    },
  ) {
    this.now = ports.now
    this.deliveries = new Deliveries(ports.turn)
    this.pool = new FramePool({ most: init.most }, ports.now, (id) => {
      for (const queue of this.queues.values()) queue.forgets(id)
    })
  }

  /** Runs that wait for their turn or for memory. */
  get queued(): number {
    let sum = 0
    for (const queue of this.queues.values()) sum += queue.length
    return sum
  }

  get pinnedBytes(): Bytes {
    return this.pinned
  }

  /** Memory of all frames: pinned, kept, and ready to be used. */
  get bytes(): Bytes {
    return this.pool.bytes
  }

  /** Runs wait for memory that others hold. */
  get short(): boolean {
    return this.waits
  }

  /** `lane` is where the files lie; the same object for the same lane. */
  read(key: StorageKey, lane: LaneReads, run: ReadRun, done: ReadDone): () => void {
    const asker: Asker = { done, cancelled: false }
    const name = run.shared === true ? nameOf(run) : -1
    const known = name < 0 ? undefined : this.known.get(key)?.get(name)
    if (known === undefined) {
      this.begin(key, lane, run, name).askers?.push(asker)
      if (name >= 0 && this.paysAhead(lane)) this.readAhead(key, lane, run)
    } else if (known.askers !== null) this.join(known, lane, run, asker)
    else this.hit(known, asker)
    return () => {
      asker.cancelled = true
    }
  }

  /** Nobody who waits for a run of this storage is told any more; frames given out stay valid. */
  close(key: StorageKey): void {
    for (const queue of this.queues.values()) queue.remove((reading) => reading.key === key)
    for (const reading of [...(this.known.get(key)?.values() ?? [])]) {
      reading.closed = true
      this.forgetOne(reading)
    }
    for (const queue of this.queues.values()) {
      for (const reading of queue.underWay) if (reading.key === key) reading.askers = []
    }
  }

  /** What is kept of a storage, or of one of its pieces, may differ from the files: it is read anew. */
  forget(key: StorageKey, piece: number | null = null): void {
    for (const reading of [...(this.known.get(key)?.values() ?? [])]) {
      if (piece === null || reading.run.piece === piece) this.forgetOne(reading)
    }
  }

  /** Lets go of what was not used for a while. */
  trim(): void {
    const now = this.now()
    for (const reading of this.kept) {
      if (now - reading.freed < KEPT) break
      this.evict(reading)
    }
    this.pool.trim(KEPT)
    for (const queue of this.queues.values()) queue.tellForgotten()
  }

  private begin(key: StorageKey, lane: LaneReads, run: ReadRun, name: number): Reading {
    const length = run.lengths.reduce((sum, block) => sum + HEADER + block, 0)
    const reading = new Reading(key, run, name, length, run.patient === true)
    if (name >= 0) {
      const map = this.known.get(key)
      if (map === undefined) this.known.set(key, new Map([[name, reading]]))
      else map.set(name, reading)
    }
    this.queueOf(lane).push(reading, run.reader ?? this)
    this.sendSoon()
    return reading
  }

  /** It waits or is being read: where it waits, it is read when the first of those who want it has a turn. */
  private join(reading: Reading, lane: LaneReads, run: ReadRun, asker: Asker): void {
    reading.askers?.push(asker)
    if (reading.memory !== null) return
    if (run.patient !== true) reading.patient = false
    this.queueOf(lane).push(reading, run.reader ?? this)
    this.sendSoon()
  }

  /** On a slow volume, and as long as what is read ahead is not pushed out before it is asked for. */
  private paysAhead(lane: LaneReads): boolean {
    const queue = this.queueOf(lane)
    return queue.slow && queue.readers * AHEAD <= this.init.most
  }

  /** Whole extents that follow in the piece, right behind the run in the queue: they are read with one call. */
  private readAhead(key: StorageKey, lane: LaneReads, run: ReadRun): void {
    const { piece, offset, lengths, ahead = 0, reader = this } = run
    for (let behind = EXTENT_SIZE; behind <= ahead; behind += EXTENT_SIZE) {
      const next: ReadRun = { piece, offset: offset + behind, lengths, shared: true, reader, patient: true }
      const name = nameOf(next)
      if (this.known.get(key)?.has(name) === true) return
      this.begin(key, lane, next, name).ahead = true
    }
  }

  /** The frame is there. It is given later, always: who asks need not expect it inside the call. */
  private hit(reading: Reading, asker: Asker): void {
    this.pin(reading)
    queueMicrotask(() => {
      this.deliver(reading, asker)
    })
  }

  /** To one for whom the frame is pinned. */
  private deliver(reading: Reading, asker: Asker): void {
    this.deliveries.add(reading.length, () => {
      if (asker.cancelled || reading.closed) this.unpin(reading)
      else asker.done(this.frameOf(reading), null)
    })
  }

  private queueOf(lane: LaneReads): ReadQueue<Reading> {
    const known = this.queues.get(lane)
    if (known !== undefined) return known
    const queue = new ReadQueue<Reading>(lane, {
      now: this.now,
      start: (reading) => this.start(reading),
      ended: (reading, fault) => {
        this.ended(reading, fault)
      },
    })
    this.queues.set(lane, queue)
    return queue
  }

  /** Once for all that is asked in a turn: they share a message. */
  private sendSoon(): void {
    if (this.sending) return
    this.sending = true
    queueMicrotask(() => {
      this.sending = false
      this.send()
    })
  }

  private send(): void {
    this.waits = false
    for (const queue of this.queues.values()) queue.send()
  }

  /** Memory for it; 'later' where there is none now, 'never' where nobody wants it any more. */
  private start(reading: Reading): FrameMemory | 'later' | 'never' {
    // Another's turn came first.
    if (reading.memory !== null || reading.askers === null) return 'never'
    if (!reading.wanted) {
      this.unname(reading)
      return 'never'
    }
    const size = this.pool.sizeFor(reading.length)
    const memory = this.mayTake(reading, size) ? this.memoryFor(size) : null
    if (memory === null) {
      if (!reading.asked) {
        this.unname(reading)
        return 'never'
      }
      this.waits = true
      return 'later'
    }
    reading.memory = memory
    this.count(reading, size)
    return memory
  }

  /** Whoever holds nothing is given a little though the patient have their part: it may be fast, and waits for none. */
  private mayTake({ patient, run }: Reading, size: Bytes): boolean {
    if (!patient || this.patient === 0 || this.patient + size <= this.init.most * PATIENT_PART) return true
    return size <= LITTLE && (this.holds.get(run.reader ?? this) ?? 0) === 0
  }

  private memoryFor(size: Bytes): FrameMemory | null {
    let memory = this.pool.take(size)
    for (const oldest of memory === null ? this.kept : []) {
      this.evict(oldest)
      memory = this.pool.take(size)
      if (memory !== null) break
    }
    return memory
  }

  private ended(reading: Reading, fault: DiskFault | null): void {
    const askers = reading.askers?.filter((asker) => !asker.cancelled) ?? []
    reading.askers = null
    if (fault !== null) {
      this.unname(reading)
      this.forget(reading.key)
      this.release(reading)
      for (const { done } of askers) done(null, fault)
      return
    }
    // All pins first: the first holder may let go before the second has its frame.
    reading.pins = askers.length
    if (askers.length === 0) this.letGo(reading)
    for (const asker of askers) this.deliver(reading, asker)
  }

  private frameOf(reading: Reading): Frame {
    const memory = reading.memory
    if (memory === null) throw new Error('reader: a frame without memory')
    let pinned = true
    return {
      bytes: memory.bytes.subarray(0, reading.length),
      release: () => {
        if (!pinned) throw new Error('a frame was released twice')
        pinned = false
        this.unpin(reading)
      },
    }
  }

  private pin(reading: Reading): void {
    reading.pins += 1
    if (!this.kept.delete(reading)) return
    this.count(reading, reading.memory?.size ?? 0)
  }

  private unpin(reading: Reading): void {
    reading.pins -= 1
    if (reading.pins === 0) this.letGo(reading)
  }

  /** Nobody holds it: kept if somebody may want it again. */
  private letGo(reading: Reading): void {
    if (reading.name < 0 || reading.stale) this.release(reading)
    else {
      this.count(reading, -(reading.memory?.size ?? 0))
      reading.freed = this.now()
      this.kept.add(reading)
    }
    if (this.waits) this.sendSoon()
  }

  /** Gives the memory of one that is counted back. */
  private release(reading: Reading): void {
    const { memory } = reading
    if (memory === null) return
    this.count(reading, -memory.size)
    reading.memory = null
    this.pool.give(memory)
    if (this.waits) this.sendSoon()
  }

  private evict(reading: Reading): void {
    this.unname(reading)
    this.kept.delete(reading)
    if (reading.memory !== null) this.pool.give(reading.memory)
    reading.memory = null
  }

  private forgetOne(reading: Reading): void {
    if (this.kept.has(reading)) return this.evict(reading)
    this.unname(reading)
  }

  private unname(reading: Reading): void {
    reading.stale = true
    const map = this.known.get(reading.key)
    if (map?.get(reading.name) !== reading) return
    map.delete(reading.name)
    if (map.size === 0) this.known.delete(reading.key)
  }

  private count(reading: Reading, bytes: Bytes): void {
    this.pinned += bytes
    if (!reading.patient) return
    this.patient += bytes
    const reader = reading.run.reader ?? this
    this.holds.set(reader, (this.holds.get(reader) ?? 0) + bytes)
  }
}

/** Unique among the extents of a torrent. */
function nameOf(run: ReadRun): number {
  return run.piece * 2 ** 20 + run.offset / EXTENT_SIZE
}
