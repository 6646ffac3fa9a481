/**
 * Runs into frames, main side. Who wants a run that is being read, or whose frame is still pinned, gets that one.
 * Pinned memory is bounded: what would pass the limit waits for frames to be released.
 */
import type { Bytes } from '../../shared/units.js'
import type { DiskFault, Frame, ReadRun } from '../ports/disk.js'
import type { ReadAsk, StorageKey } from './jobs.js'

export type ReadDone = (frame: Frame | null, fault: DiskFault | null) => void

/** Sends the job to the lane. */
export type ReadJob = (ask: ReadAsk, done: (fault: DiskFault | null) => void) => void

const HEADER = 13
/** Buffers are made in these sizes and used again: a run of 16 KiB, 64 KiB, 256 KiB, 1 MiB with its headers. */
const SIZES = [17_408, 68_608, 266_240, 1_056_768]
/** Unused buffers kept. */
const MOST_IDLE: Bytes = 8_388_608

/** One run being read or pinned. */
interface Reading {
  readonly name: string
  readonly ask: Omit<ReadAsk, 'memory'>
  /** Bytes of the frame: blocks and headers. */
  readonly length: Bytes
  readonly job: ReadJob
  memory: SharedArrayBuffer | null
  /** Null once the frame is there. */
  waiting: ReadDone[] | null
  /** Holders of the frame. */
  pins: number
  /** Its storage was closed: nobody is told. */
  dropped: boolean
}

export class Reader {
  private readonly byName = new Map<string, Reading>()
  /** Beyond the limit, oldest first. */
  private queue: Reading[] = []
  /** Bytes of buffers being filled or pinned; passes the limit by one run at most. */
  private pinned: Bytes = 0
  /** Unused buffers by size. */
  private readonly idle = new Map<number, SharedArrayBuffer[]>()
  private idleBytes: Bytes = 0

  constructor(private readonly init: { readonly mostPinned: Bytes }) {}

  /** Runs that wait for memory. */
  get queued(): number {
    return this.queue.length
  }

  get pinnedBytes(): Bytes {
    return this.pinned
  }

  read(key: StorageKey, run: ReadRun, job: ReadJob, done: ReadDone): void {
    const name = `${String(key)}:${String(run.piece)}:${String(run.offset)}:${run.lengths.join()}`
    const known = this.byName.get(name)
    if (known?.waiting === null) this.give(known, done, true)
    else if (known !== undefined) known.waiting.push(done)
    else {
      const { piece, offset, lengths } = run
      const length = lengths.reduce((sum, block) => sum + HEADER + block, 0)
      const ask = { key, piece, offset, lengths }
      const reading: Reading = {
        name,
        ask,
        length,
        job,
        memory: null,
        waiting: [done],
        pins: 0,
        dropped: false,
      }
      this.byName.set(name, reading)
      this.queue.push(reading)
      this.pump()
    }
  }

  /** Nobody who waits for a run of this storage is told any more; frames given out stay valid. */
  close(key: StorageKey): void {
    for (const reading of [...this.byName.values()]) {
      if (reading.ask.key !== key) continue
      reading.dropped = true
      this.byName.delete(reading.name)
    }
    this.queue = this.queue.filter((reading) => !reading.dropped)
  }

  /** Lets unused buffers go. */
  trim(): void {
    this.idle.clear()
    this.idleBytes = 0
  }

  private pump(): void {
    for (let next = this.queue[0]; next !== undefined; next = this.queue[0]) {
      if (this.pinned > 0 && this.pinned + next.length > this.init.mostPinned) return
      this.queue.shift()
      this.start(next)
    }
  }

  private start(reading: Reading): void {
    const memory = this.takeMemory(reading.length)
    reading.memory = memory
    reading.job({ ...reading.ask, memory }, (fault) => {
      this.finished(reading, fault)
    })
  }

  private finished(reading: Reading, fault: DiskFault | null): void {
    const waiting = reading.waiting ?? []
    reading.waiting = null
    if (reading.dropped || fault !== null) {
      this.end(reading)
      if (!reading.dropped) for (const done of waiting) done(null, fault)
      return
    }
    // All pins first: the first holder may release before the second has its frame.
    reading.pins = waiting.length
    for (const done of waiting) this.give(reading, done, false)
  }

  private give(reading: Reading, done: ReadDone, later: boolean): void {
    const memory = reading.memory
    if (memory === null) throw new Error('reader: a frame without memory')
    let pinned = true
    const frame: Frame = {
      bytes: Buffer.from(memory, 0, reading.length),
      release: () => {
        if (!pinned) throw new Error('a frame was released twice')
        pinned = false
        reading.pins -= 1
        if (reading.pins === 0) this.end(reading)
      },
    }
    if (!later) {
      done(frame, null)
      return
    }
    // `done` comes later, always: who asks need not expect it inside the call.
    reading.pins += 1
    queueMicrotask(() => {
      if (reading.dropped) frame.release()
      else done(frame, null)
    })
  }

  private end(reading: Reading): void {
    if (this.byName.get(reading.name) === reading) this.byName.delete(reading.name)
    if (reading.memory !== null) this.giveMemory(reading.memory)
    reading.memory = null
    this.pump()
  }

  private takeMemory(length: Bytes): SharedArrayBuffer {
    const size = SIZES.find((fits) => fits >= length) ?? length
    this.pinned += size
    const used = this.idle.get(size)?.pop()
    if (used === undefined) return new SharedArrayBuffer(size)
    this.idleBytes -= size
    return used
  }

  private giveMemory(memory: SharedArrayBuffer): void {
    const size = memory.byteLength
    this.pinned -= size
    if (!SIZES.includes(size) || this.idleBytes + size > MOST_IDLE) return
    const list = this.idle.get(size)
    if (list === undefined) this.idle.set(size, [memory])
    else list.push(memory)
    this.idleBytes += size
  }
}
