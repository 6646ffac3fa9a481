/** One torrent as lines of a screen: how it goes, a map of its pieces, its peers and its files. */
import type { Bitfield } from '../../shared/torrent/bitfield.js'
import { escapeText, truncateCells, truncateMiddle } from '../../shared/text.js'
import type { FileView, PeerView, TorrentView } from '../../shared/views.js'
import { renderBars } from './bar.js'
import { renderFiles } from './files.js'
import { stateText } from './list.js'
import { renderPeers } from './peers.js'
import { paint, plural, type Style } from './style.js'

export interface Watched {
  readonly torrent: TorrentView
  /** Verified pieces; null: not known, as of a magnet link. */
  readonly have: Bitfield | null
  readonly peers: readonly PeerView[]
  readonly files: readonly FileView[]
  /** What was done last, or could not be. */
  readonly notice: { readonly text: string; readonly bad: boolean } | null
}

/** The most lines of the map. */
const MAP_LINES = 4
/** From nothing to everything of the pieces that a cell stands for. */
const SHADES = [' ', '░', '▒', '▓', '█'] as const

/** `rows` lines at most, none wider than the screen. */
export function renderWatch(watched: Watched, rows: number, style: Style): string[] {
  const { torrent, have, peers, files, notice } = watched
  const title = `${String(torrent.id)} ${escapeText(torrent.name)}`
  const head = [
    paint(truncateMiddle(title, style.columns), 'bold', style),
    ...renderBars([{ ...torrent, name: stateText(torrent) }], style),
    ...(torrent.error === null ? [] : [paint(fit(escapeText(torrent.error), style), 'red', style)]),
    '',
    ...pieceLines(have, style),
  ]
  const room = Math.max(0, rows - head.length - 2)
  const body = tables(peers, files, room, style)
  const fill = Array.from({ length: Math.max(0, room - body.length) }, () => '')
  const told =
    notice === null ? paint(fit(escapeText(torrent.dir), style), 'dim', style) : noticeLine(notice, style)
  const keys = paint(fit('p pause  r resume  v verify  a announce  q quit', style), 'dim', style)
  return [...head, ...body, ...fill, told, keys].slice(0, rows)
}

function noticeLine({ text, bad }: NonNullable<Watched['notice']>, style: Style): string {
  return paint(fit(escapeText(text), style), bad ? 'red' : 'green', style)
}

function fit(text: string, style: Style): string {
  return truncateCells(text, style.columns)
}

function pieceLines(have: Bitfield | null, style: Style): string[] {
  if (have === null) return [paint('No pieces are known yet.', 'dim', style), '']
  const count = `${String(have.count)} of ${plural(have.size, 'piece')}`
  return [count, ...pieceMap(have, style.columns).map((line) => paint(line, 'cyan', style)), '']
}

/** Cells in the order of the pieces, each as dark as its share is there: full only where all of it is. */
export function pieceMap(have: Bitfield, columns: number): string[] {
  const cells = Math.min(have.size, columns * MAP_LINES)
  const shades = Array.from({ length: cells }, (_, cell) => {
    const from = Math.floor((cell * have.size) / cells)
    const to = Math.floor(((cell + 1) * have.size) / cells)
    let there = 0
    for (let piece = from; piece < to; piece += 1) if (have.get(piece)) there += 1
    if (there === 0) return SHADES[0]
    return there === to - from ? SHADES[4] : (SHADES[1 + Math.floor((there * 3) / (to - from))] ?? SHADES[3])
  })
  const lines: string[] = []
  for (let at = 0; at < cells; at += columns) lines.push(shades.slice(at, at + columns).join(''))
  return lines
}

/** Half of the room each, and what one does not need is the other's. */
function tables(
  peers: readonly PeerView[],
  files: readonly FileView[],
  room: number,
  style: Style,
): string[] {
  const fastest = peers.toSorted((a, b) => b.downRate + b.upRate - a.downRate - a.upRate)
  const filesNeed = files.length === 0 ? 0 : files.length + 1
  const forPeers = Math.max(Math.floor(room / 2), room - filesNeed - 1)
  const above = lines(renderPeers(fastest, style), peers.length, 2, forPeers, style)
  if (files.length === 0) return above.slice(0, room)
  const unfinished = files.toSorted((a, b) => Number(isDone(a)) - Number(isDone(b)) || a.index - b.index)
  const below = lines(renderFiles(unfinished, style), files.length, 0, room - above.length - 1, style)
  return [...above, '', ...below].slice(0, room)
}

function isDone(file: FileView): boolean {
  return !file.wanted || file.doneBytes >= file.length
}

/** As many rows of a table as there is room for, and how many there are besides; a legend below it goes first. */
function lines(table: string, count: number, legend: number, room: number, style: Style): string[] {
  const all = table.trimEnd().split('\n')
  const whole = count === 0 ? all : all.slice(0, all.length - legend)
  if (whole.length <= room) return whole
  const shown = whole.slice(0, Math.max(0, room - 1))
  return [...shown, paint(`and ${String(count - Math.max(0, shown.length - 1))} more`, 'dim', style)].slice(
    0,
    Math.max(0, room),
  )
}
