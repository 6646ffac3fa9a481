import type { Bytes, Millis } from '../../shared/units.js'
import type { TrackerView } from '../../shared/views.js'
import type { PeerAddress } from '../base/address.js'

/** The tracker side of a torrent, as its owner sees it. */
export interface Tracker {
  start(): void
  /** Says `stopped` where `started` was said; `done` after the answers, or the cap. */
  stop(cap: Millis, done: () => void): void
  completed(): void
  /** How much peers are wanted: 'urgent' asks again sooner than the tracker's interval. */
  need(level: Need): void
  /** Urgent: before the announces of other torrents. */
  announceNow(urgent?: boolean): void
  /** They are asked at once. */
  addTrackers(trackers: readonly { readonly tier: number; readonly url: string }[]): void
  /** They hear `stopped`, and nothing after it. */
  removeTrackers(urls: readonly string[]): void
  /** Asks each tracker for its counts; `done` hears once which did not give them, and why. */
  scrape(done: (failed: readonly TrackerFault[]) => void): void
  views(): TrackerView[]
}

export interface TrackerFault {
  /** Redacted. */
  readonly url: string
  /** One sentence. */
  readonly message: string
}

export type Need = 'none' | 'some' | 'urgent'

/** Where peers come from that no tracker named. */
export type Found = 'dht' | 'lsd'

/** What a tracker needs to know and whom it tells. */
export interface TrackerAsks {
  stats(): { readonly uploaded: Bytes; readonly downloaded: Bytes; readonly left: Bytes }
  /** Where it was not a tracker, `source` says who told. */
  found(peers: readonly PeerAddress[], source?: Found): void
  /** BEP 27. Of a magnet link that is told when its metadata came. */
  isPrivate(): boolean
  changed(): void
}
