/** What became of a torrent whose trackers were to be asked. */
import { formatDuration } from '../../shared/text.js'
import type { TorrentView, TrackerView } from '../../shared/views.js'

export function announcedText(torrent: TorrentView, trackers: readonly TrackerView[], now: number): string {
  if (!['downloading', 'seeding', 'fetchingMetadata'].includes(torrent.state)) {
    return `nobody is asked while it is ${torrent.state}`
  }
  if (trackers.length === 0) return 'it has no trackers; the DHT is asked where it may be'
  if (trackers.some(({ status }) => status === 'waiting')) return 'its trackers are asked when it is its turn'
  const soonest = Math.min(...trackers.map(({ nextAnnounceAt }) => nextAnnounceAt ?? Infinity))
  if (trackers.some(({ status }) => status === 'announcing') || soonest <= now)
    return 'its trackers are asked now'
  return soonest === Infinity
    ? 'its trackers want to be asked no more'
    : `its trackers are asked in ${formatDuration((soonest - now) / 1000)}, as soon as they allow`
}
