import type { Millis } from '../../shared/units.js'

const SPREAD: Millis = 10_000
const SPREAD_EACH: Millis = 250
/** 10,000 torrents begin 42 announces a second in it, of the 50 that may. */
const LONGEST_SPREAD: Millis = 240_000

/** How long the announces of so many torrents are spread over after a sleep, or on another network. */
export function spreadOf(torrents: number): Millis {
  return Math.min(SPREAD + torrents * SPREAD_EACH, LONGEST_SPREAD)
}
