/**
 * What brought the daemon down lately, noted as it goes down. Three times the same torrent within ten minutes, and it
 * comes back paused. Three times and nobody knows who it was: torrents are started one after the other, so that the
 * next end has a name. Only ends that the daemon itself saw count: a kill from outside, a power cut or the kernel that
 * was out of memory says nothing about a torrent, and must not stop one. Nothing is written while it runs.
 */
import type { Millis, TorrentId } from '../../shared/units.js'
import { type Crash, CRASHES_KEY, readCrashes, writeCrashes } from '../base/crash-notes.js'
import type { Clock } from '../ports/clock.js'
import type { Store } from '../ports/store.js'

const WITHIN: Millis = 600_000
const TOO_MANY = 3

export interface CrashVerdict {
  /** Not to be started, whatever is wanted. */
  readonly guilty: TorrentId | null
  /** One after the other. */
  readonly careful: boolean
}

export interface CrashPorts {
  readonly clock: Pick<Clock, 'wall'>
  readonly store: Pick<Store, 'getMeta' | 'setMeta'>
}

export class Crashes {
  readonly #ports: CrashPorts
  /** Of the last minutes, oldest first. */
  #recent: Crash[] = []
  /** The torrent that was started last, while they are started one after the other. */
  suspect: TorrentId | null = null

  constructor(ports: CrashPorts) {
    this.#ports = ports
  }

  /** What the last runs say. */
  async judge(): Promise<CrashVerdict> {
    const now = this.#ports.clock.wall()
    const known = readCrashes(await this.#ports.store.getMeta(CRASHES_KEY))
    // A clock that was set back makes old ones young: they are as good as forgotten.
    this.#recent = known.filter(({ at }) => at <= now && now - at < WITHIN)
    const guilty = this.#guilty()
    const careful = guilty === null && this.#recent.length >= TOO_MANY
    if (guilty !== null) await this.#write([])
    return { guilty, careful }
  }

  /** The daemon goes down, with this torrent at work. */
  note(torrent: number): Promise<void> {
    const crash =
      torrent === 0 && this.suspect !== null
        ? { torrent: this.suspect, alone: true }
        : { torrent, alone: torrent !== 0 && torrent === this.suspect }
    return this.#write([...this.#recent, { at: this.#ports.clock.wall(), ...crash }])
  }

  #guilty(): TorrentId | null {
    for (const { torrent, alone } of this.#recent) {
      const times = this.#recent.filter((crash) => crash.torrent === torrent).length
      if (torrent !== 0 && (alone || times >= TOO_MANY)) return torrent as TorrentId
    }
    return null
  }

  #write(crashes: Crash[]): Promise<void> {
    this.#recent = crashes
    return this.#ports.store.setMeta(CRASHES_KEY, writeCrashes(crashes))
  }
}
