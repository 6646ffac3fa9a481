/** A torrent on one line while it is followed. */
import {
  cellWidth,
  escapeText,
  formatBytes,
  formatDuration,
  formatPercent,
  formatRate,
  padCells,
  truncateCells,
  truncateMiddle,
} from '../../shared/text.js'
import type { TorrentView } from '../../shared/views.js'
import { stateLook, stateText } from './list.js'
import { paint, type Style } from './style.js'

const BAR_CELLS = 16
const NAME_SHARE = 0.3

/** Exactly one line, without its newline, never wider than the terminal. */
export function renderBar(torrent: TorrentView, style: Style): string {
  const percent = padCells(formatPercent(torrent.progress), 6, 'right')
  if (torrent.error !== null) return problemBar(torrent, percent, style)
  const rest = ` ${percent}  ${progressText(torrent)}`
  const room = style.columns - cellWidth(rest) - BAR_CELLS - 3
  const nameCells = Math.max(8, Math.min(room, Math.floor(style.columns * NAME_SHARE)))
  const name = padCells(truncateMiddle(escapeText(torrent.name), nameCells), nameCells)
  const bar = room >= 8 ? ` ${drawn(torrent, style)}` : ''
  if (bar === '') return truncateMiddle(name + rest, style.columns)
  return `${name}${bar}${rest}`
}

/** What keeps it from working takes the place of bar and figures. */
function problemBar(torrent: TorrentView, percent: string, style: Style): string {
  const cells = Math.min(24, Math.floor(style.columns * NAME_SHARE))
  const name = truncateMiddle(escapeText(torrent.name), cells)
  const line = truncateCells(`${name} ${percent}  ${escapeText(torrent.error ?? '')}`, style.columns)
  return paint(line, 'red', style)
}

function drawn(torrent: TorrentView, style: Style): string {
  const full = Math.floor(torrent.progress * BAR_CELLS + 1e-9)
  const look = stateLook(torrent)
  const filled = '━'.repeat(full)
  return (
    (look === null ? filled : paint(filled, look, style)) + paint('─'.repeat(BAR_CELLS - full), 'dim', style)
  )
}

function progressText(torrent: TorrentView): string {
  const amount = `${formatBytes(torrent.doneBytes)}/${formatBytes(torrent.wantedBytes)}`
  if (torrent.state !== 'downloading') return `${amount}  ${stateText(torrent)}`
  const eta = torrent.eta === null ? '' : `  ${formatDuration(torrent.eta)}`
  return `${amount}  ↓${formatRate(torrent.downRate)} ↑${formatRate(torrent.upRate)}  ${torrent.peers}p${eta}`
}

/** The same as words, for a log: nothing is drawn over. With a newline. */
export function renderProgressLine(torrent: TorrentView): string {
  const parts = [
    `${torrent.id} ${escapeText(torrent.name)}: ${stateText(torrent)} ${formatPercent(torrent.progress)}`,
    `${formatBytes(torrent.doneBytes)}/${formatBytes(torrent.wantedBytes)}`,
    `down ${formatRate(torrent.downRate)}`,
    `up ${formatRate(torrent.upRate)}`,
    `${torrent.peers} peers`,
  ]
  if (torrent.eta !== null) parts.push(`${formatDuration(torrent.eta)} left`)
  if (torrent.error !== null) parts.push(escapeText(torrent.error))
  return parts.join(', ') + '\n'
}
