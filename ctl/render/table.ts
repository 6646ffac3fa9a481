/** Tables that fit: one column gives way, the others keep what they need, the last ones are left out. */
import { cellWidth, padCells, truncateMiddle } from '../../shared/text.js'
import { type Look, paint, type Style } from './style.js'

export interface Column<T> {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Takes what is left of the width, and is cut in its middle. One column at most. */
  readonly flexible?: boolean
  /** Left out where the terminal is narrower than this. */
  readonly from?: number
  /** Escaped text. */
  readonly cell: (row: T, style: Style) => string
  readonly look?: (row: T) => Look | null
}

const GAP = '  '
const LEAST_FLEXIBLE = 10

/** Title and rows, a newline after each line; a row is never cut apart from its flexible column. */
export function renderTable<T>(rows: readonly T[], columns: readonly Column<T>[], style: Style): string {
  const shown = columns.filter((column) => style.columns >= (column.from ?? 0))
  const cells = rows.map((row) => shown.map((column) => column.cell(row, style)))
  const widths = shown.map((column, at) =>
    cells.reduce((most, row) => Math.max(most, cellWidth(row[at] ?? '')), cellWidth(column.title)),
  )
  const flexible = shown.findIndex((column) => column.flexible === true)
  if (flexible !== -1) {
    const others = widths.reduce((sum, width, at) => (at === flexible ? sum : sum + width), 0)
    const room = style.columns - others - GAP.length * (shown.length - 1)
    widths[flexible] = Math.max(LEAST_FLEXIBLE, Math.min(widths[flexible] ?? 0, room))
  }
  squeeze(widths, shown, style.columns)
  const line = (texts: readonly string[], lookOf: (at: number) => Look | null): string => {
    const parts = shown.map((column, at) => {
      const width = widths[at] ?? 0
      const text = truncateMiddle(texts[at] ?? '', width)
      const look = lookOf(at)
      const last = at === shown.length - 1 && column.align !== 'right'
      const padded = last ? text : padCells(text, width, column.align)
      return look === null ? padded : paint(padded, look, style)
    })
    return parts.join(GAP).trimEnd() + '\n'
  }
  const head = line(
    shown.map((column) => column.title),
    () => 'dim',
  )
  const body = rows.map((row, at) => line(cells[at] ?? [], (column) => shown[column]?.look?.(row) ?? null))
  return head + body.join('')
}

/** Where the others alone are too wide, columns of text give way, the widest first; numbers are never cut. */
function squeeze(
  widths: number[],
  shown: readonly { readonly align?: 'left' | 'right' }[],
  columns: number,
): void {
  const sum = widths.reduce((total, width) => total + width, GAP.length * (shown.length - 1))
  for (let excess = sum - columns; excess > 0;) {
    const widest = widths.reduce(
      (best, width, at) =>
        shown[at]?.align !== 'right' && width > (widths[best] ?? 0) && width > LEAST_FLEXIBLE ? at : best,
      -1,
    )
    if (widest === -1) return
    const less = Math.min(excess, Math.max(1, Math.floor(((widths[widest] ?? 0) - LEAST_FLEXIBLE) / 2)))
    widths[widest] = (widths[widest] ?? 0) - less
    excess -= less
  }
}

/** Label and value, one a line. Values are escaped text. */
export function renderPairs(
  pairs: readonly (readonly [label: string, value: string])[],
  style: Style,
): string {
  const width = pairs.reduce((most, [label]) => Math.max(most, cellWidth(label)), 0)
  return pairs
    .map(([label, value]) => `${paint(padCells(label, width), 'dim', style)}  ${value}`.trimEnd() + '\n')
    .join('')
}
