/** The registry of all torrents: who they are, what connections go to them, what changed since when. */
import type { Millis, SwarmKey, TorrentId } from '../../shared/units.js'
import type { NotificationParams } from '../../shared/rpc/contract.js'
import type { Limiter } from '../base/limiter.js'
import type { Log } from '../base/log.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Random } from '../ports/random.js'
import type { Store, TorrentRow } from '../ports/store.js'
import { type Greeting, Link } from '../swarm/link.js'
import { SlotShare } from '../swarm/slot-share.js'
import { Torrent } from '../swarm/torrent.js'
import { UnchokeShare } from '../swarm/unchoke-share.js'
import type { Tracker, TrackerAsks } from '../swarm/tracker-port.js'
import type { Dialer, Transport } from '../swarm/transport.js'
import { Budget, Turnstile } from './budget.js'
import { Journal } from './events.js'

/** Totals are saved this often, where they moved. */
const SAVE_TOTALS: Millis = 60_000
/** Announces of `stopped` at the end may take this long. */
const STOP_CAP: Millis = 2000
/** Removed torrents that `torrent.list since` can still tell of. */
const REMEMBER_REMOVED = 10_000

/** Accepted connections that may be shaking hands at once. */
const MOST_GREETING = 200

export interface SessionInit {
  readonly peerId: Uint8Array
  /** Shown to peers. */
  readonly client: string
  readonly maxConnections: number
  readonly maxPeers: number
}

export interface SessionPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly disk: Disk
  readonly downLimit: Limiter
  readonly upLimit: Limiter
  /** Payload moves. */
  readonly busy: () => void
  readonly store: Store
  readonly dialer: Dialer
  readonly listenPort: () => number
  readonly tracker: (row: TorrentRow, asks: TrackerAsks) => Tracker
}

export class Session {
  readonly journal: Journal
  readonly budget: Budget
  readonly #init: SessionInit
  readonly #ports: SessionPorts
  readonly #gate = new Turnstile()
  readonly #slots: SlotShare
  readonly #unchokes: UnchokeShare
  readonly #torrents = new Map<TorrentId, Torrent>()
  /** v1 and v2 keys alike: a hybrid is found under both. */
  readonly #byKey = new Map<SwarmKey, Torrent>()
  /** Accepted connections that have not shaken hands, the oldest first. */
  readonly #greeting = new Set<Link>()
  /** Revision at which a torrent was removed. */
  readonly #removed = new Map<TorrentId, number>()
  #saver: Cancel | null = null
  /** The last run ended in order. */
  #clean = false
  #stopping = false

  constructor(init: SessionInit, ports: SessionPorts) {
    this.#init = init
    this.#ports = ports
    this.budget = new Budget({ max: init.maxConnections })
    const { clock, store, log } = ports
    this.journal = new Journal({ clock, store, log, changesSince: (rev) => this.changesSince(rev) })
    this.#slots = new SlotShare(ports.disk.slab)
    this.#unchokes = new UnchokeShare({ limit: () => ports.upLimit.rate })
  }

