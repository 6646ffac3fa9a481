/** A torrent's place in the DHT and in the local network, driven by the same calls as its trackers. */
import type { TorrentRow } from '../ports/store.js'
import { type Millis, type SwarmKey, swarmKeys } from '../../shared/units.js'
import type { TrackerView } from '../../shared/views.js'
import type { PeerAddress } from '../base/address.js'
import type { Found, Need, Tracker, TrackerAsks } from '../swarm/tracker-port.js'

/** Where torrents are found without a tracker. */
export interface Meeting {
  join(key: SwarmKey, asks: MeetingAsks): Place
}

export interface MeetingAsks {
  found(peers: readonly PeerAddress[]): void
  isSeed(): boolean
  isPrivate(): boolean
}

interface Place {
  need?(level: Need): void
  /** Announces it soon. */
  now(): void
  leave(): void
}

/**
 * The trackers, and another meeting beside them. A private torrent keeps to its trackers (BEP 27); of a magnet link
 * that is known only when its metadata come.
 */
export function beside(
  meeting: Meeting,
  source: Found,
  row: TorrentRow,
  asks: TrackerAsks,
  tracker: Tracker,
): Tracker {
  const [key] = swarmKeys(row.hashes)
  return key === undefined ? tracker : new Beside({ source, key }, { meeting, asks, tracker })
}

/** A class, not an object of closures: every torrent has two. */
class Beside implements Tracker {
  private readonly source: Found
  private readonly key: SwarmKey
  private readonly meeting: Meeting
  private readonly asks: TrackerAsks
  private readonly tracker: Tracker
  /** Ours among those who meet there; null while the torrent is stopped, or keeps to its trackers. */
  private place: Place | null = null

  constructor(
    init: { readonly source: Found; readonly key: SwarmKey },
    ports: { readonly meeting: Meeting; readonly asks: TrackerAsks; readonly tracker: Tracker },
  ) {
    this.source = init.source
    this.key = init.key
    this.meeting = ports.meeting
    this.asks = ports.asks
    this.tracker = ports.tracker
  }

  start(): void {
    if (!this.asks.isPrivate()) this.place ??= this.meeting.join(this.key, this)
    else this.leave()
    this.tracker.start()
  }
  stop(cap: Millis, done: () => void): void {
    this.leave()
    this.tracker.stop(cap, done)
  }
  need(level: Need): void {
    this.place?.need?.(level)
    this.tracker.need(level)
  }
  announceNow(urgent?: boolean): void {
    this.place?.now()
    this.tracker.announceNow(urgent)
  }
  completed(): void {
    this.tracker.completed()
  }
  addTrackers(trackers: Parameters<Tracker['addTrackers']>[0]): void {
    this.tracker.addTrackers(trackers)
  }
  removeTrackers(urls: readonly string[]): void {
    this.tracker.removeTrackers(urls)
  }
  scrape(done: Parameters<Tracker['scrape']>[0]): void {
    this.tracker.scrape(done)
  }
  views(): TrackerView[] {
    return this.tracker.views()
  }

  // --- what the meeting asks (MeetingAsks)

  found(peers: readonly PeerAddress[]): void {
    this.asks.found(peers, this.source)
  }
  isSeed(): boolean {
    return this.asks.stats().left === 0
  }
  isPrivate(): boolean {
    return this.asks.isPrivate()
  }

  private leave(): void {
    this.place?.leave()
    this.place = null
  }
}
