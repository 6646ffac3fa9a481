/**
 * The owner of one torrent. Commands and completions are its only inputs, its methods are synchronous, and everything
 * that happens later is checked against `#epoch`: what belongs to an earlier run is dropped.
 */
import { type Metainfo, parseMetainfo } from '../../shared/torrent/metainfo.js'
import type { Bytes, FileIndex, Hashes, Millis, SwarmKey, TorrentId } from '../../shared/units.js'
import { BLOCK_SIZE, swarmKeys } from '../../shared/units.js'
import type { Desired, PeerView, TorrentView, TrackerView } from '../../shared/views.js'
import type { PeerAddress } from '../base/address.js'
import type { Limiter } from '../base/limiter.js'
import { type Log, stackOf } from '../base/log.js'
import type { Watch } from '../base/watch.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Disk, DiskFault, SpaceView } from '../ports/disk.js'
import type { Random } from '../ports/random.js'
import type { Store, TorrentRow, TotalsRow, TrackerRow } from '../ports/store.js'
import type { Bulkhead } from './bulkhead.js'
import { Candidates, isForeign } from './candidates.js'
import type { CheckGate } from './check.js'
import type { DhtGate } from './dht-port.js'
import type { ConnectionBudget } from './connections.js'
import { bareFacts, swarmFacts, type TorrentFacts } from './facts.js'
import { type Fault, faultSentence, type TorrentState } from './lifecycle.js'
import { dialPeer } from './dial.js'
import type { Greeting, Link } from './link.js'
import { LiveHolder } from './holder.js'
import { Live } from './live.js'
import type { Handover } from './metadata-peer.js'
import { type MetadataKeeper, MetadataPhase } from './metadata-phase.js'
import { type Place, shortOf } from './place.js'
import { Readiness, type Ruined } from './readiness.js'
import type { SlotShare } from './slot-share.js'
import { Totals } from './totals.js'
import type { Found, Need, Tracker, TrackerAsks } from './tracker-port.js'
import { faultOfDisk, retryDelay, Trouble } from './trouble.js'
import { torrentView } from './view.js'
import type { Dialer } from './transport.js'
import type { UnchokeShare } from './unchoke-share.js'

/** A seeding torrent that nobody asked for so long gives its memory back. */
const DORMANT_AFTER: Millis = 60_000
/** Trouble that came back once is over when it has not come again for so long. */
const SETTLED: Millis = 60_000
/** Links that wait while the torrent wakes. */
const MAX_WAITING = 32

export interface TorrentListener {
  /** Something that is shown changed. */
  changed(torrent: Torrent): void
  /** A fact for the journal. */
  noted(torrent: Torrent, kind: string, data: Readonly<Record<string, unknown>>): void
}

export interface TorrentInit {
  readonly row: TorrentRow
  readonly peerId: Uint8Array
  readonly version: string
  readonly maxPeers: number
  /** The last run ended in order: a complete torrent need not be looked at before a peer asks. */
  readonly clean: boolean
}

export interface TorrentPorts {
  readonly watch: Watch
  /** Stands around every other port here that calls back; `slots` and the limits are put behind it with the data. */
  readonly bulkhead: Bulkhead
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly disk: Disk
  readonly slots: SlotShare
  readonly downLimit: Limiter
  readonly upLimit: Limiter
  readonly unchokes: UnchokeShare
  readonly store: Store
  readonly dialer: Dialer
  readonly gate: CheckGate
  readonly place: Place
  readonly budget: ConnectionBudget
  readonly listenPort: () => number
  /** Null: there is none. A private torrent never uses it. */
  readonly dht: DhtGate | null
  /** Whether peers tell each other of peers (BEP 11); those of a private torrent never do. */
  readonly pex: () => boolean
  readonly tracker: (asks: TrackerAsks) => Tracker
  readonly keepMetadata: MetadataKeeper
  readonly listener: TorrentListener
}

type After = 'pause' | 'exit' | 'start' | 'verify' | 'more' | 'move'