  /** Brings back every torrent of the store; one that cannot be started never stops the others. */
  async restore(): Promise<void> {
    const { store, clock, log } = this.#ports
    this.#clean = (await store.getMeta('clean')) === 'yes'
    await store.setMeta('clean', 'no')
    this.journal.continueFrom(await store.lastSeq())
    const rows = await store.torrents()
    for (const row of rows) this.register(row)
    for (const torrent of this.#torrents.values()) {
      if (torrent.desired === 'running' || torrent.desired === 'forced') torrent.start()
    }
    log.info({ torrents: rows.length, clean: this.#clean }, 'restored')
    this.#saver = clock.every(SAVE_TOTALS, () => {
      this.#saveTotals().catch((error: unknown) => {
        log.warn({ error: String(error) }, 'totals could not be saved')
      })
    })
  }

  /** Stops every torrent in order and marks the end as clean. The store stays open. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(
      [...this.#torrents.values()].map(
        (torrent) =>
          new Promise<void>((resolve) => {
            torrent.exit(STOP_CAP, resolve)
          }),
      ),
    )
    this.#saver?.()
    try {
      await this.#saveTotals()
      await this.#ports.store.setMeta('clean', 'yes')
    } catch (error) {
      // A full disk must not keep the daemon from ending; the next start looks at every file.
      this.#ports.log.warn({ error: String(error) }, 'the end could not be recorded')
    }
  }

  /** A torrent of the store becomes a live one; it does nothing until it is started. */
  register(row: TorrentRow): Torrent {
    const { clock, random, log, disk, downLimit, upLimit, store, dialer, listenPort, tracker, busy } =
      this.#ports
    const { peerId, client, maxPeers } = this.#init
    const torrent: Torrent = new Torrent(
      { row, peerId, version: client, maxPeers, clean: this.#clean },
      {
        clock,
        random,
        log,
        disk,
        slots: this.#slots,
        downLimit,
        upLimit,
        unchokes: this.#unchokes,
        store,
        dialer,
        gate: this.#gate,
        budget: this.budget,
        listenPort,
        tracker: (asks) => tracker(row, asks),
        listener: {
          changed: (changed) => {
            changed.rev = this.journal.bump()
            if (changed.moving) busy()
          },
          noted: (noted, kind, data) => {
            this.journal.note(kind, noted.id, '', data)
          },
        },
      },
    )
    this.#torrents.set(torrent.id, torrent)
    for (const key of torrent.keys) this.#byKey.set(key, torrent)
    torrent.rev = this.journal.bump()
    return torrent
  }

  forget(torrent: Torrent): void {
    this.#torrents.delete(torrent.id)
    for (const key of torrent.keys) if (this.#byKey.get(key) === torrent) this.#byKey.delete(key)
    this.#removed.set(torrent.id, this.journal.bump())
    if (this.#removed.size > REMEMBER_REMOVED) {
      for (const oldest of this.#removed.keys()) {
        this.#removed.delete(oldest)
        break
      }
    }
  }

  get(id: TorrentId): Torrent | undefined {
    return this.#torrents.get(id)
  }
  byKey(key: SwarmKey): Torrent | undefined {
    return this.#byKey.get(key)
  }
  all(): Torrent[] {
    return [...this.#torrents.values()]
  }

  /** Removed since a revision. */
  removedSince(rev: number): TorrentId[] {
    return [...this.#removed].filter(([, at]) => at > rev).map(([id]) => id)
  }

  changesSince(rev: number): NotificationParams<'changed'> {
    const torrents = this.all().filter((torrent) => torrent.rev > rev)
    return {
      rev: this.journal.rev,
      torrents: torrents.map((torrent) => torrent.view()),
      removed: this.removedSince(rev),
    }
  }

  /** A connection that somebody opened to us. */
  accept(transport: Transport): void {
    if (this.#stopping) return transport.close('stopping')
    const link = new Link(
      { transport, peerId: this.#init.peerId, key: null },
      {
        clock: this.#ports.clock,
        serves: (key) => this.#byKey.get(key)?.serves(key) === true,
        ready: (ready, greeting) => {
          this.#greeting.delete(ready)
          this.#route(ready, greeting)
        },
        failed: (failed, reason) => {
          this.#greeting.delete(failed)
          this.#ports.log.debug({ reason }, 'inbound connection ended')
        },
      },
    )
    this.#greeting.add(link)
    if (this.#greeting.size <= MOST_GREETING) return
    // A peer that means it needs milliseconds: the oldest is the one that dribbles.
    for (const oldest of this.#greeting) return oldest.close('too-slow')
  }

  #route(link: Link, greeting: Greeting): void {
    const torrent = this.#byKey.get(greeting.key)
    if (torrent === undefined) link.close('unknown-info-hash')
    else torrent.accept(link, greeting)
  }

  async #saveTotals(): Promise<void> {
    const rows = this.all().flatMap((torrent) => torrent.takeTotals() ?? [])
    if (rows.length > 0) await this.#ports.store.saveTotals(rows)
  }
}
