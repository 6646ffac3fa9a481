/** Files, numbered from 1 as `add --select` and `select` take them. */
import { escapeText, formatPercent } from '../../shared/text.js'
import type { FileView } from '../../shared/views.js'
import { bytesText, type Style } from './style.js'
import { type Column, renderTable } from './table.js'

const COLUMNS: readonly Column<FileView>[] = [
  { title: 'NO', align: 'right', cell: (file) => String(file.index + 1) },
  { title: 'FILE', flexible: true, cell: (file) => escapeText(file.path) },
  { title: 'SIZE', align: 'right', cell: (file, style) => bytesText(file.length, style) },
  { title: 'DONE', align: 'right', cell: doneText },
  {
    title: 'PRIORITY',
    cell: (file) => file.priority,
    look: (file) => (file.wanted ? null : 'dim'),
  },
]

export function renderFiles(files: readonly FileView[], style: Style): string {
  return renderTable(files, COLUMNS, style)
}

function doneText(file: FileView): string {
  return file.length === 0 ? '100%' : formatPercent(file.doneBytes / file.length)
}
