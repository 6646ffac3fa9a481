/** What all long work has in common: who it is for, how it stands, and how it ends. */
import type { Millis, TorrentId } from '../../shared/units.js'
import type { JobView } from '../../shared/views.js'
import type { CrashPoint } from '../base/crash-point.js'
import type { Log } from '../base/log.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Store } from '../ports/store.js'
import type { Session } from './session.js'

/** A volume that is away is looked for so often. */
const LOOK_AGAIN: Millis = 5000

export interface JobPorts {
  readonly clock: Clock
  readonly log: Log
  readonly disk: Disk
  readonly store: Store
  readonly session: Session
  /** Kills the daemon in a test; see daemon/base/crash-point. */
  readonly crashPoint: CrashPoint
}

export type Waits = 'volume' | 'store'

export interface Job {
  readonly id: number
  readonly torrent: TorrentId
  /** Settles when it is over, or waits for a volume, or the daemon stops. */
  settled(): Promise<void>
  /** Settles when it is over. */
  ended(): Promise<void>
  readonly over: boolean
  /** What it waits for where it waits: a volume that is away, or the database that refused. */
  readonly waitsFor: Waits | null
  view(): JobView
  /** Takes it back where that can be; else a sentence. Settles when all is as it was. */
  cancel(): Promise<string | null>
  /** The daemon stops: nothing more is begun, and the next start goes on. */
  stop(): void
}

/** How a job stands. */
export class Standing {
  state: JobView['state'] = 'running'
  error: string | null = null
  /** Where it waits. */
  waitsFor: Waits | null = null
  /** Of the whole; in bytes, or in files where nothing is copied. */
  done = 0
  total = 0
  /** Who waits until it is not running. */
  #waiting: (() => void)[] = []
  /** Who waits until it is over. */
  #ending: (() => void)[] = []
  /** The next look for a volume. */
  #retry: Cancel | null = null
  #left = false

  get over(): boolean {
    return this.state === 'done' || this.state === 'failed' || this.state === 'cancelled'
  }
  get progress(): number {
    if (this.state === 'done') return 1
    return this.total === 0 ? 0 : Math.min(1, this.done / this.total)
  }

  settled(): Promise<void> {
    if (this.state !== 'running' || this.#left) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  ended(): Promise<void> {
    if (this.over) return Promise.resolve()
    return new Promise((resolve) => this.#ending.push(resolve))
  }

  end(state: 'done' | 'failed' | 'cancelled', error: string | null = null): void {
    this.#quiet()
    this.state = state
    this.error = error
    this.waitsFor = null
    this.#tell()
    for (const ended of this.#ending.splice(0)) ended()
  }

  /** Tries again later. */
  wait(waitsFor: Waits, error: string, clock: Clock, again: () => void): void {
    this.#quiet()
    this.state = 'waiting'
    this.error = error
    this.waitsFor = waitsFor
    this.#tell()
    this.#retry = clock.after(LOOK_AGAIN, () => {
      this.#retry = null
      again()
    })
  }

  /** Does not try again by itself. */
  hold(): void {
    this.#quiet()
  }

  goOn(): void {
    this.#quiet()
    this.state = 'running'
    this.error = null
    this.waitsFor = null
  }

  /** The daemon stops. */
  leave(): void {
    this.#quiet()
    this.#left = true
    this.#tell()
  }

  #tell(): void {
    for (const settled of this.#waiting.splice(0)) settled()
  }

  #quiet(): void {
    this.#retry?.()
    this.#retry = null
  }
}
