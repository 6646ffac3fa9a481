/** Payload over the life of a torrent, and whether it moved since it was last saved. */
import type { Bytes, TorrentId } from '../../shared/units.js'
import type { TotalsRow } from '../ports/store.js'

export class Totals {
  downloaded: Bytes
  uploaded: Bytes
  /** Thrown away: duplicates, and pieces that failed their hash. */
  wasted: Bytes
  /** What `take` gave last. */
  #saved: TotalsRow

  constructor(row: TotalsRow) {
    this.downloaded = row.downloaded
    this.uploaded = row.uploaded
    this.wasted = row.wasted
    this.#saved = row
  }

  /** Uploaded over downloaded, or over what lies there where nothing was downloaded; null where neither is known. */
  ratio(done: Bytes): number | null {
    const base = this.downloaded > 0 ? this.downloaded : done
    return base > 0 ? this.uploaded / base : null
  }

  /** What is to be saved, or null where nothing moved since the last call. */
  take(torrent: TorrentId): TotalsRow | null {
    const { downloaded, uploaded, wasted } = this
    const saved = this.#saved
    if (saved.downloaded === downloaded && saved.uploaded === uploaded && saved.wasted === wasted) return null
    this.#saved = { torrent, downloaded, uploaded, wasted }
    return this.#saved
  }
}
