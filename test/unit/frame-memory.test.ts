import { describe, expect, it } from 'vitest'
import { type FrameMemory, FramePool } from '../../daemon/disk/frame-memory.js'
import { FakeRandom } from '../support/fake-random.js'

const UNIT = 16_397
const EXTENT = 16 * UNIT
const MINUTE = 60_000

class Kit {
  now = 0
  readonly gone: number[] = []
  readonly pool: FramePool

  constructor(most: number) {
    this.pool = new FramePool(
      { most },
      () => this.now,
      (id) => void this.gone.push(id),
    )
  }

  take(length: number): FrameMemory {
    const memory = this.pool.take(this.pool.sizeFor(length))
    if (memory === null) throw new Error('no room')
    return memory
  }
}

function overlap(a: FrameMemory, b: FrameMemory): boolean {
  return a.shared === b.shared && a.offset < b.offset + b.size && b.offset < a.offset + a.size
}

describe('FramePool', () => {
  it('gives the least power of two of blocks that holds the frame', () => {
    const { pool } = new Kit(16 * EXTENT)
    const lengths = [1, UNIT, UNIT + 1, 3 * UNIT, 4 * UNIT, 5 * UNIT, 9 * UNIT, EXTENT, EXTENT + 1]
    const sizes = [1, 1, 2, 4, 4, 8, 16, 16].map((units) => units * UNIT)
    expect(lengths.map((length) => pool.sizeFor(length))).toEqual([...sizes, EXTENT + 1])
  })

  it('uses the same memory for all sizes in turn, and makes none anew', () => {
    const kit = new Kit(16 * EXTENT)
    const seen = new Set<SharedArrayBuffer>()
    for (let round = 0; round < 50; round++) {
      for (const units of [1, 2, 4, 8, 16]) {
        const taken = Array.from({ length: (16 * 16) / units }, () => kit.take(units * UNIT))
        expect(kit.pool.take(UNIT)).toBeNull()
        for (const memory of taken) {
          seen.add(memory.shared)
          kit.pool.give(memory)
        }
      }
    }
    expect(seen.size).toBe(16)
    expect(kit.gone).toEqual([])
  })

  it('cuts small ones from what is cut already', () => {
    const kit = new Kit(2 * EXTENT)
    const [one, two] = [kit.take(EXTENT), kit.take(UNIT)]
    kit.pool.give(one)
    const more = [kit.take(UNIT), kit.take(4 * UNIT), kit.take(8 * UNIT)]
    expect(more.every(({ shared }) => shared === two.shared)).toBe(true)
    expect(kit.pool.take(EXTENT)).not.toBeNull()
  })

  it.each([1, 2, 3])('never gives out what is in use, and loses nothing (seed %i)', (seed) => {
    const random = new FakeRandom(seed)
    const kit = new Kit(4 * EXTENT)
    const held: FrameMemory[] = []
    for (let step = 0; step < 3000; step++) {
      if (held.length > 0 && random.int(2) === 0) {
        const [memory] = held.splice(random.int(held.length), 1)
        if (memory !== undefined) kit.pool.give(memory)
        continue
      }
      const memory = kit.pool.take(UNIT << random.int(5))
      if (memory === null) continue
      expect(held.some((other) => overlap(memory, other))).toBe(false)
      expect(memory.bytes.byteLength).toBe(memory.size)
      held.push(memory)
    }
    expect(kit.pool.bytes).toBe(4 * EXTENT)
    for (const memory of held) kit.pool.give(memory)
    expect(Array.from({ length: 4 }, () => kit.take(EXTENT).offset)).toEqual([0, 0, 0, 0])
  })

  it('lets go of what was not used for a while, and tells the numbers', () => {
    const kit = new Kit(4 * EXTENT)
    const [large, small, held] = [kit.take(EXTENT), kit.take(UNIT), kit.take(EXTENT)]
    kit.pool.give(large)
    kit.now = MINUTE / 2
    kit.pool.give(kit.take(2 * UNIT))
    kit.pool.give(small)
    kit.now = MINUTE
    kit.pool.trim(MINUTE)
    expect([kit.pool.bytes, kit.gone]).toEqual([2 * EXTENT, [large.id]])
    kit.now = 2 * MINUTE
    kit.pool.trim(MINUTE)
    expect([kit.pool.bytes, kit.gone.includes(small.id), kit.gone.includes(held.id)]).toEqual([
      EXTENT,
      true,
      false,
    ])
    expect(kit.take(EXTENT).id).toBeGreaterThan(held.id)
  })

  it('gives a large one alone, or where it fits beside others', () => {
    const kit = new Kit(2 * EXTENT)
    const size = 3 * EXTENT
    kit.pool.give(kit.take(UNIT))
    const large = kit.take(size)
    expect([large.size, kit.pool.bytes, kit.pool.take(UNIT)]).toEqual([size, size, null])
    kit.pool.give(large)
    expect(kit.pool.bytes).toBe(0)
    kit.take(UNIT)
    expect(kit.pool.take(size)).toBeNull()
  })

  it('makes its chunks smaller where the limit is below an extent', () => {
    const kit = new Kit(5 * UNIT)
    const held = [1, 2, 3, 4].map(() => kit.take(UNIT))
    expect([kit.pool.bytes, kit.pool.take(UNIT)]).toEqual([4 * UNIT, null])
    for (const memory of held) kit.pool.give(memory)
    expect(kit.take(3 * UNIT).size).toBe(4 * UNIT)
  })
})
