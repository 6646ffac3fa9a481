/** Figures as text. Pure. */
import type { Spread } from '../results.js'
import type { FigureKey } from './board.js'

const MEGA = 1e6

export interface Unit {
  /** Above the column. */
  readonly heading: string
  /** What the value is multiplied by to be shown. */
  readonly scale: number
  /** Digits behind the point, or null for three significant ones. */
  readonly digits: number | null
}

const UNITS: Readonly<Record<string, Unit>> = {
  wall: { heading: 'wall, s', scale: 1, digits: null },
  rate: { heading: 'GiB/s', scale: 1, digits: null },
  cpu: { heading: 'CPU-s', scale: 1, digits: null },
  cost: { heading: 'CPU-s/GiB', scale: 1, digits: null },
  peakAnon: { heading: 'peak RSS, anonymous, MB', scale: 1 / MEGA, digits: 0 },
  peakRss: { heading: 'peak RSS, all, MB', scale: 1 / MEGA, digits: 0 },
  wireOverhead: { heading: 'wire overhead, %', scale: 100, digits: 2 },
  wasted: { heading: 'wasted, MB', scale: 1 / MEGA, digits: 1 },
  firstRequest: { heading: 'first request, ms', scale: 1000, digits: 0 },
  firstPiece: { heading: 'first piece, ms', scale: 1000, digits: 0 },
  loopP99: { heading: 'main loop p99, ms', scale: 1, digits: 1 },
  loopMax: { heading: 'main loop max, ms', scale: 1, digits: 1 },
}

/** Extras that are shares of one; the others are shown as they are. */
const SHARES = ['tail', 'kept', 'cpuShare']

export function unitOf(key: FigureKey, extras: Readonly<Record<string, string>> = {}): Unit {
  const known = UNITS[key]
  if (known !== undefined) return known
  const heading = extras[key] ?? key
  return SHARES.includes(key)
    ? { heading: `${heading}, %`, scale: 100, digits: null }
    : { heading, scale: 1, digits: null }
}

/** That many significant digits, no exponent, and at most one behind the point more than the digits. */
export function significant(value: number, digits = 3): string {
  if (value === 0) return '0'
  const exponent = Math.floor(Math.log10(Math.abs(value)))
  return value.toFixed(Math.max(0, Math.min(digits + 1, digits - 1 - exponent)))
}

export function amount(value: number, unit: Unit): string {
  const scaled = value * unit.scale
  return unit.digits === null ? significant(scaled) : scaled.toFixed(unit.digits)
}

/** The median, and where there were several rounds the least and the most. */
export function spreadText(spread: Spread | undefined, unit: Unit): string {
  if (spread === undefined) return ''
  const middle = amount(spread.median, unit)
  const [least, most] = [amount(spread.min, unit), amount(spread.max, unit)]
  return spread.count === 1 || least === most ? middle : `${middle} (${least}–${most})`
}

export function bytesText(bytes: number): string {
  if (bytes >= 1024 ** 3) return `${significant(bytes / 1024 ** 3)} GiB`
  if (bytes >= 1024 ** 2) return `${significant(bytes / 1024 ** 2)} MiB`
  if (bytes >= 1024) return `${significant(bytes / 1024)} KiB`
  return `${bytes} B`
}

/** Folders of the machine it ran on are nobody's business: of an absolute path the last part stays. */
export function withoutPaths(text: string): string {
  return text.replace(/(^|[\s"'`(=:,[])\/(?:[\w.@+~-]+\/)+([\w.@+~-]*)/g, '$1$2')
}

/** Safe inside a cell of a table. */
export function cell(text: string): string {
  return withoutPaths(text).replace(/\s+/g, ' ').replaceAll('|', '\\|').trim()
}
