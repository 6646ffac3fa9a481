import { describe, expect, it } from 'vitest'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'

describe('FakeClock', () => {
  it('fires timers in the order of their moments, then of their making', () => {
    const clock = new FakeClock()
    const seen: string[] = []
    clock.after(20, () => seen.push(`b${String(clock.now())}`))
    clock.after(10, () => seen.push(`a${String(clock.now())}`))
    clock.after(20, () => seen.push(`c${String(clock.now())}`))
    clock.advance(19)
    expect(seen).toEqual(['a10'])
    clock.advance(1)
    expect(seen).toEqual(['a10', 'b20', 'c20'])
    expect(clock.pending).toBe(0)
  })

  it('repeats, cancels, and fires what a timer sets within the same advance', () => {
    const clock = new FakeClock()
    let ticks = 0
    const stop = clock.every(10, () => (ticks += 1))
    clock.after(15, () => clock.after(5, () => stop()))
    clock.advance(100)
    expect(ticks).toBe(2)
    expect(clock.wall() - clock.now()).toBe(1_700_000_000_000)
  })

  it('lets promises run between timers', async () => {
    const clock = new FakeClock()
    const seen: number[] = []
    const wait = (ms: number): Promise<void> => new Promise((done) => clock.after(ms, done))
    const run = (async () => {
      for (let i = 0; i < 3; i += 1) {
        await wait(10)
        seen.push(clock.now())
      }
    })()
    await clock.advanceAsync(100)
    await run
    expect(seen).toEqual([10, 20, 30])
  })
})

describe('FakeRandom', () => {
  it('is the same for a seed, differs between seeds, and stays in range', () => {
    const draw = (seed: number): number[] => {
      const random = new FakeRandom(seed)
      return Array.from({ length: 200 }, () => random.int(10))
    }
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
    expect(new Set(draw(1))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
    expect(new FakeRandom(3).bytes(4)).toHaveLength(4)
  })
})
