/**
 * The parts of one torrent, and what each may ask of the others: all of them have this one object for their ports. Each
 * answers one question (how it starts, stops, is blocked, ...); who is asked next is written here.
 */
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import { swarmKeys } from '../../shared/units.js'
import type { PeerAddress } from '../base/address.js'
import { stackOf } from '../base/log.js'
import type { TorrentRow } from '../ports/store.js'
import { Arrivals, type ArrivalsPorts } from './arrivals.js'
import { Blocking, type BlockingPorts } from './blocking.js'
import type { Bulkhead } from './bulkhead.js'
import { Candidates } from './candidates.js'
import type { ConnectionBudget } from './connection-budget.js'
import { Course, type CoursePorts } from './course.js'
import { TorrentData, type TorrentDataPorts } from './data.js'
import { Known } from './known.js'
import type { Fault } from './lifecycle.js'
import type { Live, LiveListener } from './live.js'
import { Loader, type LoaderPorts } from './loader.js'
import type { MetadataFetch } from './metadata-fetch.js'
import { MetadataPhase } from './metadata-phase.js'
import { Moving, type MovingPorts } from './moving.js'
import { Running, type RunningPorts } from './running.js'
import { Seeking, type SeekingPorts } from './seeking.js'
import { Starting, type StartingPorts } from './starting.js'
import { Stopping, type StoppingPorts } from './stopping.js'
import type { RunInit, TorrentInit, TorrentMeans } from './torrent-ports.js'
import type { Found, Tracker, TrackerAsks } from './tracker-port.js'
import { Turn, type TurnPorts } from './turn.js'

/** The torrent they are parts of. */
export interface PartsOwner {
  /** Something that is shown changed. */
  changed(): void
  /** A fact for the journal. */
  noted(kind: string, data: Readonly<Record<string, unknown>>): void
  /** The metadata came, and are recorded. */
  learn(row: TorrentRow, meta: Metainfo): void
}

export interface PartsPorts extends TorrentMeans {
  readonly tracker: (row: TorrentRow, asks: TrackerAsks, bulkhead: Bulkhead) => Tracker
}

type AllPorts = ArrivalsPorts &
  BlockingPorts &
  CoursePorts &
  LoaderPorts &
  MovingPorts &
  RunningPorts &
  SeekingPorts &
  StartingPorts &
  StoppingPorts &
  TorrentDataPorts &
  TrackerAsks &
  TurnPorts

export class Parts implements AllPorts {
  readonly #owner: PartsOwner
  readonly means: PartsPorts
  readonly init: RunInit
  readonly course: Course
  readonly known: Known
  readonly candidates: Candidates
  readonly loader: Loader
  readonly data: TorrentData
  readonly tracker: Tracker
  readonly arrivals: Arrivals
  readonly seeking: Seeking
  readonly starting: Starting
  readonly stopping: Stopping
  readonly moving: Moving
  readonly blocking: Blocking
  readonly running: Running
  readonly turn: Turn
  /** While it is only a magnet link: the fetch of its metadata. */
  metadata: MetadataPhase | null = null
  /** It is being removed: nothing starts it. */
  retired = false

  constructor(owner: PartsOwner, given: TorrentInit, means: PartsPorts) {
    const [key] = swarmKeys(given.row.hashes)
    if (key === undefined) throw new Error('a torrent without a hash')
    const { peerId, version, maxPeers } = given
    this.#owner = owner
    this.means = means
    this.init = { key, peerId, version, maxPeers }
    this.course = new Course(this)
    this.known = new Known(given, this)
    this.candidates = new Candidates({}, { random: means.random })
    this.loader = new Loader(this)
    this.data = new TorrentData(this)
    if (this.known.lacksMetadata) this.metadata = this.#metadataPhase()
    this.tracker = means.tracker(given.row, this, means.bulkhead)
    this.arrivals = new Arrivals(this)
    this.seeking = new Seeking(this)
    this.starting = new Starting(this)
    this.stopping = new Stopping(this)
    this.moving = new Moving(this)
    this.blocking = new Blocking({ told: given.blocked ?? null }, this)
    this.running = new Running(this)
    this.turn = new Turn(this)
  }

