/** Torrents in a table; what keeps one from working is told below it. */
import { escapeText, formatDuration, formatPercent } from '../../shared/text.js'
import type { StateKind, TorrentView } from '../../shared/views.js'
import { bytesText, foldSentence, type Look, paint, plural, rateText, type Style } from './style.js'
import { type Column, renderTable } from './table.js'

const STATE_WORDS: Readonly<Record<StateKind, string>> = {
  paused: 'paused',
  queued: 'queued',
  fetchingMetadata: 'metadata',
  checking: 'checking',
  downloading: 'downloading',
  seeding: 'seeding',
  moving: 'moving',
  stopping: 'stopping',
  blocked: 'blocked',
}

const STATE_LOOKS: Readonly<Partial<Record<StateKind, Look>>> = {
  blocked: 'red',
  seeding: 'green',
  downloading: 'cyan',
  paused: 'dim',
}

/** Every state, in the words of --json. */
export const STATES = Object.keys(STATE_WORDS) as readonly StateKind[]

/** One word, with its place in the queue, or with how far a check or a move is. */
export function stateText(torrent: TorrentView): string {
  const word = STATE_WORDS[torrent.state]
  if (torrent.queueRank !== null) return `${word} #${torrent.queueRank}`
  const progress = torrent.checkProgress ?? torrent.moveProgress
  return progress === null ? word : `${word} ${formatPercent(progress)}`
}

export function stateLook(torrent: TorrentView): Look | null {
  return STATE_LOOKS[torrent.state] ?? null
}

/** Why a seed was paused. */
export function goalText({ goalReached }: TorrentView): string {
  return `paused: its goal is reached, ${escapeText(goalReached ?? '')}`
}

export function ratioText(ratio: number | null): string {
  return ratio === null ? '-' : ratio.toFixed(2)
}

const rate = (value: number, style: Style): string => (value === 0 ? '-' : rateText(value, style))

const COLUMNS: readonly Column<TorrentView>[] = [
  { title: 'ID', align: 'right', cell: (torrent) => String(torrent.id) },
  { title: 'NAME', flexible: true, cell: (torrent) => escapeText(torrent.name) },
  { title: 'STATE', cell: stateText, look: stateLook },
  { title: 'DONE', align: 'right', cell: (torrent) => formatPercent(torrent.progress) },
  {
    title: 'SIZE',
    align: 'right',
    from: 72,
    cell: (torrent, style) => (torrent.pieceCount === 0 ? '-' : bytesText(torrent.wantedBytes, style)),
  },
  { title: 'DOWN', align: 'right', cell: (torrent, style) => rate(torrent.downRate, style) },
  { title: 'UP', align: 'right', from: 100, cell: (torrent, style) => rate(torrent.upRate, style) },
  { title: 'PEERS', align: 'right', from: 100, cell: (torrent) => `${torrent.seeds}/${torrent.peers}` },
  { title: 'RATIO', align: 'right', from: 110, cell: (torrent) => ratioText(torrent.ratio) },
  { title: 'ETA', align: 'right', cell: (torrent) => formatDuration(torrent.eta) },
]

export function renderList(torrents: readonly TorrentView[], style: Style): string {
  if (torrents.length === 0) return 'No torrents yet. Add one: torrentinoctl add FILE\n'
  const note = ({ id }: TorrentView, text: string, look: Look): string =>
    paint(foldSentence(`${id}: ${text}`, '   ', style), look, style)
  const faults = torrents
    .filter((torrent) => torrent.error !== null)
    .map((torrent) => note(torrent, escapeText(torrent.error ?? ''), 'red'))
  const ended = torrents
    .filter((torrent) => torrent.goalReached !== null)
    .map((torrent) => note(torrent, goalText(torrent), 'dim'))
  return renderTable(torrents, COLUMNS, style) + [...faults, ...ended].join('')
}

/** One line on torrents that are done: `12 more are complete: 10 seeding, 2 paused`. */
export function renderRest(torrents: readonly TorrentView[]): string {
  if (torrents.length === 0) return ''
  const counts = new Map<string, number>()
  for (const torrent of torrents) {
    const word = STATE_WORDS[torrent.state]
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const states = [...counts].map(([word, count]) => `${count} ${word}`).join(', ')
  return `${plural(torrents.length, 'torrent')} complete: ${states}\n`
}
