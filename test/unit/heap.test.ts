import { expect, it } from 'vitest'
import { keepHeapDense } from '../../daemon/io/heap.js'
import { FakeClock } from '../support/fake-clock.js'

const MIB = 1024 * 1024

it('gaps are closed while they are large, by size and by what is in use, and looked for once a minute', () => {
  const clock = new FakeClock()
  let size = { used: 0, held: 0 }
  let looks = 0
  const told: boolean[] = []
  const cancel = keepHeapDense({
    clock,
    size: () => {
      looks++
      return size
    },
    closeGaps: (all) => told.push(all),
  })
  const minute = (used: number, held: number): boolean[] => {
    size = { used: used * MIB, held: held * MIB }
    clock.advance(60_000)
    return told.splice(0)
  }
  expect(minute(10, 26)).toEqual([])
  expect(minute(10, 27)).toEqual([true])
  expect(minute(12, 40)).toEqual([])
  expect(minute(30, 45)).toEqual([false])
  expect(minute(100, 150)).toEqual([])
  expect(minute(100, 151)).toEqual([true])
  cancel()
  expect(minute(30, 30)).toEqual([])
  expect(looks).toBe(6)
})
