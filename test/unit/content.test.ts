import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { USUAL_ORDER } from '../../daemon/swarm/wishes.js'
import { Content } from '../../daemon/swarm/content.js'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { Layout } from '../../shared/torrent/layout.js'

const PIECE = 16_384
/** a: 0..1, b: 1..2 (shares 1 with a), pad: the rest of 2, c: 3, empty. */
const FILES = [
  { path: 'a', length: PIECE * 1.5, pad: false },
  { path: 'b', length: PIECE, pad: false },
  { path: '.pad/x', length: PIECE * 0.5, pad: true },
  { path: 'c', length: 100, pad: false },
  { path: 'empty', length: 0, pad: false },
]

function make(recorded: readonly number[] = [], unwanted: readonly number[] = []): Content {
  const bits = new Bitfield(4)
  for (const piece of recorded) bits.set(piece)
  return new Content({
    layout: new Layout(FILES, PIECE),
    files: FILES,
    recorded: bits,
    facts: [],
    wishes: skipping(unwanted),
  })
}

function skipping(files: readonly number[]): { file: number; priority: number }[] {
  return files.map((file) => ({ file, priority: 0 }))
}

describe('what is wanted', () => {
  it('counts no pads, and a piece for any of its files', () => {
    const content = make([], [0, 3])
    expect(content.wantedBytes).toBe(PIECE)
    expect([0, 1, 2, 3].map((piece) => content.isWanted(piece))).toEqual([false, true, true, false])
    expect(content.wantedBytesOf(1)).toBe(PIECE / 2)
    expect(content.wantedBytesOf(2)).toBe(PIECE / 2)
  })

  it('is complete when its pieces are, and full when all are', () => {
    const content = make([], [0, 3])
    content.record(1)
    expect(content.complete).toBe(false)
    expect(content.completeWith([2])).toBe(true)
    expect(content.completeWith([0, 3])).toBe(false)
    content.record(2)
    expect([content.complete, content.full]).toEqual([true, false])
    content.choose({ wishes: [], order: USUAL_ORDER })
    expect(content.complete).toBe(false)
  })
})

describe('a file', () => {
  it('is untouched while none of its pieces is recorded, and never without content', () => {
    const content = make()
    const untouched = (): boolean[] => FILES.map((_, file) => content.isUntouched(file))
    expect(untouched()).toEqual([true, true, false, true, false])
    content.record(1)
    expect(untouched()).toEqual([false, false, false, true, false])
    content.lose(1)
    expect(untouched()).toEqual([true, true, false, true, false])
  })
})

describe('recording', () => {
  it('answers the files that it finishes, each once, pads never', () => {
    const content = make()
    expect(content.record(0)).toEqual([])
    expect(content.record(1)).toEqual([0])
    expect(content.record(2)).toEqual([1])
    expect(content.record(2)).toEqual([])
    expect(content.record(3)).toEqual([3])
    expect(content.doneBytes).toBe(content.wantedBytes)
  })

  it('tells the done bytes of a file in the middle of pieces', () => {
    const content = make([1])
    expect([0, 1, 2, 3, 4].map((file) => content.fileDone(file))).toEqual([PIECE / 2, PIECE / 2, 0, 0, 0])
  })

  it('is taken back whole', () => {
    const content = make([0, 1, 2, 3])
    content.lose(1)
    expect(content.have.get(1)).toBe(false)
    expect([content.isFileComplete(0), content.isFileComplete(1), content.isFileComplete(3)]).toEqual([
      false,
      false,
      true,
    ])
    expect(content.record(1)).toEqual([0, 1])
  })

  it('of a pending piece takes back only what may be uploaded', () => {
    const content = make()
    content.have.set(0)
    content.lose(0)
    expect(content.have.empty).toBe(true)
    expect(content.doneBytes).toBe(0)
  })
})

it('counts the same whatever the order of records, losses and choices', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constantFrom('record' as const, 'lose' as const),
      at: fc.integer({ min: 0, max: 3 }),
    }),
    fc.record({ kind: fc.constant('choose' as const), at: fc.integer({ min: 0, max: 31 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const content = make()
      let wanted = 31
      for (const { kind, at } of steps) {
        if (kind === 'record') content.record(at)
        else if (kind === 'lose') content.lose(at)
        else {
          wanted = at
          const left = FILES.flatMap((_, file) => (((at >> file) & 1) === 1 ? [] : [file]))
          content.choose({ wishes: skipping(left), order: USUAL_ORDER })
        }
      }
      const fresh = make(
        [0, 1, 2, 3].filter((piece) => content.recorded.get(piece)),
        [0, 1, 2, 3, 4].filter((file) => ((wanted >> file) & 1) === 0),
      )
      const facts = (one: Content): unknown => [
        one.wantedBytes,
        one.doneBytes,
        one.complete,
        one.full,
        [0, 1, 2, 3, 4].map((file) => [one.fileDone(file), one.isFileComplete(file)]),
      ]
      expect(facts(content)).toEqual(facts(fresh))
    }),
  )
})
