/** What lies in the trash, and when it goes for good. */
import { escapeText, formatDuration } from '../../shared/text.js'
import type { Bytes } from '../../shared/units.js'
import type { TrashView } from '../../shared/views.js'
import { bytesText, plural, type Style } from './style.js'
import { type Column, renderTable } from './table.js'

const COLUMNS: readonly Column<TrashView>[] = [
  { title: 'ID', align: 'right', cell: ({ id }) => String(id) },
  { title: 'NAME', flexible: true, cell: ({ name }) => escapeText(name) },
  {
    title: 'SIZE',
    align: 'right',
    cell: ({ data, bytes }, style) => (data ? bytesText(bytes, style) : '-'),
  },
  { title: 'GOES IN', align: 'right', cell: ({ until }, style) => leftText(until, style) },
  { title: 'FROM', cell: ({ dir }) => escapeText(dir) },
]

export function renderTrash(trash: readonly TrashView[], bytes: Bytes, style: Style): string {
  if (trash.length === 0) return 'The trash is empty.\n'
  const room = bytes === 0 ? '' : `, ${bytesText(bytes, style)} of files`
  return (
    renderTable(trash, COLUMNS, style) +
    `${plural(trash.length, 'torrent')}${room}; torrentinoctl undo ID brings one back\n`
  )
}

function leftText(until: number, style: Style): string {
  return until <= style.now ? 'now' : formatDuration(Math.ceil((until - style.now) / 1000))
}