export class Torrent {
  readonly id: TorrentId
  readonly hashes: Hashes
  readonly keys: readonly SwarmKey[]
  /** Bumped by the session at each change; see `torrent.list`. */
  rev = 0
  #row: TorrentRow
  readonly #init: TorrentInit
  readonly #ports: TorrentPorts
  #state: TorrentState = { kind: 'paused' }
  /** The user's word as far as it is known here; the session makes it durable. */
  #desired: Desired
  /** Rises at every start and stop. */
  #epoch = 0
  /** The data, loaded while they are in use. */
  readonly #data: LiveHolder
  /** What the first load need not read; null from then on. */
  #fresh: Metainfo | null = null
  /** While it is only a magnet link: the fetch of its metadata. */
  #metadata: MetadataPhase | null = null
  /** Connections of that time, until the data are ready for them. */
  #handed: Handover[] = []
  /** What follows the stop under way. */
  #after: After | null = null
  /** Called when the stop under way is over. */
  #stopped: (() => void)[] = []
  /** The job that brings its files elsewhere; null without one. */
  #mover: number | null = null
  /** What has to be done before it may run. */
  #readiness: Readiness | null = null
  #retry: Cancel | null = null
  #sleepTimer: Cancel | null = null
  /** Inbound links that wait for the data to be loaded. */
  #waiting: { readonly link: Link; readonly greeting: Greeting }[] = []
  readonly #candidates: Candidates
  readonly #tracker: Tracker
  readonly #totals: Totals
  /** The user asked for a check: missing files are not a fault but missing pieces. */
  #acceptLoss = false
  /** It is being removed: nothing starts it. */
  #retired = false
  readonly #trouble = new Trouble()
  /** What the journal says keeps it from going on; null: nothing does. */
  #told: { readonly reason: string; readonly again: boolean } | null = null
  /** Until trouble that came back counts as over. */
  #settling: Cancel | null = null
  /** Finished files that somebody changed, as they lay there at the last look. */
  #ruined: Ruined | null = null
  /** The store's trouble, shown while the torrent goes on. */
  #storeTrouble: string | null = null
  #clean: boolean
  /** What the tracker was last told. */
  #need: Need = 'some'

