import { describe, expect, it } from 'vitest'
import { MAX_HOLDERS, OpenPieces } from '../../daemon/swarm/pieces.js'
import { BLOCK_SIZE } from '../../shared/units.js'

const A = 1
const B = 2
const C = 3
const D = 4

/** Piece 0: 40 blocks, the last of 100 bytes. Piece 1: 16 blocks. Piece 2: one byte. */
const SIZES = [39 * BLOCK_SIZE + 100, 16 * BLOCK_SIZE, 1]

function table(...open: number[]): OpenPieces {
  const pieces = new OpenPieces({ pieceSize: (piece) => SIZES[piece] ?? 0 })
  for (const piece of open) pieces.open(piece)
  return pieces
}

/** Asks `peer` for blocks as they are offered. */
function ask(pieces: OpenPieces, piece: number, peer: number, count: number, now = 0): number[] {
  const blocks: number[] = []
  for (let i = 0; i < count; i++) {
    const block = pieces.nextBlock(piece, peer, now)
    if (block < 0 || !pieces.requested(piece, block, peer, now)) break
    blocks.push(block)
  }
  return blocks
}

describe('OpenPieces', () => {
  it('offers free blocks in order, each once', () => {
    const pieces = table(0)
    expect(pieces.blockCount(0)).toBe(40)
    expect([pieces.blockLength(0, 38), pieces.blockLength(0, 39), pieces.blockLength(0, 40)]).toEqual([
      BLOCK_SIZE,
      100,
      0,
    ])
    expect(ask(pieces, 0, A, 3)).toEqual([0, 1, 2])
    expect(ask(pieces, 0, B, 2)).toEqual([3, 4])
    expect(pieces.nextBlock(0, A, 0, 16)).toBe(16)
    expect(ask(pieces, 0, B, 99)).toHaveLength(35)
    expect(pieces.nextBlock(0, A, 0)).toBe(-1)
    expect(pieces.nextBlock(1, A, 0)).toBe(-1)
  })

  it('tells which pieces have free blocks, the longest open first', () => {
    const pieces = table(1, 0, 2)
    expect([...pieces.partial()]).toEqual([1, 0, 2])
    ask(pieces, 1, A, 99)
    expect([...pieces.partial()]).toEqual([0, 2])
    expect([...pieces.pieces()]).toEqual([1, 0, 2])
    pieces.release(A)
    expect([...pieces.partial()]).toEqual([0, 2, 1])
    pieces.close(0)
    expect([...pieces.partial()]).toEqual([2, 1])
    expect(pieces.size).toBe(2)
  })

  it('tells when an extent and when the piece is complete', () => {
    const pieces = table(0, 2)
    for (let block = 0; block < 15; block++) expect(pieces.received(0, block, A)).toBe('block')
    for (let block = 16; block < 32; block++) {
      expect(pieces.received(0, block, A)).toBe(block === 31 ? 'extent' : 'block')
    }
    expect(pieces.received(0, 15, B)).toBe('extent')
    for (let block = 39; block > 32; block--) expect(pieces.received(0, block, A)).toBe('block')
    expect(pieces.receivedBlocks(0)).toBe(39)
    expect(pieces.received(0, 32, A)).toBe('piece')
    expect(pieces.received(2, 0, A)).toBe('piece')
  })

  it('tells a second copy and a block of nothing', () => {
    const pieces = table(1)
    ask(pieces, 1, A, 1)
    expect(pieces.isReceived(1, 0)).toBe(false)
    expect(pieces.received(1, 0, A)).toBe('block')
    expect(pieces.isReceived(1, 0)).toBe(true)
    expect(pieces.received(1, 0, B)).toBe('duplicate')
    expect(pieces.received(1, 16, A)).toBe('unknown')
    expect(pieces.received(0, 0, A)).toBe('unknown')
    expect(pieces.senders(1)[0]).toBe(A)
    expect(pieces.requested(1, 0, B, 0)).toBe(false)
  })

  it('takes an unasked block, and knows who was asked', () => {
    const pieces = table(1)
    ask(pieces, 1, A, 1)
    expect(pieces.isRequestedFrom(1, 0, A)).toBe(true)
    expect(pieces.isRequestedFrom(1, 0, B)).toBe(false)
    expect(pieces.isRequestedFrom(1, 1, A)).toBe(false)
    expect(pieces.received(1, 7, B)).toBe('block')
    expect(ask(pieces, 1, A, 99)).not.toContain(7)
  })

  it('frees what a choking peer was asked for, and keeps what it gave', () => {
    const pieces = table(0, 1)
    ask(pieces, 0, A, 5)
    ask(pieces, 0, B, 5)
    ask(pieces, 1, A, 2)
    pieces.received(0, 1, A)
    expect(pieces.release(A)).toBe(6)
    expect(ask(pieces, 0, C, 6)).toEqual([0, 2, 3, 4, 10, 11])
    expect(pieces.freeBlocks(1)).toBe(16)
    expect(pieces.senders(0)[1]).toBe(A)
    expect(pieces.release(A)).toBe(0)
  })

  it('names nobody once a peer is forgotten', () => {
    const pieces = table(1)
    ask(pieces, 1, A, 3)
    pieces.received(1, 0, A)
    pieces.received(1, 1, B)
    expect(pieces.forget(A)).toBe(1)
    expect([...pieces.senders(1).subarray(0, 3)]).toEqual([-1, B, -1])
    expect(pieces.isReceived(1, 0)).toBe(true)
  })

  it('does not ask a peer at once for what it refused, and does so later', () => {
    const pieces = table(1)
    ask(pieces, 1, A, 2)
    expect(pieces.releaseBlock(1, 0, B, 5000)).toBe(false)
    expect(pieces.releaseBlock(1, 0, A, 5000)).toBe(true)
    expect(pieces.releaseBlock(1, 0, A, 5000)).toBe(false)
    expect(pieces.nextBlock(1, A, 14_999)).toBe(2)
    expect(pieces.nextBlock(1, B, 5000)).toBe(0)
    expect(pieces.nextBlock(1, A, 15_000)).toBe(0)
    expect(pieces.senders(1)[0]).toBe(-1)
  })

  it('is all requested when no open piece has a free block', () => {
    const pieces = table(1, 2)
    expect(pieces.allRequested).toBe(false)
    ask(pieces, 1, A, 99)
    expect(pieces.allRequested).toBe(false)
    ask(pieces, 2, A, 99)
    expect(pieces.allRequested).toBe(true)
    pieces.release(A)
    expect(pieces.allRequested).toBe(false)
    pieces.close(1)
    pieces.close(2)
    expect(pieces.allRequested).toBe(true)
  })

  it('asks two more peers for a block in endgame, and no fourth', () => {
    const pieces = table(2)
    expect(MAX_HOLDERS).toBe(3)
    expect(pieces.nextDuplicate(2, B, 0)).toBe(-1)
    ask(pieces, 2, A, 1)
    expect(pieces.nextDuplicate(2, A, 0)).toBe(-1)
    for (const peer of [B, C]) {
      expect(pieces.nextDuplicate(2, peer, 0)).toBe(0)
      expect(pieces.requested(2, 0, peer, 0)).toBe(true)
      expect(pieces.requested(2, 0, peer, 0)).toBe(false)
    }
    expect(pieces.nextDuplicate(2, D, 0)).toBe(-1)
    expect(pieces.requested(2, 0, D, 0)).toBe(false)
    expect(pieces.duplicates).toBe(2)
    expect(pieces.holders(2, 0)).toEqual([A, B, C])
    expect(pieces.releaseBlock(2, 0, A, 0)).toBe(true)
    expect(pieces.holders(2, 0)).toEqual([B, C])
    expect(pieces.allRequested).toBe(true)
    expect(pieces.received(2, 0, C)).toBe('piece')
    expect(pieces.holders(2, 0)).toEqual([])
    expect(pieces.duplicates).toBe(0)
  })

  it('duplicates the block that fewest were asked for, the longest ago first', () => {
    const pieces = table(1)
    pieces.requested(1, 3, A, 100)
    pieces.requested(1, 1, A, 200)
    pieces.requested(1, 2, A, 300)
    expect(pieces.nextDuplicate(1, B, 1000)).toBe(3)
    pieces.requested(1, 3, B, 1000)
    expect(pieces.nextDuplicate(1, B, 1000)).toBe(1)
    expect(pieces.nextDuplicate(1, C, 1000)).toBe(1)
    expect(pieces.nextDuplicate(1, C, 1000, 850)).toBe(3)
    expect(pieces.nextDuplicate(1, C, 1000, 950)).toBe(-1)
  })

  it('drops the duplicates of a piece that is closed', () => {
    const pieces = table(1, 2)
    ask(pieces, 1, A, 2)
    pieces.requested(1, 0, B, 0)
    expect(pieces.duplicates).toBe(1)
    pieces.close(1)
    expect(pieces.duplicates).toBe(0)
    expect(pieces.release(A)).toBe(0)
  })

  it('tells the age of each request, and lets the overdue be released meanwhile', () => {
    const pieces = table(1)
    pieces.requested(1, 0, A, 1000.5)
    pieces.requested(1, 0, B, 3000)
    pieces.requested(1, 1, A, 4000)
    expect([A, B, C].map((peer) => pieces.waited(1, 0, peer, 6000))).toEqual([5000, 3000, 0])
    expect(pieces.waited(0, 0, A, 6000)).toBe(0)
    const seen: number[][] = []
    pieces.eachRequest(6000, (piece, block, peer, age) => {
      seen.push([block, peer, age])
      if (age > 2500) pieces.releaseBlock(piece, block, peer, 6000)
    })
    expect(seen).toEqual([
      [0, B, 3000],
      [0, A, 5000],
      [1, A, 2000],
    ])
    expect(pieces.holders(1, 0)).toEqual([])
    expect(pieces.holders(1, 1)).toEqual([A])
    // The clock is kept modulo 2^32 ms.
    const late = 2 ** 32 + 500
    pieces.requested(1, 5, A, 2 ** 32 - 500)
    const ages: number[] = []
    pieces.eachRequest(late, (_piece, block, _peer, age) => {
      if (block === 5) ages.push(age)
    })
    expect(ages).toEqual([1000])
  })

  it('keeps the times of the others when one of those asked refuses', () => {
    const pieces = table(2)
    pieces.requested(2, 0, A, 1000)
    pieces.requested(2, 0, B, 2000)
    pieces.requested(2, 0, C, 3000)
    pieces.releaseBlock(2, 0, A, 4000)
    expect([A, B, C].map((peer) => pieces.waited(2, 0, peer, 4000))).toEqual([0, 2000, 1000])
  })

  it('knows the extents that were begun', () => {
    const pieces = table(0)
    expect(pieces.isExtentBegun(0, 1)).toBe(false)
    pieces.requested(0, 20, A, 0)
    expect([0, 1, 2].map((extent) => pieces.isExtentBegun(0, extent))).toEqual([false, true, false])
    pieces.release(A)
    expect(pieces.isExtentBegun(0, 1)).toBe(false)
    pieces.received(0, 39, A)
    expect(pieces.isExtentBegun(0, 2)).toBe(true)
  })
})
