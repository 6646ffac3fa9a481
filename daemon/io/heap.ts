/**
 * Keeps the heap near what lives in it (io/v8.ts has when it is collected) by closing gaps where that is worth its price.
 * What lives for seconds (a connection, a request) lies between what lives for days, and a page with a little left on
 * it is kept whole. V8 moves objects together by itself only on pages that are nearly empty, or where memory is short. It
 * is told to while the gaps are large, and not else: a full collection then holds the loop up for 40 ms instead of 10.
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
}

/** Looks until it is cancelled. */
export function keepHeapDense({ clock, size, closeGaps }: HeapPorts): Cancel {
  let closing = false
  return clock.every(LOOK_EVERY, () => {
    const { used, held } = size()
    const large = held - used > Math.max(LARGE, used * LARGE_PART)
    if (large !== closing) closeGaps(large)
    closing = large
  })
}

export const v8Heap: Omit<HeapPorts, 'clock'> = {
  size: () => {
    const { used_heap_size: used, total_physical_size: held } = getHeapStatistics()
    return { used, held }
  },
  closeGaps: (all) => {
    setFlagsFromString(all ? '--compact-on-every-full-gc' : '--no-compact-on-every-full-gc')
  },
}
