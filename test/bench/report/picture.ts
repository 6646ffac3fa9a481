/** The main scenario as bars. It brings its own light ground, so that it reads on a dark page too. Pure. */

export interface Bar {
  readonly label: string
  readonly value: number
  /** Least and most, shown as a whisker. */
  readonly min: number
  readonly max: number
  /** Beside the bar. */
  readonly text: string
  /** Ours. */
  readonly strong: boolean
}

export interface Panel {
  readonly title: string
  readonly bars: readonly Bar[]
}

export interface Picture {
  readonly title: string
  readonly panels: readonly Panel[]
}

const WIDTH = 760
const MARGIN = 20
/** Room for the names of the clients. */
const LABELS = 165
/** Room for the figures beside the longest bar. */
const FIGURES = 130
const TITLE = 44
const HEADING = 30
const ROW = 26
const THICK = 16
const GAP = 14
const FONT = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'"
const COLOURS = {
  ground: '#ffffff',
  edge: '#d0d7de',
  ink: '#1f2328',
  faint: '#59636e',
  ours: '#0969da',
  others: '#afb8c1',
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll("'", '&apos;')
}

/** A length in the picture, short. */
function px(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function text(x: number, y: number, words: string, style: string): string {
  return `<text x='${px(x)}' y='${px(y)}' ${style}>${escape(words)}</text>`
}

function bar(one: Bar, top: number, perUnit: number): string[] {
  const x = MARGIN + LABELS
  const middle = top + ROW / 2
  const weight = one.strong ? " font-weight='600'" : ''
  const ends = [one.min, one.max].map((value) => px(x + value * perUnit))
  const fill = one.strong ? COLOURS.ours : COLOURS.others
  const right = x + Math.max(one.value, one.max) * perUnit + 8
  const lines = [
    text(x - 10, middle + 4, one.label, `text-anchor='end' font-size='13' fill='${COLOURS.ink}'${weight}`),
    `<rect x='${px(x)}' y='${px(middle - THICK / 2)}' width='${px(Math.max(1, one.value * perUnit))}' height='${THICK}' rx='2' fill='${fill}'/>`,
    text(right, middle + 4, one.text, `font-size='12' fill='${COLOURS.ink}'${weight}`),
  ]
  if (one.max > one.min) {
    const path = `M${ends[0] ?? ''} ${px(middle)}H${ends[1] ?? ''}M${ends[0] ?? ''} ${px(middle - 4)}v8M${ends[1] ?? ''} ${px(middle - 4)}v8`
    lines.push(`<path d='${path}' stroke='${COLOURS.faint}' stroke-width='1.5' fill='none'/>`)
  }
  return lines
}

export function draw(picture: Picture): string {
  const panels = picture.panels.filter(({ bars }) => bars.length > 0)
  const lines: string[] = []
  let top = TITLE
  for (const { title, bars } of panels) {
    const most = bars.reduce((longest, { value, max }) => Math.max(longest, value, max), 0)
    const perUnit = most > 0 ? (WIDTH - 2 * MARGIN - LABELS - FIGURES) / most : 0
    lines.push(text(MARGIN, top + 18, title, `font-size='13' fill='${COLOURS.faint}'`))
    top += HEADING
    for (const one of bars) {
      lines.push(...bar(one, top, perUnit))
      top += ROW
    }
    top += GAP
  }
  const height = top + 6
  const alternative = panels
    .map(
      ({ title, bars }) =>
        `${title}: ${bars.map(({ label, text: figure }) => `${label} ${figure}`).join(', ')}`,
    )
    .join('. ')
  return [
    `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 ${WIDTH} ${height}' width='${WIDTH}' height='${height}' role='img' ${FONT}>`,
    `<title>${escape(picture.title)}</title>`,
    `<desc>${escape(alternative)}</desc>`,
    `<rect x='0.5' y='0.5' width='${WIDTH - 1}' height='${height - 1}' rx='8' fill='${COLOURS.ground}' stroke='${COLOURS.edge}'/>`,
    text(MARGIN, 30, picture.title, `font-size='16' font-weight='600' fill='${COLOURS.ink}'`),
    ...lines,
    '</svg>',
    '',
  ].join('\n')
}
