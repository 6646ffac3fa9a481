/** A torrent's place in the DHT, driven by the same calls as its trackers. */
import type { TorrentRow } from '../ports/store.js'
import { swarmKeys } from '../../shared/units.js'
import type { Tracker, TrackerAsks } from '../swarm/tracker-port.js'
import type { DhtRoom } from './dht.js'

/**
 * The trackers, and the DHT beside them. A private torrent keeps to its trackers (BEP 27); of a magnet link that is
 * known only when its metadata come.
 */
export function withDht(dht: DhtRoom, row: TorrentRow, asks: TrackerAsks, tracker: Tracker): Tracker {
  const [key] = swarmKeys(row.hashes)
  if (key === undefined) return tracker
  let member: ReturnType<DhtRoom['join']> | null = null
  const join = (): ReturnType<DhtRoom['join']> =>
    dht.join(key, {
      found: (peers) => {
        asks.found(peers, 'dht')
      },
      isSeed: () => asks.stats().left === 0,
    })
  const leave = (): void => {
    member?.leave()
    member = null
  }
  return {
    ...tracker,
    start: () => {
      if (!asks.isPrivate()) member ??= join()
      else leave()
      tracker.start()
    },
    stop: (cap, done) => {
      leave()
      tracker.stop(cap, done)
    },
    need: (level) => {
      member?.need(level)
      tracker.need(level)
    },
    announceNow: () => {
      member?.now()
      tracker.announceNow()
    },
  }
}
