/** The feeds of one connection: bounded however slowly its client reads. */
import type { EventView, FeedSink, Notification, NotificationParams } from '../../shared/rpc/contract.js'
import type { TorrentId } from '../../shared/units.js'
import type { TorrentView } from '../../shared/views.js'

/** Events kept for a client that reads slowly. */
const EVENT_CAP = 1000
/** Torrents whose latest state is kept for it. */
const CHANGED_CAP = 2000

interface FeedPorts {
  send<N extends Notification>(name: N, params: NotificationParams<N>): void
  /** True while the client has not taken what it was sent. */
  behind(): boolean
}

export class Feed implements FeedSink {
  readonly #ports: FeedPorts
  /** True until the answer to `events.subscribe` is on its way: nothing overtakes it. */
  #held = true
  /** Something was dropped since the last `gap`: nothing is kept until the client has caught up. */
  #gap = false
  /** At most EVENT_CAP, oldest first. */
  #events: EventView[] = []
  /** Latest state by torrent, at most CHANGED_CAP. */
  #changed = new Map<TorrentId, TorrentView>()
  /** Torrents removed and not told. */
  #removed = new Set<TorrentId>()
  /** Revision of the latest change kept. */
  #rev = 0

  constructor(ports: FeedPorts) {
    this.#ports = ports
  }

  event(event: EventView): void {
    if (this.#flows) this.#ports.send('event', event)
    else if (this.#gap) return
    else if (this.#events.length >= EVENT_CAP) this.#drop()
    else this.#events.push(event)
  }

  changed(changed: NotificationParams<'changed'>): void {
    if (this.#flows) {
      this.#ports.send('changed', changed)
      return
    }
    if (this.#gap) return
    this.#rev = changed.rev
    for (const torrent of changed.torrents) this.#changed.set(torrent.id, torrent)
    for (const id of changed.removed) {
      this.#changed.delete(id)
      this.#removed.add(id)
    }
    if (this.#changed.size + this.#removed.size > CHANGED_CAP) this.#drop()
  }

  /** The answer to `events.subscribe` was sent. */
  release(): void {
    this.#held = false
    this.flush()
  }

  /** The client has caught up: sends what was kept. */
  flush(): void {
    if (this.#held || this.#ports.behind()) return
    if (this.#gap) {
      this.#gap = false
      this.#ports.send('gap', {})
      return
    }
    const events = this.#events
    const torrents = [...this.#changed.values()]
    const removed = [...this.#removed]
    this.#forget()
    for (const event of events) this.#ports.send('event', event)
    if (torrents.length + removed.length > 0)
      this.#ports.send('changed', { rev: this.#rev, torrents, removed })
  }

  get #flows(): boolean {
    const empty = this.#events.length === 0 && this.#changed.size === 0 && this.#removed.size === 0
    return empty && !this.#held && !this.#gap && !this.#ports.behind()
  }

  #drop(): void {
    this.#gap = true
    this.#forget()
  }

  #forget(): void {
    this.#events = []
    this.#changed.clear()
    this.#removed.clear()
  }
}
