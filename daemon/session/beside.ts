/** A torrent's place in the DHT and in the local network, driven by the same calls as its trackers. */
import type { TorrentRow } from '../ports/store.js'
import { type SwarmKey, swarmKeys } from '../../shared/units.js'
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
  if (key === undefined) return tracker
  let place: Place | null = null
  const join = (): Place =>
    meeting.join(key, {
      found: (peers) => {
        asks.found(peers, source)
      },
      isSeed: () => asks.stats().left === 0,
      isPrivate: () => asks.isPrivate(),
    })
  const leave = (): void => {
    place?.leave()
    place = null
  }
  return {
    ...tracker,
    start: () => {
      if (!asks.isPrivate()) place ??= join()
      else leave()
      tracker.start()
    },
    stop: (cap, done) => {
      leave()
      tracker.stop(cap, done)
    },
    need: (level) => {
      place?.need?.(level)
      tracker.need(level)
    },
    announceNow: (urgent) => {
      place?.now()
      tracker.announceNow(urgent)
    },
  }
}
