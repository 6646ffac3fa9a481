import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { Layout } from '../../shared/torrent/layout.js'

const files = fc
  .array(fc.record({ length: fc.oneof(fc.constant(0), fc.nat(60)), pad: fc.boolean() }), {
    minLength: 1,
    maxLength: 12,
  })
  .filter((list) => list.some((file) => file.length > 0))
const shape = fc.record({ files, pieceLength: fc.integer({ min: 1, max: 40 }) })

describe('Layout', () => {
  it('maps every byte as a list of all bytes would', () => {
    fc.assert(
      fc.property(shape, fc.nat(), fc.nat(), (init, from, size) => {
        const layout = new Layout(init.files, init.pieceLength)
        const bytes = init.files.flatMap((file, index) =>
          Array.from(
            { length: file.length },
            (_unused, at) => `${String(index)}:${String(at)}:${String(file.pad)}`,
          ),
        )
        expect(layout.totalSize).toBe(bytes.length)
        for (let piece = 0; piece < layout.pieceCount; piece += 1) {
          const start = piece * init.pieceLength
          const whole = bytes.slice(start, start + init.pieceLength)
          expect(layout.pieceSize(piece)).toBe(whole.length)
          const offset = from % whole.length
          const length = size % (whole.length - offset + 1)
          const spans = layout.spans(piece, offset, length)
          expect(spans.every((span) => span.length > 0)).toBe(true)
          const mapped = spans.flatMap((span) =>
            Array.from(
              { length: span.length },
              (_unused, at) => `${String(span.file)}:${String(span.fileOffset + at)}:${String(span.pad)}`,
            ),
          )
          expect(mapped).toEqual(whole.slice(offset, offset + length))
          expect(layout.filesOf(piece)).toEqual([...new Set(whole.map((byte) => Number(byte.split(':')[0])))])
        }
      }),
      { numRuns: 500 },
    )
  })

  it('agrees with itself on which pieces a file has', () => {
    fc.assert(
      fc.property(shape, (init) => {
        const layout = new Layout(init.files, init.pieceLength)
        for (const [index, file] of init.files.entries()) {
          const range = layout.filePieces(index)
          expect(range === null).toBe(file.length === 0)
          for (let piece = 0; piece < layout.pieceCount; piece += 1) {
            const inside = range !== null && piece >= range.first && piece <= range.last
            expect(layout.filesOf(piece).includes(index)).toBe(inside)
          }
        }
      }),
    )
  })

  it('has extents and blocks that add up to the piece', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 30 }),
        fc.integer({ min: 1, max: 2 ** 24 }),
        (length, pieceLength) => {
          const layout = new Layout([{ length, pad: false }], pieceLength)
          const last = layout.pieceCount - 1
          let sum = 0
          for (let extent = 0; extent < layout.extentCount(last); extent += 1)
            sum += layout.extentSize(last, extent)
          expect(sum).toBe(layout.pieceSize(last))
          expect(layout.blockCount(last)).toBe(Math.ceil(sum / 16_384))
        },
      ),
    )
  })
})

describe('Bitfield', () => {
  it('does what a set of numbers does', () => {
    const step = fc.tuple(fc.constantFrom('set', 'clear', 'all', 'none'), fc.nat(99))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.array(step), (size, steps) => {
        const field = new Bitfield(size)
        const model = new Set<number>()
        for (const [what, raw] of steps) {
          const index = raw % size
          if (what === 'set') expect(field.set(index)).toBe(model.size !== model.add(index).size)
          else if (what === 'clear') expect(field.clear(index)).toBe(model.delete(index))
          else if (what === 'all') {
            field.setAll()
            for (let each = 0; each < size; each += 1) model.add(each)
          } else {
            field.clearAll()
            model.clear()
          }
        }
        const found: number[] = []
        field.forEachSet((index) => found.push(index))
        expect(found).toEqual([...model].sort((a, b) => a - b))
        expect([field.count, field.complete, field.empty]).toEqual([
          model.size,
          model.size === size,
          model.size === 0,
        ])
        expect(Bitfield.fromWire(field.bytes, size)?.count).toBe(model.size)
      }),
    )
  })
})
