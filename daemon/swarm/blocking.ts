/** A torrent that cannot go on though it should: it says so, tries again by itself, and says when that is over. */
import type { Millis } from '../../shared/units.js'
import type { Cancel } from '../ports/clock.js'
import type { Course } from './course.js'
import type { TorrentData } from './data.js'
import type { Known } from './known.js'
import { type Fault, faultSentence } from './lifecycle.js'
import type { TorrentMeans } from './torrent-ports.js'
import { retryDelay, Trouble } from './trouble.js'

/** Trouble that came back once is over when it has not come again for so long. */
const SETTLED: Millis = 60_000

export interface BlockingInit {
  /** What the journal of an earlier run says keeps it from going on; null: nothing does. */
  readonly told: string | null
}

export interface BlockingPorts {
  readonly means: TorrentMeans
  readonly course: Course
  readonly known: Known
  readonly data: TorrentData
  /** Writes a fact of this torrent into the journal. */
  noted(kind: string, data: Readonly<Record<string, unknown>>): void
  /** What belongs to the run that is over ends. */
  endRun(): void
  /** Looks whether anything is in the way still. */
  judge(then: (by: Fault | null) => void): void
  /** Nothing is: it starts. */
  goOn(): void
}

export class Blocking {
  readonly #ports: BlockingPorts
  readonly #trouble = new Trouble()
  /** Until the next try. */
  #retry: Cancel | null = null
  /** What the journal says keeps it from going on; null: nothing does. */
  #told: { readonly reason: string; readonly again: boolean } | null = null
  /** Until trouble that came back counts as over. */
  #settling: Cancel | null = null

  constructor(init: BlockingInit, ports: BlockingPorts) {
    this.#ports = ports
    if (init.told !== null) this.#told = { reason: init.told, again: false }
  }

  /** It cannot go on; what is recorded stands. */
  block(by: Fault): void {
    const { course, means, data } = this.#ports
    if (course.after !== null || course.state.kind === 'blocked') return
    const now = means.clock.now()
    const since = this.#trouble.since(by, now)
    course.next()
    this.#ports.endRun()
    const told = by.kind === 'space' ? { ...by, trash: means.place.trashIn?.(by.dir) ?? 0 } : by
    course.set({ kind: 'blocked', by: told, since, retryAt: now + retryDelay(by) })
    this.#tell(told, since === now)
    data.close('blocked', () => undefined)
    this.#retryLater(by)
  }

  /** A fault of our own, told already: tried again later each time. */
  blockForBug(error: unknown): void {
    this.block(this.#trouble.bug(error, this.#ports.means.clock.now()))
  }

  /** Shown while its removal waits: for a volume that is away, for the answer of one, or for the store. */
  awaitRemoval(waits: 'volume' | 'answer' | 'store'): void {
    const { course, means, known } = this.#ports
    const now = means.clock.now()
    const by = { kind: 'removal', dir: known.row.dir, waits } as const
    course.set({ kind: 'blocked', by, since: now, retryAt: now })
  }

  /** It runs. Of trouble that came back at once that is said a minute later. */
  recovered(): void {
    const told = this.#told
    if (told === null) return
    if (!told.again) return this.#tellRecovered()
    this.#settling?.()
    this.#settling = this.#ports.means.clock.after(SETTLED, () => {
      this.#settling = null
      if (this.#told === told && this.#ports.course.isRunning) this.#tellRecovered()
    })
  }

  /** Looks again now, and goes on where nothing is in the way any more. */
  tryAgain(): void {
    const { course, means, known } = this.#ports
    const { state } = course
    if (state.kind !== 'blocked') return
    this.#retry?.()
    course.next()
    this.#ports.judge((by) => {
      if (by === null) {
        known.clean = false
        return this.#ports.goOn()
      }
      if (faultSentence(by) !== faultSentence(state.by))
        course.set({ ...state, by, retryAt: means.clock.now() + retryDelay(by) })
      this.#retryLater(by)
    })
  }

  /** The run or the wait is over. */
  end(): void {
    this.#retry?.()
    this.#retry = null
    this.#settling?.()
    this.#settling = null
  }

  #tell(by: Fault, isNew: boolean): void {
    const { means, known } = this.#ports
    const reason = faultSentence(by)
    if (isNew) means.log.warn({ torrent: known.row.id, fault: by }, reason)
    // What an earlier run told already is no news.
    if (this.#told === null || (isNew && this.#told.reason !== reason))
      this.#ports.noted('blocked', { reason })
    this.#told = { reason, again: this.#told?.again ?? !isNew }
  }

  #tellRecovered(): void {
    const reason = this.#told?.reason ?? ''
    this.#told = null
    this.#ports.noted('recovered', { reason })
  }

  #retryLater(by: Fault): void {
    this.#retry = this.#ports.means.clock.after(retryDelay(by), () => {
      this.#retry = null
      this.tryAgain()
    })
  }
}
