/** Extents on their way through the hash workers, main side: who has which slot, and what became of each piece. */
import type { Millis, PieceIndex, TorrentId } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'
import type { DiskFault, Slot } from '../ports/disk.js'
import type { Answer, Ask, HashJobs, OpenAsk, Outcome, StorageKey } from './jobs.js'
import type { SharedSlab } from './slab.js'
import { Thread, type ThreadInit } from './thread.js'

/** Where extents can be sent: a hash worker, or the lane of a volume. */
export interface Hasher {
  request<K extends keyof HashJobs>(
    kind: K,
    ask: Ask<HashJobs, K>,
    done: (outcome: Answer<HashJobs, K>) => void,
  ): void
}

/** A worker whose oldest job is older than this is stuck in a slow or dead volume: others go around it. */
const STUCK: Millis = 1000

/** Whose pieces these are. */
export interface Owner {
  readonly torrent: TorrentId
  /** What a thread has to know before the first extent. */
  openAsk(): OpenAsk
  /** The lane of its volume; it knows the storage already. */
  lane(): Hasher
  /** A worker let go of an extent; it may have been written. */
  written(piece: PieceIndex, extent: number, length: number): void
  ended(piece: PieceIndex, good: boolean, fault: DiskFault | null, blocks: Uint8Array | null): void
}

/** One attempt at one piece. */
export interface Run {
  readonly id: number
  readonly key: StorageKey
  readonly piece: PieceIndex
  readonly owner: Owner
  /** The thread that hashes it: the same for all its extents. */
  readonly hasher: Hasher
  /** The same, when it is a hash worker: those have to be told of a storage. */
  readonly worker: Thread<HashJobs> | null
  /** An earlier try of the piece was bad. */
  readonly suspect: boolean
  /** An extent was sent. */
  sent: boolean
}

interface Ticket {
  readonly slot: Slot
  readonly run: Run
  readonly extent: number
  readonly length: number
}

export class Assembly {
  /** The first may be started ahead of need, the others are when a torrent begins to download. */
  private readonly threads: Thread<HashJobs>[] = []
  /** Slots that a worker has, by ticket. */
  private readonly tickets = new Map<number, Ticket>()
  /** Runs that nobody has ended or forgotten, by id. */
  private readonly runs = new Map<number, Run>()
  /** Threads that know a storage. */
  private readonly opened = new Map<StorageKey, Set<Thread<HashJobs>>>()
  private lastRun = 0
  private lastTicket = 0
  /** The slab is short of slots. */
  private tight = false

  constructor(
    private readonly init: { readonly hashWorkers: number } & Pick<
      ThreadInit,
      'url' | 'onBug' | 'onWork' | 'took'
    >,
    private readonly ports: { readonly clock: Clock; readonly slab: SharedSlab },
  ) {}

  get queued(): number {
    return this.threads.reduce((sum, thread) => sum + thread.queued, 0)
  }

  get oldest(): Millis {
    return this.threads.reduce((most, thread) => Math.max(most, thread.oldest), 0)
  }

  begin(key: StorageKey, owner: Owner, piece: PieceIndex, suspect: boolean): Run {
    const worker = this.choose(owner, piece)
    const hasher = worker ?? owner.lane()
    const run: Run = { id: (this.lastRun += 1), key, piece, owner, hasher, worker, suspect, sent: false }
    this.runs.set(run.id, run)
    return run
  }

  /** Sends an extent whose slot was handed over; its files are there. */
  send(run: Run, slot: Slot, memory: SharedArrayBuffer, extent: number, length: number): void {
    if (run.worker !== null) this.openIn(run, run.worker)
    const ticket = (this.lastTicket += 1)
    this.tickets.set(ticket, { slot, run, extent, length })
    const { id, key, piece, suspect } = run
    const first = !run.sent
    run.sent = true
    const offset = slot.view.byteOffset
    const { tight } = this
    const ask = { key, run: id, first, piece, extent, length, memory, offset, tight, suspect, ticket }
    this.ask(run.hasher, 'extent', ask)
  }

  /** Nothing more is heard of the run. */
  forget(run: Run): void {
    if (!this.runs.delete(run.id) || !run.sent) return
    this.ask(run.hasher, 'forget', { run: run.id })
  }

