/** The registry of all torrents: who they are, what connections go to them, what changed since when. */
import type { Millis, SwarmKey, TorrentId } from '../../shared/units.js'
import type { NotificationParams } from '../../shared/rpc/contract.js'
import { Addresses } from '../base/addresses.js'
import type { Limiter } from '../base/limiter.js'
import { type Log, stackOf } from '../base/log.js'
import type { Watch } from '../base/watch.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Random } from '../ports/random.js'
import type { Store, TorrentRow, TotalsRow } from '../ports/store.js'
import { Bulkhead, type BulkheadPorts } from '../swarm/bulkhead.js'
import type { DhtGate } from '../swarm/dht-port.js'
import { type Greeting, Link } from '../swarm/link.js'
import type { MetadataKeeper } from '../swarm/metadata-phase.js'
import { Queue, type QueueLimits, type QueueMember } from '../swarm/queue.js'
import { SlotShare } from '../swarm/slot-share.js'
import { Torrent } from '../swarm/torrent.js'
import { UnchokeShare } from '../swarm/unchoke-share.js'
import type { Tracker, TrackerAsks } from '../swarm/tracker-port.js'
import type { Dialer, Transport } from '../swarm/transport.js'
import { type Secrecy, SecretAllowance } from '../swarm/secrecy.js'
import { swarmMark } from '../codec/mse-keys.js'
import type { Encryption } from '../../shared/settings.js'
import { Budget, Turnstile } from './budget.js'
import type { Claim } from './claims.js'
import { type CrashVerdict, Crashes } from './crashes.js'
import { Durability } from './durability.js'
import { Journal } from './events.js'
import { type Goals, NO_GOALS, SeedingGoals } from './goals.js'
import { Means, type Shared } from './means.js'
import { spreadOf } from './spread.js'
import { Volumes } from './volumes.js'
import { within } from './within.js'

/** Totals are saved this often, where they moved. */
const SAVE_TOTALS: Millis = 60_000
/** Announces of `stopped` at the end may take this long. */
const STOP_CAP: Millis = 2000
/** And for one that hangs in its volume a little more: the others are done by then. */
const HANGS_AFTER: Millis = STOP_CAP + 300
/** Removed torrents that `torrent.list since` can still tell of. */
const REMEMBER_REMOVED = 10_000

/** Between two torrents, where they are started one after the other. */
const ONE_BY_ONE: Millis = 2000

/** Why a torrent comes back paused. */
const GUILTY = `Torrentino came down three times while it worked on this torrent, so it was paused; "torrentinoctl resume" tries it again.`

/** Accepted connections that may be shaking hands at once; fewer where there are few sockets at all. */
const MOST_GREETING = 200
const GREETING_SHARE = 1 / 4

export interface SessionInit {
  readonly peerId: Uint8Array
  /** Shown to peers. */
  readonly client: string
  readonly maxConnections: number
  /** Sockets for peers that the system allows; without it, as many as are wanted. */
  readonly maxSockets?: number
  readonly maxPeers: number
  /** Volume of the daemon's own state, st_dev: what lies on it needs no mark. */
  readonly homeVolume: string
}

export interface SessionPorts {
  readonly watch: Watch
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly disk: Disk
  /** Not there: no limit. */
  readonly queue?: QueueLimits
  /** Not there: none. */
  readonly goals?: Goals
  readonly downLimit: Limiter
  readonly upLimit: Limiter
  /** Payload moves. */
  readonly busy: () => void
  readonly store: Store
  readonly dialer: Dialer
  readonly listenPort: () => number
  /** Our addresses in one line. */
  readonly addresses: () => string
  readonly dht?: DhtGate
  /** How far peers are spoken to in secret; not there: not at all. */
  readonly encryption?: () => Encryption
  /** Whether peers tell each other of peers (BEP 11); not there: no. */
  readonly pex?: () => boolean
  readonly tracker: (row: TorrentRow, asks: TrackerAsks, bulkhead: Bulkhead) => Tracker
  readonly keepMetadata: MetadataKeeper
}

