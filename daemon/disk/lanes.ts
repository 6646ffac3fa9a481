/**
 * Which thread does the jobs of which folder: one lane for each volume (st_dev), on demand, at most four, then
 * shared. Beside a lane whose volume is slow to sync there is a thread for that (besides.ts). What volume a folder lies
 * on is asked of a thread that no other volume waits for.
 */
import type { Millis } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'
import type { Waits } from '../ports/disk.js'
import { Besides } from './besides.js'
import type { Answer, Ask, LaneJobs, ReadBatch } from './jobs.js'
import type { LaneReads } from './read-queue.js'
import { Thread, type ThreadInit } from './thread.js'

const MOST_LANES = 4
const MOST_SCOUTS = 2
/** A look that takes longer is held up by a volume that does not answer: another scout looks at other folders. */
const SLOW_LOOK: Millis = 2000
/** Scouts that may be held up so, beside the others. */
const MOST_HELD = 8

/** The lane of one folder; jobs wait here until its volume is known. */
export class Lane implements LaneReads {
  /** Null until the volume is known. */
  private thread: Thread<LaneJobs> | null = null
  private backlog: ((thread: Thread<LaneJobs>) => void)[] = []

  constructor(private readonly besides: Besides) {}

  request<K extends keyof LaneJobs>(
    kind: K,
    ask: Ask<LaneJobs, K>,
    done: (answer: Answer<LaneJobs, K>) => void,
  ): void {
    if (this.thread !== null) this.thread.request(kind, ask, done)
    else
      this.backlog.push((thread) => {
        thread.request(kind, ask, done)
      })
  }

  /** Syncs are to be asked of the thread beside. */
  get syncsBeside(): boolean {
    return this.thread !== null && this.besides.has(this.thread)
  }

  /** Of the thread beside (see Besides): reads do not wait for it. */
  requestBeside<K extends keyof LaneJobs>(
    kind: K,
    ask: Ask<LaneJobs, K>,
    done: (answer: Answer<LaneJobs, K>) => void,
  ): void {
    if (this.thread !== null) this.besides.request(this.thread, kind, ask, done)
    else
      this.backlog.push((thread) => {
        this.besides.request(thread, kind, ask, done)
      })
  }

  ask<K extends keyof LaneJobs>(kind: K, ask: Ask<LaneJobs, K>): Promise<Answer<LaneJobs, K>> {
    return new Promise((resolve) => {
      this.request(kind, ask, resolve)
    })
  }

  readRuns(batch: ReadBatch, done: (faults: Answer<LaneJobs, 'read'>) => void): void {
    this.request('read', batch, done)
  }

  assign(thread: Thread<LaneJobs>): void {
    this.thread = thread
    const backlog = this.backlog
    this.backlog = []
    for (const send of backlog) send(thread)
  }

  /** The threads that do its jobs; none until its volume is known. */
  get threads(): Thread<LaneJobs>[] {
    const beside = this.thread === null ? null : this.besides.of(this.thread)
    return [this.thread, beside].filter((thread) => thread !== null)
  }

  /** The same for all folders that share a thread, as soon as that is known. */
  get line(): object {
    return this.thread ?? this
  }

  get waiting(): number {
    return this.backlog.length
  }
}

export class Lanes {
  /** By folder, as the storages name it. */
  private readonly byDir = new Map<string, Lane>()
  /** By st_dev; several may share a thread. */
  private readonly byDevice = new Map<string, Thread<LaneJobs>>()
  /** Threads that are some volume's lane, at most MOST_LANES. */
  private readonly threads: Thread<LaneJobs>[] = []
  private readonly besides: Besides
  /** Threads that find out a volume and are nobody's lane yet. */
  private readonly scouts = new Set<Thread<LaneJobs>>()
  /** Scouts that found nothing left to look at and are ending: no folder waits for their place. */
  private readonly leaving = new Set<Thread<LaneJobs>>()
  /** Scouts that are held up, with the folder that each looks at. */
  private readonly held = new Map<Thread<LaneJobs>, string>()
  /** Folders whose volume nobody looks for yet. */
  private readonly unknown: string[] = []
  /** Started ahead of need and not a scout yet. */
  private spare: Thread<LaneJobs> | null = null
  /** Threads started so far, for their names. */
  private started = 0

  constructor(
    private readonly init: Pick<ThreadInit, 'url' | 'onBug' | 'onWork' | 'took'>,
    private readonly clock: Clock,
  ) {
    this.besides = new Besides(init, clock)
  }

  of(dir: string): Lane {
    const known = this.byDir.get(dir)
    if (known !== undefined) return known
    const lane = new Lane(this.besides)
    this.byDir.set(dir, lane)
    this.unknown.push(dir)
    this.scoutMore()
    return lane
  }

