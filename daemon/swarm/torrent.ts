/**
 * The owner of one torrent. Commands and completions are its only inputs, and its methods are synchronous. Each of its
 * parts answers one question (how it starts, stops, is blocked, ...); here they are put together, and asked.
 */
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import type { Hashes, Millis, SwarmKey, TorrentId } from '../../shared/units.js'
import { swarmKeys } from '../../shared/units.js'
import type { Desired, PeerView, TorrentView, TrackerView } from '../../shared/views.js'
import { stackOf } from '../base/log.js'
import type { DiskFault } from '../ports/disk.js'
import type { TorrentRow, TotalsRow, TrackerRow } from '../ports/store.js'
import { Arrivals } from './arrivals.js'
import { Blocking } from './blocking.js'
import type { Bulkhead } from './bulkhead.js'
import { Candidates, isForeign } from './candidates.js'
import { Course } from './course.js'
import { TorrentData } from './data.js'
import { bareFacts, swarmFacts, type TorrentFacts } from './facts.js'
import { Known } from './known.js'
import type { TorrentState } from './lifecycle.js'
import type { Greeting, Link } from './link.js'
import type { Live } from './live.js'
import { Loader } from './loader.js'
import { MetadataPhase } from './metadata-phase.js'
import { Moving } from './moving.js'
import { Running } from './running.js'
import { Seeking } from './seeking.js'
import { Starting } from './starting.js'
import { Stopping } from './stopping.js'
import type { Noted, TorrentInit, TorrentMeans } from './torrent-ports.js'
import type { Tracker, TrackerAsks } from './tracker-port.js'
import { torrentView } from './view.js'
import type { Choice } from './wishes.js'

export interface TorrentListener {
  /** Something that is shown changed. */
  changed(torrent: Torrent): void
  /** A fact for the journal. */
  noted(torrent: Torrent, kind: string, data: Readonly<Record<string, unknown>>): void
}

export interface TorrentPorts extends TorrentMeans {
  readonly tracker: (row: TorrentRow, asks: TrackerAsks, bulkhead: Bulkhead) => Tracker
  readonly listener: TorrentListener
}

export class Torrent {
  readonly id: TorrentId
  readonly hashes: Hashes
  readonly keys: readonly SwarmKey[]
  /** Bumped by the session at each change; see `torrent.list`. */
  rev = 0
  readonly #ports: TorrentPorts
  readonly #course: Course
  readonly #known: Known
  readonly #loader: Loader
  readonly #data: TorrentData
  /** While it is only a magnet link: the fetch of its metadata. */
  #metadata: MetadataPhase | null = null
  readonly #candidates: Candidates
  readonly #tracker: Tracker
  readonly #arrivals: Arrivals
  readonly #seeking: Seeking
  readonly #starting: Starting
  readonly #stopping: Stopping
  readonly #moving: Moving
  readonly #blocking: Blocking
  readonly #running: Running
  /** It is being removed: nothing starts it. */
  #retired = false