  /** Resolves when no worker has an extent of a run of this storage that was forgotten: it may be writing it still. */
  async quiet(key: StorageKey): Promise<void> {
    const threads = new Set<Thread<HashJobs>>()
    for (const { run } of this.tickets.values()) {
      if (run.key === key && run.worker !== null && !this.runs.has(run.id)) threads.add(run.worker)
    }
    await Promise.all(
      [...threads].map(
        (thread) =>
          new Promise<void>((resolve) => {
            // Jobs are done in order: the answer to one that does nothing comes after all before it.
            thread.request('closeFiles', { key, files: [] }, (outcome) => {
              this.settle(outcome)
              resolve()
            })
          }),
      ),
    )
  }

  /** These files were made anew. */
  closeFiles(key: StorageKey, files: readonly number[]): void {
    for (const thread of this.opened.get(key) ?? []) this.ask(thread, 'closeFiles', { key, files })
  }

  /**
   * Descriptors closed and waiting extents dropped in every worker that knows the storage. One that is stuck in another
   * volume and has nothing of this storage to write does it when it goes on: nobody waits for that.
   */
  async close(key: StorageKey): Promise<void> {
    for (const run of this.runs.values()) if (run.key === key) this.runs.delete(run.id)
    const threads = [...(this.opened.get(key) ?? [])]
    this.opened.delete(key)
    const writing = new Set(
      [...this.tickets.values()].map(({ run }) => (run.key === key ? run.worker : null)),
    )
    await Promise.all(
      threads.map(
        (thread) =>
          new Promise<void>((resolve) => {
            if (thread.oldest > STUCK && !writing.has(thread)) resolve()
            thread.request('close', { key }, (outcome) => {
              this.settle(outcome)
              resolve()
            })
          }),
      ),
    )
  }

  /** The slab got short of slots, or is no longer. */
  press(tight: boolean): void {
    this.tight = tight
    const busy = new Set([...this.runs.values()].filter((run) => run.sent).map((run) => run.hasher))
    for (const hasher of busy) this.ask(hasher, 'tight', { tight })
  }

  async stop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.stop()))
  }

  /** Starts the workers, all or the first so many, which takes tens of milliseconds, where they are not there yet. */
  start(count = this.init.hashWorkers): void {
    while (this.threads.length < Math.min(count, this.init.hashWorkers)) {
      const i = this.threads.length
      const thread = new Thread<HashJobs>({ ...this.init, name: `hash-${String(i + 1)}` }, this.ports.clock)
      this.threads.push(thread)
    }
  }

  /** By piece, so that all extents of one meet; null, the volume's own lane, in the place of a stuck worker. */
  private choose(owner: Owner, piece: PieceIndex): Thread<HashJobs> | null {
    this.start()
    const mixed = (Math.imul(owner.torrent, 0x9e3779b1) + piece) >>> 0
    const thread = this.threads[mixed % this.threads.length]
    if (thread === undefined) throw new Error('assembly: no hash worker')
    return thread.oldest > STUCK ? null : thread
  }

  private openIn(run: Run, thread: Thread<HashJobs>): void {
    let threads = this.opened.get(run.key)
    if (threads === undefined) this.opened.set(run.key, (threads = new Set()))
    if (threads.has(thread)) return
    threads.add(thread)
    this.ask(thread, 'open', run.owner.openAsk())
  }

  /** Takes what a hasher let go of. */
  readonly settle = (outcome: Outcome): void => {
    for (const number of outcome.freed) {
      const ticket = this.tickets.get(number)
      if (ticket === undefined) throw new Error(`assembly: slot ${String(number)} was freed twice`)
      this.tickets.delete(number)
      this.ports.slab.release(ticket.slot)
      ticket.run.owner.written(ticket.run.piece, ticket.extent, ticket.length)
    }
    for (const { run: id, good, fault, blocks } of outcome.ends) {
      const run = this.runs.get(id)
      if (run === undefined) continue
      this.runs.delete(id)
      run.owner.ended(run.piece, good, fault, blocks)
    }
  }

  private ask<K extends keyof HashJobs>(hasher: Hasher, kind: K, ask: Ask<HashJobs, K>): void {
    hasher.request(kind, ask, this.settle)
  }
}
