import { describe, expect, it } from 'vitest'
import { Bitfield } from '../../shared/torrent/bitfield.js'

const setOf = (field: Bitfield): number[] => {
  const found: number[] = []
  field.forEachSet((index) => found.push(index))
  return found
}
const missingOf = (field: Bitfield): number[] => {
  const found: number[] = []
  field.forEachMissing((index) => found.push(index))
  return found
}

describe('Bitfield', () => {
  it('has the first piece in the high bit of the first byte (BEP 3)', () => {
    const field = new Bitfield(10)
    field.set(0)
    field.set(9)
    expect([...field.bytes]).toEqual([0x80, 0x40])
  })

  it('counts what is set, once', () => {
    const field = new Bitfield(10)
    expect([field.empty, field.complete, field.count]).toEqual([true, false, 0])
    expect([field.set(3), field.set(3), field.count]).toEqual([true, false, 1])
    expect([field.get(3), field.has(3), field.get(4)]).toEqual([true, true, false])
    expect([field.clear(3), field.clear(3), field.count]).toEqual([true, false, 0])
    for (let index = 0; index < 10; index += 1) field.set(index)
    expect([field.complete, field.count]).toEqual([true, 10])
  })

  it.each([1, 7, 8, 9, 16, 17])('sets all of %i bits and no spare one', (size) => {
    const field = new Bitfield(size)
    field.setAll()
    expect([field.complete, field.count, setOf(field).length]).toEqual([true, size, size])
    expect(Bitfield.fromWire(field.bytes, size)?.complete).toBe(true)
    field.clearAll()
    expect([field.empty, setOf(field)]).toEqual([true, []])
  })

  it('takes from the wire only what has the right length and no spare bit', () => {
    expect(Bitfield.fromWire(Uint8Array.of(0xa0, 0x40), 10)?.count).toBe(3)
    expect(Bitfield.fromWire(Uint8Array.of(0xa0), 10)).toBeNull()
    expect(Bitfield.fromWire(Uint8Array.of(0xa0, 0, 0), 10)).toBeNull()
    expect(Bitfield.fromWire(Uint8Array.of(0xa0, 0x20), 10)).toBeNull()
    expect(Bitfield.fromWire(Uint8Array.of(0xa0, 0x01), 10)).toBeNull()
    expect(Bitfield.fromWire(Uint8Array.of(0xff), 8)?.complete).toBe(true)
  })

  it('copies', () => {
    const wire = Uint8Array.of(0x80)
    const field = Bitfield.fromWire(wire, 8)
    wire[0] = 0
    expect(field?.get(0)).toBe(true)
    const copy = field?.clone()
    copy?.set(5)
    expect([field?.count, copy?.count]).toEqual([1, 2])
  })

  it('visits in order', () => {
    const field = new Bitfield(18)
    for (const index of [17, 2, 8, 15]) field.set(index)
    expect(setOf(field)).toEqual([2, 8, 15, 17])
    expect(missingOf(field)).toEqual([0, 1, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16])
  })

  it('refuses a bit that is not there, and has none', () => {
    const field = new Bitfield(10)
    for (const index of [-1, 10, 15, 1.5, Number.NaN]) {
      expect(() => field.set(index)).toThrow(RangeError)
      expect(() => field.clear(index)).toThrow(RangeError)
      expect(field.get(index)).toBe(false)
    }
  })
})
