/**
 * The runs that one lane is to read: those on whose behalf they are read take turns, and several share a message. Few
 * messages are under way, so that what is cancelled is not read and what is urgent does not wait behind a heap.
 */
import type { Bytes, Millis } from '../../shared/units.js'
import type { DiskFault, ReadRun } from '../ports/disk.js'
import type { FrameMemory } from './frame-memory.js'
import type { ReadAsk, ReadBatch, StorageKey } from './jobs.js'

/** A lane, as far as it reads. */
export interface LaneReads {
  /** Null: every run of the batch was read. */
  readRuns(batch: ReadBatch, done: (faults: readonly (DiskFault | null)[] | null) => void): void
}

/** Messages under way: one is being read, one waits for that. */
const MOST_UNDER_WAY = 2
/** What one message asks for is between these: as much as is read in a few milliseconds. */
const LEAST_BATCH: Bytes = 64 * 1024
const MOST_BATCH: Bytes = 1024 * 1024
const FAST: Millis = 2
const SLOW: Millis = 6

/** A run that waits for its turn. */
export interface Waiting {
  readonly key: StorageKey
  readonly run: ReadRun
  readonly length: Bytes
  readonly patient: boolean
  /** Goes with the one before it, which it follows in the file. */
  readonly ahead: boolean
}

export interface ReadQueuePorts<W> {
  readonly now: () => Millis
  /** Where it is read to; 'later': there is no memory now; 'never': it is not wanted any more. */
  readonly start: (waiting: W) => FrameMemory | 'later' | 'never'
  readonly ended: (waiting: W, fault: DiskFault | null) => void
}

interface Started<W> {
  readonly waiting: W
  readonly memory: FrameMemory
}

export class ReadQueue<W extends Waiting> {
  /** Runs in a lane, not answered. */
  readonly underWay = new Set<W>()
  /** By who wants them, who is next first. */
  private waiting = new Map<object, W[]>()
  /** Messages not answered. */
  private messages = 0
  /** Bytes that the next message asks for, as the last one's time has shown. */
  private batch: Bytes = MOST_BATCH
  /** When the lane was last known to begin with a message. */
  private began: Millis = 0
  /** What the last message took. */
  private lastTook: Millis = 0
  /** Buffers the lane has been told of, and those of them that are gone. */
  private readonly told = new Set<number>()
  private gone: number[] = []

  constructor(
    private readonly lane: LaneReads,
    private readonly ports: ReadQueuePorts<W>,
  ) {}

  /** The last message took long: the volume is slow, or busy. */
  get slow(): boolean {
    return this.lastTook > SLOW
  }

  /** Those for whom something waits. */
  get readers(): number {
    return this.waiting.size
  }

  /** Runs not sent. */
  get length(): number {
    let sum = 0
    for (const list of this.waiting.values()) sum += list.length
    return sum
  }

  push(waiting: W, reader: object): void {
    const list = this.waiting.get(reader)
    if (list === undefined) this.waiting.set(reader, [waiting])
    else list.push(waiting)
  }

  /** Forgets runs that were not sent. */
  remove(which: (waiting: W) => boolean): void {
    for (const [reader, list] of this.waiting) {
      const left = list.filter((waiting) => !which(waiting))
      if (left.length === 0) this.waiting.delete(reader)
      else this.waiting.set(reader, left)
    }
  }

  /** A buffer is gone; the lane hears of it with the next message. */
  forgets(id: number): void {
    if (this.told.delete(id)) this.gone.push(id)
  }

  /** Tells the lane now what it is to forget. */
  tellForgotten(): void {
    if (this.gone.length > 0) this.message([])
  }

  send(): void {
    while (this.waiting.size > 0 && this.messages < MOST_UNDER_WAY) {
      const started = this.startSome()
      if (started.length === 0) return
      this.message(started)
    }
  }

  private startSome(): Started<W>[] {
    const started: Started<W>[] = []
    const passed = new Map<object, W[]>()
    for (let bytes = 0; bytes < this.batch;) {
      const [next] = this.waiting
      const waiting = next?.[1][0]
      if (next === undefined || waiting === undefined) break
      const memory = this.ports.start(waiting)
      this.waiting.delete(next[0])
      if (memory === 'later') {
        passed.set(next[0], next[1])
        // A patient one has a limit of its own; where another finds no memory, there is none.
        if (!waiting.patient) break
        continue
      }
      bytes += this.startList(next[1], memory, started)
      if (next[1].length > 0) this.waiting.set(next[0], next[1])
    }
    // Who was passed over keeps its place.
    if (passed.size > 0) this.waiting = new Map([...passed, ...this.waiting])
    return started
  }

  /** Starts the first of a list, which has its memory, and what is read ahead with it; answers their bytes. */
  private startList(list: W[], memory: FrameMemory | 'never', started: Started<W>[]): Bytes {
    let bytes = 0
    for (let next: FrameMemory | 'later' | 'never' = memory; next !== 'later';) {
      const waiting = list.shift()
      if (waiting === undefined) break
      if (next !== 'never') {
        started.push({ waiting, memory: next })
        bytes += waiting.length
      }
      const [follower] = list
      if (follower?.ahead !== true) break
      next = this.ports.start(follower)
    }
    return bytes
  }

  private message(started: Started<W>[]): void {
    started.sort(byPlace)
    const fresh = started.filter(({ memory }) => !this.told.has(memory.id)).map(({ memory }) => memory)
    for (const { id } of fresh) this.told.add(id)
    for (const { waiting } of started) this.underWay.add(waiting)
    const batch: ReadBatch = {
      runs: started.map(askOf),
      fresh: fresh.map(({ id, shared, offset, size }) => ({ id, shared, offset, size })),
      gone: this.gone,
    }
    this.gone = []
    if (this.messages === 0) this.began = this.ports.now()
    this.messages += 1
    this.lane.readRuns(batch, (faults) => {
      this.answered(started, faults)
    })
  }

  private answered(started: Started<W>[], faults: readonly (DiskFault | null)[] | null): void {
    this.messages -= 1
    const now = this.ports.now()
    this.adapt(now - this.began, started.length)
    this.began = now
    started.forEach(({ waiting }, index) => {
      this.underWay.delete(waiting)
      this.ports.ended(waiting, faults?.[index] ?? null)
    })
    this.send()
  }

  /** On a slow volume one message holds little, so that nobody waits for a heap of others. */
  private adapt(took: Millis, runs: number): void {
    this.lastTook = took
    if (took > SLOW && runs > 1) this.batch = Math.max(LEAST_BATCH, this.batch / 2)
    else if (took < FAST) this.batch = Math.min(MOST_BATCH, this.batch * 2)
  }
}

function askOf({ waiting, memory }: { readonly waiting: Waiting; readonly memory: FrameMemory }): ReadAsk {
  const { key, run } = waiting
  const { piece, offset, lengths } = run
  return { key, piece, offset, lengths, memory: memory.id }
}

/** In the order of the files: neighbours are read with one call. */
function byPlace(a: Started<Waiting>, b: Started<Waiting>): number {
  const [x, y] = [a.waiting, b.waiting]
  return x.key - y.key || x.run.piece - y.run.piece || x.run.offset - y.run.offset
}
