/** A torrent that runs: what its parts tell it, and when it turns from a download into a seed and back. */
import type { Bytes } from '../../shared/units.js'
import type { PeerAddress } from '../base/address.js'
import type { Cancel } from '../ports/clock.js'
import type { DiskFault } from '../ports/disk.js'
import type { Arrivals } from './arrivals.js'
import type { Blocking } from './blocking.js'
import type { Course } from './course.js'
import type { TorrentData } from './data.js'
import type { Known } from './known.js'
import type { Live, LiveListener } from './live.js'
import type { Seeking } from './seeking.js'
import type { Starting } from './starting.js'
import type { Stopping } from './stopping.js'
import type { TorrentMeans } from './torrent-ports.js'
import type { Tracker } from './tracker-port.js'
import { faultOfDisk } from './trouble.js'
import type { Turn } from './turn.js'
import type { Choice } from './wishes.js'

export interface RunningPorts {
  readonly means: TorrentMeans
  readonly course: Course
  readonly known: Known
  readonly data: TorrentData
  readonly arrivals: Arrivals
  readonly tracker: Tracker
  readonly seeking: Seeking
  readonly starting: Starting
  readonly stopping: Stopping
  readonly blocking: Blocking
  readonly turn: Turn
  /** Writes a fact of this torrent into the journal. */
  noted(kind: string, data: Readonly<Record<string, unknown>>): void
  /** Something that is shown changed. */
  changed(): void
  pause(): void
  /** A fault of our own. */
  failed(error: unknown): void
}

export class Running implements LiveListener {
  readonly #ports: RunningPorts
  /** The store fails with this code, while the torrent goes on; null: it works. */
  #storeTrouble: string | null = null

  constructor(ports: RunningPorts) {
    this.#ports = ports
  }

  get storeFault(): string | null {
    return this.#storeTrouble
  }

  /** Begins. Without its data it is a complete torrent asleep; `completes`: the last file got its name only now. */
  begin(live: Live | null, completes: boolean): void {
    const { known, tracker, arrivals, turn } = this.#ports
    // A check of a paused torrent ends where it began.
    if (known.desired === 'paused') return this.#ports.pause()
    known.clean = true
    if (turn.comes()) {
      live?.downloader.open()
      this.#enter(live)
      tracker.start()
      arrivals.admit(live)
      live?.connections.dialMore()
    }
    if (live?.content.complete === true && completes) this.#completed(live)
  }

  /** Another choice of files, already durable. */
  choose(choice: Choice): void {
    const { data, known, course, starting, stopping } = this.#ports
    known.change({ order: choice.order })
    const { live } = data
    if (live === null) return
    live.content.choose(choice)
    live.downloader.choiceChanged()
    live.recorder.noteChoice()
    live.connections.needsChanged()
    known.change({ wanted: live.content.wantedBytes, done: live.content.doneBytes })
    if (!course.isRunning) return
    if (course.state.kind === 'seeding' && !live.content.complete) {
      // A seed downloads again: its files are looked at and made ready as at a start.
      return stopping.stop('more', 0, () => undefined)
    }
    this.#enter(live)
    starting.prepare(live)
    this.#ports.turn.turned()
  }

  #enter(live: Live | null): void {
    const { course, known, blocking, data } = this.#ports
    const complete = live === null ? known.complete : live.content.complete
    course.set({ kind: complete ? 'seeding' : 'downloading' })
    blocking.recovered()
    if (!complete) live?.connections.dialMore()
    else if (live !== null) data.sleepSoon()
  }

  /** Recorded, named and committed, and not so before: the person and the trackers are told. */
  #completed({ content, recorder }: Live): void {
    const { known, tracker } = this.#ports
    known.change({ completedAt: recorder.completedAt })
    // Told only of a torrent that is whole: a chosen part of it is no new copy in the swarm.
    if (content.full) tracker.completed()
    this.#ports.noted('completed', { bytes: content.wantedBytes })
  }

  // --- what the parts tell (LiveListener)

  changed(): void {
    this.#ports.changed()
  }

  recorded(): void {
    const { data, known, course, starting } = this.#ports
    const { live } = data
    if (live === null) return
    const before = known.row.completedAt
    known.change({ done: live.content.doneBytes, completedAt: live.recorder.completedAt })
    if (course.state.kind === 'downloading' && live.content.complete) {
      course.set({ kind: 'seeding' })
      live.connections.completed()
      data.sleepSoon()
      if (before === null) this.#completed(live)
      this.#ports.turn.turned()
    } else if (course.state.kind === 'downloading') starting.keepReserve()
    this.changed()
  }

  downloaded(bytes: Bytes): void {
    this.#ports.known.totals.downloaded += bytes
  }

  uploaded(bytes: Bytes): void {
    this.#ports.known.totals.uploaded += bytes
  }

  wasted(bytes: Bytes): void {
    this.#ports.known.totals.wasted += bytes
  }

  diskFault(fault: DiskFault): void {
    const { blocking, known } = this.#ports
    blocking.block(faultOfDisk(fault, known.row.dir))
  }

  /** A seed that cannot read a piece any more fetches it again, in its place. */
  pieceLost(): void {
    const { data, known, course } = this.#ports
    const { live } = data
    if (live === null || !course.isRunning) return
    live.downloader.choiceChanged()
    known.change({ done: live.content.doneBytes })
    this.#enter(live)
    live.connections.needsChanged()
    this.#ports.turn.turned()
  }

  storeTrouble(code: string | null): void {
    if (this.#storeTrouble === code) return
    this.#storeTrouble = code
    this.changed()
  }

  empty(): void {
    this.#ports.data.sleepSoon()
  }

  dial(address: PeerAddress): Cancel {
    return this.#ports.seeking.dial(address)
  }

  peerBroke(): void {
    this.#ports.means.watch.contained('peer')
  }

  broke(error: unknown): void {
    this.#ports.failed(error)
  }
}
