import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_HOLDERS, OpenPieces, type Receipt } from '../../daemon/swarm/pieces.js'
import { BLOCK_SIZE } from '../../shared/units.js'

/** 35, 16, 3 and 1 blocks. */
const SIZES = [34 * BLOCK_SIZE + 5, 16 * BLOCK_SIZE, 3 * BLOCK_SIZE, 700]

interface Block {
  readonly holders: number[]
  sender: number | null
}

/** The same table as plain objects. */
class Model {
  readonly open = new Map<number, Block[]>()

  blocks(): Block[] {
    return [...this.open.values()].flat()
  }
  state(block: Block): 'free' | 'requested' | 'received' {
    return block.sender !== null ? 'received' : block.holders.length > 0 ? 'requested' : 'free'
  }
  received(piece: number, at: number, peer: number): Receipt {
    const blocks = this.open.get(piece)
    const block = blocks?.[at]
    if (blocks === undefined || block === undefined) return 'unknown'
    if (block.sender !== null) return 'duplicate'
    block.sender = peer
    block.holders.length = 0
    if (blocks.every((other) => other.sender !== null)) return 'piece'
    const first = at - (at % 16)
    return blocks.slice(first, first + 16).every((other) => other.sender !== null) ? 'extent' : 'block'
  }
}

const step = fc.record({
  op: fc.constantFrom(
    'open',
    'close',
    'ask',
    'ask',
    'ask',
    'request',
    'duplicate',
    'receive',
    'receive',
    'release',
    'reject',
    'forget',
  ),
  piece: fc.nat({ max: 3 }),
  block: fc.nat({ max: 36 }),
  peer: fc.integer({ min: 1, max: 6 }),
  wait: fc.nat({ max: 8000 }),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function apply({ op, piece, block: at, peer }: Step, now: number, pieces: OpenPieces, model: Model): void {
  const blocks = model.open.get(piece)
  const block = blocks?.[at]
  switch (op) {
    case 'open':
      pieces.open(piece)
      if (blocks === undefined) {
        const count = Math.ceil((SIZES[piece] ?? 0) / BLOCK_SIZE)
        model.open.set(
          piece,
          Array.from({ length: count }, () => ({ holders: [], sender: null })),
        )
      }
      return
    case 'close':
      pieces.close(piece)
      model.open.delete(piece)
      return
    case 'ask':
    case 'duplicate': {
      const victim = 1 + (at % 6)
      const found = op === 'duplicate' && pieces.findNewest(victim, peer, now, (one) => one === piece)
      const next = op === 'ask' ? pieces.nextBlock(piece, peer, now) : found ? pieces.foundBlock : -1
      if (next < 0) return
      const offered = blocks?.[next]
      if (offered === undefined) throw new Error('a block that is not there was offered')
      expect(model.state(offered)).toBe(op === 'ask' ? 'free' : 'requested')
      expect(offered.holders).not.toContain(peer)
      if (op === 'duplicate') expect(offered.holders).toContain(victim)
      if (offered.holders.length === MAX_HOLDERS) {
        expect(pieces.requested(piece, next, peer, now)).toBe(false)
        expect(pieces.takeBack(piece, next, victim)).toBe(true)
        offered.holders.splice(offered.holders.indexOf(victim), 1)
      }
      expect(pieces.requested(piece, next, peer, now)).toBe(true)
      offered.holders.push(peer)
      return
    }
    case 'request': {
      const allowed =
        block?.sender === null && block.holders.length < MAX_HOLDERS && !block.holders.includes(peer)
      expect(pieces.requested(piece, at, peer, now)).toBe(allowed)
      if (allowed) block.holders.push(peer)
      return
    }
    case 'receive':
      expect(pieces.received(piece, at, peer)).toBe(model.received(piece, at, peer))
      return
    case 'reject': {
      const held = block?.holders.includes(peer) === true
      expect(pieces.releaseBlock(piece, at, peer, now)).toBe(held)
      if (held) block.holders.splice(block.holders.indexOf(peer), 1)
      return
    }
    case 'release':
    case 'forget': {
      let count = 0
      for (const one of model.blocks()) {
        const place = one.holders.indexOf(peer)
        if (place >= 0) count += one.holders.splice(place, 1).length
        if (op === 'forget' && one.sender === peer) one.sender = -1
      }
      expect(op === 'forget' ? pieces.forget(peer) : pieces.release(peer)).toBe(count)
    }
  }
}

function check(now: number, pieces: OpenPieces, model: Model): void {
  expect(new Set(pieces.pieces())).toEqual(new Set(model.open.keys()))
  const partial = new Set(pieces.partial())
  let duplicates = 0
  for (const [piece, blocks] of model.open) {
    const count = (state: string): number => blocks.filter((block) => model.state(block) === state).length
    expect(pieces.freeBlocks(piece)).toBe(count('free'))
    expect(pieces.receivedBlocks(piece)).toBe(count('received'))
    expect(partial.has(piece)).toBe(count('free') > 0)
    expect([...pieces.senders(piece)]).toEqual(blocks.map((block) => block.sender ?? -1))
    blocks.forEach((block, at) => {
      expect([0, 1, 2].map((nth) => pieces.holderAt(piece, at, nth)).filter((peer) => peer >= 0)).toEqual(
        block.holders,
      )
      expect(pieces.isReceived(piece, at)).toBe(block.sender !== null)
      duplicates += Math.max(0, block.holders.length - 1)
    })
    // A stranger is offered the first free block, so that none is lost.
    const first = blocks.findIndex((block) => model.state(block) === 'free')
    expect(pieces.nextBlock(piece, 99, now)).toBe(first)
  }
  expect(pieces.duplicates).toBe(duplicates)
  expect(pieces.allRequested).toBe(model.blocks().every((block) => model.state(block) !== 'free'))
  let requests = 0
  pieces.eachRequest(now, () => requests++)
  expect(requests).toBe(model.blocks().reduce((sum, block) => sum + block.holders.length, 0))
}

describe('OpenPieces against a plain model', () => {
  it('loses no block: each is free, requested or received after any sequence', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const pieces = new OpenPieces({ pieceSize: (piece) => SIZES[piece] ?? 0 })
        const model = new Model()
        let now = 2 ** 32 - 200_000
        for (const one of steps) {
          now += one.wait
          apply(one, now, pieces, model)
        }
        check(now, pieces, model)
      }),
      { numRuns: 400 },
    )
  })

  it('ends every piece, whatever fails on the way', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const pieces = new OpenPieces({ pieceSize: (piece) => SIZES[piece] ?? 0 })
        const model = new Model()
        let now = 0
        for (const one of steps) apply(one, (now += one.wait), pieces, model)
        for (let peer = 1; peer <= 6; peer++) pieces.release(peer)
        for (const piece of [...pieces.pieces()]) {
          let left = pieces.blockCount(piece) - pieces.receivedBlocks(piece)
          let last: Receipt = 'piece'
          for (; left > 0; left--) {
            const block = pieces.nextBlock(piece, 99, now)
            expect(pieces.requested(piece, block, 99, now)).toBe(true)
            last = pieces.received(piece, block, 99)
          }
          expect(last).toBe('piece')
          expect(pieces.nextBlock(piece, 99, now)).toBe(-1)
        }
      }),
      { numRuns: 100 },
    )
  })
})
