/**
 * The owner of one torrent. Commands and completions are its only inputs, and its methods are synchronous. What its
 * parts ask of each other is in parts.ts.
 */
import type { Addresses } from '../base/addresses.js'
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import type { Bytes, Hashes, Millis, SwarmKey, TorrentId } from '../../shared/units.js'
import { swarmKeys } from '../../shared/units.js'
import type { Desired, PeerView, SeedGoals, TorrentView, TrackerView } from '../../shared/views.js'
import type { DiskFault, Waits } from '../ports/disk.js'
import type { TorrentLimits, TorrentRow, TotalsRow, TrackerRow } from '../ports/store.js'
import { isForeign } from './candidates.js'
import { bareFacts, swarmFacts, type TorrentFacts } from './facts.js'
import type { Known } from './known.js'
import type { TorrentState } from './lifecycle.js'
import type { Greeting, Link } from './link.js'
import type { Live } from './live.js'
import { Parts, type PartsOwner, type PartsPorts } from './parts.js'
import type { TorrentInit } from './torrent-ports.js'
import type { TrackerFault } from './tracker-port.js'
import type { QueueMember } from './queue.js'
import { torrentView } from './view.js'
import type { Choice } from './wishes.js'

export interface TorrentListener {
  /** Something that is shown changed. */
  changed(torrent: Torrent): void
  /** A fact for the journal. */
  noted(torrent: Torrent, kind: string, data: Readonly<Record<string, unknown>>): void
}

/** How far the seeding of a torrent is. */
export interface Seeding {
  readonly uploaded: Bytes
  /** As it is shown. */
  readonly ratio: number | null
  readonly time: Millis
}

export interface TorrentPorts extends PartsPorts {
  readonly listener: TorrentListener
}

export class Torrent implements PartsOwner {
  readonly id: TorrentId
  readonly hashes: Hashes
  readonly keys: readonly SwarmKey[]
  /** Bumped by the session at each change; see `torrent.list`. */
  rev = 0
  readonly #listener: TorrentListener
  readonly #parts: Parts

  constructor(init: TorrentInit, ports: TorrentPorts) {
    this.id = init.row.id
    this.hashes = init.row.hashes
    this.keys = swarmKeys(init.row.hashes)
    this.#listener = ports.listener
    this.#parts = new Parts(this, init, ports)
  }

  get state(): TorrentState {
    return this.#parts.course.state
  }
  get isRunning(): boolean {
    return this.#parts.course.isRunning
  }
  get desired(): Desired {
    return this.#parts.known.desired
  }
  get name(): string {
    return this.#parts.known.row.name
  }
  get dir(): string {
    return this.#parts.known.row.dir
  }
  /** st_dev of the folder, as it was when the files were first there. */
  get volume(): string {
    return this.#parts.known.row.volume
  }
  get private(): boolean {
    return this.#parts.known.row.private
  }
  /** As the store has it, but for what changed since. */
  get record(): TorrentRow {
    return { ...this.#parts.known.row, desired: this.desired }
  }
  /** It is only a magnet link so far: it has no files, no pieces and no size. */
  get lacksMetadata(): boolean {
    return this.#parts.metadata !== null
  }
  /** Where its files lie: for the question who writes what. */
  get claim(): Known['claim'] {
    return this.#parts.known.claim
  }
  /** As the queue sees it. */
  get member(): QueueMember {
    return this.#parts.turn
  }
  get wasted(): number {
    return this.#parts.known.totals.wasted
  }
  get connected(): number {
    return this.#parts.seeking.connected
  }
  /** Our handshakes in this swarm say that we have a DHT node. */
  get offersDht(): boolean {
    return this.#parts.seeking.offersDht
  }
  /** Payload went in the last seconds. */
  get moving(): boolean {
    const { live } = this.#parts.data
    if (live === null) return false
    const now = this.#parts.means.clock.now()
    return live.down.rate(now) + live.up.rate(now) > 0
  }
  /** It looks for peers: it runs, or is a magnet link that is to. */
  get #seeks(): boolean {
    return this.isRunning || this.state.kind === 'fetchingMetadata'
  }
  /** A hybrid is in the swarm of its v1 hash alone: its v2 swarm has other pieces. */
  serves(key: SwarmKey): boolean {
    return this.#seeks && key === this.keys[0]
  }

  // --- commands: whether it runs

  /** Like `start`, for one just added: what was parsed to judge it is not read and parsed again. */
  begin(meta: Metainfo): void {
    this.#parts.loader.expect(meta)
    this.start()
  }

