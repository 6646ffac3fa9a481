/** A line of the log for people: time, level, what happened, and what belongs to it. */
import { escapeText, jsonText } from '../../shared/text.js'
import { type Look, paint, type Style } from './style.js'

/** pino's numbers. */
const LEVELS: Readonly<Record<number, readonly [name: string, look: Look | null]>> = {
  10: ['trace', 'dim'],
  20: ['debug', 'dim'],
  30: ['info', null],
  40: ['warn', 'yellow'],
  50: ['error', 'red'],
  60: ['fatal', 'red'],
}

/** With a newline. What is no JSON, as after a crash, is shown as it is. */
export function renderLogLine(line: string, json: boolean, style: Style): string {
  const entry = read(line)
  if (json) return `${jsonText(entry ?? { msg: line })}\n`
  if (entry === null) return `${escapeText(line)}\n`
  const { level, time, msg, ...fields } = entry
  const [name, look] = LEVELS[Number(level)] ?? [String(level), null]
  const word = name.padEnd(5)
  const when = paint(whenText(time), 'dim', style)
  const more = Object.entries(fields).map(
    ([key, value]) => ` ${paint(`${escapeText(key)}=`, 'dim', style)}${valueText(value)}`,
  )
  return `${when} ${look === null ? word : paint(word, look, style)} ${textOf(msg)}${more.join('')}\n`
}

function read(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

/** `2026-11-22 10:00:00.123Z`. */
function whenText(time: unknown): string {
  return typeof time === 'string' ? escapeText(time.replace('T', ' ')) : '-'
}

function textOf(msg: unknown): string {
  return typeof msg === 'string' ? escapeText(msg) : ''
}

function valueText(value: unknown): string {
  if (typeof value !== 'string') return escapeText(JSON.stringify(value))
  return escapeText(/^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value))
}
