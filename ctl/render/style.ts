/** How something is drawn: what a renderer knows of the terminal. */
import { styleText } from 'node:util'
import { cellWidth, formatBytes, formatRate, truncateMiddle } from '../../shared/text.js'

export interface Style {
  /** Width in cells; Infinity where the output is not a terminal. */
  readonly columns: number
  readonly colour: boolean
  /** Milliseconds since 1970, for what is told as an age. */
  readonly now: number
  /** Sizes and rates as plain numbers of bytes. */
  readonly exact?: boolean
}

export type Look = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

export function paint(text: string, look: Look, style: Style): string {
  // Whether colour is wanted was decided once, for the whole output.
  return style.colour ? styleText(look, text, { validateStream: false }) : text
}

/** `1.5 GiB`, or with --bytes the number. */
export function bytesText(bytes: number, style: Pick<Style, 'exact'>): string {
  return style.exact === true ? String(bytes) : formatBytes(bytes)
}

/** `1.5 MiB/s`, or with --bytes the number. */
export function rateText(rate: number, style: Style): string {
  return style.exact === true ? String(rate) : formatRate(rate)
}

/** `1 file`, `2 files`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** Lines of at most `cells`, cut at spaces; a word that is wider loses its middle. */
export function wrap(text: string, cells: number): string[] {
  return fold(text, cells).map((line) => truncateMiddle(line, cells))
}

/** A sentence in lines of the terminal's width, all but the first behind `indent`; a word that is wider stays whole. */
export function foldSentence(text: string, indent: string, style: Style): string {
  return fold(text, style.columns - indent.length).join(`\n${indent}`) + '\n'
}

/** Lines cut at spaces, each within `cells` but for words that are wider. */
function fold(text: string, cells: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && cellWidth(longer) > cells) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line]
}

/** `2023-11-14 22:13:20Z`. */
export function formatTime(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime())
    ? '-'
    : date
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, 'Z')
}
