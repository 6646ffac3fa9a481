/**
 * What the checks of all torrents share: threads that hash, and the buffers between the lanes and them. Both exist
 * while something is checked, and a short while after.
 */
import type { Bytes, Millis } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { DigestAsk, DigestJobs } from './jobs.js'
import { Thread, type ThreadInit } from './thread.js'

/** Volumes that may have a buffer being filled at once, beyond one for each thread being hashed. */
const MOST_READING = 4
/** Threads and buffers are kept so long after the last check. */
const KEEP: Millis = 5000

export interface CheckCrewInit extends Pick<ThreadInit, 'url' | 'onBug' | 'onWork'> {
  /** Threads, at least 1. */
  readonly workers: number
  /** Size of a buffer: what a lane reads at once for a check, at most. */
  readonly chunk: Bytes
}

export class CheckCrew {
  /** Started as they are needed. */
  private threads: Thread<DigestJobs>[] = []
  private idle: SharedArrayBuffer[] = []
  /** Buffers given out. */
  private used = 0
  /** Checks that wait for a buffer, in order. */
  private waiting: ((memory: SharedArrayBuffer) => void)[] = []
  /** Checks under way. */
  private checks = 0
  private retirement: Cancel | null = null
  /** Threads started so far, for their names. */
  private started = 0
  /** Threads that were let go and have not ended. */
  private readonly leaving = new Set<Promise<void>>()

  constructor(
    private readonly init: CheckCrewInit,
    private readonly clock: Clock,
  ) {}

  get chunk(): Bytes {
    return this.init.chunk
  }

  get now(): Millis {
    return this.clock.now()
  }

  /** Jobs that threads have. */
  get queued(): number {
    return this.threads.reduce((sum, thread) => sum + thread.queued, 0)
  }

  /** Memory of all buffers there are. */
  get bytes(): Bytes {
    return (this.used + this.idle.length) * this.init.chunk
  }

  /** A check begins. */
  join(): void {
    this.checks += 1
    this.retirement?.()
    this.retirement = null
  }

  /** A check has ended and given back every buffer. */
  leave(verify: string): void {
    // It may have ended in the middle of a piece.
    for (const thread of this.threads) thread.request('forget', { verify }, () => undefined)
    this.checks -= 1
    if (this.checks > 0) return
    this.retirement = this.clock.after(KEEP, () => {
      this.retirement = null
      this.retire()
    })
  }

  /** A buffer of `chunk` bytes: at once, or when one comes back. */
  take(then: (memory: SharedArrayBuffer) => void): void {
    this.waiting.push(then)
    this.pump()
  }

  give(memory: SharedArrayBuffer): void {
    this.used -= 1
    this.idle.push(memory)
    this.pump()
  }

  /** The thread with the least to do; a number that stays its own until the check ends. */
  choose(): number {
    let best = 0
    for (let at = 0; at < this.init.workers; at += 1) {
      const { queued = 0 } = this.threads[at] ?? {}
      if (queued === 0) return at
      if (queued < (this.threads[best]?.queued ?? 0)) best = at
    }
    return best
  }

  digest(worker: number, ask: DigestAsk, done: (verdicts: Uint8Array) => void): void {
    for (let at = this.threads.length; at <= worker; at += 1) this.threads.push(this.start())
    this.threads[worker]?.request('digest', ask, done)
  }

  async stop(): Promise<void> {
    this.retirement?.()
    this.retire()
    await Promise.all(this.leaving)
  }

  private pump(): void {
    const most = this.init.workers + Math.min(MOST_READING, Math.max(1, this.checks))
    while (this.used < most) {
      const next = this.waiting.shift()
      if (next === undefined) return
      this.used += 1
      next(this.idle.pop() ?? new SharedArrayBuffer(this.init.chunk))
    }
  }

  private start(): Thread<DigestJobs> {
    const { url, onBug, onWork } = this.init
    return new Thread<DigestJobs>(
      { url, onBug, onWork, name: `check-${String((this.started += 1))}` },
      this.clock,
    )
  }

  private retire(): void {
    for (const thread of this.threads) {
      const gone = thread.stop().then(() => {
        this.leaving.delete(gone)
      })
      this.leaving.add(gone)
    }
    this.threads = []
    this.idle = []
  }
}
