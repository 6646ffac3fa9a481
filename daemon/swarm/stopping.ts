/** How a run ends: what belongs to it stops, trackers and data are waited for, and what was asked meanwhile follows. */
import type { Millis } from '../../shared/units.js'
import type { After, Course } from './course.js'
import type { TorrentData } from './data.js'
import type { Tracker } from './tracker-port.js'

export interface StoppingPorts {
  readonly course: Course
  readonly data: TorrentData
  readonly tracker: Tracker
  /** The job that brings its files elsewhere; null without one. */
  mover(): number | null
  /** What belongs to the run that is over ends. */
  endRun(): void
  /** Calls it; what it throws is a fault of the torrent's. */
  guarded(step: () => void): void
  /** It is to go on. */
  begin(): void
}

export class Stopping {
  readonly #ports: StoppingPorts
  /** Called when the stop under way is over. */
  #waiting: (() => void)[] = []

  constructor(ports: StoppingPorts) {
    this.#ports = ports
  }

  /** Ends the run; `done` when every connection, job and announce has ended. `cap` bounds the announces. */
  stop(after: After, cap: Millis, done: () => void): void {
    const { course, data } = this.#ports
    const atRest = course.state.kind === 'paused' && data.empty
    if (atRest && after !== 'verify' && after !== 'move') return done()
    this.#waiting.push(done)
    if (course.after !== null) return this.#join(course.after, after, cap)
    course.after = after
    course.next()
    this.#ports.guarded(() => {
      this.#halt(after, cap)
    })
  }

  /** It is over, in order or not. */
  finish(): void {
    const { course } = this.#ports
    const { after } = course
    const job = this.#ports.mover()
    course.after = null
    if (after === 'move' && job !== null) course.set({ kind: 'moving', job, done: 0, total: 0 })
    else course.set({ kind: 'paused' })
    for (const done of this.#waiting.splice(0)) done()
    if (after === 'start' || after === 'verify' || after === 'more' || after === 'wait') this.#ports.begin()
  }

  /** A stop is under way: what follows it is what was asked last, but nothing comes between it and a move. */
  #join(before: After, after: After, cap: Millis): void {
    const { course, tracker } = this.#ports
    if (keepsAnnouncing(before) && !keepsAnnouncing(after)) tracker.stop(cap, () => undefined)
    if (this.#ports.mover() === null || after === 'move') course.after = after
  }

  #halt(after: After, cap: Millis): void {
    const { course, tracker, data } = this.#ports
    this.#ports.endRun()
    course.set({ kind: 'stopping', then: after === 'exit' ? 'exit' : 'paused' })
    let open = 2
    const { epoch } = course
    const one = (): void => {
      if (--open === 0 && epoch === course.epoch) this.finish()
    }
    if (keepsAnnouncing(after)) one()
    else tracker.stop(cap, one)
    data.close('stopped', one)
  }
}

/** The torrent goes on at once, so its trackers need not hear that it stopped. */
function keepsAnnouncing(after: After): boolean {
  return after === 'verify' || after === 'more' || after === 'move'
}
