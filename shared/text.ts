/** Text for terminals: what came from outside is made harmless, widths are counted in cells, units are for people. */

/** Controls, line separators and what turns the direction of writing: none may reach a terminal from outside. */
const HARMFUL = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\p{Surrogate}]/gu
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** `text` on one line, with every harmful character as `\n`, `\x1b` or `\u202e`. */
export function escapeText(text: string): string {
  return text.replace(HARMFUL, (character) => SHORT[character] ?? escapeCharacter(character))
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0).toString(16)
  return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`
}

/** JSON of `value` in which those characters are escaped too: a pipe may end at a terminal. Line ends of an indent stay. */
export function jsonText(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(HARMFUL, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

const NARROW = /^[\x20-\x7e]*$/
/** Marks on the character before, and characters without a shape. */
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]$/u
/** East Asian wide and full-width characters, and emoji that are drawn as pictures. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u

/** Terminal cells that `text` takes; it must be free of controls. */
export function cellWidth(text: string): number {
  if (NARROW.test(text)) return text.length
  let width = 0
  for (const character of text) width += widthOf(character)
  return width
}

function widthOf(character: string): number {
  if (ZERO.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** Fills up with spaces to `cells`; longer text stays as it is. */
export function padCells(text: string, cells: number, align: 'left' | 'right' = 'left'): string {
  const fill = ' '.repeat(Math.max(0, cells - cellWidth(text)))
  return align === 'left' ? text + fill : fill + text
}

/** At most `cells` wide, with '…' for the end that was cut. */
export function truncateCells(text: string, cells: number): string {
  if (cellWidth(text) <= cells) return text
  return cells < 1 ? '' : `${headCells(Array.from(text), cells - 1)}…`
}

/** At most `cells` wide, with '…' for the middle that was cut: the end of a file name tells what it is. */
export function truncateMiddle(text: string, cells: number): string {
  if (cellWidth(text) <= cells) return text
  if (cells < 1) return ''
  const tail = reverse(headCells(Array.from(text).reverse(), Math.floor((cells - 1) / 2)))
  return `${headCells(Array.from(text), cells - 1 - cellWidth(tail))}…${tail}`
}

function headCells(characters: readonly string[], cells: number): string {
  let head = ''
  let width = 0
  for (const character of characters) {
    width += widthOf(character)
    if (width > cells) break
    head += character
  }
  return head
}

function reverse(text: string): string {
  return Array.from(text).reverse().join('')
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** Binary units, to about three digits: `0 B`, `1.5 GiB`, `512 MiB`. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes)
  let unit = 0
  while (unit < UNITS.length - 1 && Number(rounded(value, unit)) >= 1024) {
    value /= 1024
    unit += 1
  }
  return `${rounded(value, unit)} ${UNITS[unit] ?? ''}`
}

function rounded(value: number, unit: number): string {
  if (unit === 0 || value >= 99.95) return String(Math.round(value))
  return value.toFixed(1).replace(/\.0$/, '')
}

/** Of bytes a second: `1.5 MiB/s`. */
export function formatRate(rate: number): string {
  return `${formatBytes(rate)}/s`
}

/** Two units at most: `45s`, `3m 20s`, `2h 05m`, `3d 4h`; `-` where nobody knows. */
export function formatDuration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return '-'
  const whole = Math.max(0, Math.round(seconds))
  const two = (value: number): string => String(value).padStart(2, '0')
  if (whole < 60) return `${String(whole)}s`
  if (whole < 3600) return `${String(Math.floor(whole / 60))}m ${two(whole % 60)}s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 1440) return `${String(Math.floor(minutes / 60))}h ${two(minutes % 60)}m`
  return `${String(Math.floor(minutes / 1440))}d ${String(Math.floor((minutes % 1440) / 60))}h`
}

/** Of a fraction 0..1, one decimal, cut and never rounded up: `99.9%` until it is `100%`. */
export function formatPercent(fraction: number): string {
  if (fraction >= 1) return '100%'
  // The smallest step above what floating point makes of 0.29 * 1000.
  const tenths = Math.min(999, Math.floor(Math.max(0, fraction) * 1000 + 1e-9))
  return `${(tenths / 10).toFixed(1)}%`
}
