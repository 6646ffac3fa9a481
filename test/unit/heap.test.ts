import { expect, it } from 'vitest'
import { keepHeapDense } from '../../daemon/io/heap.js'
import { FakeClock } from '../support/fake-clock.js'

const MIB = 1024 * 1024

/** Takes what is used and held, in MiB, and answers what a minute with that led to. */
function keeper(): {
  readonly minute: (used: number, held: number) => string[]
  readonly cancel: () => void
} {
  const clock = new FakeClock()
  let size = { used: 0, held: 0 }
  const told: string[] = []
  const cancel = keepHeapDense({
    clock,
    size: () => {
      told.push('look')
      return size
    },
    closeGaps: (all) => told.push(`close ${String(all)}`),
  })
  const minute = (used: number, held: number): string[] => {
    size = { used: used * MIB, held: held * MIB }
    clock.advance(60_000)
    return told.splice(0)
  }
  return { minute, cancel }
}

it('gaps are closed while they are large, by size and by what is in use; nothing is looked at after the end', () => {
  const { minute, cancel } = keeper()
  expect(minute(10, 26)).toEqual(['look'])
  expect(minute(10, 27)).toEqual(['look', 'close true'])
  expect(minute(12, 40)).toEqual(['look'])
  expect(minute(20, 30)).toEqual(['look', 'close false'])
  expect(minute(100, 150)).toEqual(['look'])
  expect(minute(100, 151)).toEqual(['look', 'close true'])
  cancel()
  expect(minute(90, 200)).toEqual([])
})
