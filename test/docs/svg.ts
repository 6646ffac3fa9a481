/** What stands on a terminal, as an SVG: text in cells, with the colours and weights that our commands use. */
import { cellWidth } from '../../shared/text.js'

interface Look {
  readonly bold: boolean
  readonly dim: boolean
  readonly colour: string | null
}

interface Run {
  readonly text: string
  /** In cells. */
  readonly at: number
  readonly look: Look
}

const PLAIN: Look = { bold: false, dim: false, colour: null }
const COLOURS: Readonly<Record<number, string>> = {
  31: '#f38ba8',
  32: '#a6e3a1',
  33: '#f9e2af',
  34: '#89b4fa',
  35: '#cba6f7',
  36: '#89dceb',
  37: '#cdd6f4',
}
const TEXT = '#cdd6f4'
const GROUND = '#1e1e2e'
/** Pixels. */
const CELL = 8.4
const LINE = 19
const SIZE = 14
const EDGE = 18
const TOP = 40
const DOTS = ['#f38ba8', '#f9e2af', '#a6e3a1']

/** `lines` as `tmux capture-pane -e` gives them; `title` is for those who cannot see it. */
export function terminalSvg(title: string, lines: readonly string[], columns: number): string {
  const width = Math.ceil(columns * CELL + 2 * EDGE)
  const height = TOP + lines.length * LINE + EDGE
  let look = PLAIN
  const texts = lines.flatMap((line, row) => {
    const { runs, last } = readLine(line, look)
    look = last
    return runs.map((run) => textElement(run, TOP + row * LINE + SIZE))
  })
  const dots = DOTS.map(
    (fill, at) => `<circle cx="${String(EDGE + 4 + at * 20)}" cy="19" r="6" fill="${fill}"/>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${String(width)}" height="${String(height)}" viewBox="0 0 ${String(width)} ${String(height)}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="100%" height="100%" rx="8" fill="${GROUND}"/>`,
    ...dots,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${String(SIZE)}" fill="${TEXT}">`,
    ...texts,
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

/** The line in runs of one look each; the look goes on into the next line. */
function readLine(line: string, before: Look): { runs: Run[]; last: Look } {
  const runs: Run[] = []
  let look = before
  let at = 0
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    const codes = /^\u001b\[([0-9;]*)m$/.exec(part)?.[1]
    if (codes !== undefined) look = codes.split(';').map(Number).reduce(applied, look)
    else {
      const text = part.replace(/\p{Cc}/gu, '')
      // Columns stand apart: their gaps are no text, and nothing depends on how spaces are drawn.
      for (const piece of text.split(/( {2,})/)) {
        if (piece.trim() !== '') runs.push({ text: piece, at, look })
        at += cellWidth(piece)
      }
    }
  }
  return { runs, last: look }
}

function applied(look: Look, code: number): Look {
  if (code === 0) return PLAIN
  if (code === 1) return { ...look, bold: true }
  if (code === 2) return { ...look, dim: true }
  if (code === 22) return { ...look, bold: false, dim: false }
  if (code === 39) return { ...look, colour: null }
  return code in COLOURS ? { ...look, colour: COLOURS[code] ?? null } : look
}

/** Its width is told, so that columns stand below each other in any font. */
function textElement({ text, at, look }: Run, y: number): string {
  const lead = text.length - text.trimStart().length
  const shown = text.trim()
  const number = (value: number): string => String(Math.round(value * 10) / 10)
  const attributes = [
    `x="${number(EDGE + (at + lead) * CELL)}"`,
    `y="${String(y)}"`,
    `textLength="${number(cellWidth(shown) * CELL)}"`,
    ...(look.colour === null ? [] : [`fill="${look.colour}"`]),
    ...(look.bold ? ['font-weight="bold"'] : []),
    ...(look.dim ? ['opacity="0.6"'] : []),
  ]
  return `<text ${attributes.join(' ')}>${escaped(shown)}</text>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
