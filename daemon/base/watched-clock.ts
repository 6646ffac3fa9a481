/**
 * A clock that notes the work of its timers, and sees that the machine slept: where the monotonic clock goes on in
 * sleep (macOS, or a stopped process) a timer comes far too late; where it stands (Linux) the wall clock gains on it.
 * No timer runs for this: the first one after the gap tells. A person who sets the clock forward looks the same, and
 * it costs a few announces.
 */
import type { Millis } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'
import type { Watch } from './watch.js'

/** A shorter gap is a busy machine. */
const SLEPT: Millis = 30_000

export interface WatchedClockPorts {
  readonly clock: Clock
  readonly watch: Watch
  /** Nothing ran for so long. Called before the timer that saw it. */
  readonly woke: (gap: Millis) => void
}

export function watchedClock({ clock, watch, woke }: WatchedClockPorts): Clock {
  /** Wall clock minus monotonic clock when it was looked at last. */
  let offset = clock.wall() - clock.now()
  /** When a gap was told last: timers that were due before it are late for the same reason. */
  let told: Millis = -Infinity
  const run = (due: Millis, fn: () => void): void => {
    watch.enter('timer')
    const now = clock.now()
    const gained = clock.wall() - now - offset
    offset += gained
    const gap = Math.max(due > told ? now - due : 0, gained)
    if (gap > SLEPT) {
      told = now
      woke(gap)
    }
    fn()
  }
  return {
    now: () => clock.now(),
    wall: () => clock.wall(),
    after: (delay, fn) => {
      const due = clock.now() + Math.max(0, delay)
      return clock.after(delay, () => {
        run(due, fn)
      })
    },
    every: (interval, fn) => {
      let due = clock.now() + interval
      return clock.every(interval, () => {
        const was = due
        due = clock.now() + interval
        run(was, fn)
      })
    },
  }
}
