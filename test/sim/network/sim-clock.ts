/** A virtual clock for many timers: a heap of moments, run one after another as fast as the machine can. */
import type { Cancel, Clock } from '../../../daemon/ports/clock.js'
import type { Millis } from '../../../shared/units.js'

interface Timer {
  /** Milliseconds on `now` at which it fires. */
  due: Millis
  /** Breaks ties: what was set first fires first. */
  order: number
  /** Null: cancelled. */
  fn: (() => void) | null
}

const EPOCH: Millis = 1_700_000_000_000

export class SimClock implements Clock {
  /** Events run so far: the work of a simulation, whatever the machine. */
  events = 0
  private time: Millis = 0
  private orders = 0
  /** A binary heap by due, then order. */
  private readonly heap: Timer[] = []
  /** Promises were settled since the last look: their callbacks run before time goes on. */
  private stirred = false

  now(): Millis {
    return this.time
  }

  wall(): Millis {
    return EPOCH + this.time
  }

  after(delay: Millis, fn: () => void): Cancel {
    const timer: Timer = { due: this.time + Math.max(0, delay), order: this.orders++, fn }
    this.push(timer)
    return () => {
      timer.fn = null
    }
  }

  every(interval: Millis, fn: () => void): Cancel {
    let cancel = (): void => undefined
    const again = (): void => {
      cancel = this.after(interval, () => {
        again()
        fn()
      })
    }
    again()
    return () => {
      cancel()
    }
  }

  /** At a moment, without a way to cancel: cheaper than `after`. */
  at(due: Millis, fn: () => void): void {
    this.push({ due: Math.max(due, this.time), order: this.orders++, fn })
  }

  /** To be called by whoever hands out a promise: before the next event all callbacks of promises have run. */
  stir(): void {
    this.stirred = true
  }

  /** Runs until it holds, or until the moment `end`; answers whether it holds. */
  async run(end: Millis, holds: () => boolean = () => false): Promise<boolean> {
    this.stirred = true
    for (;;) {
      if (this.stirred) {
        this.stirred = false
        await new Promise<void>((resolve) => setImmediate(resolve))
      }
      if (holds()) return true
      const first = this.heap[0]
      if (first === undefined || first.due > end) break
      this.pop()
      if (first.fn === null) continue
      this.time = first.due
      this.events++
      first.fn()
    }
    this.time = Math.max(this.time, end)
    return holds()
  }

  private push(timer: Timer): void {
    const { heap } = this
    let at = heap.length
    heap.push(timer)
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || !before(timer, parent)) break
      heap[at] = parent
      at = above
    }
    heap[at] = timer
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      const left = heap[below]
      if (left === undefined) break
      let child = left
      const right = heap[below + 1]
      if (right !== undefined && before(right, left)) {
        child = right
        below++
      }
      if (!before(child, last)) break
      heap[at] = child
      at = below
    }
    heap[at] = last
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order)
}
