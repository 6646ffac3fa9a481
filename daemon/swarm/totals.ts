/** Payload over the life of a torrent, the time it has seeded, and whether payload moved since it was last saved. */
import type { Bytes, Millis, TorrentId } from '../../shared/units.js'
import type { TotalsRow } from '../ports/store.js'

/** Seeding that is not recorded alone: only with payload, or with the totals of others when it has come to so much. */
const MUCH_SEEDING: Millis = 3_600_000

export class Totals {
  downloaded: Bytes
  uploaded: Bytes
  /** Thrown away: duplicates, and pieces that failed their hash. */
  wasted: Bytes
  /** Time it has seeded before `#since`. */
  #seeded: Millis
  /** When it began to seed; null: it does not. */
  #since: Millis | null = null
  /** What `take` gave last. */
  #saved: TotalsRow

  constructor(row: TotalsRow) {
    this.downloaded = row.downloaded
    this.uploaded = row.uploaded
    this.wasted = row.wasted
    this.#seeded = row.seedingMs
    this.#saved = row
  }

  /** Uploaded over downloaded, or over what lies there where nothing was downloaded; null where neither is known. */
  ratio(done: Bytes): number | null {
    const base = this.downloaded > 0 ? this.downloaded : done
    return base > 0 ? this.uploaded / base : null
  }

  /** It seeds from now on, or does not. */
  seeds(is: boolean, now: Millis): void {
    this.#seeded = this.seeding(now)
    this.#since = is ? now : null
  }

  /** Time it has seeded. */
  seeding(now: Millis): Millis {
    return this.#seeded + (this.#since === null ? 0 : Math.max(0, now - this.#since))
  }

  /**
   * What is to be saved, or null. `when` says what is worth it: payload that moved since the last call, or an hour of
   * seeding too, or a second of it.
   */
  take(torrent: TorrentId, now: Millis, when: 'moved' | 'much' | 'any'): TotalsRow | null {
    const { downloaded, uploaded, wasted } = this
    const saved = this.#saved
    const seedingMs = Math.round(this.seeding(now))
    const moved = saved.downloaded !== downloaded || saved.uploaded !== uploaded || saved.wasted !== wasted
    const least = when === 'moved' ? Infinity : when === 'much' ? MUCH_SEEDING : 1000
    if (!moved && seedingMs - saved.seedingMs < least) return null
    this.#saved = { torrent, downloaded, uploaded, wasted, seedingMs }
    return this.#saved
  }
}
