import { describe, expect, it } from 'vitest'
import { Layout } from '../../shared/torrent/layout.js'
import { EXTENT_SIZE } from '../../shared/units.js'

const file = (length: number, pad = false): { length: number; pad: boolean } => ({ length, pad })
/** Pieces of 10: a(4) empty b(13) pad(3) c(5) empty */
const layout = new Layout([file(4), file(0), file(13), file(3, true), file(5), file(0)], 10)

describe('Layout', () => {
  it('counts', () => {
    expect(layout).toMatchObject({
      pieceCount: 3,
      totalSize: 25,
      contentSize: 22,
      fileCount: 6,
      pieceLength: 10,
    })
    expect([0, 1, 2].map((piece) => layout.pieceSize(piece))).toEqual([10, 10, 5])
    expect(new Layout([file(20)], 10).pieceSize(1)).toBe(10)
  })

  it('finds the files of a piece, empty ones never', () => {
    expect([0, 1, 2].map((piece) => layout.filesOf(piece))).toEqual([[0, 2], [2, 3], [4]])
    expect(new Layout([file(0), file(10), file(0), file(10), file(0)], 10).filesOf(1)).toEqual([3])
  })

  it('finds the pieces of a file', () => {
    expect([0, 1, 2, 3, 4, 5].map((index) => layout.filePieces(index))).toEqual([
      { first: 0, last: 0 },
      null,
      { first: 0, last: 1 },
      { first: 1, last: 1 },
      { first: 2, last: 2 },
      null,
    ])
  })

  it('cuts a range of a piece into spans', () => {
    expect(layout.spans(0, 0, 10)).toEqual([
      { file: 0, fileOffset: 0, length: 4, pad: false },
      { file: 2, fileOffset: 0, length: 6, pad: false },
    ])
    expect(layout.spans(1, 2, 8)).toEqual([
      { file: 2, fileOffset: 8, length: 5, pad: false },
      { file: 3, fileOffset: 0, length: 3, pad: true },
    ])
    expect(layout.spans(0, 4, 2)).toEqual([{ file: 2, fileOffset: 0, length: 2, pad: false }])
    expect(layout.spans(2, 5, 0)).toEqual([])
  })

  it('tells of files', () => {
    expect([0, 1, 2, 3, 4, 5].map((index) => layout.fileOffset(index))).toEqual([0, 4, 4, 17, 20, 25])
    expect([0, 1, 2, 3, 4, 5].map((index) => layout.fileLength(index))).toEqual([4, 0, 13, 3, 5, 0])
    expect([layout.isPad(2), layout.isPad(3)]).toEqual([false, true])
  })

  it('cuts pieces into extents and blocks', () => {
    const big = new Layout([file(2 * (EXTENT_SIZE * 2 + 5) + 1)], EXTENT_SIZE * 2 + 5)
    expect([big.extentCount(0), big.extentSize(0, 0), big.extentSize(0, 2)]).toEqual([3, EXTENT_SIZE, 5])
    expect([big.extentCount(2), big.extentSize(2, 0)]).toEqual([1, 1])
    expect([big.blockCount(0), big.blockCount(2)]).toEqual([33, 1])
  })

  it('stays exact beyond 32 bits', () => {
    const huge = new Layout([file(2 ** 45), file(7)], 2 ** 28)
    expect(huge.spans(2 ** 17, 0, 7)).toEqual([{ file: 1, fileOffset: 0, length: 7, pad: false }])
    expect(huge.spans(2 ** 17 - 1, 2 ** 28 - 1, 1)).toEqual([
      { file: 0, fileOffset: 2 ** 45 - 1, length: 1, pad: false },
    ])
  })

  it('refuses what is not there', () => {
    expect(() => layout.pieceSize(3)).toThrow(RangeError)
    expect(() => layout.pieceSize(-1)).toThrow(RangeError)
    expect(() => layout.pieceSize(0.5)).toThrow(RangeError)
    expect(() => layout.spans(2, 0, 6)).toThrow(RangeError)
    expect(() => layout.spans(0, -1, 2)).toThrow(RangeError)
    expect(() => layout.fileOffset(6)).toThrow(RangeError)
    expect(() => layout.extentSize(0, 1)).toThrow(RangeError)
  })
})
