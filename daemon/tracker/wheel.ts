/**
 * One timer for the waits of all torrents: slots of a second, each a list of what is due in it. A wait costs one small
 * object and no timer of its own, and where nobody waits there is none at all.
 */
import type { Millis } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'

const SLOT: Millis = 1_000
/** Slots of one lap, a bit more than half an hour: the usual wait between two announces is found in one lap. */
const SLOTS = 2_048

interface Wait {
  /** Moment on `clock.now`. */
  readonly at: Millis
  readonly run: () => void
}

/** A clock like the one below it, whose `after` shares one timer. */
export class Wheel implements Clock {
  private readonly clock: Clock
  /** Waits by the second they are due in, modulo a lap; those of later laps are among them. Made when first used. */
  private readonly slots = new Array<Set<Wait> | undefined>(SLOTS)
  /** The second up to which everything was run. */
  private cursor: number
  /** Waits in all slots. */
  private count = 0
  /** Ends the one timer. */
  private timer: Cancel | null = null
  /** Moment on `clock.now` at which it fires; Infinity without one. */
  private firesAt: Millis = Infinity

  constructor(clock: Clock) {
    this.clock = clock
    this.cursor = Math.floor(clock.now() / SLOT)
  }

  now(): Millis {
    return this.clock.now()
  }

  wall(): Millis {
    return this.clock.wall()
  }

  every(interval: Millis, fn: () => void): Cancel {
    return this.clock.every(interval, fn)
  }

  after(delay: Millis, fn: () => void): Cancel {
    const wait: Wait = { at: this.clock.now() + Math.max(0, delay), run: fn }
    const place = Math.floor(wait.at / SLOT) % SLOTS
    const slot = (this.slots[place] ??= new Set())
    slot.add(wait)
    this.count += 1
    if (wait.at < this.firesAt) this.arm(wait.at)
    return () => {
      if (!slot.delete(wait)) return
      this.count -= 1
      if (this.count === 0) this.disarm()
    }
  }

  private arm(at: Millis): void {
    this.disarm()
    this.firesAt = at
    this.timer = this.clock.after(at - this.clock.now(), () => {
      this.turn()
    })
  }

  private disarm(): void {
    this.timer?.()
    this.timer = null
    this.firesAt = Infinity
  }

  /** Runs what is due, then sets the timer for what is next: a wait that throws keeps no other from its turn. */
  private turn(): void {
    this.disarm()
    const due = this.takeDue()
    const rearm = (): void => {
      const next = this.count === 0 ? Infinity : this.earliest()
      if (next < this.firesAt) this.arm(next)
    }
    try {
      for (const { slot, wait } of due) {
        // Another one that ran just now may have called it off.
        if (!slot.delete(wait)) continue
        this.count -= 1
        wait.run()
      }
    } finally {
      rearm()
    }
  }

  private takeDue(): { readonly slot: Set<Wait>; readonly wait: Wait }[] {
    const now = this.clock.now()
    const last = Math.floor(now / SLOT)
    const due: { readonly slot: Set<Wait>; readonly wait: Wait }[] = []
    const from = Math.max(this.cursor, last - SLOTS + 1)
    for (let second = from; second <= last; second += 1) {
      const slot = this.slots[second % SLOTS]
      for (const wait of slot ?? []) if (slot !== undefined && wait.at <= now) due.push({ slot, wait })
    }
    this.cursor = last
    // Equal moments keep the order they were asked in.
    return due.sort((a, b) => a.wait.at - b.wait.at)
  }

  /** The first moment of this lap; of all laps where this one is empty. */
  private earliest(): Millis {
    let least = Infinity
    for (let second = this.cursor; second < this.cursor + SLOTS; second += 1) {
      const end = (second + 1) * SLOT
      for (const { at } of this.slots[second % SLOTS] ?? []) least = Math.min(least, at)
      if (least < end) return least
    }
    return least
  }
}