export class Session {
  readonly journal: Journal
  readonly budget: Budget
  readonly queue: Queue
  readonly goals: SeedingGoals
  readonly #crashes: Crashes
  readonly volumes: Volumes
  readonly durability: Durability
  readonly #init: SessionInit
  readonly #ports: SessionPorts
  readonly #gate = new Turnstile()
  readonly #slots: SlotShare
  readonly #unchokes: UnchokeShare
  /** Of every torrent's bulkhead. */
  readonly #bulkheadPorts: BulkheadPorts
  /** What every torrent is given. */
  readonly #shared: Shared
  readonly #torrents = new Map<TorrentId, Torrent>()
  /** v1 and v2 keys alike: a hybrid is found under both. */
  readonly #byKey = new Map<SwarmKey, Torrent>()
  /** The key of each mark by which a secret handshake names its swarm. */
  readonly #byMark = new Map<string, SwarmKey>()
  /** Not there: no connection is encrypted. */
  readonly #secrecy: Secrecy | undefined
  readonly #mostGreeting: number
  /** Accepted connections that have not shaken hands, the oldest first. */
  readonly #greeting = new Set<Link>()
  /** Revision at which a torrent was removed. */
  readonly #removed = new Map<TorrentId, number>()
  /** Places that moves under way will take. */
  readonly #reserved = new Set<Claim>()
  #saver: Cancel | null = null
  /** The last run ended in order. */
  #clean = false
  #stopping = false

  constructor(init: SessionInit, ports: SessionPorts) {
    this.#init = init
    this.#ports = ports
    const { maxConnections, maxSockets = Infinity } = init
    this.#mostGreeting = Math.max(1, Math.min(MOST_GREETING, Math.floor(maxSockets * GREETING_SHARE)))
    this.budget = new Budget({ max: Math.min(maxConnections, maxSockets - this.#mostGreeting) })
    this.volumes = new Volumes({ homeVolume: init.homeVolume }, ports)
    const { clock, store, log } = ports
    const free = { download: null, seed: null, stalled: null }
    const members = (): QueueMember[] => this.all().map(({ member }) => member)
    this.queue = new Queue(ports.queue ?? free, { clock, members })
    this.goals = new SeedingGoals(ports.goals ?? NO_GOALS, {
      clock,
      torrents: () => this.all(),
      reached: (torrent, goal) => void this.#endSeeding(torrent, goal),
    })
    this.durability = new Durability({ clock, store, log })
    this.journal = new Journal({ clock, store, log, changesSince: (rev) => this.changesSince(rev) })
    this.#crashes = new Crashes({ clock, store })
    this.#secrecy = ports.encryption === undefined ? undefined : this.#secretly(ports.encryption)
    this.#slots = new SlotShare(ports.disk.slab)
    this.#unchokes = new UnchokeShare({ limit: () => ports.upLimit.rate })
    this.#bulkheadPorts = { watch: ports.watch, failed: this.#failed.bind(this) }
    this.#shared = this.#sharedMeans()
  }

  #sharedMeans(): Shared {
    const { watch, clock, random, log, disk, downLimit, upLimit, store, dialer, listenPort } = this.#ports
    const { tracker, keepMetadata, busy, dht = null, pex = () => false } = this.#ports
    return {
      ...{ watch, clock, random, log, disk, downLimit, upLimit, store, dialer, listenPort },
      ...{ tracker, keepMetadata, dht, pex, secrecy: this.#secrecy, budget: this.budget },
      ...{ slots: this.#slots, unchokes: this.#unchokes, gate: this.#gate, place: this.volumes },
      queue: this.queue,
      listener: {
        changed: (torrent) => {
          torrent.rev = this.journal.bump()
          if (torrent.moving) busy()
          this.goals.look(torrent)
        },
        noted: (torrent, kind, data) => {
          this.journal.note(kind, torrent.id, '', { name: torrent.name, ...data })
        },
      },
    }
  }

  /** Something of a torrent threw. */
  #failed(error: unknown, id: TorrentId): void {
    const torrent = this.#torrents.get(id)
    if (torrent !== undefined) torrent.fail(error)
    else this.#ports.log.error({ torrent: id, error: stackOf(error) }, 'a bug in what a removed torrent left')
  }

  /**
   * Brings back every torrent of the store; one that cannot be started never stops the others. `woke` is called when
   * the machine has got other addresses, within a minute. Those `held` are started by whoever holds them;
   * those that `rest` are not brought back.
   */
  async restore(
    woke: (gap: Millis) => void = () => undefined,
    held: ReadonlySet<TorrentId> = new Set(),
    rests: (row: TorrentRow) => boolean = () => false,
  ): Promise<void> {
    const { store, clock, log, addresses } = this.#ports
    this.#clean = (await store.getMeta('clean')) === 'yes'
    await store.setMeta('clean', 'no')
    this.journal.continueFrom(await store.lastSeq())
    const verdict = await this.#crashes.judge()
    if (verdict.guilty !== null) await this.#hold(verdict.guilty)
    const rows = (await store.torrents()).filter((row) => !rests(row))
    const blocked = await store.blocked()
    for (const row of rows) this.register(row, blocked.get(row.id))
    this.#startAll(verdict, held)
    log.info({ torrents: rows.length, clean: this.#clean, ...verdict }, 'restored')
    let known = addresses()
    this.#saver = clock.every(SAVE_TOTALS, () => {
      const now = addresses()
      if (now !== known) woke(0)
      known = now
      this.#saveTotals().catch((error: unknown) => {
        log.warn({ error: String(error) }, 'totals could not be saved')
      })
    })
  }

  /** The torrent that brings the daemon down is paused, durably, and says why. */
  async #hold(guilty: TorrentId): Promise<void> {
    const { store, log } = this.#ports
    try {
      await store.setDesired([guilty], 'paused')
      await store.setFault(guilty, GUILTY)
      this.journal.note('held', guilty, '', { reason: GUILTY })
    } catch (error) {
      log.warn({ torrent: guilty, error: String(error) }, 'a torrent could not be held')
    }
  }

