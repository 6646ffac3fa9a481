import type { Millis } from '../../shared/units.js'

/** Stops what it was given for; calling it again does nothing. */
export type Cancel = () => void

/** Time. Durations are taken from `now`, dates shown to people from `wall`. */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary start; never goes back. */
  now(): Millis
  /** Milliseconds since 1970; may jump. */
  wall(): Millis
  /** Runs `fn` once, `delay` milliseconds from now. */
  after(delay: Millis, fn: () => void): Cancel
  /** Runs `fn` every `interval` milliseconds. */
  every(interval: Millis, fn: () => void): Cancel
}
