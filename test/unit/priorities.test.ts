/** How much a piece is wanted decides before rarity does. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Content } from '../../daemon/swarm/content.js'
import { Picker, RANKS, USUAL_RANK } from '../../daemon/swarm/picker.js'
import { ranksOf, wishesOf } from '../../daemon/swarm/wishes.js'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { Layout } from '../../shared/torrent/layout.js'
import type { Priority } from '../../shared/views.js'
import { FakeRandom } from '../support/fake-random.js'

const PIECES = 40
const piece = fc.nat(PIECES - 1)
const pieces = fc.uniqueArray(piece)

const step = fc.oneof(
  fc.record({ kind: fc.constantFrom('join', 'leave', 'pick'), pieces }),
  fc.record({ kind: fc.constantFrom('have', 'open', 'close', 'done', 'missing', 'unwant', 'want'), piece }),
  fc.record({ kind: fc.constant('rank' as const), piece, rank: fc.nat(RANKS - 1) }),
)

function bits(set: readonly number[]): Bitfield {
  const field = new Bitfield(PIECES)
  for (const one of set) field.set(one)
  return field
}

/** Picker and a plain model of it: for each piece what is true of it. */
class Pair {
  readonly picker: Picker
  readonly peers: Bitfield[] = []
  readonly rank = new Array<number>(PIECES).fill(USUAL_RANK)
  readonly wanted = new Set(Array.from({ length: PIECES }, (_, at) => at))
  readonly open = new Set<number>()
  readonly done = new Set<number>()

  constructor(seed: number, sequential: boolean) {
    this.picker = new Picker({ pieceCount: PIECES }, { random: new FakeRandom(seed) })
    this.picker.sequential = sequential
  }

  get pickable(): number[] {
    return [...this.wanted].filter((at) => !this.open.has(at) && !this.done.has(at))
  }
  availability(at: number): number {
    return this.peers.filter((peer) => peer.get(at)).length
  }

  /** What may be picked with these pieces: of the highest rank, the first or, once it has begun, the rarest. */
  right(has: readonly number[]): number[] {
    const common = this.pickable.filter((at) => has.includes(at))
    const top = Math.max(...common.map((at) => this.rank[at] ?? 0))
    const best = common.filter((at) => this.rank[at] === top)
    if (this.picker.sequential) return best.length === 0 ? [] : [Math.min(...best)]
    if (this.open.size + this.done.size < 4) return best
    // A peer that is not in the swarm has what nobody else has: it is offered only what somebody has.
    const least = Math.min(...best.map((at) => this.availability(at)))
    return best.filter((at) => this.availability(at) === least)
  }

  apply(move: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
    const { picker } = this
    if (move.kind === 'rank') {
      picker.setRank(move.piece, move.rank)
      this.rank[move.piece] = move.rank
    } else if ('pieces' in move) this.#peer(move)
    else this.#piece(move.kind, move.piece)
  }

  #peer(move: { readonly kind: 'join' | 'leave' | 'pick'; readonly pieces: readonly number[] }): void {
    if (move.kind === 'join') {
      const peer = bits(move.pieces)
      this.peers.push(peer)
      this.picker.addPeer(peer)
    } else if (move.kind === 'leave') {
      const peer = this.peers.shift()
      if (peer !== undefined) this.picker.removePeer(peer)
    }
  }

  #piece(kind: 'have' | 'open' | 'close' | 'done' | 'missing' | 'unwant' | 'want', at: number): void {
    const peer = this.peers.find((one) => !one.get(at))
    if (kind === 'have' && peer !== undefined) {
      peer.set(at)
      this.picker.have(at)
    }
    if (kind === 'open') {
      this.open.add(at)
      this.picker.open(at)
    }
    if (kind === 'close') this.#close(at)
    if (kind === 'done') {
      this.open.delete(at)
      this.done.add(at)
      this.picker.setDone(at)
    }
    if (kind === 'missing' && this.done.delete(at)) this.picker.setMissing(at)
    if (kind === 'unwant' && this.wanted.delete(at)) this.picker.setWanted(at, false)
    if (kind === 'want') {
      this.wanted.add(at)
      this.picker.setWanted(at, true)
    }
  }

  #close(at: number): void {
    this.open.delete(at)
    this.picker.close(at)
  }
}

describe('a picker with ranks', () => {
  it.each([false, true])('asks for what is wanted most before all else (in order: %s)', (sequential) => {
    fc.assert(
      fc.property(fc.nat(), fc.array(step, { maxLength: 120 }), (seed, moves) => {
        const pair = new Pair(seed + 1, sequential)
        for (const move of moves) {
          pair.apply(move)
          const { pickable } = pair
          expect(pair.picker.pickableCount).toBe(pickable.length)
          expect(pair.picker.topRank).toBe(Math.max(-1, ...pickable.map((at) => pair.rank[at] ?? 0)))
          for (const peer of pair.peers) {
            const has = [...Array(PIECES).keys()].filter((at) => peer.get(at))
            const right = pair.right(has)
            const picked = pair.picker.pick(peer)
            if (right.length === 0) expect(picked).toBe(-1)
            else expect(right).toContain(picked)
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  it('has ranks for what was wanted at any time, and for no other number', () => {
    const picker = new Picker({ pieceCount: 4 }, { random: new FakeRandom() })
    expect(() => {
      picker.setRank(0, RANKS)
    }).toThrow(RangeError)
  })
})

describe('what a choice of files makes of pieces', () => {
  const PIECE = 16_384
  const FILES = [
    { path: 'a', length: PIECE * 2.5, pad: false },
    { path: 'b', length: PIECE * 2, pad: false },
    { path: 'c', length: PIECE * 1.5, pad: false },
  ]

  function ranks(priorities: readonly Priority[], firstLast = false): number[] {
    const wishes = wishesOf(new Map(priorities.map((priority, file) => [file, priority])))
    const layout = new Layout(FILES, PIECE)
    const content = new Content({
      layout,
      files: FILES,
      recorded: new Bitfield(layout.pieceCount),
      facts: [],
      wishes,
      order: { sequential: false, firstLast },
    })
    return Array.from({ length: layout.pieceCount }, (_, at) => content.rank(at))
  }

  it('gives a piece the priority of the most wanted file in it', () => {
    expect(ranks(['normal', 'normal', 'normal'])).toEqual([1, 1, 1, 1, 1, 1])
    expect(ranks(['low', 'high', 'skip'])).toEqual([0, 0, 2, 2, 2, -1])
    expect(ranks(['skip', 'skip', 'high'])).toEqual([-1, -1, -1, -1, 2, 2])
  })

  it('puts the first and the last piece of each wanted file before all others', () => {
    expect(ranks(['low', 'normal', 'skip'], true)).toEqual([3, 0, 3, 1, 3, -1])
  })

  it('takes a number that it does not know for the usual priority', () => {
    expect([
      ...ranksOf(
        4,
        [0, 7, 2, 3].map((priority, file) => ({ file, priority })),
      ),
    ]).toEqual([-1, 1, 2, 0])
  })
})