  #startAll({ careful }: CrashVerdict, held: ReadonlySet<TorrentId>): void {
    const wanted = this.all().filter(
      ({ id, desired }) => !held.has(id) && (desired === 'running' || desired === 'forced'),
    )
    if (!careful) {
      this.queue.batch(() => {
        for (const torrent of wanted) torrent.start(wishOf(torrent))
      })
    } else this.#startNext(wanted)
  }

  #startNext([next, ...rest]: readonly Torrent[]): void {
    this.#crashes.suspect = next?.id ?? null
    if (next === undefined || this.#stopping) return
    next.start(wishOf(next))
    this.#ports.clock.after(ONE_BY_ONE, () => {
      this.#startNext(rest)
    })
  }

  /** A goal of seeding is reached: paused durably, as if a person had. */
  async #endSeeding(torrent: Torrent, goal: string): Promise<void> {
    const { store, log } = this.#ports
    const { id, name } = torrent
    try {
      // What was reached is still so after a kill.
      await this.saveTotals([torrent])
      await store.setReached(id, goal)
    } catch (error) {
      log.warn({ torrent: id, error: String(error) }, 'a reached goal could not be recorded')
      await this.durability.intend([id], 'paused')
    }
    if (torrent.state.kind !== 'seeding') return
    this.journal.note('goal', id, '', { name, goal })
    torrent.reach(goal)
  }

  /** The daemon is going down by a bug: who was at work is noted, and what is verified is recorded as far as it goes. */
  async salvage(torrent: number): Promise<void> {
    this.#stopping = true
    this.queue.close()
    this.goals.close()
    const noted = this.#crashes.note(torrent).catch(() => undefined)
    const rounds = this.all().map(
      (each) =>
        new Promise<void>((resolve) => {
          each.flush(resolve)
        }),
    )
    await Promise.all([noted, ...rounds])
  }

  /** The machine slept so long, or has other addresses: peers that are gone are let go, and others are looked for. */
  woke(gap: Millis): void {
    const { clock, random, log } = this.#ports
    const running = this.all().filter((torrent) => torrent.isRunning)
    const addresses = new Addresses(this.#ports.addresses())
    log.info({ seconds: Math.round(gap / 1000), torrents: running.length }, 'the network is looked at anew')
    const spread = spreadOf(running.length)
    for (const torrent of running) {
      torrent.woke(gap, addresses)
      clock.after(random.int(spread), () => {
        torrent.announceAgain()
      })
    }
  }

  /** Stops every torrent in order and marks the end as clean. The store stays open. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.queue.close()
    this.goals.close()
    const { clock, store, log } = this.#ports
    const exits = this.all().map(
      (torrent) =>
        new Promise<void>((resolve) => {
          torrent.exit(STOP_CAP, resolve)
        }),
    )
    const ended = await within(clock, HANGS_AFTER, Promise.all(exits))
    if (ended === null) log.warn({}, 'a torrent does not end: its volume does not answer')
    this.#saver?.()
    await this.durability.end()
    try {
      await this.#saveTotals(true)
      if (ended !== null) await store.setMeta('clean', 'yes')
    } catch (error) {
      // A full disk must not keep the daemon from ending; the next start looks at every file.
      log.warn({ error: String(error) }, 'the end could not be recorded')
    }
  }

  /** A torrent of the store becomes a live one; it does nothing until it is started. */
  register(row: TorrentRow, blocked?: string, clean = this.#clean): Torrent {
    const { peerId, client: version, maxPeers } = this.#init
    const bulkhead = new Bulkhead({ torrent: row.id }, this.#bulkheadPorts)
    const init = { row, peerId, version, maxPeers, clean, blocked }
    const torrent = new Torrent(init, new Means(bulkhead, this.#shared))
    this.#torrents.set(torrent.id, torrent)
    this.#removed.delete(torrent.id)
    for (const key of torrent.keys) {
      this.#byKey.set(key, torrent)
      this.#byMark.set(swarmMark(key), key)
    }
    torrent.rev = this.journal.bump()
    return torrent
  }

  forget(torrent: Torrent): void {
    this.#torrents.delete(torrent.id)
    for (const key of torrent.keys) {
      if (this.#byKey.get(key) !== torrent) continue
      this.#byKey.delete(key)
      this.#byMark.delete(swarmMark(key))
    }
    this.#removed.set(torrent.id, this.journal.bump())
    this.queue.leave(torrent.member)
    this.queue.reordered()
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

  /** Where files of torrents lie, or will lie. */
  claims(): Claim[] {
    return [
      ...this.all().flatMap((torrent) => (torrent.lacksMetadata ? [] : [torrent.claim])),
      ...this.#reserved,
    ]
  }
  /** The result gives it up. */
  reserve(claim: Claim): () => void {
    this.#reserved.add(claim)
    return () => void this.#reserved.delete(claim)
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

  #secretly(mode: () => Encryption): Secrecy {
    const { random, clock } = this.#ports
    const allowance = new SecretAllowance(clock)
    const swarmOf = (mark: string): SwarmKey | null => {
      const key = this.#byMark.get(mark)
      return key !== undefined && this.#byKey.get(key)?.serves(key) === true ? key : null
    }
    return { random, mode, swarmOf, admits: () => allowance.take() }
  }

  /** A connection that somebody opened to us. */
  accept(transport: Transport): void {
    if (this.#stopping) return transport.close('stopping')
    const link = new Link(
      { transport, peerId: this.#init.peerId, key: null },
      {
        clock: this.#ports.clock,
        watch: this.#ports.watch,
        ...this.#inSecret,
        serves: (key) => this.#byKey.get(key)?.serves(key) === true,
        dht: (key) => this.#byKey.get(key)?.offersDht === true,
        ready: (ready, greeting) => {
          this.#greeting.delete(ready)
          this.#route(ready, greeting)
        },
        failed: (failed, reason) => {
          this.#greeting.delete(failed)
          this.#ports.log.debug({ reason }, 'inbound connection ended')
        },
        broke: (error) => {
          const fields = { error: stackOf(error) }
          this.#ports.log.error(fields, 'a bug in the handling of a peer; its connection is closed')
          this.#ports.watch.contained('peer')
        },
      },
    )
    this.#greeting.add(link)
    if (this.#greeting.size <= this.#mostGreeting) return
    // A peer that means it needs milliseconds: the oldest is the one that dribbles.
    for (const oldest of this.#greeting) return oldest.close('too-slow')
  }

  get #inSecret(): { readonly secrecy?: Secrecy } {
    return this.#secrecy === undefined ? {} : { secrecy: this.#secrecy }
  }

  #route(link: Link, greeting: Greeting): void {
    const torrent = this.#byKey.get(greeting.key)
    if (torrent === undefined) link.close('unknown-info-hash')
    else torrent.accept(link, greeting)
  }

  /** Of torrents that something else is recorded of just now: all that is known. */
  async saveTotals(torrents: readonly Torrent[]): Promise<void> {
    const rows = torrents.flatMap((torrent) => torrent.takeTotals('any') ?? [])
    if (rows.length > 0) await this.#ports.store.saveTotals(rows)
  }

  /** Nothing is written where nothing moved, but at the end: then the time of seeding is. */
  async #saveTotals(ending = false): Promise<void> {
    const take = (when: 'moved' | 'much' | 'any'): TotalsRow[] =>
      this.all().flatMap((torrent) => torrent.takeTotals(when) ?? [])
    const rows = take(ending ? 'any' : 'moved')
    if (rows.length > 0) await this.#ports.store.saveTotals([...rows, ...take('much')])
  }
}

/** What `start` is told, where it is to go on as it is wanted. */
export function wishOf({ desired }: Pick<Torrent, 'desired'>): 'running' | 'forced' {
  return desired === 'forced' ? 'forced' : 'running'
}
