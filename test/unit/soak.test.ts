/** What the soak reads of V8's collections. */
import { expect, it } from 'vitest'
import { liveHeap } from '../faults/soak-run.js'

const line = (whose: string, at: number, left: number): string =>
  `[77:0x${whose}]   ${String(at)} ms: Mark-Compact (reduce) 84.3 (116.9) -> ${left.toFixed(1)} (116.9) MB, 13.43 / 0.02 ms`
const trace = (left: (minute: number) => number): string =>
  Array.from({ length: 20 }, (_, minute) =>
    [
      line('abc', minute * 60_000, left(minute)),
      line('def', minute * 60_000, 999),
      `[77:0xabc] ${String(minute * 60_000 + 5)} ms: Scavenge 38.1 (74.0) -> 37.4 (74.0) MB, 0.5 / 0.0 ms`,
    ].join('\n'),
  ).join('\n')

it('the live heap of the first thread is what is left after its full collections, by thirds', () => {
  const live = liveHeap(
    trace((minute) => 20 + minute),
    120_000,
  )
  expect(live?.slope).toBeCloseTo(1024, 0)
  expect(live?.bytes.map((bytes) => bytes / 1024 / 1024)).toEqual([25, 37])
})

it('one that swings and stays is flat, and too few collections tell nothing', () => {
  expect(
    liveHeap(
      trace((minute) => 28 + (minute % 2)),
      0,
    )?.slope,
  ).toBeLessThan(100)
  expect(liveHeap(line('abc', 5, 20), 0)).toBeNull()
})
