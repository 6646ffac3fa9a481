/** Curves as text, and where they go: docs/simulation.md, when TORRENTINO_SIM_CHART is set. */
import { readFileSync, writeFileSync } from 'node:fs'

const WIDTH = 60
const HEIGHT = 12
const PAGE = new URL('../../../docs/simulation.md', import.meta.url)

export interface Curve {
  readonly mark: string
  /** Time in seconds and value, by rising time. */
  readonly points: readonly (readonly [number, number])[]
}

/** Curves over one time axis from 0; the value axis ends at `top`. Later curves lie over earlier ones. */
export function chart(curves: readonly Curve[], top: number, unit: string): string {
  const end = Math.max(...curves.flatMap(({ points }) => points.map(([time]) => time)))
  const rows = Array.from({ length: HEIGHT + 1 }, () => new Array<string>(WIDTH + 1).fill(' '))
  for (const { mark, points } of curves) {
    for (let column = 0; column <= WIDTH; column++) {
      const value = valueAt(points, (end * column) / WIDTH)
      const row =
        value === null ? undefined : rows[HEIGHT - Math.round((Math.min(value, top) / top) * HEIGHT)]
      if (row !== undefined) row[column] = mark
    }
  }
  const label = (row: number): string =>
    row % 4 === 0 ? String(Math.round((top * (HEIGHT - row)) / HEIGHT)).padStart(4) : '    '
  const lines = rows.map((row, at) => `${label(at)} |${row.join('').trimEnd()}`)
  const axis = `     +${'-'.repeat(WIDTH)}`
  const foot = `      0${`${String(Math.round(end))} s`.padStart(WIDTH)}   (${unit})`
  return [...lines, axis, foot].join('\n')
}

/** Replaces the chart of that name in docs/simulation.md. */
export function publish(name: string, text: string): void {
  if (process.env['TORRENTINO_SIM_CHART'] === undefined) return
  const page = readFileSync(PAGE, 'utf8')
  const [open, close] = [`<!-- chart: ${name} -->`, '<!-- end -->']
  const from = page.indexOf(open)
  const to = page.indexOf(close, from)
  if (from < 0 || to < 0) throw new Error(`docs/simulation.md has no place for ${name}`)
  writeFileSync(PAGE, `${page.slice(0, from)}${open}\n\n\`\`\`text\n${text}\n\`\`\`\n\n${page.slice(to)}`)
}

function valueAt(points: Curve['points'], time: number): number | null {
  let value: number | null = null
  for (const [at, each] of points) {
    if (at > time) break
    value = each
  }
  const last = points.at(-1)
  return last !== undefined && time > last[0] ? null : value
}
