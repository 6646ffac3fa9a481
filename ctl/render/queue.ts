/** The order of the queue. Seeds are shown where their number is limited. */
import { escapeText, formatPercent } from '../../shared/text.js'
import type { QueueEntryView, QueueView } from '../../shared/views.js'
import { stateLook, stateText } from './list.js'
import { paint, rateText, type Style } from './style.js'
import { type Column, renderTable } from './table.js'

const COLUMNS: readonly Column<QueueEntryView>[] = [
  { title: 'RANK', align: 'right', cell: ({ rank }) => String(rank) },
  { title: 'ID', align: 'right', cell: ({ torrent }) => String(torrent.id) },
  { title: 'NAME', flexible: true, cell: ({ torrent }) => escapeText(torrent.name) },
  { title: 'STATE', cell: ({ torrent }) => stateText(torrent), look: ({ torrent }) => stateLook(torrent) },
  { title: 'PLACE', cell: placeText },
  { title: 'DONE', align: 'right', cell: ({ torrent }) => formatPercent(torrent.progress) },
  { title: 'DOWN', align: 'right', from: 72, cell: ({ torrent }, style) => rate(torrent.downRate, style) },
  { title: 'UP', align: 'right', from: 100, cell: ({ torrent }, style) => rate(torrent.upRate, style) },
]

const rate = (value: number, style: Style): string => (value === 0 ? '-' : rateText(value, style))

/** Whether it counts among those that may go on at once. */
function placeText({ torrent, stalled }: QueueEntryView): string {
  if (torrent.state === 'queued' && torrent.queuedFor !== 'check') return 'waits'
  if (torrent.state !== 'downloading' && torrent.state !== 'seeding') return '-'
  if (torrent.desired === 'forced') return 'none: now'
  return stalled ? 'none: stalled' : 'taken'
}

export function renderQueue(queue: QueueView, style: Style): string {
  const parts = [part(queue, 'download', style)]
  if (queue.seeds !== null) parts.push(part(queue, 'seed', style))
  return parts.join('\n')
}

function part(queue: QueueView, kind: 'download' | 'seed', style: Style): string {
  const limit = kind === 'download' ? queue.downloads : queue.seeds
  const rows = queue.order.filter((entry) => entry.for === kind)
  const does = kind === 'download' ? ['downloads', 'download'] : ['seeds', 'seed']
  const most =
    limit === null
      ? `All torrents ${does[1] ?? ''} at once`
      : `${limit} ${limit === 1 ? 'torrent' : 'torrents'} at once may ${does[1] ?? ''}`
  const head = paint(`${most} (queue.${kind}s).`, 'dim', style)
  if (rows.length === 0)
    return `${head} ${kind === 'download' ? 'Nothing is left to download.' : 'Nothing is complete.'}\n`
  return `${head}\n${renderTable(rows, COLUMNS, style)}`
}
