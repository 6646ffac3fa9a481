/** The journal: a line an event, in columns that stay, so that more can follow. */
import type { EventView } from '../../shared/rpc/contract.js'
import { cellWidth, escapeText, padCells, truncateCells, truncateMiddle } from '../../shared/text.js'
import type { Rate } from '../../shared/units.js'
import type { SeedGoal } from '../../shared/views.js'
import { goalsText } from './goals.js'
import { limitText } from './show.js'
import { bytesText, formatTime, type Look, paint, plural, type Style } from './style.js'

const LOOKS: Readonly<Partial<Record<string, Look>>> = {
  blocked: 'red',
  held: 'red',
  moveFailed: 'red',
  renameFailed: 'red',
  completed: 'green',
  recovered: 'green',
}

interface EventColumn {
  readonly title: string
  readonly cells: number
  readonly align?: 'right'
  readonly cell: (event: EventView) => string
}

const COLUMNS: readonly EventColumn[] = [
  { title: 'SEQ', cells: 6, align: 'right', cell: ({ seq }) => String(seq) },
  { title: 'TIME', cells: 20, cell: ({ at }) => formatTime(at) },
  { title: 'EVENT', cells: 10, cell: ({ kind }) => escapeText(kind) },
  {
    title: 'ID',
    cells: 4,
    align: 'right',
    cell: ({ torrent }) => (torrent === null ? '-' : String(torrent)),
  },
  { title: 'WHO', cells: 13, cell: ({ caller }) => (caller === '' ? '-' : escapeText(caller)) },
]
/** Where there is little room: without the year. */
const SHORT_TIME: EventColumn = { title: 'TIME', cells: 14, cell: ({ at }) => formatTime(at).slice(5, 19) }
const GAP = '  '

function columnsOf(style: Style): readonly EventColumn[] {
  return style.columns >= 100 ? COLUMNS : COLUMNS.map((each) => (each.title === 'TIME' ? SHORT_TIME : each))
}

/** The line of titles. */
export function renderEventsHead(style: Style): string {
  const titles = columnsOf(style).map(({ title, cells, align }) => padCells(title, cells, align))
  return `${paint([...titles, 'WHAT'].join(GAP), 'dim', style)}\n`
}

export function renderEvent(event: EventView, style: Style): string {
  const columns = columnsOf(style)
  const cells = columns.map(({ cell, cells, align }) =>
    padCells(truncateCells(cell(event), cells), cells, align),
  )
  const used = columns.reduce((sum, column) => sum + column.cells + GAP.length, 0)
  // A sentence is of use from its beginning on only.
  const what = whatText(event, Math.max(20, style.columns - used), style)
  const look = LOOKS[event.kind]
  const [seq = '', time = '', kind = '', ...rest] = cells
  const line = [seq, time, look === undefined ? kind : paint(kind, look, style), ...rest, what].join(GAP)
  return `${line.trimEnd()}\n`
}

/** Name and what happened; where both do not fit, the name gives way down to a third. */
function whatText(event: EventView, room: number, style: Style): string {
  const name = typeof event.data['name'] === 'string' ? escapeText(event.data['name']) : ''
  const more = escapeText(eventText(event, style))
  if (name === '' || more === '') return truncateCells(name + more, room)
  const left = Math.max(Math.floor(room / 3), room - cellWidth(more) - 2)
  return truncateCells(`${truncateMiddle(name, left)}: ${more}`, room)
}

/** What happened to it; not escaped. Kinds of a later daemon are shown as they come. */
function eventText({ kind, data }: EventView, style: Style): string {
  const text = (key: string): string => (typeof data[key] === 'string' ? data[key] : '')
  const count = (key: string): number => (typeof data[key] === 'number' ? data[key] : 0)
  switch (kind) {
    case 'added':
      return `into ${text('dir')}`
    case 'metadata':
    case 'paused':
      return ''
    case 'resumed':
      return data['now'] === true ? 'past the queue' : ''
    case 'goal':
      return `paused: its goal is reached, ${text('goal')}`
    case 'goals':
      return goalsText({
        ratio: goalOf(data['ratio']),
        time: goalOf(data['time']),
        idle: goalOf(data['idle']),
      })
    case 'checked':
      return `${plural(count('pieces'), 'piece')} read again`
    case 'selected':
      return `${plural(count('files'), 'file')} chosen`
    case 'limited':
      return limitText(rateOf(data['down']), rateOf(data['up']), style)
    case 'trackers':
      return `trackers: ${String(count('added'))} added, ${String(count('removed'))} removed`
    case 'completed':
      return bytesText(count('bytes'), style)
    case 'recovered':
      return 'goes on'
    case 'blocked':
    case 'held':
    case 'moveFailed':
    case 'renameFailed':
      return text('reason')
    case 'moved':
      return `from ${text('from')} to ${text('to')}`
    case 'renamed':
      return `${text('from')} is now ${text('to')}`
    case 'labelled':
      return Array.isArray(data['labels']) ? data['labels'].map(String).join(', ') : ''
    case 'emptied':
      return data['data'] === true ? 'gone for good with its files' : 'gone for good'
    case 'restored':
      return `from the trash, to ${text('dir')}`
    case 'removed':
      return data['data'] === true ? 'with its files' : 'its files stay'
    default:
      return JSON.stringify(data)
  }
}

function rateOf(value: unknown): Rate | null {
  return typeof value === 'number' ? value : null
}

/** What is no goal of today's is as the settings say. */
function goalOf(value: unknown): SeedGoal {
  return typeof value === 'number' || value === 'none' ? value : 'default'
}
