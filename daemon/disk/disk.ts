/** The disk room: see daemon/ports/disk.ts. */
import type { Bytes, Millis } from '../../shared/units.js'
import { Latency } from '../base/latency.js'
import type { Clock } from '../ports/clock.js'
import type {
  Disk,
  DiskFault,
  DiskPressure,
  Mover,
  MoverInit,
  SpaceView,
  Storage,
  StorageEvents,
  StorageSpec,
  Waits,
} from '../ports/disk.js'
import { Assembly } from './assembly.js'
import { CheckCrew } from './check-crew.js'
import { Lanes } from './lanes.js'
import { DiskMover } from './move.js'
import { Reader } from './reader.js'
import { SharedSlab } from './slab.js'
import { DiskStorage } from './storage.js'

export interface DiskInit {
  /** Threads that hash and write, at least 1. */
  readonly hashWorkers: number
  /** Slots of the slab, 256 KiB each. */
  readonly slots: number
  /** Built JavaScript: a worker cannot start from TypeScript. */
  readonly workerUrls: { readonly hash: URL; readonly lane: URL; readonly check: URL }
  /** A thread died. Nothing the disk says may be believed after that. */
  readonly onBug: (error: Error) => void
  /** A thread has answered: work begins on the main thread. */
  readonly onWork?: () => void
  /** Bytes of all frames: being read, not yet taken by sockets, or kept for the next; 16 MiB without it. */
  readonly frameMemory?: Bytes
}

export interface DiskPorts {
  readonly clock: Clock
  /** Runs `fn` after the events that wait have had their turn: setImmediate. */
  readonly turn: (fn: () => void) => void
  /** Bytes that are to stay free on every volume; none without it. */
  readonly reserve?: () => Bytes
}

/** Idle memory is given back so often. */
const TRIM_EVERY: Millis = 30_000
/** A buffer of a check; there are hash workers + 1 of them for a check of one volume, + 4 at most. */
const CHECK_CHUNK = 4 * 1024 * 1024
const FRAME_MEMORY: Bytes = 16 * 1024 * 1024

/** `warm` starts the threads that the first torrent needs, so that it does not wait for them. */
export function createDisk(init: DiskInit, ports: DiskPorts): Disk & { readonly warm: () => void } {
  return new ThreadedDisk(init, ports)
}

class ThreadedDisk implements Disk {
  readonly slab: SharedSlab
  private readonly assembly: Assembly
  private readonly lanes: Lanes
  private readonly reader: Reader
  private readonly crew: CheckCrew
  private readonly writes: Latency
  private readonly syncs: Latency
  /** The last key given; see StorageKey. */
  private lastKey = 0
  private readonly stopTrimming: () => void
  private readonly reserve: () => Bytes

  constructor(init: DiskInit, { clock, turn, reserve = () => 0 }: DiskPorts) {
    this.reserve = reserve
    this.slab = new SharedSlab({ slots: init.slots }, (tight) => {
      this.assembly.press(tight)
    })
    const { hashWorkers, onBug, onWork } = init
    const now = (): Millis => clock.now()
    this.writes = new Latency({ now })
    this.syncs = new Latency({ now })
    const took = (kind: PropertyKey, millis: Millis): void => {
      if (kind === 'extent') this.writes.add(millis)
      else if (kind === 'sync') this.syncs.add(millis)
    }
    this.assembly = new Assembly(
      { hashWorkers, url: init.workerUrls.hash, onBug, onWork, took },
      { clock, slab: this.slab },
    )
    this.lanes = new Lanes({ url: init.workerUrls.lane, onBug, onWork, took }, clock)
    this.crew = new CheckCrew(
      { workers: hashWorkers, chunk: CHECK_CHUNK, url: init.workerUrls.check, onBug, onWork },
      clock,
    )
    this.reader = new Reader({ most: init.frameMemory ?? FRAME_MEMORY }, { now: () => clock.now(), turn })
    this.stopTrimming = clock.every(TRIM_EVERY, () => {
      this.slab.trim()
      this.reader.trim()
    })
  }

  open(spec: StorageSpec, events: StorageEvents): Storage {
    const { assembly, reader, crew, slab } = this
    const laneOf = this.lanes.of.bind(this.lanes)
    return new DiskStorage(
      { key: (this.lastKey += 1), spec },
      { events, assembly, reader, crew, slab, laneOf },
    )
  }

  mover(init: MoverInit): Mover {
    const [key, to] = [this.lastKey + 1, this.lastKey + 2]
    this.lastKey += 2
    return new DiskMover({ ...init, key, toKey: to }, { laneOf: this.lanes.of.bind(this.lanes) })
  }

  warm(): void {
    this.lanes.warm()
    this.assembly.start(1)
  }

  prepareDir(dir: string): Promise<SpaceView | DiskFault> {
    return this.lanes.of(dir).ask('prepareDir', { dir, reserve: this.reserve() })
  }

  space(dir: string): Promise<SpaceView | DiskFault> {
    return this.lanes.of(dir).ask('space', { dir, reserve: this.reserve() })
  }

  mark(dir: string, id: string): Promise<DiskFault | null> {
    return this.lanes.of(dir).ask('mark', { dir, id })
  }

  makeBelow(dir: string, names: readonly string[]): Promise<DiskFault | null> {
    return this.lanes.of(dir).ask('makeBelow', { dir, names })
  }

  dropBelow(dir: string, names: readonly string[]): Promise<DiskFault | null> {
    return this.lanes.of(dir).ask('dropBelow', { dir, names })
  }

  waits(dir: string): Waits {
    return this.lanes.waits(dir)
  }

  pressure(): DiskPressure {
    return {
      hash: this.assembly.queued,
      lanes: this.lanes.queued,
      reads: this.reader.queued,
      checks: this.crew.queued,
      oldest: Math.max(this.assembly.oldest, this.lanes.oldest),
      frameBytes: this.reader.bytes,
      checkBytes: this.crew.bytes,
      write: this.writes.read(),
      sync: this.syncs.read(),
    }
  }

  async stop(): Promise<void> {
    this.stopTrimming()
    await Promise.all([this.assembly.stop(), this.lanes.stop(), this.crew.stop()])
  }
}