  #metadataPhase(): MetadataPhase {
    const { clock, log, store, budget, listenPort, pex, keepMetadata, watch } = this.means
    const { id } = this.known.row
    return new MetadataPhase(
      { id, ...this.init },
      {
        clock,
        store,
        budget,
        listenPort,
        pex,
        candidates: this.candidates,
        keeper: keepMetadata,
        log: log.child({ torrent: id }),
        dial: (address) => this.seeking.dial(address),
        known: (row, meta) => {
          this.#owner.learn(row, meta)
        },
        refused: (reason) => {
          if (this.course.state.kind === 'fetchingMetadata') this.blocking.block({ kind: 'metadata', reason })
        },
        peerBroke: () => {
          watch.contained('peer')
        },
        broke: (error) => {
          this.failed(error)
        },
        changed: () => {
          this.changed()
        },
      },
    )
  }

  // --- how it goes on, and ends

  begin(): void {
    this.course.next()
    this.guarded(() => {
      this.#goOn()
    })
  }

  goOn(): void {
    this.begin()
  }

  #goOn(): void {
    const { known, course, starting } = this
    if (this.metadata !== null) {
      course.set({ kind: 'fetchingMetadata' })
      this.metadata.begin()
      return this.tracker.start()
    }
    const asked = starting.isAsked
    // What was never checked, or is to be, is checked without a place: that is no download.
    if (known.row.checked && !asked && !this.turn.comes()) return
    const asleep = known.clean && known.complete && !asked && this.data.empty
    if (asleep) return this.running.begin(null, false)
    course.set({ kind: 'queued', for: 'check' })
    starting.wake()
  }

  /** Loads the data where needed, looks at the files, and goes on from what it sees. */
  wake(): void {
    this.starting.wake()
  }

  judge(then: (by: Fault | null) => void): void {
    this.starting.judge(then)
  }

  ready(live: Live, completes: boolean): void {
    this.running.begin(live, completes)
  }

  blocked(by: Fault): void {
    this.blocking.block(by)
  }

  /** Stops; `done` when every connection, job and announce has ended. */
  pause(done: () => void = () => undefined): void {
    this.known.desired = 'paused'
    // The move goes on; what is wanted then is looked at after it.
    if (this.moving.job !== null) return done()
    this.stopping.stop('pause', 5000, done)
  }

  /** Ends what belongs to the run: timers, the check, links that wait. */
  endRun(): void {
    this.turn.leave()
    this.starting.cancel()
    this.blocking.end()
    this.data.stayAwake()
    this.arrivals.close()
    this.metadata?.end('stopped')
  }

  mover(): number | null {
    return this.moving.job
  }

  /** Its files lie at their place again: it goes on as is wanted. */
  settled(): void {
    const { desired } = this.known
    const goesOn = this.starting.isAsked || desired === 'running' || desired === 'forced'
    if (goesOn && !this.retired) this.begin()
    // Paused meanwhile: now its trackers hear of it.
    else this.tracker.stop(5000, () => undefined)
  }

  sleeps(): void {
    this.starting.cancel()
  }

  asleep(): void {
    if (this.arrivals.any) this.wake()
  }

  // --- what the parts look up, and tell

  listener(): LiveListener {
    return this.running
  }

  get budget(): ConnectionBudget {
    return this.means.budget
  }

  fetch(): MetadataFetch | null {
    return this.metadata?.fetch ?? null
  }

  noted(kind: string, data: Readonly<Record<string, unknown>>): void {
    this.#owner.noted(kind, data)
  }

  turned(): void {
    this.known.totals.seeds(this.course.state.kind === 'seeding', this.means.clock.now())
    this.changed()
  }

  changed(): void {
    this.seeking.tellNeed()
    this.turn.stirred()
    this.#owner.changed()
  }

  // --- what its trackers, and those who find peers beside them, ask (TrackerAsks)

  stats(): ReturnType<TrackerAsks['stats']> {
    const { uploaded, downloaded } = this.known.totals
    return { uploaded, downloaded, left: this.known.left }
  }

  isPrivate(): boolean {
    return this.known.row.private
  }

  found(peers: readonly PeerAddress[], source?: Found): void {
    this.means.bulkhead.run('tracker', () => {
      this.seeking.found(peers, source ?? 'tracker')
    })
  }

  // --- faults of our own

  /** Calls it; what it throws is a fault of the torrent's. For what a person asks: all else is guarded by the ports. */
  guarded(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.failed(error)
    }
  }

  /**
   * Something of our own threw while this torrent was at work. What it was at is given up; what is recorded stands. It
   * is tried again by itself, later each time.
   */
  failed(error: unknown): void {
    const { course, known } = this
    this.#logBug(error, 'a bug in the handling of a torrent; it is blocked, the others go on')
    this.means.watch.contained('torrent')
    course.next()
    known.clean = false
    try {
      this.endRun()
    } catch (worse) {
      this.#logBug(worse, 'a torrent that is given up')
    }
    const stopping = course.after !== null
    this.data.abandon()?.abandon((worse) => {
      this.#logBug(worse, 'a torrent that is given up')
    })
    if (stopping) return this.stopping.finish()
    // Its files are not its own until the move is over; it is looked at anew then.
    if (course.state.kind === 'paused' || course.state.kind === 'moving') return
    course.set({ kind: 'paused' })
    this.blocking.blockForBug(error)
  }

  #logBug(error: unknown, message: string): void {
    this.means.log.error({ torrent: this.known.row.id, error: stackOf(error) }, message)
  }
}
