import { describe, expect, it } from 'vitest'
import { LoopDelay } from '../../daemon/base/loop-delay.js'
import { FakeClock } from '../support/fake-clock.js'

/** A clock whose repeating timers come when a test says so. */
class Loop extends FakeClock {
  private repeating: (() => void) | null = null
  override every(_: number, fn: () => void): () => void {
    this.repeating = fn
    return () => (this.repeating = null)
  }
  get runs(): boolean {
    return this.repeating !== null
  }
  /** The next turn of the loop that has time for timers, after so long. */
  turn(after: number): void {
    this.advance(after)
    this.repeating?.()
  }
}

function watched(): { loop: Loop; delay: LoopDelay } {
  const loop = new Loop()
  const delay = new LoopDelay({ clock: loop })
  delay.stir()
  return { loop, delay }
}

describe('the delay of the main loop', () => {
  it('is nothing while timers come in time', () => {
    const { loop, delay } = watched()
    for (let i = 0; i < 100; i++) loop.turn(20)
    expect(delay.read()).toEqual({ p99: 0, max: 0, samples: 100 })
  })

  it('tells the worst, and what 99 of 100 moments stayed below', () => {
    const { loop, delay } = watched()
    for (let i = 0; i < 980; i++) {
      delay.stir()
      loop.turn(22)
    }
    for (let i = 0; i < 20; i++) loop.turn(35)
    expect(delay.read()).toEqual({ p99: 15, max: 15, samples: 1000 })
    for (let i = 0; i < 1100; i++) {
      delay.stir()
      loop.turn(22)
    }
    expect(delay.read()).toMatchObject({ p99: 2, max: 15 })
  })

  it('counts every moment of a long stall, not only the timer at its end', () => {
    const { loop, delay } = watched()
    loop.turn(2020)
    expect(delay.read()).toEqual({ p99: 2000, max: 2000, samples: 101 })
    for (let i = 0; i < 99; i++) {
      delay.stir()
      loop.turn(20)
    }
    // 51 of 200 moments waited longer than a second: what is beyond the scale is told by the worst.
    expect(delay.read()).toMatchObject({ p99: 2000, max: 2000, samples: 200 })
  })

  it('is that of the last minute', () => {
    const { loop, delay } = watched()
    loop.turn(520)
    for (let i = 0; i < 2400; i++) {
      delay.stir()
      loop.turn(20)
    }
    expect(delay.read().max).toBe(500)
    for (let i = 0; i < 700; i++) {
      delay.stir()
      loop.turn(20)
    }
    expect(delay.read()).toMatchObject({ p99: 0, max: 0 })
    loop.advance(60_000)
    expect(delay.read()).toEqual({ p99: null, max: null, samples: 0 })
  })

  it('rests three seconds after payload moved last, and knows nothing of the time it rested', () => {
    const { loop, delay } = watched()
    for (let i = 0; i < 149; i++) loop.turn(20)
    expect(loop.runs).toBe(true)
    loop.turn(20)
    expect(loop.runs).toBe(false)
    loop.advance(20_000)
    delay.stir()
    expect(loop.runs).toBe(true)
    loop.turn(20)
    expect(delay.read().max).toBe(0)
  })

  it('begins anew after a reset', () => {
    const { loop, delay } = watched()
    loop.turn(520)
    loop.advance(300)
    delay.reset()
    expect(delay.read().samples).toBe(0)
    loop.turn(25)
    expect(delay.read()).toEqual({ p99: 5, max: 5, samples: 1 })
  })
})
