/** Lengths of time as people write them. Pure. */

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }
/** Ten years. */
const LONGEST = 10 * 365 * 86_400

/** `90`, `90s`, `30m`, `2h`, `7d`, `1w`: whole seconds, at least one; null for anything else. */
export function readSeconds(text: string): number | null {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([smhdw])?$/i.exec(text.trim())
  const seconds = Math.round(Number(match?.[1]) * (UNITS[(match?.[2] ?? 's').toLowerCase()] ?? Number.NaN))
  return seconds >= 1 && seconds <= LONGEST ? seconds : null
}

/** Nothing but a whole number of seconds in reach. */
export function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= LONGEST
}
