/**
 * Keeps the heap near what lives in it, in two ways, and only where it is worth its price.
 *
 * A full collection comes when the heap is half as large again as what the last one left. V8 itself waits for four times
 * as much where collecting is cheap: 28 MiB of living objects stood in 45 at one time and in 106 at another. A small heap
 * is left to V8: four times little is little, and collecting it more often costs a download some percent of its CPU.
 *
 * Gaps are closed. What lives for seconds (a connection, a request) lies between what lives for days, and a page with a
 * little left on it is kept whole. V8 moves objects together by itself only on pages that are nearly empty, or where
 * memory is short. It is told to while the gaps are large, and not else: a full collection then holds the loop up for
 * 40 ms instead of 10.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import type { Bytes, Millis } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'

/** A look costs nothing; what it leads to costs some collections of 40 ms. */
const LOOK_EVERY: Millis = 60_000
const MIB = 1024 * 1024
/** Gaps are large from here on, and from half of what is in use on: a quick heap has room for what comes next. */
const LARGE: Bytes = 16 * MIB
const LARGE_PART = 0.5

/** In use, garbage included, from here on a heap is not small. */
const NOT_SMALL: Bytes = 24 * MIB
/** Percent of what the last collection left. */
const GROWTH = 50

export interface HeapSize {
  /** Objects, garbage included. */
  readonly used: Bytes
  /** Pages that the heap has of the system. */
  readonly held: Bytes
}

export interface HeapPorts {
  readonly clock: Clock
  readonly size: () => HeapSize
  /** From now on every full collection closes gaps, or V8 decides for itself. */
  readonly closeGaps: (all: boolean) => void
  /** From now on the heap is collected before it has grown by much, or V8 decides for itself. */
  readonly collectSoon: (soon: boolean) => void
}

/** Looks until it is cancelled. */
export function keepHeapDense({ clock, size, closeGaps, collectSoon }: HeapPorts): Cancel {
  const gaps = whenChanged(closeGaps)
  const large = whenChanged(collectSoon)
  return clock.every(LOOK_EVERY, () => {
    const { used, held } = size()
    gaps(held - used > Math.max(LARGE, used * LARGE_PART))
    large(used > NOT_SMALL)
  })
}

/** Passes on what is another than before; at first it is false. */
function whenChanged(tell: (on: boolean) => void): (on: boolean) => void {
  let last = false
  return (on) => {
    if (on === last) return
    last = on
    tell(on)
  }
}

export const v8Heap: Omit<HeapPorts, 'clock'> = {
  size: () => {
    const { used_heap_size: used, total_physical_size: held } = getHeapStatistics()
    return { used, held }
  },
  closeGaps: (all) => {
    setFlagsFromString(all ? '--compact-on-every-full-gc' : '--no-compact-on-every-full-gc')
  },
  collectSoon: (soon) => {
    setFlagsFromString(`--heap-growing-percent=${String(soon ? GROWTH : 0)}`)
  },
}
