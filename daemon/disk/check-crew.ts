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
/** Threads and buffers, 18 MB, are kept so long after the last check: one that follows at once finds them. */
const KEEP: Millis = 1000

export interface CheckCrewInit extends Pick<ThreadInit, 'url' | 'onBug' | 'onWork'> {
  /** Threads, at least 1. */
  readonly workers: number
  /** Size of a buffer: what a lane reads at once for a check, at most. */
  readonly chunk: Bytes
}

interface Waiter {
  /** Who is to fill it. */
  readonly lane: object
  readonly then: (memory: SharedArrayBuffer) => void
}

export class CheckCrew {
  /** Started as they are needed. */
  private threads: Thread<DigestJobs>[] = []
  private idle: SharedArrayBuffer[] = []
  /** Buffers given out. */
  private used = 0
  /** Checks that wait for a buffer, in order. */
  private waiting: Waiter[] = []
  /** Lanes that have a buffer of a check that is over: each gets no second one before it has answered. */
  private readonly lost = new Set<object>()
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
    return (this.used + this.idle.length + this.lost.size) * this.init.chunk
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

  /** A buffer of `chunk` bytes for that lane to fill: at once, or when one comes back. The result takes that back. */
  take(lane: object, then: (memory: SharedArrayBuffer) => void): () => void {
    const waiter = { lane, then }
    this.waiting.push(waiter)
    this.pump()
    return () => {
      this.waiting = this.waiting.filter((other) => other !== waiter)
    }
  }

  /** The check is over and its lane has a buffer still: where that hangs, the other volumes do not want for it. */
  lose(lane: object): void {
    this.used -= 1
    this.lost.add(lane)
    this.pump()
  }

  /** The lane has answered. */
  found(lane: object, memory: SharedArrayBuffer): void {
    this.lost.delete(lane)
    if (this.checks > 0 || this.retirement !== null) this.idle.push(memory)
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
      const at = this.waiting.findIndex(({ lane }) => !this.lost.has(lane))
      const [next] = at < 0 ? [] : this.waiting.splice(at, 1)
      if (next === undefined) return
      this.used += 1
      next.then(this.idle.pop() ?? new SharedArrayBuffer(this.init.chunk))
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