  /** Goes on, from whatever stopped it; forced: the queue does not hold it. */
  start(wish: 'running' | 'forced' = 'running'): void {
    if (this.#parts.retired) return
    this.#parts.known.desired = wish
    if (this.goalReached !== null) this.#parts.known.change({ reached: null })
    this.#parts.turn.wished()
    this.#forgive()
    if (this.#parts.moving.job !== null) return
    const course = this.#parts.course
    if (course.after !== null) {
      if (course.after !== 'exit') course.after = 'start'
      return
    }
    if (course.state.kind === 'blocked') return this.#parts.blocking.tryAgain()
    if (course.state.kind === 'paused') this.#parts.begin()
  }

  /** What held it before is over: a person wants it to go on. */
  #forgive(): void {
    if (this.#parts.known.row.fault === null) return
    this.#parts.known.change({ fault: null })
    // Where it cannot be stored, the old sentence comes back with the next start, and goes with the next resume.
    this.#parts.means.store.setFault(this.id, null).catch(() => undefined)
  }

  /** Stops; `done` when every connection, job and announce has ended. */
  pause(done: () => void = () => undefined): void {
    this.#parts.pause(done)
  }

  /** Like `pause`, for good: it is being removed, and whoever wants it to go on comes too late. */
  retire(done: () => void): void {
    this.#parts.retired = true
    this.pause(done)
  }

  /** The removal failed or was given up: it may be started again. */
  keep(): void {
    this.#parts.retired = false
    const { state } = this.#parts.course
    if (state.kind === 'blocked' && state.by.kind === 'removal') this.#parts.course.set({ kind: 'paused' })
  }

  /** Like `pause`, without touching what the user wants. `cap` bounds the announces. */
  exit(cap: Millis, done: () => void): void {
    if (this.state.kind === 'moving') return done()
    this.#parts.stopping.stop('exit', cap, done)
  }

  /** Hashes everything again. Missing files count as missing pieces. */
  verify(): void {
    if (this.#parts.retired) return
    this.#parts.starting.ask()
    if (this.#parts.moving.job !== null) return
    if (this.#parts.course.after !== null) this.#parts.course.after = 'verify'
    else this.#parts.stopping.stop('verify', 0, () => undefined)
  }

  // --- commands: its files

  /**
   * Its files are brought elsewhere: `ready` when nobody uses them any more. Until `settle` it is idle, whatever is
   * asked of it.
   */
  relocate(job: number, ready: () => void): void {
    this.#parts.moving.relocate(job, ready)
  }
  relocating(done: number, total: number): void {
    this.#parts.moving.progress(done, total)
  }
  /** The files lie at `place`, or where they were; it goes on as is wanted. */
  settle(place: Pick<TorrentRow, 'dir' | 'volume' | 'name'> | null, done: () => void): void {
    this.#parts.moving.settle(place, done)
  }

  /** Shown while its removal waits: for a volume that is away, or for the answer of one. */
  awaitRemoval(waits: 'volume' | 'answer' | 'store'): void {
    this.#parts.blocking.awaitRemoval(waits)
  }

  /** Another place in the order of the queue, already durable; the queue is told when all are said. */
  setRank(rank: number | null): void {
    this.#parts.known.change({ rank })
  }

  /** Other goals of seeding, already durable. */
  setGoals(goals: SeedGoals | null): void {
    this.#parts.known.change({ goals })
    this.#parts.changed()
  }

  /** A goal is reached: it pauses; durable already. */
  reach(goal: string): void {
    this.#parts.known.change({ reached: goal })
    this.pause()
  }

  /** How far its seeding is. */
  seeding(): Seeding {
    const { known, data, means } = this.#parts
    return {
      uploaded: known.totals.uploaded,
      ratio: known.totals.ratio(data.live?.content.doneBytes ?? known.row.done),
      time: known.totals.seeding(means.clock.now()),
    }
  }

  /** Its own goals; null: as the settings say. */
  get goals(): SeedGoals | null {
    return this.#parts.known.row.goals
  }
  get goalReached(): string | null {
    return this.#parts.known.row.reached
  }

  /** Other labels, already durable. */
  relabel(labels: readonly string[]): void {
    this.#parts.known.change({ labels })
    this.changed()
  }

  /** Another choice of files, already durable. */
  select(choice: Choice): void {
    this.#parts.running.choose(choice)
  }

  /** Other limits of its own, already durable. */
  limit(limits: TorrentLimits | null): void {
    this.#parts.known.change({ limits })
    this.#parts.data.live?.limit(limits ?? { down: null, up: null })
    this.#parts.changed()
  }

  /** Calls `use` with the data loaded, loading them for it where needed; null where that failed. */
  withLive(use: (live: Live | null) => void): void {
    if (this.lacksMetadata) return use(null)
    this.#parts.data.use(use)
  }

  /** Deletes the files; the torrent is stopped. Null: done. */
  removeData(done: (fault: DiskFault | null) => void): void {
    if (this.lacksMetadata) return done(null)
    this.#parts.data.remove(done)
  }

  /** What is verified is synced and recorded now; `done` afterwards, or where that cannot be. */
  flush(done: () => void): void {
    const { live } = this.#parts.data
    if (live === null) return done()
    live.recorder.flush(done)
  }

  /** The metadata came, and are recorded. */
  learn(row: TorrentRow, meta: Metainfo): void {
    if (this.#parts.metadata === null) return
    const fetching = this.state.kind === 'fetchingMetadata'
    const handed = this.#parts.metadata.handOver()
    this.#parts.metadata = null
    this.#parts.known.learn(row)
    this.#parts.loader.expect(meta)
    for (const given of handed) {
      // BEP 27: whom anybody but its trackers named has no part in a private torrent.
      if (row.private && isForeign(given.source)) this.#parts.arrivals.refuse(given)
      else this.#parts.arrivals.hand(given)
    }
    if (row.private) {
      this.#parts.candidates.forgetForeign()
      if (fetching) this.#parts.tracker.start()
    }
    this.#parts.noted('metadata', { name: row.name })
    if (!fetching) return this.#parts.changed()
    this.#parts.begin()
  }

  // --- commands: its peers

  announcesTo(url: string): boolean {
    return this.#parts.known.row.trackers.some((tracker) => tracker.url === url)
  }

  /** What was removed, then what was added; both are durable. */
  changeTrackers(added: readonly TrackerRow[], removed: readonly string[]): void {
    const { known, tracker } = this.#parts
    const kept = known.row.trackers.filter(({ url }) => !removed.includes(url))
    known.change({ trackers: [...kept, ...added].sort((a, b) => a.tier - b.tier) })
    tracker.addTrackers(added)
    tracker.removeTrackers(removed)
  }

  scrape(done: (failed: readonly TrackerFault[]) => void): void {
    this.#parts.tracker.scrape(done)
  }

  /** Looks for peers again, as early as its trackers allow; urgent: before other torrents, since a person asked. */
  announceAgain(urgent = false): void {
    if (this.#seeks) this.#parts.tracker.announceNow(urgent)
  }

  /** Nothing ran for so long, or these are our addresses now. */
  woke(gap: Millis, addresses: Addresses): void {
    this.#parts.data.live?.connections.woke(gap, addresses)
  }

  /** Peer exchange was turned on or off. */
  pexChanged(): void {
    this.#parts.data.live?.connections.pexChanged()
    this.#parts.metadata?.fetch?.pexChanged()
  }

  /** An accepted connection for one of our swarms. */
  accept(link: Link, greeting: Greeting): void {
    const fetch = this.#parts.metadata?.fetch ?? null
    if (fetch !== null) return fetch.attach(link, greeting, 'incoming')
    if (!this.isRunning) return link.close('not-running')
    const { live } = this.#parts.data
    if (live === null) this.#parts.arrivals.wait(link, greeting)
    else live.connections.attach(link, greeting, 'incoming')
  }

  // --- views

  view(): TorrentView {
    return torrentView({
      row: this.#parts.known.row,
      live: this.#parts.data.live,
      fetching: this.#parts.metadata?.size ?? null,
      state: this.state,
      desired: this.desired,
      totals: this.#parts.known.totals,
      rank: () => this.#parts.means.queue.place(this.#parts.turn),
      storeTrouble: this.#parts.running.storeFault,
      silent: this.#waits().silent,
      now: this.#parts.means.clock.now(),
    })
  }

  #waits(): Waits {
    return this.#parts.means.disk.waits(this.dir)
  }

  peers(): PeerView[] {
    return this.#parts.data.live?.connections.views() ?? this.#parts.metadata?.views() ?? []
  }
  trackers(): TrackerView[] {
    return this.#parts.tracker.views()
  }

  /** For the question why it does not go on. */
  facts(): TorrentFacts {
    const { live } = this.#parts.data
    const known = { size: this.#parts.candidates.size, failed: this.#parts.candidates.failing }
    return {
      view: this.view(),
      state: this.state,
      held: this.#parts.known.row.fault,
      storeTrouble: this.#parts.running.storeFault,
      disk: this.#waits(),
      trackers: this.trackers(),
      swarm: live === null ? bareFacts(this.connected, known) : swarmFacts(live, known),
    }
  }

  /** Totals that are worth to be saved; see `Totals.take`. */
  takeTotals(when: 'moved' | 'much' | 'any'): TotalsRow | null {
    return this.#parts.known.totals.take(this.id, this.#parts.means.clock.now(), when)
  }

  // --- what its parts tell (PartsOwner)

  changed(): void {
    this.#listener.changed(this)
  }

  noted(kind: string, data: Readonly<Record<string, unknown>>): void {
    this.#listener.noted(this, kind, data)
  }

  /** Something of our own threw while it was at work: it is blocked, and tried again by itself. */
  fail(error: unknown): void {
    this.#parts.failed(error)
  }
}
