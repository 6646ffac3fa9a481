/** The two feeds: the journal of facts, durable and numbered, and the latest state of what changed. */
import type { Millis, TorrentId } from '../../shared/units.js'
import type { EventView, Feeds, FeedSink, NotificationParams } from '../../shared/rpc/contract.js'
import type { Log } from '../base/log.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Store } from '../ports/store.js'

/** Changes are told at most this often. */
const COALESCE: Millis = 250
const REPLAY_PAGE = 500

export interface JournalPorts {
  readonly clock: Clock
  readonly store: Store
  readonly log: Log
  /** What changed after a revision, as it is now. */
  readonly changesSince: (rev: number) => NotificationParams<'changed'>
}

interface Subscriber {
  readonly sink: FeedSink
  readonly changes: boolean
  /** The last revision told. */
  rev: number
  /** Events wait here while the past is read. */
  backlog: EventView[] | null
}

export class Journal implements Feeds {
  readonly #ports: JournalPorts
  readonly #subscribers = new Set<Subscriber>()
  /** Bumped by every change of a torrent. */
  #rev = 0
  /** The last committed event. */
  #seq = 0
  #timer: Cancel | null = null

  constructor(ports: JournalPorts) {
    this.#ports = ports
  }

  get rev(): number {
    return this.#rev
  }
  get seq(): number {
    return this.#seq
  }

  /** Continues the numbering of an earlier run. */
  continueFrom(seq: number): void {
    this.#seq = seq
  }

  /** A new revision for a torrent that changed; subscribers are told soon. */
  bump(): number {
    this.#rev++
    if (this.#timer === null && this.#wantsChanges()) {
      this.#timer = this.#ports.clock.after(COALESCE, () => {
        this.#timer = null
        this.#tellChanges()
      })
    }
    return this.#rev
  }

  /** Commits a fact, then tells it. A store that fails is logged: the fact itself stands. */
  note(
    kind: string,
    torrent: TorrentId | null,
    caller: string,
    data: Readonly<Record<string, unknown>>,
  ): void {
    const at = Math.round(this.#ports.clock.wall())
    this.#ports.store.appendEvent({ at, torrent, kind, caller, data }).then(
      (seq) => {
        this.#seq = Math.max(this.#seq, seq)
        this.#tell({ seq, at, kind, torrent, caller, data })
      },
      (error: unknown) => {
        this.#ports.log.warn({ kind, torrent, error: String(error) }, 'an event could not be recorded')
      },
    )
  }

  async subscribe(
    since: number | undefined,
    changes: boolean,
    sink: FeedSink,
  ): Promise<{ readonly seq: number; readonly rev: number; readonly stop: () => void }> {
    const subscriber: Subscriber = { sink, changes, rev: this.#rev, backlog: [] }
    this.#subscribers.add(subscriber)
    const past = since === undefined ? [] : await this.#pastFor(subscriber, since)
    const answer = {
      seq: this.#seq,
      rev: this.#rev,
      stop: () => void this.#subscribers.delete(subscriber),
    }
    // After the answer: a microtask would still come before it.
    this.#ports.clock.after(0, () => {
      if (!this.#subscribers.has(subscriber)) return
      const told = new Set<number>()
      for (const event of [...past, ...(subscriber.backlog ?? [])]) {
        if (told.has(event.seq)) continue
        told.add(event.seq)
        sink.event(event)
      }
      subscriber.backlog = null
    })
    return answer
  }

  async since(seq: number, limit: number): Promise<{ events: EventView[]; more: boolean }> {
    const rows = await this.#ports.store.eventsSince(seq, limit + 1)
    return { events: rows.slice(0, limit), more: rows.length > limit }
  }

  /** A subscriber whose past cannot be read is none: it would gather events for ever. */
  async #pastFor(subscriber: Subscriber, since: number): Promise<EventView[]> {
    try {
      return await this.#past(since)
    } catch (error) {
      this.#subscribers.delete(subscriber)
      throw error
    }
  }

  async #past(since: number): Promise<EventView[]> {
    const events: EventView[] = []
    let from = since
    for (;;) {
      const page = await this.#ports.store.eventsSince(from, REPLAY_PAGE)
      events.push(...page)
      const last = page.at(-1)
      if (last === undefined || page.length < REPLAY_PAGE) return events
      from = last.seq
    }
  }

  #tell(event: EventView): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.backlog !== null) subscriber.backlog.push(event)
      else subscriber.sink.event(event)
    }
  }

  #wantsChanges(): boolean {
    for (const subscriber of this.#subscribers) if (subscriber.changes) return true
    return false
  }

  #tellChanges(): void {
    for (const subscriber of this.#subscribers) {
      if (!subscriber.changes || subscriber.rev === this.#rev) continue
      subscriber.sink.changed(this.#ports.changesSince(subscriber.rev))
      subscriber.rev = this.#rev
    }
  }
}
