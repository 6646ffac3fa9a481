/** A torrent's turn: whether it may go on now, and what it does while it waits in the queue. */
import type { Bytes, TorrentId } from '../../shared/units.js'
import type { Arrivals } from './arrivals.js'
import type { Course } from './course.js'
import type { TorrentData } from './data.js'
import type { Known } from './known.js'
import type { QueueKind, QueueMember } from './queue.js'
import type { Stopping } from './stopping.js'
import type { TorrentMeans } from './torrent-ports.js'
import type { Tracker } from './tracker-port.js'

/** Announces of one that stops may take so long. */
const STOP_CAP = 5000

export interface TurnPorts {
  readonly means: TorrentMeans
  readonly course: Course
  readonly known: Known
  readonly data: TorrentData
  readonly arrivals: Arrivals
  readonly tracker: Tracker
  readonly stopping: Stopping
  /** It is to go on. */
  begin(): void
  /** Something that is shown changed. */
  changed(): void
}

export class Turn implements QueueMember {
  readonly #ports: TurnPorts

  constructor(ports: TurnPorts) {
    this.#ports = ports
  }

  // --- as the queue sees it

  get id(): TorrentId {
    return this.#ports.known.row.id
  }
  get rank(): number | null {
    return this.#ports.known.row.rank
  }
  get forced(): boolean {
    return this.#ports.known.desired === 'forced'
  }
  get kind(): QueueKind {
    return this.#ports.known.complete ? 'seed' : 'download'
  }
  get moved(): Bytes {
    const { totals, complete } = this.#ports.known
    return complete ? totals.uploaded : totals.downloaded
  }

  proceed(): void {
    if (this.waits) this.#ports.begin()
  }

  giveWay(): void {
    const { course, stopping } = this.#ports
    if (course.after === null) stopping.stop('wait', STOP_CAP, () => undefined)
  }

  rankChanged(): void {
    this.#ports.changed()
  }

  // --- as the torrent sees it

  /** It waits in the queue. */
  get waits(): boolean {
    const { state } = this.#ports.course
    return state.kind === 'queued' && state.for !== 'check'
  }

  /** It may go on; else it waits, and nobody hears of it. */
  comes(): boolean {
    const { means, course, arrivals, tracker, data } = this.#ports
    if (means.queue.ask(this)) return true
    course.set({ kind: 'queued', for: this.kind })
    arrivals.close()
    tracker.stop(STOP_CAP, () => undefined)
    data.close('queued', () => undefined)
    return false
  }

  /** It is a seed now and was a download, or the other way round. */
  turned(): void {
    if (!this.#ports.means.queue.turned(this)) this.giveWay()
  }

  /** A person forced it, or does so no more. */
  wished(): void {
    this.#ports.means.queue.wished(this)
  }

  stirred(): void {
    this.#ports.means.queue.stirred(this)
  }

  leave(): void {
    this.#ports.means.queue.leave(this)
  }
}
