/** A torrent's data: lent to whoever asks, given back after a minute without peers, and what ends them for good. */
import type { Millis } from '../../shared/units.js'
import type { Cancel } from '../ports/clock.js'
import type { DiskFault } from '../ports/disk.js'
import type { Course } from './course.js'
import { type HolderPorts, LiveHolder } from './holder.js'
import type { Known } from './known.js'
import type { Live } from './live.js'
import type { Loader } from './loader.js'
import type { TorrentMeans } from './torrent-ports.js'

/** A torrent at rest that nobody asked for so long gives its memory back. */
const DORMANT_AFTER: Millis = 60_000

export interface TorrentDataPorts {
  readonly means: TorrentMeans
  readonly course: Course
  readonly known: Known
  readonly loader: Loader
  /** It falls asleep: what it is getting ready for is given up. */
  sleeps(): void
  /** It is asleep. */
  asleep(): void
}

export class TorrentData implements HolderPorts {
  readonly #ports: TorrentDataPorts
  readonly #holder: LiveHolder
  /** Until it falls asleep. */
  #sleepTimer: Cancel | null = null

  constructor(ports: TorrentDataPorts) {
    this.#ports = ports
    this.#holder = new LiveHolder(this)
  }

  // --- what the holder asks for (HolderPorts)

  load(): Promise<Live> {
    return this.#ports.loader.load()
  }
  closed(live: Live): void {
    this.#ports.known.remember(live)
  }
  failed(error: unknown): void {
    const { means, known } = this.#ports
    means.log.error({ torrent: known.row.id, error: String(error) }, 'a torrent could not be loaded')
  }

  // --- what its torrent asks for

  /** Null while they are not in use. */
  get live(): Live | null {
    return this.#holder.live
  }
  /** Nothing is loaded, and nothing on its way in or out. */
  get empty(): boolean {
    return this.#holder.empty
  }

  /** Calls `use` with the data loaded, loading them for it where needed; null where that failed. */
  use(use: (live: Live | null) => void): void {
    this.#holder.use(use)
    if (!this.#ports.course.isRunning || this.#connected === 0) this.sleepSoon()
  }

  /** Ends connections, records and files; `done` afterwards, at once where nothing is loaded. */
  close(reason: string, done: () => void): void {
    this.#holder.close(reason, done)
  }

  /** After a fault of our own: gives the data up at once, whatever they are at; answers them. */
  abandon(): Live | null {
    return this.#holder.abandon()
  }

  /** A torrent at rest gives its data back a minute from now, unless somebody comes. */
  sleepSoon(): void {
    this.stayAwake()
    this.#sleepTimer = this.#ports.means.clock.after(DORMANT_AFTER, () => {
      this.#sleepTimer = null
      this.#sleep()
    })
  }

  stayAwake(): void {
    this.#sleepTimer?.()
    this.#sleepTimer = null
  }

  #sleep(): void {
    const { course } = this.#ports
    const { state } = course
    const waits = state.kind === 'queued' && state.for !== 'check'
    const idle = state.kind === 'seeding' || state.kind === 'paused' || waits
    if (!idle || this.live === null || this.#connected > 0) return
    // It may be waking still, with a volume that does not answer: what that says later is not about these data.
    course.next()
    this.#ports.sleeps()
    this.#holder.close('dormant', () => {
      this.#ports.asleep()
    })
  }

  get #connected(): number {
    return this.live?.connections.size ?? 0
  }

  /** What somebody had loaded to look at it is void, and nothing of it is recorded. */
  drop(then: () => void): void {
    this.#ports.loader.forget()
    if (this.empty) return then()
    this.#holder.use((live) => {
      live?.recorder.abandon()
      this.#holder.close('moved', then)
    })
  }

  /** Deletes the files of a torrent that is stopped. Null: done. */
  remove(done: (fault: DiskFault | null) => void): void {
    const { known } = this.#ports
    this.#holder.use((live) => {
      if (live === null) return done({ code: 'UNREADABLE', operation: 'read', path: known.row.dir })
      live.recorder.abandon()
      live.storage.remove().then(
        (fault) => {
          void live.storage.close().then(() => {
            this.#removed(live, fault, done)
          })
        },
        () => {
          this.#removed(live, null, done)
        },
      )
    })
  }

  /** Whatever is left, nothing is known of it: what comes next looks at the disk anew. */
  #removed(live: Live, fault: DiskFault | null, done: (fault: DiskFault | null) => void): void {
    live.release()
    this.#holder.discard()
    this.#ports.known.change({ done: 0, checked: false, completedAt: null })
    done(fault)
  }
}
