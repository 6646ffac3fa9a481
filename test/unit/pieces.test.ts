import { describe, expect, it } from 'vitest'
import { MAX_HOLDERS, OpenPieces, ORPHAN, SHARED } from '../../daemon/swarm/pieces.js'
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

function holders(pieces: OpenPieces, piece: number, block: number): number[] {
  return [0, 1, 2].map((nth) => pieces.holderAt(piece, block, nth)).filter((peer) => peer >= 0)
}

function newest(
  pieces: OpenPieces,
  from: number,
  to: number,
  may: (piece: number) => boolean = () => true,
): [number, number] | null {
  return pieces.findNewest(from, to, 1000, may) ? [pieces.foundPiece, pieces.foundBlock] : null
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
    expect(newest(pieces, A, B)).toBeNull()
    ask(pieces, 2, A, 1)
    expect(newest(pieces, A, A)).toBeNull()
    for (const peer of [B, C]) {
      expect(newest(pieces, A, peer)).toEqual([2, 0])
      expect(pieces.requested(2, 0, peer, 0)).toBe(true)
      expect(pieces.requested(2, 0, peer, 0)).toBe(false)
    }
    expect(pieces.requested(2, 0, D, 0)).toBe(false)
    expect(pieces.duplicates).toBe(2)
    expect(holders(pieces, 2, 0)).toEqual([A, B, C])
    expect(pieces.releaseBlock(2, 0, A, 0)).toBe(true)
    expect(holders(pieces, 2, 0)).toEqual([B, C])
    // Taken from one for another; the first may have it again at once, unlike one that refused.
    expect(newest(pieces, B, D)).toEqual([2, 0])
    expect(pieces.takeBack(2, 0, B)).toBe(true)
    expect(pieces.takeBack(2, 0, B)).toBe(false)
    expect(newest(pieces, C, A)).toBeNull()
    expect(newest(pieces, C, B)).toEqual([2, 0])
    expect(pieces.allRequested).toBe(true)
    expect(pieces.received(2, 0, C)).toBe('piece')
    expect(holders(pieces, 2, 0)).toEqual([])
    expect(pieces.duplicates).toBe(0)
  })

  it('finds what a peer was asked for last of all, and another may have', () => {
    const pieces = table(1, 0)
    pieces.requested(1, 3, A, 100)
    pieces.requested(1, 1, A, 300)
    pieces.requested(0, 7, A, 200)
    pieces.requested(1, 5, B, 400)
    expect(newest(pieces, A, C)).toEqual([1, 1])
    expect(newest(pieces, A, C, (piece) => piece === 0)).toEqual([0, 7])
    pieces.requested(1, 1, C, 500)
    expect(newest(pieces, A, C)).toEqual([0, 7])
    pieces.requested(0, 7, C, 500)
    pieces.releaseBlock(0, 7, C, 600)
    // Refused by C a moment ago.
    expect(newest(pieces, A, C)).toEqual([1, 3])
    pieces.received(1, 3, A)
    expect(newest(pieces, A, C)).toBeNull()
    // Fewer were asked for it than for the newer one.
    expect(newest(pieces, A, D)).toEqual([0, 7])
  })

  it('knows who fetches a piece whole, until that one gives nothing more', () => {
    const pieces = table(0, 1, 2)
    expect([0, 1, 7].map((piece) => pieces.owner(piece))).toEqual([SHARED, SHARED, ORPHAN])
    pieces.setOwner(0, A)
    pieces.setOwner(1, B)
    pieces.disown(A)
    pieces.forget(B)
    expect([0, 1, 2].map((piece) => pieces.owner(piece))).toEqual([ORPHAN, ORPHAN, SHARED])
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
    expect(holders(pieces, 1, 0)).toEqual([])
    expect(holders(pieces, 1, 1)).toEqual([A])
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
})
