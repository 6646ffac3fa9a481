import { expect, it } from 'vitest'
import { Deliveries } from '../../daemon/disk/deliveries.js'

const MIB = 1024 * 1024

/** Turns of the loop that the test lets pass. */
class Loop {
  private readonly waiting: (() => void)[] = []
  readonly add = (fn: () => void): void => void this.waiting.push(fn)
  turn(): boolean {
    const now = this.waiting.splice(0)
    for (const fn of now) fn()
    return now.length > 0
  }
}

it('gives at once what fits into a turn, and the rest in the next ones, in order', () => {
  const loop = new Loop()
  const deliveries = new Deliveries(loop.add)
  const given: number[] = []
  for (let n = 0; n < 20; n++) deliveries.add(MIB / 4, () => given.push(n))
  const first = given.length
  expect(first).toBeGreaterThan(4)
  expect(first).toBeLessThan(9)
  loop.turn()
  expect(given.length).toBe(2 * first)
  while (loop.turn());
  expect(given).toEqual(Array.from({ length: 20 }, (_, n) => n))
})

it('ends a turn though each frame asks for the next', () => {
  const loop = new Loop()
  const deliveries = new Deliveries(loop.add)
  let given = 0
  const more = (): void => {
    given += 1
    if (given < 1000) queueMicrotask(() => deliveries.add(16_384, more))
  }
  deliveries.add(16_384, more)
  return new Promise<void>((done) => setImmediate(done)).then(() => {
    expect(given).toBeGreaterThan(1)
    expect(given).toBeLessThan(100)
  })
})

it('counts short frames too', () => {
  const loop = new Loop()
  const deliveries = new Deliveries(loop.add)
  let given = 0
  for (let n = 0; n < 1000; n++) deliveries.add(1, () => given++)
  expect(given).toBeLessThan(100)
})

it('asks for no turn while nothing is given', () => {
  const loop = new Loop()
  const deliveries = new Deliveries(loop.add)
  deliveries.add(1, () => undefined)
  expect(loop.turn()).toBe(true)
  expect(loop.turn()).toBe(false)
})

it('gives what is added while it gives behind what waits', () => {
  const loop = new Loop()
  const deliveries = new Deliveries(loop.add)
  const given: string[] = []
  deliveries.add(4 * MIB, () => given.push('large'))
  deliveries.add(1, () => {
    given.push('a')
    deliveries.add(1, () => given.push('c'))
  })
  deliveries.add(1, () => given.push('b'))
  while (loop.turn());
  expect(given).toEqual(['large', 'a', 'b', 'c'])
})
