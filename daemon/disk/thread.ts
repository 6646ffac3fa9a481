/**
 * A worker thread as the main side sees it: jobs in, answers back in the same order. The jobs of one turn of the loop
 * make one message, and while the thread has enough to do the next ones are collected: a message costs a wake-up.
 */
import { Worker } from 'node:worker_threads'
import type { Millis } from '../../shared/units.js'
import { LOOK_EVERY, Silence } from '../base/silence.js'
import type { Clock } from '../ports/clock.js'
import type { Answer, Ask, Envelope, Table } from './jobs.js'

interface Pending {
  readonly kind: PropertyKey
  /** When it was asked. */
  readonly since: Millis
  readonly done: (answer: unknown) => void
}

/** Dead entries at the front of the queue before it is cut. */
const CUT = 1024
/** A thread that hangs in a system call is left behind at the end. */
const STOP_WITHIN = 5000
/** Jobs a thread has before it; more wait here until half of them are answered. */
const AHEAD = 16

export interface ThreadInit {
  readonly url: URL
  readonly name: string
  /** The thread died: a bug, after which nothing here may be believed. */
  readonly onBug: (error: Error) => void
  /** Answers came: work begins on the main thread. */
  readonly onWork?: (() => void) | undefined
  /** A job was answered after so long. */
  readonly took?: ((kind: PropertyKey, took: Millis) => void) | undefined
}

export class Thread<J extends Table<J> & { stop: { ask: null; answer: unknown } }> {
  private readonly worker: Worker
  /** Asked and not answered, from `head` on, oldest first. */
  private pending: Pending[] = []
  private head = 0
  /** Asked and not sent yet: the youngest of `pending`. */
  private outbox: Envelope<J>[] = []
  /** The outbox goes out at the end of this turn. */
  private flushing = false
  /** Set by `stop`: the end of the thread is expected then. */
  private stopped: Promise<void> | null = null
  private readonly silence: Silence

  constructor(
    private readonly init: ThreadInit,
    private readonly clock: Clock,
  ) {
    this.worker = new Worker(init.url, { name: init.name })
    this.silence = new Silence({ every: LOOK_EVERY }, { clock })
    this.worker.on('message', (answers: readonly unknown[]) => {
      init.onWork?.()
      for (const answer of answers) this.answered(answer)
      if (this.queued - this.outbox.length <= AHEAD / 2) this.flush()
    })
    this.worker.on('error', (error) => {
      init.onBug(error instanceof Error ? error : new Error(String(error)))
    })
    this.worker.on('exit', (code) => {
      if (this.stopped === null) init.onBug(new Error(`thread ${init.name} ended with ${String(code)}`))
    })
  }

  /** Jobs asked and not answered. */
  get queued(): number {
    return this.pending.length - this.head
  }

  /** Age of the oldest job not answered, 0 when there is none. */
  get oldest(): Millis {
    const first = this.pending[this.head]
    return first === undefined ? 0 : this.clock.now() - first.since
  }

  /** It has answered nothing for 20 s, though it was asked: a volume holds it in a call. */
  get silent(): boolean {
    return this.silence.silent
  }

  request<K extends keyof J>(kind: K, ask: Ask<J, K>, done: (answer: Answer<J, K>) => void): void {
    if (this.stopped !== null) return
    this.send(kind, ask, done)
  }

  /** Ends the thread after the jobs under way. */
  stop(): Promise<void> {
    this.stopped ??= new Promise((resolve) => {
      const cancel = this.clock.after(STOP_WITHIN, () => {
        void this.worker.terminate()
        resolve()
      })
      this.worker.on('exit', () => {
        cancel()
        resolve()
      })
      this.send('stop', null, () => undefined)
    })
    return this.stopped
  }

  private send<K extends keyof J>(kind: K, ask: unknown, done: (answer: Answer<J, K>) => void): void {
    this.silence.asked()
    this.pending.push({ kind, since: this.clock.now(), done: done })
    this.outbox.push({ kind, ask })
    if (this.flushing || this.queued - this.outbox.length >= AHEAD) return
    this.flushing = true
    queueMicrotask(() => {
      this.flushing = false
      this.flush()
    })
  }

  private flush(): void {
    if (this.outbox.length === 0) return
    const jobs = this.outbox
    this.outbox = []
    this.worker.postMessage(jobs)
  }

  private answered(answer: unknown): void {
    const first = this.pending[this.head]
    if (first === undefined) throw new Error(`thread ${this.init.name} answered what nobody asked`)
    this.head += 1
    this.silence.answered()
    if (this.head >= CUT || this.head === this.pending.length) {
      this.pending = this.pending.slice(this.head)
      this.head = 0
    }
    this.init.took?.(first.kind, this.clock.now() - first.since)
    first.done(answer)
  }
}