  constructor(init: TorrentInit, ports: TorrentPorts) {
    const { row, peerId, version, maxPeers } = init
    this.id = row.id
    this.hashes = row.hashes
    this.keys = swarmKeys(row.hashes)
    const key = this.keys[0]
    if (key === undefined) throw new Error('a torrent without a hash')
    this.#ports = ports
    const means = ports
    const noted: Noted = (kind, data) => {
      ports.listener.noted(this, kind, data)
    }
    const changed = (): void => {
      this.#changed()
    }
    const endRun = (): void => {
      this.#endRun()
    }
    const begin = (): void => {
      this.#begin()
    }
    const wake = (): void => {
      this.#starting.wake()
    }
    const course = new Course({
      changed: () => {
        known.totals.seeds(course.state.kind === 'seeding', ports.clock.now())
        this.#changed()
      },
    })
    const known = new Known(init, { live: () => this.#data.live })
    const candidates = new Candidates({}, { random: ports.random })
    const loader = new Loader(
      { key, peerId, version, maxPeers },
      { means, known, candidates, listener: () => this.#running },
    )
    const data = new TorrentData({
      means,
      course,
      known,
      loader,
      sleeps: () => {
        this.#starting.cancel()
      },
      asleep: () => {
        if (this.#arrivals.any) wake()
      },
    })
    this.#course = course
    this.#known = known
    this.#candidates = candidates
    this.#loader = loader
    this.#data = data
    if (known.lacksMetadata) this.#metadata = this.#metadataPhase(init, key)
    const tracker = ports.tracker(row, this.#trackerAsks(), ports.bulkhead)
    this.#tracker = tracker
    this.#arrivals = new Arrivals({ budget: ports.budget, wake })
    this.#seeking = new Seeking(
      { key, peerId, maxPeers },
      { means, course, known, data, candidates, tracker, wake, fetch: () => this.#metadata?.fetch ?? null },
    )
    this.#starting = new Starting({
      means,
      course,
      known,
      data,
      noted,
      ready: (live, completes) => {
        this.#running.begin(live, completes)
      },
      blocked: (by) => {
        this.#blocking.block(by)
      },
    })
    this.#stopping = new Stopping({
      course,
      data,
      tracker,
      endRun,
      begin,
      mover: () => this.#moving.job,
      guarded: (step) => {
        this.#do(step)
      },
    })
    this.#moving = new Moving({
      course,
      known,
      data,
      stopping: this.#stopping,
      settled: () => {
        this.#settled()
      },
    })
    this.#blocking = new Blocking(
      { told: init.blocked ?? null },
      {
        means,
        course,
        known,
        data,
        noted,
        endRun,
        goOn: begin,
        judge: (then) => {
          this.#starting.judge(then)
        },
      },
    )
    this.#running = new Running({
      means,
      course,
      known,
      data,
      tracker,
      noted,
      changed,
      arrivals: this.#arrivals,
      seeking: this.#seeking,
      starting: this.#starting,
      stopping: this.#stopping,
      blocking: this.#blocking,
      pause: () => {
        this.pause()
      },
      failed: (error) => {
        this.fail(error)
      },
    })
  }

  #trackerAsks(): TrackerAsks {
    const known = this.#known
    return {
      stats: () => {
        const { uploaded, downloaded } = known.totals
        return { uploaded, downloaded, left: known.left }
      },
      isPrivate: () => known.row.private,
      found: (peers, source) => {
        this.#seeking.found(peers, source ?? 'tracker')
      },
      changed: () => {
        this.#changed()
      },
    }
  }

  #metadataPhase(init: TorrentInit, key: SwarmKey): MetadataPhase {
    const { clock, log, store, budget, listenPort, pex, keepMetadata, watch } = this.#ports
    const { peerId, version, maxPeers } = init
    const { id } = this
    return new MetadataPhase(
      { id, key, peerId, version, maxPeers },
      {
        clock,
        store,
        budget,
        listenPort,
        pex,
        candidates: this.#candidates,
        keeper: keepMetadata,
        log: log.child({ torrent: id }),
        dial: (address) => this.#seeking.dial(address),
        known: (row, meta) => {
          this.learn(row, meta)
        },
        refused: (reason) => {
          if (this.#course.state.kind === 'fetchingMetadata')
            this.#blocking.block({ kind: 'metadata', reason })
        },
        peerBroke: () => {
          watch.contained('peer')
        },
        broke: (error) => {
          this.fail(error)
        },
        changed: () => {
          this.#changed()
        },
      },
    )
  }

  get state(): TorrentState {
    return this.#course.state
  }
  get isRunning(): boolean {
    return this.#course.isRunning
  }
  get desired(): Desired {
    return this.#known.desired
  }
  get name(): string {
    return this.#known.row.name
  }
  get dir(): string {
    return this.#known.row.dir
  }
  /** st_dev of the folder, as it was when the files were first there. */
  get volume(): string {
    return this.#known.row.volume
  }
  get private(): boolean {
    return this.#known.row.private
  }
  /** As the store has it, but for what changed since. */
  get record(): TorrentRow {
    return { ...this.#known.row, desired: this.desired }
  }
  /** It is only a magnet link so far: it has no files, no pieces and no size. */
  get lacksMetadata(): boolean {
    return this.#metadata !== null
  }
  /** Where its files lie: for the question who writes what. */
  get claim(): Known['claim'] {
    return this.#known.claim
  }
  get wasted(): number {
    return this.#known.totals.wasted
  }
  get connected(): number {
    return this.#seeking.connected
  }
  /** Our handshakes in this swarm say that we have a DHT node. */
  get offersDht(): boolean {
    return this.#seeking.offersDht
  }
  /** Payload went in the last seconds. */
  get moving(): boolean {
    const { live } = this.#data
    if (live === null) return false
    const now = this.#ports.clock.now()
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
    this.#loader.expect(meta)
    this.start()
  }

  /** Goes on, from whatever stopped it. */
  start(): void {
    if (this.#retired) return
    this.#known.desired = 'running'
    this.#forgive()
    if (this.#moving.job !== null) return
    const course = this.#course
    if (course.after !== null) {
      if (course.after !== 'exit') course.after = 'start'
      return
    }
    if (course.state.kind === 'blocked') return this.#blocking.tryAgain()
    if (course.state.kind === 'paused') this.#begin()
  }

  /** What held it before is over: a person wants it to go on. */
  #forgive(): void {
    if (this.#known.row.fault === null) return
    this.#known.change({ fault: null })
    // Where it cannot be stored, the old sentence comes back with the next start, and goes with the next resume.
    this.#ports.store.setFault(this.id, null).catch(() => undefined)
  }

  /** Stops; `done` when every connection, job and announce has ended. */
  pause(done: () => void = () => undefined): void {
    this.#known.desired = 'paused'
    // The move goes on; what is wanted then is looked at after it.
    if (this.#moving.job !== null) return done()
    this.#stopping.stop('pause', 5000, done)
  }

  /** Like `pause`, for good: it is being removed, and whoever wants it to go on comes too late. */
  retire(done: () => void): void {
    this.#retired = true
    this.pause(done)
  }

  /** The removal failed or was given up: it may be started again. */
  keep(): void {
    this.#retired = false
    const { state } = this.#course
    if (state.kind === 'blocked' && state.by.kind === 'removal') this.#course.set({ kind: 'paused' })
  }

  /** Like `pause`, without touching what the user wants. `cap` bounds the announces. */
  exit(cap: Millis, done: () => void): void {
    if (this.state.kind === 'moving') return done()
    this.#stopping.stop('exit', cap, done)
  }

  /** Hashes everything again. Missing files count as missing pieces. */
  verify(): void {
    if (this.#retired) return
    this.#starting.ask()
    if (this.#moving.job !== null) return
    if (this.#course.after !== null) this.#course.after = 'verify'
    else this.#stopping.stop('verify', 0, () => undefined)
  }

  // --- commands: its files

  /**
   * Its files are brought elsewhere: `ready` when nobody uses them any more. Until `settle` it is idle, whatever is
   * asked of it.
   */
  relocate(job: number, ready: () => void): void {
    this.#moving.relocate(job, ready)
  }
  relocating(done: number, total: number): void {
    this.#moving.progress(done, total)
  }
  /** The files lie at `place`, or where they were; it goes on as is wanted. */
  settle(place: { readonly dir: string; readonly volume: string } | null, done: () => void): void {
    this.#moving.settle(place, done)
  }

  #settled(): void {
    const { desired } = this
    const goesOn = this.#starting.isAsked || desired === 'running' || desired === 'forced'
    if (goesOn && !this.#retired) this.#begin()
    // Paused meanwhile: now its trackers hear of it.
    else this.#tracker.stop(5000, () => undefined)
  }

  /** Shown while its removal waits: for a volume that is away, or for the answer of one. */
  awaitRemoval(waits: 'volume' | 'answer'): void {
    this.#blocking.awaitRemoval(waits)
  }

  /** Another choice of files, already durable. */
  select(choice: Choice): void {
    this.#running.choose(choice)
  }

  /** Calls `use` with the data loaded, loading them for it where needed; null where that failed. */
  withLive(use: (live: Live | null) => void): void {
    if (this.lacksMetadata) return use(null)
    this.#data.use(use)
  }

  /** Deletes the files; the torrent is stopped. Null: done. */
  removeData(done: (fault: DiskFault | null) => void): void {
    if (this.lacksMetadata) return done(null)
    this.#data.remove(done)
  }

  /** What is verified is synced and recorded now; `done` afterwards, or where that cannot be. */
  flush(done: () => void): void {
    const { live } = this.#data
    if (live === null) return done()
    live.recorder.flush(done)
  }

  /** The metadata came, and are recorded. */
  learn(row: TorrentRow, meta: Metainfo): void {
    if (this.#metadata === null) return
    const fetching = this.state.kind === 'fetchingMetadata'
    const handed = this.#metadata.handOver()
    this.#metadata = null
    this.#known.learn(row)
    this.#loader.expect(meta)
    for (const given of handed) {
      // BEP 27: whom anybody but its trackers named has no part in a private torrent.
      if (row.private && isForeign(given.source)) this.#arrivals.refuse(given)
      else this.#arrivals.hand(given)
    }
    if (row.private) {
      this.#candidates.forgetForeign()
      if (fetching) this.#tracker.start()
    }
    this.#ports.listener.noted(this, 'metadata', { name: row.name })
    if (!fetching) return this.#changed()
    this.#begin()
  }

  // --- commands: its peers

  announcesTo(url: string): boolean {
    return this.#known.row.trackers.some((tracker) => tracker.url === url)
  }

  /** What was removed, then what was added; both are durable. */
  changeTrackers(added: readonly TrackerRow[], removed: readonly string[]): void {
    const kept = this.#known.row.trackers.filter(({ url }) => !removed.includes(url))
    this.#known.change({ trackers: [...kept, ...added].sort((a, b) => a.tier - b.tier) })
    this.#tracker.addTrackers(added)
    this.#tracker.removeTrackers(removed)
  }

  /** Looks for peers again, as early as its trackers allow; urgent: before other torrents, since a person asked. */
  announceAgain(urgent = false): void {
    if (this.#seeks) this.#tracker.announceNow(urgent)
  }

  /** Nothing ran for so long. */
  woke(gap: Millis): void {
    this.#data.live?.connections.woke(gap)
  }

  /** Peer exchange was turned on or off. */
  pexChanged(): void {
    this.#data.live?.connections.pexChanged()
    this.#metadata?.fetch?.pexChanged()
  }

  /** An accepted connection for one of our swarms. */
  accept(link: Link, greeting: Greeting): void {
    const fetch = this.#metadata?.fetch ?? null
    if (fetch !== null) return fetch.attach(link, greeting, 'incoming')
    if (!this.isRunning) return link.close('not-running')
    const { live } = this.#data
    if (live === null) this.#arrivals.wait(link, greeting)
    else live.connections.attach(link, greeting, 'incoming')
  }

  // --- views

  view(): TorrentView {
    return torrentView({
      row: this.#known.row,
      live: this.#data.live,
      fetching: this.#metadata?.size ?? null,
      state: this.state,
      desired: this.desired,
      totals: this.#known.totals,
      storeTrouble: this.#running.storeFault,
      now: this.#ports.clock.now(),
    })
  }

  peers(): PeerView[] {
    return this.#data.live?.connections.views() ?? this.#metadata?.views() ?? []
  }
  trackers(): TrackerView[] {
    return this.#tracker.views()
  }

  /** For the question why it does not go on. */
  facts(): TorrentFacts {
    const { live } = this.#data
    const known = { size: this.#candidates.size, failed: this.#candidates.failing }
    return {
      view: this.view(),
      state: this.state,
      held: this.#known.row.fault,
      storeTrouble: this.#running.storeFault,
      trackers: this.trackers(),
      swarm: live === null ? bareFacts(this.connected, known) : swarmFacts(live, known),
    }
  }

  /** Totals that are worth to be saved; see `Totals.take`. */
  takeTotals(when: 'moved' | 'much' | 'any'): TotalsRow | null {
    return this.#known.totals.take(this.id, this.#ports.clock.now(), when)
  }

  // --- what its parts ask for

  #begin(): void {
    this.#course.next()
    this.#do(() => {
      this.#goOn()
    })
  }

  #goOn(): void {
    const known = this.#known
    if (this.#metadata !== null) {
      this.#course.set({ kind: 'fetchingMetadata' })
      this.#metadata.begin()
      return this.#tracker.start()
    }
    const asleep = known.clean && known.complete && !this.#starting.isAsked && this.#data.empty
    if (asleep) return this.#running.begin(null, false)
    this.#course.set({ kind: 'queued', for: known.complete ? 'seed' : 'download' })
    this.#starting.wake()
  }

  /** Ends what belongs to the run: timers, the check, links that wait. */
  #endRun(): void {
    this.#starting.cancel()
    this.#blocking.end()
    this.#data.stayAwake()
    this.#arrivals.close()
    this.#metadata?.end('stopped')
  }

  #changed(): void {
    this.#seeking.tellNeed()
    this.#ports.listener.changed(this)
  }

  // --- faults of our own

  /**
   * Something of our own threw while this torrent was at work. What it was at is given up; what is recorded stands. It
   * is tried again by itself, later each time.
   */
  fail(error: unknown): void {
    this.#logBug(error, 'a bug in the handling of a torrent; it is blocked, the others go on')
    this.#ports.watch.contained('torrent')
    this.#course.next()
    this.#known.clean = false
    try {
      this.#endRun()
    } catch (worse) {
      this.#logBug(worse, 'a torrent that is given up')
    }
    const stopping = this.#course.after !== null
    this.#data.abandon()?.abandon((worse) => {
      this.#logBug(worse, 'a torrent that is given up')
    })
    if (stopping) return this.#stopping.finish()
    // Its files are not its own until the move is over; it is looked at anew then.
    if (this.state.kind === 'paused' || this.state.kind === 'moving') return
    this.#course.set({ kind: 'paused' })
    this.#blocking.blockForBug(error)
  }

  /** For what a person asks for: all else comes through the ports, which are guarded. */
  #do(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.fail(error)
    }
  }

  #logBug(error: unknown, message: string): void {
    this.#ports.log.error({ torrent: this.id, error: stackOf(error) }, message)
  }
}
