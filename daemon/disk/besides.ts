/**
 * The threads that sync beside the lanes: where a sync takes long, nobody who reads should wait for it. A thread is
 * 10 MiB, so only a lane whose syncs took long once has one: from the next storage that is synced there until the last
 * one of these is closed.
 */
import type { Millis } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'
import type { Answer, Ask, LaneJobs } from './jobs.js'
import { Thread, type ThreadInit } from './thread.js'

/** Reads that wait for so long are no worse than those of a disk that seeks a few times. */
const SLOW: Millis = 100

interface Beside {
  readonly thread: Thread<LaneJobs>
  /** Storages that it was told to open and has not closed. */
  users: number
}

export class Besides {
  private readonly byLane = new Map<Thread<LaneJobs>, Beside>()
  /** Those that nobody needs any more, and that have not ended. */
  private readonly leaving = new Set<Thread<LaneJobs>>()
  /** Lanes whose syncs took long once. */
  private readonly slow = new WeakSet<Thread<LaneJobs>>()
  /** Threads started so far, for their names. */
  private started = 0

  constructor(
    private readonly init: Pick<ThreadInit, 'url' | 'onBug' | 'onWork' | 'took'>,
    private readonly clock: Clock,
  ) {}

  get threads(): Thread<LaneJobs>[] {
    return [...[...this.byLane.values()].map(({ thread }) => thread), ...this.leaving]
  }

  /** A sync that was done in the lane itself took so long. */
  took(lane: Thread<LaneJobs>, millis: Millis): void {
    if (millis >= SLOW) this.slow.add(lane)
  }

  /** The thread beside a lane, where there is one now. */
  of(lane: Thread<LaneJobs>): Thread<LaneJobs> | null {
    return this.byLane.get(lane)?.thread ?? null
  }

  /** Syncs of this lane are to be done here. */
  has(lane: Thread<LaneJobs>): boolean {
    return this.slow.has(lane)
  }

  /** A storage is opened first and closed last, and both but once. */
  request<K extends keyof LaneJobs>(
    lane: Thread<LaneJobs>,
    kind: K,
    ask: Ask<LaneJobs, K>,
    done: (answer: Answer<LaneJobs, K>) => void,
  ): void {
    const beside = this.byLane.get(lane) ?? this.start(lane)
    if (kind === 'open') beside.users += 1
    beside.thread.request(kind, ask, (answer) => {
      if (kind === 'close') this.leave(lane, beside)
      done(answer)
    })
  }

  private start(lane: Thread<LaneJobs>): Beside {
    const name = `sync-${String((this.started += 1))}`
    const beside = { thread: new Thread<LaneJobs>({ ...this.init, name }, this.clock), users: 0 }
    this.byLane.set(lane, beside)
    return beside
  }

  private leave(lane: Thread<LaneJobs>, beside: Beside): void {
    beside.users -= 1
    if (beside.users > 0) return
    this.byLane.delete(lane)
    this.leaving.add(beside.thread)
    void beside.thread.stop().then(() => this.leaving.delete(beside.thread))
  }
}
