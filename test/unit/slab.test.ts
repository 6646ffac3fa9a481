import { describe, expect, it } from 'vitest'
import { SharedSlab } from '../../daemon/disk/slab.js'
import type { Slot } from '../../daemon/ports/disk.js'
import { EXTENT_SIZE } from '../../shared/units.js'

function takeAll(slab: SharedSlab): Slot[] {
  const slots: Slot[] = []
  for (let slot = slab.take(); slot !== null; slot = slab.take()) slots.push(slot)
  return slots
}

describe('the slab', () => {
  it('gives as many slots as its limit, each 256 KiB of its own', () => {
    const slab = new SharedSlab({ slots: 70 })
    const slots = takeAll(slab)
    expect(slots).toHaveLength(70)
    expect(slab.available).toBe(0)
    expect(new Set(slots.map((slot) => slot.index)).size).toBe(70)
    slots.forEach((slot, i) => slot.view.fill(i))
    expect(
      slots.every((slot, i) => slot.view.length === EXTENT_SIZE && slot.view.every((byte) => byte === i)),
    ).toBe(true)
  })

  it('adds memory on demand and gives it back when idle', () => {
    const slab = new SharedSlab({ slots: 130 })
    expect(slab.trim()).toBe(0)
    const one = slab.take()
    expect(slab.trim()).toBe(64 * EXTENT_SIZE)
    const rest = takeAll(slab)
    expect(slab.trim()).toBe(130 * EXTENT_SIZE)
    for (const slot of rest) slab.free(slot)
    expect(slab.trim()).toBe(64 * EXTENT_SIZE)
    if (one !== null) slab.free(one)
    expect(slab.trim()).toBe(0)
    expect(takeAll(slab)).toHaveLength(130)
  })

  it('tells that slots came free once a turn', async () => {
    const slab = new SharedSlab({ slots: 4 })
    let told = 0
    slab.onFree(() => (told += 1))
    for (const slot of takeAll(slab)) slab.free(slot)
    expect(told).toBe(0)
    await Promise.resolve()
    expect(told).toBe(1)
  })

  it('refuses to free a slot twice, even when it has a new holder', () => {
    const slab = new SharedSlab({ slots: 1 })
    const first = slab.take() as Slot
    slab.free(first)
    const second = slab.take() as Slot
    expect(second.index).toBe(first.index)
    expect(() => {
      slab.free(first)
    }).toThrow(/freed twice/)
    expect(slab.available).toBe(0)
  })

  it('lets only the disk free a slot that was handed over', () => {
    const slab = new SharedSlab({ slots: 1 })
    const slot = slab.take() as Slot
    slot.view[0] = 7
    const memory = slab.handOver(slot)
    expect(new Uint8Array(memory, slot.view.byteOffset)[0]).toBe(7)
    expect(() => {
      slab.free(slot)
    }).toThrow(/someone else/)
    expect(() => slab.handOver(slot)).toThrow(/hand over/)
    slab.release(slot)
    expect(slab.available).toBe(1)
  })

  it('says when it gets tight and when that is over, and not in between', () => {
    const told: boolean[] = []
    const slab = new SharedSlab({ slots: 8 }, (tight) => told.push(tight))
    const slots = takeAll(slab)
    expect(told).toEqual([true])
    for (const slot of slots.splice(0, 3)) slab.free(slot)
    expect(told).toEqual([true])
    for (const slot of slots) slab.free(slot)
    expect(told).toEqual([true, false])
  })
})
