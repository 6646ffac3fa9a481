/** The system's time. */
import type { Millis } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'

/** What setTimeout takes at most; above it fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1

/**
 * Whole milliseconds. A repeating timer does not keep the process alive; one that fires once does, so that an orderly
 * stop which waits for its cap is not cut short.
 */
export function systemClock(): Clock {
  return {
    now: () => Math.floor(performance.now()),
    wall: () => Date.now(),
    after,
    every: (interval, fn) => {
      const timer = setInterval(fn, interval)
      timer.unref()
      return () => {
        clearInterval(timer)
      }
    },
  }
}

function after(delay: Millis, fn: () => void): Cancel {
  let timer: NodeJS.Timeout
  const arm = (left: Millis): void => {
    const step = Math.min(left, LONGEST_TIMER)
    timer = setTimeout(() => {
      if (left > step) arm(left - step)
      else fn()
    }, step)
  }
  arm(Math.max(0, delay))
  return () => {
    clearTimeout(timer)
  }
}
