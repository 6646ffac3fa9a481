/** Trackers by tier, and what each said last. */
import { escapeText, formatDuration } from '../../shared/text.js'
import type { Millis } from '../../shared/units.js'
import type { TrackerView } from '../../shared/views.js'
import { paint, plural, type Style, wrap } from './style.js'
import { type Column, renderTable } from './table.js'

/** A tracker on one line, without the times. */
export function trackerLine(tracker: TrackerView): string {
  const said = tracker.message === null ? '' : `: ${escapeText(tracker.message)}`
  return `${escapeText(tracker.url)}  ${statusText(tracker)}${said}`
}

/** Where the address begins: what a tracker said is written below it. */
const INDENT = ' '.repeat(6)

/** A row with the figures of each tracker, and below it in words what it said last. */
export function renderTrackers(trackers: readonly TrackerView[], style: Style): string {
  if (trackers.length === 0) return 'This torrent has no trackers.\n'
  const number = (value: number | null): string => (value === null ? '-' : String(value))
  const columns: readonly Column<TrackerView>[] = [
    { title: 'TIER', align: 'right', cell: (tracker) => String(tracker.tier + 1) },
    { title: 'TRACKER', flexible: true, cell: (tracker) => escapeText(tracker.url) },
    { title: 'SEEDS', align: 'right', cell: (tracker) => number(tracker.seeds) },
    { title: 'LEECHERS', align: 'right', cell: (tracker) => number(tracker.leechers) },
    { title: 'DOWNLOADS', align: 'right', cell: (tracker) => number(tracker.downloads) },
    { title: 'NEXT', align: 'right', cell: (tracker) => until(tracker.nextAnnounceAt, style.now) },
  ]
  const [head = '', ...rows] = renderTable(trackers, columns, style).split('\n')
  return trackers.reduce(
    (text, tracker, at) => `${text}${rows[at] ?? ''}\n${said(tracker, style)}`,
    `${head}\n`,
  )
}

function said(tracker: TrackerView, style: Style): string {
  const look = tracker.status === 'failing' ? 'red' : tracker.message === null ? 'dim' : 'yellow'
  const lines = wrap(answerText(tracker, style.now), style.columns - INDENT.length)
  return lines.map((line) => `${INDENT}${paint(line, look, style)}\n`).join('')
}

/** What is under way, and the last answer: `ok, 30 peers, 5m 02s ago`. */
export function answerText(tracker: TrackerView, now: Millis): string {
  const last = lastText(tracker, now)
  if (tracker.status !== 'announcing' && tracker.status !== 'waiting') return last ?? 'not asked yet'
  const doing = tracker.status === 'announcing' ? 'is asked now' : statusText(tracker)
  return last === null ? doing : `${doing}; last: ${last}`
}

function lastText({ message, failures, lastAnswerAt, lastFailureAt, peers }: TrackerView, now: Millis) {
  const text = message === null ? null : escapeText(message)
  const ok = lastAnswerAt === null ? null : `ok, ${plural(peers ?? 0, 'peer')}, ${ago(lastAnswerAt, now)}`
  if (failures === 0) return ok === null || text === null ? ok : `${ok}; note: ${text}`
  const when = lastFailureAt === null ? '' : `, ${ago(lastFailureAt, now)}`
  const failed = `failed${failures === 1 ? '' : ` ${String(failures)} times`}${when}`
  const before = ok === null ? '' : ` (before: ${ok})`
  return `${failed}: ${text ?? 'no reason was given'}${before}`
}

function ago(at: Millis, now: Millis): string {
  return `${formatDuration(Math.max(0, now - at) / 1000)} ago`
}

function until(at: number | null, now: number): string {
  return at === null ? '-' : formatDuration(Math.max(0, at - now) / 1000)
}

function statusText(tracker: TrackerView): string {
  if (tracker.status !== 'waiting') return tracker.status
  return `waits for its turn, ${String(tracker.before ?? 0)} before it`
}
