/** A torrent on one line while it is followed. */
import {
  cellWidth,
  escapeText,
  formatDuration,
  formatPercent,
  padCells,
  truncateCells,
  truncateMiddle,
} from '../../shared/text.js'
import type { TorrentView } from '../../shared/views.js'
import { stateLook, stateText } from './list.js'
import { bytesText, paint, plural, rateText, type Style } from './style.js'

const WIDEST_BAR = 16
const NARROWEST_BAR = 8
const NARROWEST_NAME = 8
const WIDEST_NAME = 40

/** What is said of a torrent beside its bar, by column. */
interface Figures {
  readonly percent: string
  readonly amount: string
  readonly down: string
  readonly up: string
  readonly peers: string
  readonly eta: string
  /** In place of the last four, where nothing is downloaded. */
  readonly instead: string | null
}

/**
 * One line for each torrent, without newlines, never wider than the terminal. The columns of all lines stand below
 * each other; rates and times get room to change without moving them.
 */
export function renderBars(torrents: readonly TorrentView[], style: Style): string[] {
  const figures = torrents.map((torrent) => figuresOf(torrent, style))
  const width = (field: (each: Figures) => string, least: number): number =>
    Math.max(least, ...figures.map((each) => cellWidth(field(each))))
  const widths = {
    percent: width((each) => each.percent, 5),
    amount: width((each) => each.amount, 0),
    down: width((each) => each.down, 10),
    up: width((each) => each.up, 7),
    peers: width((each) => each.peers, 2),
    eta: width((each) => each.eta, 3),
  }
  const live = widths.down + 1 + widths.up + 1 + widths.peers + 1 + widths.eta
  const side = Math.max(live, ...figures.map((each) => cellWidth(each.instead ?? '')))
  const rest = widths.percent + 2 + widths.amount + 2 + side
  const { name, bar } = share(style.columns - rest, torrents)
  return torrents.map((torrent, at) => {
    const each = figures[at]
    if (each === undefined) return ''
    if (torrent.error !== null) return problemBar(torrent, each.percent, name, style)
    const told =
      each.instead ??
      [
        padCells(each.down, widths.down, 'right'),
        padCells(each.up, widths.up, 'right'),
        padCells(each.peers, widths.peers, 'right'),
        padCells(each.eta, widths.eta, 'right'),
      ].join(' ')
    const title = padCells(truncateMiddle(escapeText(torrent.name), name), name)
    const percent = padCells(each.percent, widths.percent, 'right')
    const words = ` ${percent}  ${padCells(each.amount, widths.amount, 'right')}  ${told}`.trimEnd()
    if (bar === 0) return truncateMiddle(title + words, style.columns)
    return `${title} ${drawn(torrent, bar, style)}${words}`
  })
}

/** What is left for name and bar; the bar goes first where it is too little. */
function share(room: number, torrents: readonly TorrentView[]): { name: number; bar: number } {
  const longest = Math.max(NARROWEST_NAME, ...torrents.map((torrent) => cellWidth(escapeText(torrent.name))))
  const wanted = Math.min(WIDEST_NAME, longest)
  const bar = Math.max(NARROWEST_BAR, Math.min(WIDEST_BAR, room - 2 - wanted))
  const name = Math.min(wanted, room - 2 - bar)
  return name >= NARROWEST_NAME
    ? { name, bar }
    : { name: Math.max(NARROWEST_NAME, Math.min(wanted, room - 1)), bar: 0 }
}

function figuresOf(torrent: TorrentView, style: Style): Figures {
  return {
    percent: formatPercent(torrent.progress),
    amount: torrent.wantedBytes === 0 ? '' : amountText(torrent, style),
    down: `↓${rateText(torrent.downRate, style)}`,
    up: `↑${rateText(torrent.upRate, style)}`,
    peers: `${torrent.peers}p`,
    eta: torrent.eta === null ? '' : formatDuration(torrent.eta),
    instead: torrent.state === 'downloading' ? null : insteadOf(torrent),
  }
}

function amountText({ doneBytes, wantedBytes }: TorrentView, style: Style): string {
  return `${bytesText(doneBytes, style)}/${bytesText(wantedBytes, style)}`
}

function insteadOf(torrent: TorrentView): string {
  if (torrent.state !== 'fetchingMetadata') return stateText(torrent)
  return `${stateText(torrent)}, ${torrent.peers === 0 ? 'no peers yet' : plural(torrent.peers, 'peer')}`
}

/** What keeps it from working takes the place of bar and figures. */
function problemBar(torrent: TorrentView, percent: string, cells: number, style: Style): string {
  const name = padCells(truncateMiddle(escapeText(torrent.name), cells), cells)
  const line = truncateCells(`${name} ${percent}  ${escapeText(torrent.error ?? '')}`, style.columns)
  return paint(line, 'red', style)
}

function drawn(torrent: TorrentView, cells: number, style: Style): string {
  const full = Math.floor(torrent.progress * cells + 1e-9)
  const look = stateLook(torrent)
  const filled = '━'.repeat(full)
  return (look === null ? filled : paint(filled, look, style)) + paint('─'.repeat(cells - full), 'dim', style)
}

/** The same as words, for a log: nothing is drawn over. With a newline. */
export function renderProgressLine(torrent: TorrentView, style: Style): string {
  const parts = [
    `${torrent.id} ${escapeText(torrent.name)}: ${stateText(torrent)} ${formatPercent(torrent.progress)}`,
    ...(torrent.wantedBytes === 0 ? [] : [amountText(torrent, style)]),
    `down ${rateText(torrent.downRate, style)}`,
    `up ${rateText(torrent.upRate, style)}`,
    torrent.peers === 1 ? '1 peer' : `${torrent.peers} peers`,
  ]
  if (torrent.eta !== null) parts.push(`${formatDuration(torrent.eta)} left`)
  if (torrent.error !== null) parts.push(escapeText(torrent.error))
  return parts.join(', ') + '\n'
}
