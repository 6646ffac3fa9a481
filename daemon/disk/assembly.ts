/** Extents on their way through the hash workers, main side: who has which slot, and what became of each piece. */
import type { Millis, PieceIndex, TorrentId } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'
import type { DiskFault, Slot } from '../ports/disk.js'
import type { Ask, HashJobs, OpenAsk, Outcome, StorageKey } from './jobs.js'
import type { SharedSlab } from './slab.js'
import { Thread, type ThreadInit } from './thread.js'

/** Whose pieces these are. */
export interface Owner {
  readonly torrent: TorrentId
  /** What a thread has to know before the first extent. */
  openAsk(): OpenAsk
  /** A worker let go of an extent; it may have been written. */
  written(piece: PieceIndex, extent: number, length: number): void
  ended(piece: PieceIndex, good: boolean, fault: DiskFault | null): void
}

/** One attempt at one piece. */
export interface Run {
  readonly id: number
  readonly key: StorageKey
  readonly piece: PieceIndex
  readonly owner: Owner
  /** The thread that hashes it: the same for all its extents. */
  readonly thread: Thread<HashJobs>
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
  /** Started with the first piece: an idle daemon has none. */
  private readonly threads: Thread<HashJobs>[] = []
  /** Slots that a worker has, by ticket. */
  private readonly tickets = new Map<number, Ticket>()
  /** Runs that nobody has ended or forgotten, by id. */
  private readonly runs = new Map<number, Run>()
  /** Threads that know a storage. */
  private readonly opened = new Map<StorageKey, Set<Thread<HashJobs>>>()
  private lastRun = 0
  private lastTicket = 0
  private tight = false

  constructor(
    private readonly init: { readonly hashWorkers: number } & Pick<ThreadInit, 'url' | 'onBug'>,
    private readonly ports: { readonly clock: Clock; readonly slab: SharedSlab },
  ) {}

  get queued(): number {
    return this.threads.reduce((sum, thread) => sum + thread.queued, 0)
  }

  get oldest(): Millis {
    return this.threads.reduce((most, thread) => Math.max(most, thread.oldest), 0)
  }

  begin(key: StorageKey, owner: Owner, piece: PieceIndex): Run {
    if (this.threads.length === 0) this.start()
    const mixed = (Math.imul(owner.torrent, 0x9e3779b1) + piece) >>> 0
    const thread = this.threads[mixed % this.threads.length]
    if (thread === undefined) throw new Error('assembly: no hash worker')
    const run: Run = { id: (this.lastRun += 1), key, piece, owner, thread, sent: false }
    this.runs.set(run.id, run)
    return run
  }

  /** Sends an extent whose slot was handed over; its files are there. */
  send(run: Run, slot: Slot, memory: SharedArrayBuffer, extent: number, length: number): void {
    this.openIn(run)
    const ticket = (this.lastTicket += 1)
    this.tickets.set(ticket, { slot, run, extent, length })
    const { id, key, piece } = run
    const first = !run.sent
    run.sent = true
    const offset = slot.view.byteOffset
    this.ask(run.thread, 'extent', { key, run: id, first, piece, extent, length, memory, offset, ticket })
  }

  /** Nothing more is heard of the run. */
  forget(run: Run): void {
    if (!this.runs.delete(run.id) || !run.sent) return
    this.ask(run.thread, 'forget', { run: run.id })
  }

  /** These files were made anew. */
  closeFiles(key: StorageKey, files: readonly number[]): void {
    for (const thread of this.opened.get(key) ?? []) this.ask(thread, 'closeFiles', { key, files })
  }

  /** Descriptors closed and waiting extents dropped in every worker that knows the storage. */
  async close(key: StorageKey): Promise<void> {
    for (const run of this.runs.values()) if (run.key === key) this.runs.delete(run.id)
    const threads = [...(this.opened.get(key) ?? [])]
    this.opened.delete(key)
    await Promise.all(
      threads.map(
        (thread) =>
          new Promise<void>((resolve) => {
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
    for (const thread of this.threads) this.ask(thread, 'tight', { tight })
  }

  async stop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.stop()))
  }

  private start(): void {
    for (let i = 0; i < this.init.hashWorkers; i += 1) {
      const thread = new Thread<HashJobs>({ ...this.init, name: `hash-${String(i + 1)}` }, this.ports.clock)
      this.threads.push(thread)
      if (this.tight) this.ask(thread, 'tight', { tight: true })
    }
  }

  private openIn(run: Run): void {
    let threads = this.opened.get(run.key)
    if (threads === undefined) this.opened.set(run.key, (threads = new Set()))
    if (threads.has(run.thread)) return
    threads.add(run.thread)
    this.ask(run.thread, 'open', run.owner.openAsk())
  }

  private readonly settle = (outcome: Outcome): void => {
    for (const number of outcome.freed) {
      const ticket = this.tickets.get(number)
      if (ticket === undefined) throw new Error(`assembly: slot ${String(number)} was freed twice`)
      this.tickets.delete(number)
      this.ports.slab.release(ticket.slot)
      ticket.run.owner.written(ticket.run.piece, ticket.extent, ticket.length)
    }
    for (const { run: id, good, fault } of outcome.ends) {
      const run = this.runs.get(id)
      if (run === undefined) continue
      this.runs.delete(id)
      run.owner.ended(run.piece, good, fault)
    }
  }

  private ask<K extends keyof HashJobs>(thread: Thread<HashJobs>, kind: K, ask: Ask<HashJobs, K>): void {
    thread.request(kind, ask, this.settle as (answer: unknown) => void)
  }
}