  constructor(init: TorrentInit, ports: TorrentPorts) {
    this.id = init.row.id
    this.hashes = init.row.hashes
    this.keys = swarmKeys(init.row.hashes)
    this.#row = init.row
    this.#init = init
    this.#ports = ports
    this.#desired = init.row.desired
    this.#clean = init.clean
    const { id: torrent, downloaded, uploaded, wasted } = init.row
    this.#totals = new Totals({ torrent, downloaded, uploaded, wasted })
    this.#candidates = new Candidates({}, { random: ports.random })
    this.#data = new LiveHolder({
      load: () => ports.bulkhead.promise('store', this.#load()),
      closed: (live) => {
        this.#remember(live)
      },
      failed: (error) => {
        ports.log.error({ torrent: this.id, error: String(error) }, 'a torrent could not be loaded')
      },
    })
    if (init.row.pieceCount === 0) this.#metadata = this.#metadataPhase()
    this.#tracker = ports.tracker({
      stats: () => ({
        uploaded: this.#totals.uploaded,
        downloaded: this.#totals.downloaded,
        left: this.#left,
      }),
      isPrivate: () => this.#row.private,
      found: (peers, source) => {
        this.#found(peers, source ?? 'tracker')
      },
      changed: () => {
        this.#changed()
      },
    })
  }

  get state(): TorrentState {
    return this.#state
  }
  get desired(): Desired {
    return this.#desired
  }
  /** A hybrid is in the swarm of its v1 hash alone: its v2 swarm has other pieces. */
  serves(key: SwarmKey): boolean {
    return (this.isRunning || this.#state.kind === 'fetchingMetadata') && key === this.keys[0]
  }
  get name(): string {
    return this.#row.name
  }
  get dir(): string {
    return this.#row.dir
  }
  /** st_dev of the folder, as it was when the files were first there. */
  get volume(): string {
    return this.#row.volume
  }
  get private(): boolean {
    return this.#row.private
  }
  /** As the store has it, but for what changed since. */
  get record(): TorrentRow {
    return { ...this.#row, desired: this.#desired }
  }
  /** It is only a magnet link so far: it has no files, no pieces and no size. */
  get lacksMetadata(): boolean {
    return this.#metadata !== null
  }
  /** Where its files lie: for the question who writes what. */
  get claim(): { readonly torrent: TorrentId; readonly dir: string; readonly root: string } {
    return { torrent: this.id, dir: this.#row.dir, root: this.#row.name }
  }
  get wasted(): Bytes {
    return this.#totals.wasted
  }
  get connected(): number {
    return this.#data.live?.connections.size ?? this.#metadata?.size ?? 0
  }
  /** Payload went in the last seconds. */
  get moving(): boolean {
    const live = this.#data.live
    if (live === null) return false
    const now = this.#ports.clock.now()
    return live.down.rate(now) + live.up.rate(now) > 0
  }
  get isRunning(): boolean {
    return this.#state.kind === 'downloading' || this.#state.kind === 'seeding'
  }
  get #complete(): boolean {
    if (this.#data.live !== null) return this.#data.live.content.complete
    return this.#row.checked && this.#row.done >= this.#row.wanted
  }
  get #left(): Bytes {
    // Not 0, which would say that we have it all.
    if (this.#metadata !== null) return BLOCK_SIZE
    const content = this.#data.live?.content
    return content === undefined ? this.#row.wanted - this.#row.done : content.wantedBytes - content.doneBytes
  }

  // --- commands

  /** Like `start`, for one just added: what was parsed to judge it is not read and parsed again. */
  begin(meta: Metainfo): void {
    this.#fresh = meta
    this.start()
  }

  /** Goes on, from whatever stopped it. */
  start(): void {
    if (this.#retired) return
    this.#desired = 'running'
    this.#forgive()
    if (this.#mover !== null) return
    if (this.#after !== null) {
      if (this.#after !== 'exit') this.#after = 'start'
      return
    }
    if (this.#state.kind === 'blocked') return this.#tryAgain()
    if (this.#state.kind !== 'paused') return
    this.#begin()
  }

  /** What held it before is over: a person wants it to go on. */
  #forgive(): void {
    if (this.#row.fault === null) return
    this.#row = { ...this.#row, fault: null }
    // Where it cannot be stored, the old sentence comes back with the next start, and goes with the next resume.
    this.#ports.store.setFault(this.id, null).catch(() => undefined)
  }

  /** Stops; `done` when every connection, job and announce has ended. */
  pause(done: () => void = () => undefined): void {
    this.#desired = 'paused'
    // The move goes on; what is wanted then is looked at after it.
    if (this.#mover !== null) return done()
    this.#stop('pause', 5000, done)
  }

  /** Like `pause`, for good: it is being removed, and whoever wants it to go on comes too late. */
  retire(done: () => void): void {
    this.#retired = true
    this.pause(done)
  }

  /** The removal failed: it may be started again. */
  keep(): void {
    this.#retired = false
  }

  /** Like `pause`, without touching what the user wants. `cap` bounds the announces. */
  exit(cap: Millis, done: () => void): void {
    if (this.#state.kind === 'moving') return done()
    this.#stop('exit', cap, done)
  }

  /** Hashes everything again. Missing files count as missing pieces. */
  verify(): void {
    if (this.#retired) return
    this.#acceptLoss = true
    if (this.#mover !== null) return
    if (this.#after !== null) {
      this.#after = 'verify'
      return
    }
    this.#stop('verify', 0, () => undefined)
  }

  /**
   * Its files are brought elsewhere: `ready` when nobody uses them any more. Until `settle` it is idle, whatever is
   * asked of it. Trackers are not told: it goes on under the same address.
   */
  relocate(job: number, ready: () => void): void {
    this.#mover = job
    this.#stop('move', 0, ready)
  }

  relocating(done: number, total: number): void {
    if (this.#mover === null || this.#state.kind !== 'moving') return
    this.#set({ kind: 'moving', job: this.#mover, done, total })
  }

  /** The files lie at `place`, or where they were; it goes on as is wanted. */
  settle(place: { readonly dir: string; readonly volume: string } | null, done: () => void): void {
    if (place !== null) this.#row = { ...this.#row, ...place }
    this.#dropData(() => {
      this.#mover = null
      // Looked at once, whatever is known of them.
      this.#clean = false
      this.#set({ kind: 'paused' })
      const goesOn = this.#acceptLoss || this.#desired === 'running' || this.#desired === 'forced'
      if (goesOn && !this.#retired) this.#begin()
      // Paused meanwhile: now its trackers hear of it.
      else this.#tracker.stop(5000, () => undefined)
      done()
    })
  }

  /** Shown while its removal waits. */
  awaitVolume(): void {
    const now = this.#ports.clock.now()
    this.#set({ kind: 'blocked', by: { kind: 'removal', dir: this.#row.dir }, since: now, retryAt: now })
  }

  /** What somebody had loaded to look at it is void, and nothing of it is recorded. */
  #dropData(then: () => void): void {
    if (this.#data.empty) return then()
    this.#data.use((live) => {
      live?.recorder.abandon()
      this.#data.close('moved', then)
    })
  }

  /** The metadata came by another way than from peers, and are recorded. */
  learn(row: TorrentRow, meta: Metainfo): void {
    if (this.#metadata === null) return
    const fetching = this.#state.kind === 'fetchingMetadata'
    const handed = this.#metadata.handOver()
    this.#metadata = null
    const { desired } = this
    this.#row = { ...row, desired }
    this.#fresh = meta
    for (const given of handed) {
      // BEP 27: whom anybody but its trackers named has no part in a private torrent.
      if (row.private && isForeign(given.source)) this.#dropHanded(given)
      else this.#handed.push(given)
    }
    if (row.private) {
      this.#candidates.forgetForeign()
      if (fetching) this.#tracker.start()
    }
    this.#ports.listener.noted(this, 'metadata', { name: row.name })
    if (!fetching) return this.#changed()
    this.#begin()
  }

  /** Another choice of files; `wishes` are already durable. Answers the wanted and done bytes. */
  select(wanted: (file: FileIndex) => boolean): void {
    const live = this.#data.live
    if (live === null) return
    live.content.choose(wanted)
    live.downloader.choiceChanged()
    live.recorder.noteChoice()
    live.connections.needsChanged()
    this.#row = { ...this.#row, wanted: live.content.wantedBytes, done: live.content.doneBytes }
    if (!this.isRunning) return
    if (this.#state.kind === 'seeding' && !live.content.complete) {
      // A seed downloads again: its files are looked at and made ready as at a start.
      return this.#stop('more', 0, () => undefined)
    }
    this.#enterRun(live)
    this.#prepare(live)
  }

  /** Chosen files that are empty are there at once. */
  #prepare(live: Live): void {
    const epoch = this.#epoch
    const { content, storage } = live
    storage.prepare(content.wantedFiles()).then(
      (fault) => {
        if (fault !== null && epoch === this.#epoch && this.#after === null)
          this.#block(faultOfDisk(fault, this.#row.dir))
      },
      () => undefined,
    )
  }

  announcesTo(url: string): boolean {
    return this.#row.trackers.some((tracker) => tracker.url === url)
  }

  /** More trackers, already durable, each a tier of its own. */
  addTrackers(trackers: readonly TrackerRow[]): void {
    this.#row = { ...this.#row, trackers: [...this.#row.trackers, ...trackers] }
    this.#tracker.addTrackers(trackers.map((tracker) => [tracker.url]))
    if (this.isRunning) this.#tracker.announceNow()
  }

  /** Calls `use` with the data loaded, loading them for it where needed; null where that failed. */
  withLive(use: (live: Live | null) => void): void {
    if (this.#metadata !== null) return use(null)
    this.#data.use(use)
    if (!this.isRunning || this.connected === 0) this.#sleepSoon()
  }

  /** Deletes the files; the torrent is stopped. Null: done. */
  removeData(done: (fault: DiskFault | null) => void): void {
    if (this.#metadata !== null) return done(null)
    this.#data.use((live) => {
      if (live === null) return done({ code: 'UNREADABLE', operation: 'read', path: this.#row.dir })
      const end = (fault: DiskFault | null): void => {
        live.release()
        // Whatever is left, nothing is known of it: what comes next looks at the disk anew.
        this.#data.discard()
        this.#row = { ...this.#row, done: 0, checked: false, completedAt: null }
        done(fault)
      }
      live.recorder.abandon()
      live.storage.remove().then(
        (fault) => {
          void live.storage.close().then(() => {
            end(fault)
          })
        },
        () => {
          end(null)
        },
      )
    })
  }

  /** What is verified is synced and recorded now; `done` afterwards, or where that cannot be. */
  flush(done: () => void): void {
    const live = this.#data.live
    if (live === null) return done()
    live.recorder.flush(done)
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

  /** Looks for peers again, as early as its trackers allow. */
  announceAgain(): void {
    if (this.isRunning || this.#state.kind === 'fetchingMetadata') this.#tracker.announceNow()
  }

  /** BEP 27: a private torrent has no part in the DHT. */
  get #dht(): DhtGate | null {
    return this.#row.private ? null : this.#ports.dht
  }
  /** Our handshakes in this swarm say that we have a DHT node. */
  get offersDht(): boolean {
    return (this.#dht?.port() ?? 0) > 0
  }

  /** An accepted connection for one of our swarms. */
  accept(link: Link, greeting: Greeting): void {
    const fetch = this.#metadata?.fetch ?? null
    if (fetch !== null) return fetch.attach(link, greeting, 'incoming')
    if (!this.isRunning) return link.close('not-running')
    const live = this.#data.live
    if (live !== null) return live.connections.attach(link, greeting, 'incoming')
    if (this.#waiting.length >= MAX_WAITING) return link.close('too-many-waiting')
    this.#waiting.push({ link, greeting })
    if (this.#waiting.length === 1) this.#wake()
  }

  // --- views

  view(): TorrentView {
    return torrentView({
      row: this.#row,
      live: this.#data.live,
      fetching: this.#metadata?.size ?? null,
      state: this.#state,
      desired: this.#desired,
      totals: this.#totals,
      storeTrouble: this.#storeTrouble,
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
      state: this.#state,
      held: this.#row.fault,
      storeTrouble: this.#storeTrouble,
      trackers: this.trackers(),
      swarm: live === null ? bareFacts(this.connected, known) : swarmFacts(live, known),
    }
  }

  /** Totals that moved since the last call. */
  takeTotals(): TotalsRow | null {
    return this.#totals.take(this.id)
  }

  // --- starting

  #begin(): void {
    this.#epoch++
    this.#do(() => {
      this.#goOn()
    })
  }

  #goOn(): void {
    if (this.#metadata !== null) {
      this.#set({ kind: 'fetchingMetadata' })
      this.#metadata.begin()
      return this.#tracker.start()
    }
    const asleep = this.#clean && this.#complete && !this.#acceptLoss && this.#data.empty
    if (asleep) return this.#run(null)
    this.#set({ kind: 'queued', for: this.#complete ? 'seed' : 'download' })
    this.#wake()
  }

  /** Loads the data where needed, looks at the files, and goes on from what it sees. */
  #wake(): void {
    const epoch = this.#epoch
    this.withLive((live) => {
      if (epoch !== this.#epoch || this.#after !== null) return
      if (live === null) return this.#block({ kind: 'store', code: 'unreadable' })
      this.#look((space) => {
        live.storage.bind(space.volume)
        this.#readiness?.cancel()
        this.#readiness = this.#makeReady(live)
      })
    })
  }

  /** Whether its place is there; blocks where it is not, and goes on where nothing else came first. */
  #look(then: (space: SpaceView) => void): void {
    const epoch = this.#epoch
    this.#ports.place.look(this.#row.dir, this.#acceptLoss).then(
      (seen) => {
        if (epoch !== this.#epoch || this.#after !== null) return
        if ('kind' in seen) this.#block(seen)
        else then(seen)
      },
      // A rejection is a bug of the disk's threads, told already.
      () => undefined,
    )
  }

  #makeReady(live: Live): Readiness {
    const asked = this.#acceptLoss
    this.#acceptLoss = false
    if (asked) this.#ruined = null
    const ruined = this.#ruined
    return new Readiness(
      { live, checked: this.#row.checked, asked, volume: this.#row.volume, ruined },
      {
        gate: this.#ports.gate,
        state: (state) => {
          this.#set(state)
        },
        checked: (why, pieces) => {
          this.#row = { ...this.#row, checked: true, completedAt: live.recorder.completedAt }
          this.#ports.listener.noted(this, 'checked', { why, pieces })
        },
        ready: (completes) => {
          // It knows the data, which a torrent at rest has not.
          this.#readiness = null
          this.#ruined = null
          this.#withRoom(() => {
            this.#run(live)
            if (completes && this.#state.kind === 'seeding') this.#completed(live)
          })
        },
        lost: (count, first) => {
          this.#lostFiles(live, count, first)
        },
        refused: (fault) => {
          this.#block(faultOfDisk(fault, this.#row.dir))
        },
        ruined: (seen) => {
          this.#ruined = seen
          const example = live.content.files[seen.files[0] ?? 0]?.path ?? ''
          this.#block({ kind: 'changed', count: seen.files.length, example })
        },
      },
    )
  }

  /** Goes on where there is room for what is missing; one that only seeds needs none. */
  #withRoom(then: () => void): void {
    if (this.#left === 0 || this.#desired === 'paused') return then()
    this.#look((space) => {
      const short = shortOf(this.#row.dir, space, this.#left)
      if (short === null) then()
      else this.#block(short)
    })
  }

  #load(): Promise<Live> {
    const { store } = this.#ports
    const fresh = this.#fresh
    this.#fresh = null
    const stored = (): Promise<Metainfo> =>
      store.metainfo(this.id).then(({ torrent }) => this.#own(parseMetainfo(torrent)))
    const metainfo = fresh === null ? stored() : Promise.resolve(fresh)
    return Promise.all([metainfo, store.have(this.id)]).then(([meta, have]) => {
      // A record that claims a check and holds no bits was tampered with: look again.
      if (have.bits === null) this.#row = { ...this.#row, checked: false }
      return this.#assemble(meta, have)
    })
  }

  /** Records that were edited name another torrent: none of its pieces would be right. */
  #own(meta: Metainfo): Metainfo {
    if (swarmKeys(meta.hashes)[0] !== this.keys[0] || meta.pieceCount !== this.#row.pieceCount)
      throw new Error('its records contradict each other')
    return meta
  }

  #assemble(meta: Metainfo, have: Awaited<ReturnType<Store['have']>>): Live {
    const { clock, random, log, disk, slots, downLimit, upLimit, unchokes, store, budget, listenPort } =
      this.#ports
    const { bulkhead } = this.#ports
    const key = this.keys[0]
    if (key === undefined) throw new Error('a torrent without a hash')
    const { peerId, version, maxPeers } = this.#init
    return new Live(
      { row: this.#row, key, peerId, version, maxPeers, meta, have },
      {
        clock,
        random,
        log: log.child({ torrent: this.id }),
        disk,
        slots: bulkhead.aroundBusy('disk', slots),
        downLimit: bulkhead.aroundBusy('timer', downLimit),
        upLimit: bulkhead.aroundBusy('timer', upLimit),
        unchokes,
        store,
        candidates: this.#candidates,
        budget,
        listenPort,
        dht: this.#dht,
        pex: this.#row.private ? null : this.#ports.pex,
        listener: {
          changed: () => {
            this.#changed()
          },
          recorded: () => {
            this.#recorded()
          },
          downloaded: (bytes) => {
            this.#totals.downloaded += bytes
          },
          uploaded: (bytes) => {
            this.#totals.uploaded += bytes
          },
          wasted: (bytes) => {
            this.#totals.wasted += bytes
          },
          diskFault: (fault) => {
            this.#block(faultOfDisk(fault, this.#row.dir))
          },
          pieceLost: () => {
            this.#pieceLost()
          },
          storeTrouble: (code) => {
            if (this.#storeTrouble === code) return
            this.#storeTrouble = code
            this.#changed()
          },
          empty: () => {
            this.#sleepSoon()
          },
          dial: (address) => this.#dial(address),
          peerBroke: () => {
            this.#ports.watch.contained('peer')
          },
          broke: (error) => {
            this.fail(error)
          },
        },
      },
    )
  }

  #run(live: Live | null): void {
    // A check of a paused torrent ends where it began.
    if (this.#desired === 'paused') return this.pause()
    this.#clean = true
    if (live !== null) live.downloader.open()
    this.#enterRun(live)
    this.#tracker.start()
    for (const { link, greeting } of this.#waiting.splice(0)) {
      if (live === null) link.close('not-running')
      else live.connections.attach(link, greeting, 'incoming')
    }
    for (const given of this.#handed.splice(0)) {
      if (live === null) this.#dropHanded(given)
      else live.connections.adopt(given)
    }
    live?.connections.dialMore()
  }

  #dropHanded(given: Handover): void {
    this.#ports.budget.give()
    given.link.transport.close('stopped')
  }

  #metadataPhase(): MetadataPhase {
    const { clock, log, store, budget, listenPort, pex, keepMetadata } = this.#ports
    const key = this.keys[0]
    if (key === undefined) throw new Error('a torrent without a hash')
    const { peerId, version, maxPeers } = this.#init
    return new MetadataPhase(
      { id: this.id, key, peerId, version, maxPeers },
      {
        clock,
        log: log.child({ torrent: this.id }),
        store,
        candidates: this.#candidates,
        budget,
        listenPort,
        pex,
        keeper: keepMetadata,
        dial: (address) => this.#dial(address),
        known: (row, meta) => {
          this.learn(row, meta)
        },
        refused: (reason) => {
          if (this.#state.kind === 'fetchingMetadata') this.#block({ kind: 'metadata', reason })
        },
        peerBroke: () => {
          this.#ports.watch.contained('peer')
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

  #enterRun(live: Live | null): void {
    const complete = live === null ? this.#complete : live.content.complete
    this.#set({ kind: complete ? 'seeding' : 'downloading' })
    this.#recovered()
    if (!complete) live?.connections.dialMore()
    else if (live !== null) this.#sleepSoon()
  }

  #recorded(): void {
    const live = this.#data.live
    if (live === null) return
    const before = this.#row.completedAt
    this.#row = { ...this.#row, done: live.content.doneBytes, completedAt: live.recorder.completedAt }
    if (this.#state.kind === 'downloading' && live.content.complete) {
      this.#set({ kind: 'seeding' })
      live.connections.completed()
      this.#sleepSoon()
      if (before === null) this.#completed(live)
    } else if (this.#state.kind === 'downloading') this.#keepReserve()
    this.#changed()
  }

  /** What was told to be in the way is not any more; of trouble that came back at once that is said a minute later. */
  #recovered(): void {
    const told = this.#told
    if (told === null) return
    if (!told.again) return this.#tellRecovered()
    this.#settling?.()
    this.#settling = this.#ports.clock.after(SETTLED, () => {
      this.#settling = null
      if (this.#told === told && this.isRunning) this.#tellRecovered()
    })
  }

  #tellRecovered(): void {
    const reason = this.#told?.reason ?? ''
    this.#told = null
    this.#ports.listener.noted(this, 'recovered', { reason })
  }

  /** After each round: what others write must not leave the volume full, nor must we. */
  #keepReserve(): void {
    this.#look((space) => {
      if (this.#state.kind !== 'downloading' || space.freeBytes > space.reserve) return
      const short = shortOf(this.#row.dir, space, this.#left)
      if (short !== null) this.#block(short)
    })
  }

  /** Recorded, named and committed, and not so before: the person and the trackers are told. */
  #completed(live: Live): void {
    this.#row = { ...this.#row, completedAt: live.recorder.completedAt }
    // Told only of a torrent that is whole: a chosen part of it is no new copy in the swarm.
    if (live.content.full) this.#tracker.completed()
    this.#ports.listener.noted(this, 'completed', { bytes: live.content.wantedBytes })
  }

  /** A seed that cannot read a piece any more fetches it again, in its place. */
  #pieceLost(): void {
    const live = this.#data.live
    if (live === null || !this.isRunning) return
    live.downloader.choiceChanged()
    this.#row = { ...this.#row, done: live.content.doneBytes }
    this.#enterRun(live)
    live.connections.needsChanged()
  }

  // --- stopping

  #stop(after: After, cap: Millis, done: () => void): void {
    if (this.#state.kind === 'paused' && this.#data.empty && after !== 'verify' && after !== 'move') {
      return done()
    }
    this.#stopped.push(done)
    if (this.#after !== null) {
      if (keepsAnnouncing(this.#after) && !keepsAnnouncing(after)) this.#tracker.stop(cap, () => undefined)
      if (this.#mover === null || after === 'move') this.#after = after
      return
    }
    this.#after = after
    this.#epoch++
    this.#do(() => {
      this.#halt(after, cap)
    })
  }

  #halt(after: After, cap: Millis): void {
    this.#endRun()
    this.#set({ kind: 'stopping', then: after === 'exit' ? 'exit' : 'paused' })
    let open = 2
    const epoch = this.#epoch
    const one = (): void => {
      if (--open === 0 && epoch === this.#epoch) this.#stopDone()
    }
    if (keepsAnnouncing(after)) one()
    else this.#tracker.stop(cap, one)
    this.#data.close('stopped', one)
  }

  #stopDone(): void {
    const after = this.#after
    this.#after = null
    if (after === 'move' && this.#mover !== null)
      this.#set({ kind: 'moving', job: this.#mover, done: 0, total: 0 })
    else this.#set({ kind: 'paused' })
    for (const done of this.#stopped.splice(0)) done()
    if (after === 'start' || after === 'verify' || after === 'more') this.#begin()
  }

  /** Ends what belongs to the run: timers, the check, links that wait. */
  #endRun(): void {
    this.#readiness?.cancel()
    this.#readiness = null
    this.#retry?.()
    this.#retry = null
    this.#sleepTimer?.()
    this.#sleepTimer = null
    this.#settling?.()
    this.#settling = null
    for (const { link } of this.#waiting.splice(0)) link.close('stopped')
    for (const given of this.#handed.splice(0)) this.#dropHanded(given)
    this.#metadata?.end('stopped')
  }

  /** What is shown while the data are not loaded. */
  #remember(live: Live): void {
    const { content, recorder } = live
    const { wantedBytes: wanted, doneBytes: done } = content
    this.#row = { ...this.#row, wanted, done, completedAt: recorder.completedAt }
  }

  #sleepSoon(): void {
    this.#sleepTimer?.()
    this.#sleepTimer = this.#ports.clock.after(DORMANT_AFTER, () => {
      this.#sleepTimer = null
      const idle = this.#state.kind === 'seeding' || this.#state.kind === 'paused'
      if (!idle || this.connected > 0 || this.#data.live === null) return
      // It may be waking still, with a volume that does not answer: what that says later is not about these data.
      this.#epoch++
      this.#readiness?.cancel()
      this.#readiness = null
      this.#data.close('dormant', () => {
        if (this.#waiting.length > 0) this.#wake()
      })
    })
  }

  // --- trouble

  #lostFiles(live: Live, count: number, first: FileIndex): void {
    this.#look(() => {
      this.#block({ kind: 'files', count, example: live.content.files[first]?.path ?? '' })
    })
  }

  #block(by: Fault): void {
    if (this.#after !== null || this.#state.kind === 'blocked') return
    const now = this.#ports.clock.now()
    const retryAt = now + retryDelay(by)
    const since = this.#trouble.since(by, now)
    this.#epoch++
    this.#endRun()
    this.#set({ kind: 'blocked', by, since, retryAt })
    const reason = faultSentence(by)
    if (since === now) this.#ports.log.warn({ torrent: this.id, fault: by }, reason)
    if (since === now || this.#told === null) this.#ports.listener.noted(this, 'blocked', { reason })
    this.#told = { reason, again: this.#told?.again ?? since !== now }
    this.#data.close('blocked', () => undefined)
    this.#retryLater(by)
  }

  /**
   * Something of our own threw while this torrent was at work. What it was at is given up; what is recorded stands. It
   * is tried again by itself, later each time.
   */
  fail(error: unknown): void {
    this.#logBug(error, 'a bug in the handling of a torrent; it is blocked, the others go on')
    this.#ports.watch.contained('torrent')
    this.#epoch++
    this.#clean = false
    this.#attempt(() => {
      this.#endRun()
    })
    const stopping = this.#after
    const live = this.#data.abandon()
    live?.abandon((worse) => {
      this.#logBug(worse, 'a torrent that is given up')
    })
    if (stopping !== null) return this.#stopDone()
    if (this.#state.kind === 'paused') return
    const by = this.#trouble.bug(error, this.#ports.clock.now())
    this.#set({ kind: 'paused' })
    this.#block(by)
  }

  /** For what a person asks for: all else comes through the ports, which are guarded. */
  #do(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.fail(error)
    }
  }

  #attempt(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#logBug(error, 'a torrent that is given up')
    }
  }

  #logBug(error: unknown, message: string): void {
    this.#ports.log.error({ torrent: this.id, error: stackOf(error) }, message)
  }

  #tryAgain(): void {
    const state = this.#state
    if (state.kind !== 'blocked') return
    this.#retry?.()
    const epoch = ++this.#epoch
    this.#ports.place.look(this.#row.dir, this.#acceptLoss).then(
      (seen) => {
        if (epoch !== this.#epoch) return
        const by = 'kind' in seen ? seen : shortOf(this.#row.dir, seen, this.#left)
        if (by === null) {
          this.#clean = false
          return this.#begin()
        }
        if (faultSentence(by) !== faultSentence(state.by)) {
          this.#set({ ...state, by, retryAt: this.#ports.clock.now() + retryDelay(by) })
        }
        this.#retryLater(by)
      },
      () => undefined,
    )
  }

  #retryLater(by: Fault): void {
    this.#retry = this.#ports.clock.after(retryDelay(by), () => {
      this.#retry = null
      this.#tryAgain()
    })
  }

  // --- peers

  /** A download without peers starves; one with a full house, and a seed with one, want nobody. */
  #tellNeed(): void {
    const full = this.connected >= this.#init.maxPeers
    const starving = this.#state.kind !== 'seeding' && this.connected === 0
    const need = full ? 'none' : starving ? 'urgent' : 'some'
    if (need === this.#need) return
    this.#need = need
    this.#tracker.need(need)
  }

  #found(peers: readonly PeerAddress[], source: 'tracker' | Found): void {
    for (const peer of peers) this.#candidates.add(peer, source)
    this.#metadata?.fetch?.dialMore()
    if (!this.isRunning) return
    if (this.#data.live !== null) return this.#data.live.connections.dialMore()
    // Asleep and complete: only somebody who lacks something is worth waking for.
    const lacking = this.#tracker.views().some((tracker) => tracker.leechers !== 0)
    if (lacking && this.#data.empty && this.#candidates.size > 0) this.#wake()
  }

  #dial(address: PeerAddress): Cancel {
    const key = this.keys[0]
    const connections = this.#metadata?.fetch ?? this.#data.live?.connections
    if (key === undefined || connections === undefined) return () => undefined
    const { clock, watch, dialer } = this.#ports
    return dialPeer(
      { address, key, peerId: this.#init.peerId },
      {
        clock,
        watch,
        dialer,
        dht: () => this.offersDht,
        ready: (link, greeting) => {
          connections.attach(link, greeting, this.#candidates.sourceOf(address))
        },
        failed: () => {
          connections.dialFailed(address)
        },
        broke: (error) => {
          this.#logBug(error, 'a bug in the handling of a peer; its connection is closed')
          watch.contained('peer')
        },
      },
    )
  }

  // --- telling

  #set(state: TorrentState): void {
    this.#state = state
    this.#changed()
  }

  #changed(): void {
    if (this.isRunning || this.#state.kind === 'fetchingMetadata') this.#tellNeed()
    this.#ports.listener.changed(this)
  }
}

/** The torrent goes on at once, so its trackers need not hear that it stopped. */
function keepsAnnouncing(after: After): boolean {
  return after === 'verify' || after === 'more' || after === 'move'
}
