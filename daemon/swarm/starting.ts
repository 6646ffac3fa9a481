/**
 * From the wish that a torrent goes on to data that may be believed: its place is looked at, its data are loaded, its
 * files surveyed and hashed where needed, and there is room for what is missing. Ends in `ready` or `blocked`.
 */
import type { FileIndex } from '../../shared/units.js'
import type { SpaceView } from '../ports/disk.js'
import type { Course } from './course.js'
import type { TorrentData } from './data.js'
import type { Known } from './known.js'
import type { Fault } from './lifecycle.js'
import type { Live } from './live.js'
import { shortOf } from './place.js'
import { Readiness, type Ruined } from './readiness.js'
import type { TorrentMeans } from './torrent-ports.js'
import { faultOfDisk } from './trouble.js'
import type { Turn } from './turn.js'

export interface StartingPorts {
  readonly means: TorrentMeans
  readonly course: Course
  readonly known: Known
  readonly data: TorrentData
  readonly turn: Turn
  /** Writes a fact of this torrent into the journal. */
  noted(kind: string, data: Readonly<Record<string, unknown>>): void
  /** `completes`: the last file got its name only now. */
  ready(live: Live, completes: boolean): void
  blocked(by: Fault): void
}

export class Starting {
  readonly #ports: StartingPorts
  /** What has to be done before it may run; null while nothing is. */
  #readiness: Readiness | null = null
  /** The user asked for a check: missing files are not a fault but missing pieces. */
  #asked = false
  /** Finished files that somebody changed, as they lay there at the last look. */
  #ruined: Ruined | null = null

  constructor(ports: StartingPorts) {
    this.#ports = ports
  }

  /** A check was asked for, and is still to come. */
  get isAsked(): boolean {
    return this.#asked
  }

  /** The next start hashes everything. */
  ask(): void {
    this.#asked = true
  }

  cancel(): void {
    this.#readiness?.cancel()
    this.#readiness = null
  }

  /** Loads the data where needed, looks at the files, and goes on from what it sees. */
  wake(): void {
    const { course, data } = this.#ports
    const { epoch } = course
    data.use((live) => {
      if (!course.holds(epoch)) return
      if (live === null) return this.#ports.blocked({ kind: 'store', code: 'unreadable' })
      this.#look((space) => {
        live.storage.bind(space.volume)
        this.cancel()
        this.#readiness = this.#makeReady(live)
      })
    })
  }

  /** Whether it might go on now; null: nothing that a look at its place shows is in the way. */
  judge(then: (by: Fault | null) => void): void {
    const { means, course, known } = this.#ports
    const { epoch } = course
    const { dir } = known.row
    means.place.look(dir, this.#asked).then(
      (seen) => {
        if (course.holds(epoch)) then('kind' in seen ? seen : shortOf(dir, seen, known.left))
      },
      // A rejection is a bug of the disk's threads, told already.
      () => undefined,
    )
  }

  /** While it downloads: what others write must not leave the volume full, nor must we. */
  keepReserve(): void {
    const { course, known } = this.#ports
    this.#look((space) => {
      if (course.state.kind !== 'downloading' || space.freeBytes > space.reserve) return
      const short = shortOf(known.row.dir, space, known.left)
      if (short !== null) this.#ports.blocked(short)
    })
  }

  /** Chosen files that are empty are there at once. */
  prepare({ content, storage }: Live): void {
    const { course, known } = this.#ports
    const { epoch } = course
    storage.prepare(content.wantedFiles()).then(
      (fault) => {
        if (fault !== null && course.holds(epoch)) this.#ports.blocked(faultOfDisk(fault, known.row.dir))
      },
      () => undefined,
    )
  }

  /** Whether its place is there; blocks where it is not, and goes on where nothing else came first. */
  #look(then: (space: SpaceView) => void): void {
    const { means, course, known } = this.#ports
    const { epoch } = course
    means.place.look(known.row.dir, this.#asked).then(
      (seen) => {
        if (!course.holds(epoch)) return
        if ('kind' in seen) this.#ports.blocked(seen)
        else then(seen)
      },
      () => undefined,
    )
  }

  #makeReady(live: Live): Readiness {
    const { means, course, known } = this.#ports
    const asked = this.#asked
    this.#asked = false
    if (asked) this.#ruined = null
    const { checked, volume, dir } = known.row
    return new Readiness(
      { live, checked, asked, volume, ruined: this.#ruined },
      {
        gate: means.gate,
        state: (state) => {
          // A check is no download: its place is free until that is over.
          if (state.kind === 'queued') this.#ports.turn.leave()
          course.set(state)
        },
        checked: (why, pieces) => {
          known.change({ checked: true, completedAt: live.recorder.completedAt })
          this.#ports.noted('checked', { why, pieces })
        },
        ready: (completes) => {
          // It knows the data, which a torrent at rest has not.
          this.#readiness = null
          this.#ruined = null
          this.#withRoom(() => {
            this.#ports.ready(live, completes)
          })
        },
        lost: (count, first) => {
          // Where the whole folder is away, that is what is said.
          this.#look(() => {
            this.#ports.blocked({ kind: 'files', count, example: pathOf(live, first) })
          })
        },
        refused: (fault) => {
          this.#ports.blocked(faultOfDisk(fault, dir))
        },
        ruined: (seen) => {
          this.#ruined = seen
          this.#ports.blocked({
            kind: 'changed',
            count: seen.files.length,
            example: pathOf(live, seen.files[0] ?? 0),
          })
        },
      },
    )
  }

  /** Goes on where there is room for what is missing; one that only seeds needs none. */
  #withRoom(then: () => void): void {
    const { known } = this.#ports
    if (known.left === 0 || known.desired === 'paused') return then()
    this.#look((space) => {
      const short = shortOf(known.row.dir, space, known.left)
      if (short === null) then()
      else this.#ports.blocked(short)
    })
  }
}

function pathOf(live: Live, file: FileIndex): string {
  return live.content.files[file]?.path ?? ''
}
