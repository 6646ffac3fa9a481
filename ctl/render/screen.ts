/** The live list as lines of a screen: a head, a line with a bar for each torrent, and what the keys do. */
import { cellWidth, escapeText, padCells, truncateCells } from '../../shared/text.js'
import type { StateKind, TorrentView } from '../../shared/views.js'
import { chosenAt, type TopState } from '../top/state.js'
import { renderBars } from './bar.js'
import { paint, plural, rateText, type Style } from './style.js'
import { renderWhy } from './why.js'

/** Head, an empty line, and the two at the bottom. */
const AROUND = 4

/** Lines for torrents on a screen of so many. */
export function roomFor(rows: number): number {
  return Math.max(1, rows - AROUND)
}

/** `rows` lines at most, none wider than the screen; `torrents` in their order. */
export function renderScreen(
  state: TopState,
  torrents: readonly TorrentView[],
  rows: number,
  style: Style,
): string[] {
  const room = roomFor(rows)
  const body = state.why === null ? list(state, torrents, room, style) : reading(state.why, room, style)
  const filled = [...body, ...Array.from({ length: Math.max(0, room - body.length) }, () => '')]
  return [head(torrents, style), '', ...filled, told(state, torrents, style), keys(state, style)].slice(
    0,
    rows,
  )
}

function head(torrents: readonly TorrentView[], style: Style): string {
  const sum = (of: (torrent: TorrentView) => number): number =>
    torrents.reduce((total, each) => total + of(each), 0)
  const states = new Map<StateKind, number>()
  for (const { state } of torrents) states.set(state, (states.get(state) ?? 0) + 1)
  const counted = [...states].map(
    ([state, count]) => `${String(count)} ${state === 'fetchingMetadata' ? 'metadata' : state}`,
  )
  const rates = `↓ ${rateText(
    sum((each) => each.downRate),
    style,
  )}  ↑ ${rateText(
    sum((each) => each.upRate),
    style,
  )}  ${plural(
    sum((each) => each.peers),
    'peer',
  )}`
  const left = truncateCells(
    [plural(torrents.length, 'torrent'), ...counted].join(', '),
    Math.max(0, style.columns - cellWidth(rates) - 2),
  )
  const gap = ' '.repeat(Math.max(2, style.columns - cellWidth(left) - cellWidth(rates)))
  return paint(truncateCells(left + gap + rates, style.columns), 'bold', style)
}

function list(state: TopState, torrents: readonly TorrentView[], room: number, style: Style): string[] {
  if (torrents.length === 0)
    return [paint('There are no torrents; torrentinoctl add FILE adds one.', 'dim', style)]
  const at = chosenAt(state, torrents)
  // The chosen one in the middle where there is more than fits.
  const from = Math.max(0, Math.min(at - (room >> 1), torrents.length - room))
  const shown = torrents.slice(from, from + room)
  const digits = Math.max(...shown.map(({ id }) => String(id).length))
  const bars = renderBars(shown, { ...style, columns: style.columns - digits - 3 })
  return shown.map((torrent, line) => {
    const number = padCells(String(torrent.id), digits, 'right')
    const chosen = from + line === at
    return `${chosen ? paint('›', 'bold', style) : ' '} ${paint(number, chosen ? 'bold' : 'dim', style)} ${bars[line] ?? ''}`
  })
}

function reading(why: NonNullable<TopState['why']>, room: number, style: Style): string[] {
  const lines = renderWhy(why, { ...style, colour: false })
    .trimEnd()
    .split('\n')
  return lines.flatMap((line) => wrapped(line, style.columns)).slice(0, room)
}

/** At spaces, what follows indented. */
function wrapped(line: string, columns: number): string[] {
  const lines: string[] = []
  let current = ''
  for (const word of line.split(/(?<=\S) /)) {
    const longer = current === '' ? word : `${current} ${word}`
    if (cellWidth(longer) <= columns || current === '') current = longer
    else {
      lines.push(truncateCells(current, columns))
      current = `    ${word}`
    }
  }
  return [...lines, truncateCells(current, columns)]
}

function told(state: TopState, torrents: readonly TorrentView[], style: Style): string {
  const { asking, notice } = state
  const fit = (text: string): string => truncateCells(text, style.columns)
  if (asking !== null) {
    const files = asking.data ? ' AND DELETE ITS FILES' : '; its files stay'
    return paint(fit(`Remove ${escapeText(asking.name)}${files}? y/n`), asking.data ? 'red' : 'yellow', style)
  }
  if (notice !== null) return paint(fit(escapeText(notice.text)), notice.bad ? 'red' : 'green', style)
  const torrent = torrents[chosenAt(state, torrents)]
  return torrent === undefined ? '' : paint(fit(escapeText(torrent.dir)), 'dim', style)
}

function keys({ why, sort }: TopState, style: Style): string {
  const all =
    why === null
      ? `↑↓ choose  p pause  r resume  v verify  w why  x remove  X with files  s sort: ${sort}  q quit`
      : 'any key: back'
  return paint(truncateCells(all, style.columns), 'dim', style)
}