  /** Starts the thread of the first volume before anybody names a folder. */
  warm(): void {
    if (this.started === 0) this.spare = this.start()
  }

  get queued(): number {
    let sum = 0
    for (const lane of this.byDir.values()) sum += lane.waiting
    return this.all().reduce((total, thread) => total + thread.queued, sum)
  }

  get oldest(): Millis {
    return this.all().reduce((most, thread) => Math.max(most, thread.oldest), 0)
  }

  /** How jobs of a folder fare. */
  waits(dir: string): Waits {
    const threads = this.byDir.get(dir)?.threads ?? []
    const oldest = threads.reduce((most, thread) => Math.max(most, thread.oldest), 0)
    // Where its volume is not known it waits for a scout, and none is left where all are held up.
    const scouts = threads.length > 0 || !this.byDir.has(dir) ? [] : this.scoutsFor(dir)
    const stuck = scouts.length > 0 && scouts.every((scout) => scout.silent)
    return { oldest, silent: stuck || threads.some((thread) => thread.silent) }
  }

  /** The one that looks at a folder, or all that may come to it. */
  private scoutsFor(dir: string): Thread<LaneJobs>[] {
    const own = [...this.held].find(([, held]) => held === dir)
    return own === undefined ? [...this.scouts, ...this.held.keys()] : [own[0]]
  }

  async stop(): Promise<void> {
    this.unknown.length = 0
    await Promise.all(this.all().map((thread) => thread.stop()))
  }

  private scoutMore(): void {
    while (this.unknown.length > 0 && this.scouts.size < MOST_SCOUTS) {
      const scout = this.spare ?? this.start()
      this.spare = null
      this.scouts.add(scout)
      this.scoutNext(scout)
    }
  }

  private start(): Thread<LaneJobs> {
    this.started += 1
    const took = (kind: PropertyKey, millis: Millis): void => {
      if (kind === 'sync') this.besides.took(thread, millis)
      this.init.took?.(kind, millis)
    }
    const init = { ...this.init, took, name: `lane-${String(this.started)}` }
    const thread = new Thread<LaneJobs>(init, this.clock)
    return thread
  }

  /** A scout becomes the lane of the first new volume it finds; it ends when there is nothing left to look at. */
  private scoutNext(scout: Thread<LaneJobs>): void {
    const dir = this.next()
    if (dir === undefined) {
      this.scouts.delete(scout)
      this.leaving.add(scout)
      void scout.stop().then(() => this.leaving.delete(scout))
      return
    }
    const inTime = this.clock.after(SLOW_LOOK, () => {
      if (this.held.size >= MOST_HELD || !this.scouts.delete(scout)) return
      this.held.set(scout, dir)
      this.scoutMore()
    })
    scout.request('device', { dir }, (device) => {
      inTime()
      if (this.held.delete(scout)) this.scouts.add(scout)
      const known = this.byDevice.get(device)
      const settles = known === undefined && this.threads.length < MOST_LANES
      if (settles) {
        this.scouts.delete(scout)
        this.threads.push(scout)
      }
      const thread = known ?? (settles ? scout : this.shared())
      this.byDevice.set(device, thread)
      this.of(dir).assign(thread)
      if (settles) this.scoutMore()
      else this.scoutNext(scout)
    })
  }

  /** The first of the folders that have least in common with those that do not answer: it may lie elsewhere. */
  private next(): string | undefined {
    const held = [...this.held.values()]
    const near = this.unknown.map((dir) => Math.max(0, ...held.map((other) => depthShared(dir, other))))
    const at = near.indexOf(Math.min(...near))
    return at < 0 ? undefined : this.unknown.splice(at, 1)[0]
  }

  /** The one with the fewest volumes, of those that answer. */
  private shared(): Thread<LaneJobs> {
    const hangs = (thread: Thread<LaneJobs>): number => (thread.oldest > SLOW_LOOK ? 1 : 0)
    const volumes = (thread: Thread<LaneJobs>): number =>
      [...this.byDevice.values()].filter((other) => other === thread).length
    const [best] = [...this.threads].sort((a, b) => hangs(a) - hangs(b) || volumes(a) - volumes(b))
    if (best === undefined) throw new Error('lanes: none to share')
    return best
  }

  private all(): Thread<LaneJobs>[] {
    const spare = this.spare === null ? [] : [this.spare]
    return [
      ...this.threads,
      ...this.besides.threads,
      ...this.scouts,
      ...this.held.keys(),
      ...this.leaving,
      ...spare,
    ]
  }
}

/** Folders above both. */
function depthShared(a: string, b: string): number {
  const [mine, theirs] = [a.split('/'), b.split('/')]
  const differs = mine.findIndex((name, at) => name !== theirs[at])
  return differs < 0 ? mine.length : differs
}
