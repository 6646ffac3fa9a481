/** A torrent whose files are brought elsewhere: it is idle until they lie there, whatever is asked of it meanwhile. */
import type { TorrentRow } from '../ports/store.js'
import type { Course } from './course.js'
import type { TorrentData } from './data.js'
import type { Known } from './known.js'
import type { Stopping } from './stopping.js'

export interface MovingPorts {
  readonly course: Course
  readonly known: Known
  readonly data: TorrentData
  readonly stopping: Stopping
  /** It is over: the torrent goes on as is wanted. */
  settled(): void
}

export class Moving {
  readonly #ports: MovingPorts
  /** The job that moves its files, from its beginning to `settle`; null without one. */
  #job: number | null = null

  constructor(ports: MovingPorts) {
    this.#ports = ports
  }

  get job(): number | null {
    return this.#job
  }

  /** `ready` when nobody uses the files any more. Trackers are not told: it goes on under the same address. */
  relocate(job: number, ready: () => void): void {
    this.#job = job
    this.#ports.stopping.stop('move', 0, ready)
  }

  /** `done` of `total` bytes, or files where nothing is copied. */
  progress(done: number, total: number): void {
    const { course } = this.#ports
    if (this.#job === null || course.state.kind !== 'moving') return
    course.set({ kind: 'moving', job: this.#job, done, total })
  }

  /** The files lie at `place`, or where they were. */
  settle(place: Pick<TorrentRow, 'dir' | 'volume' | 'name'> | null, done: () => void): void {
    const { course, known, data } = this.#ports
    if (place !== null) known.change(place)
    data.drop(() => {
      this.#job = null
      // Looked at once, whatever is known of them.
      known.clean = false
      course.set({ kind: 'paused' })
      this.#ports.settled()
      done()
    })
  }
}
