/**
 * What brought the daemon down lately, noted as it goes down. Three times the same torrent within ten minutes, and it
 * comes back paused. Three times and nobody knows who it was: torrents are started one after the other, so that the
 * next end has a name. Only ends that the daemon itself saw count: a kill from outside, a power cut or the kernel that
 * was out of memory says nothing about a torrent, and must not stop one. Nothing is written while it runs.
 */
import type { Millis, TorrentId } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'
import type { Store } from '../ports/store.js'

const KEY = 'crashes'
const WITHIN: Millis = 600_000
const TOO_MANY = 3

interface Crash {
  /** Wall clock. */
  readonly at: Millis
  /** The torrent at work, 0: none. */
  readonly torrent: number
  /** It was the only one just started: no other can have been it. */
  readonly alone: boolean
}

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
    const known = parse(await this.#ports.store.getMeta(KEY))
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
    return this.#write([...this.#recent, { at: this.#ports.clock.wall(), ...crash }].slice(-10))
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
    return this.#ports.store.setMeta(KEY, JSON.stringify(crashes))
  }
}

function parse(text: string | null): Crash[] {
  try {
    const value: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(value) ? value.filter(isCrash) : []
  } catch {
    return []
  }
}

function isCrash(value: unknown): value is Crash {
  if (typeof value !== 'object' || value === null) return false
  const { at, torrent, alone } = value as Partial<Record<keyof Crash, unknown>>
  return typeof at === 'number' && typeof torrent === 'number' && typeof alone === 'boolean'
}
