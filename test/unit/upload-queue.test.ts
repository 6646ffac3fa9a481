import { describe, expect, it } from 'vitest'
import { countOf, nextRun, UploadQueue, type UploadRequest } from '../../daemon/swarm/upload-queue.js'
import { FakeRandom } from '../support/fake-random.js'

const BLOCK = 16_384
const EXTENT = 262_144

function queueOf(
  ...blocks: readonly (readonly [piece: number, block: number, length?: number])[]
): UploadQueue {
  const queue = new UploadQueue()
  for (const [piece, block, length = BLOCK] of blocks) queue.push(piece, block * BLOCK, length)
  return queue
}

describe('the queue of requests', () => {
  it('finds the blocks of an extent wherever they wait, and takes one request for each', () => {
    const queue = queueOf([1, 5], [2, 0], [1, 3], [1, 17], [1, 4], [1, 3])
    expect(queue.maskOf(1, 0, EXTENT)).toBe(0b111000)
    queue.takeMask(1, 0, EXTENT, 0b111000)
    expect(queue.length).toBe(3)
    expect(queue.takeAll()).toEqual([
      { piece: 2, begin: 0, length: BLOCK },
      { piece: 1, begin: 17 * BLOCK, length: BLOCK },
      { piece: 1, begin: 3 * BLOCK, length: BLOCK },
    ])
  })

  it('takes for whole blocks only what is one', () => {
    const queue = queueOf([0, 0, 100], [0, 1], [0, 2, 2 * BLOCK], [0, 15, 99])
    queue.push(0, 3 * BLOCK + 1, BLOCK)
    expect(queue.maskOf(0, 0, EXTENT)).toBe(0b10)
    // The last block of an extent that ends there.
    expect(queue.maskOf(0, 0, 15 * BLOCK + 99)).toBe(0b1000000000000010)
  })

  it('takes what continues the oldest, up to a length', () => {
    const queue = new UploadQueue()
    for (const [begin, length] of [
      [10, 5],
      [15, 7],
      [22, 1],
      [30, 1],
    ] as const)
      queue.push(0, begin, length)
    expect(queue.takeRun(12).map(({ begin }) => begin)).toEqual([10, 15])
    expect(queue.takeRun(12).map(({ begin }) => begin)).toEqual([22])
    expect(queue.takeRun(0).map(({ begin }) => begin)).toEqual([30])
    expect(queue.takeRun(9)).toEqual([])
    expect(queue.first()).toBeNull()
  })

  it('holds exactly what was put in and not taken, in order, whatever is done to it', () => {
    const random = new FakeRandom(7)
    const queue = new UploadQueue()
    const model: UploadRequest[] = []
    for (let step = 0; step < 30_000; step++) {
      const piece = random.int(4)
      const begin = random.int(64) * BLOCK
      const length = random.int(8) === 0 ? 100 : BLOCK
      const kind = random.int(10)
      if (kind < 6 && model.length < 2000) {
        queue.push(piece, begin, length)
        model.push({ piece, begin, length })
      } else if (kind < 8) {
        const at = model.findIndex((r) => r.piece === piece && r.begin === begin && r.length === length)
        expect(queue.remove(piece, begin, length)).toBe(at >= 0)
        if (at >= 0) model.splice(at, 1)
      } else {
        const extent = Math.floor(begin / EXTENT)
        const inside = (r: UploadRequest): boolean =>
          r.piece === piece && Math.floor(r.begin / EXTENT) === extent && r.length === BLOCK
        const bit = (r: UploadRequest): number => 1 << ((r.begin % EXTENT) / BLOCK)
        const mask = model.filter(inside).reduce((sum, r) => sum | bit(r), 0)
        expect(queue.maskOf(piece, extent, EXTENT)).toBe(mask)
        const some = mask & random.int(65_536)
        queue.takeMask(piece, extent, EXTENT, some)
        for (let left = some; left !== 0; left &= left - 1) {
          model.splice(
            model.findIndex((r) => inside(r) && bit(r) === (left & -left)),
            1,
          )
        }
      }
      expect(queue.length).toBe(model.length)
      if (step % 100 === 0) expect(queue.first()).toEqual(model[0] ?? null)
    }
    expect(queue.takeAll()).toEqual(model)
  })
})

describe('masks', () => {
  it('are counted and cut into stretches', () => {
    expect(countOf(0b1011)).toBe(3)
    expect(nextRun(0b1100_0110, 0)).toEqual({ first: 1, end: 3 })
    expect(nextRun(0b1100_0110, 3)).toEqual({ first: 6, end: 8 })
    expect(nextRun(0b1100_0110, 8)).toBeNull()
    expect(nextRun(0xffff, 0)).toEqual({ first: 0, end: 16 })
  })

  it('is crowded where one extent is asked for more than 128 times', () => {
    const queue = new UploadQueue()
    for (let n = 0; n < 128; n++) {
      expect(queue.isCrowded(1, 16_384)).toBe(false)
      queue.push(1, (n % 16) * 16_384, 16_384)
    }
    expect(queue.isCrowded(1, 0)).toBe(true)
    expect(queue.isCrowded(1, 262_144)).toBe(false)
    queue.remove(1, 0, 16_384)
    expect(queue.isCrowded(1, 16_384)).toBe(false)
  })
})
