/** Trackers by tier, and what each said last. */
import { escapeText, formatDuration } from '../../shared/text.js'
import type { TrackerView } from '../../shared/views.js'
import { paint, type Style } from './style.js'
import { type Column, renderTable } from './table.js'

/** A tracker on one line, without the times. */
export function trackerLine(tracker: TrackerView): string {
  const said = tracker.message === null ? '' : `: ${escapeText(tracker.message)}`
  return `${escapeText(tracker.url)}  ${statusText(tracker)}${said}`
}

export function renderTrackers(trackers: readonly TrackerView[], style: Style): string {
  if (trackers.length === 0) return 'This torrent has no trackers.\n'
  const number = (value: number | null): string => (value === null ? '-' : String(value))
  const columns: readonly Column<TrackerView>[] = [
    { title: 'TIER', align: 'right', cell: (tracker) => String(tracker.tier + 1) },
    { title: 'TRACKER', flexible: true, cell: (tracker) => escapeText(tracker.url) },
    {
      title: 'STATUS',
      cell: statusText,
      look: (tracker) => (tracker.status === 'failing' ? 'red' : null),
    },
    { title: 'SEEDS', align: 'right', cell: (tracker) => number(tracker.seeds) },
    { title: 'OTHERS', align: 'right', cell: (tracker) => number(tracker.leechers) },
    { title: 'PEERS', align: 'right', from: 100, cell: (tracker) => number(tracker.peers) },
    { title: 'NEXT', align: 'right', cell: (tracker) => until(tracker.nextAnnounceAt, style.now) },
  ]
  const notes = trackers
    .filter((tracker) => tracker.message !== null)
    .map((tracker) =>
      paint(`${escapeText(tracker.url)}: ${escapeText(tracker.message ?? '')}`, 'yellow', style),
    )
  return renderTable(trackers, columns, style) + notes.map((note) => `${note}\n`).join('')
}

function until(at: number | null, now: number): string {
  return at === null ? '-' : formatDuration(Math.max(0, at - now) / 1000)
}

function statusText(tracker: TrackerView): string {
  if (tracker.status !== 'waiting') return tracker.status
  return `waits for its turn, ${String(tracker.before ?? 0)} before it`
}
