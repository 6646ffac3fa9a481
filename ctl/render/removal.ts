/** What a removal would delete and what it would leave. */
import { escapeText } from '../../shared/text.js'
import type { RemovalPlanView } from '../../shared/views.js'
import { bytesText, foldSentence, plural, type Style } from './style.js'
import { type Column, renderTable } from './table.js'

interface Row {
  readonly what: 'delete' | 'stays'
  readonly path: string
  readonly bytes: number | null
  readonly why: string
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'PLAN', cell: ({ what }) => what, look: ({ what }) => (what === 'delete' ? 'red' : 'green') },
  { title: 'FILE', flexible: true, cell: ({ path }) => escapeText(path) },
  {
    title: 'SIZE',
    align: 'right',
    cell: ({ bytes }, style) => (bytes === null ? '-' : bytesText(bytes, style)),
  },
  { title: 'NOTE', cell: ({ why }) => why, look: () => 'dim' },
]

/** `data` false: the files are not asked for, and nothing goes. */
export function renderPlan(plan: RemovalPlanView, data: boolean, style: Style): string {
  const title = `${plan.id} ${escapeText(plan.name)}`
  const dir = escapeText(plan.dir)
  if (!data) return foldSentence(`${title}: would be forgotten; its files stay in ${dir}`, '  ', style)
  const gone = `${plural(plan.files.length, 'file')}, ${bytesText(plan.bytes, style)}`
  const rest = plan.freedBytes === plan.bytes ? '' : ` (${bytesText(plan.freedBytes, style)} come free)`
  const more = plan.moreStays > 0 ? `and ${plan.moreStays} more that stay\n` : ''
  const head = foldSentence(
    `${title}: would be forgotten, and ${gone} deleted from ${dir}${rest}`,
    '  ',
    style,
  )
  const rows = rowsOf(plan)
  return head + (rows.length === 0 ? '' : renderTable(rows, COLUMNS, style)) + more
}

function rowsOf(plan: RemovalPlanView): Row[] {
  const doomed = plan.files.map(({ path, bytes, linked }): Row => {
    return { what: 'delete', path, bytes, why: linked ? 'has another name' : '' }
  })
  const kept = plan.stays.map((path): Row => ({ what: 'stays', path, bytes: null, why: 'not its own' }))
  return [...doomed, ...kept]
}
