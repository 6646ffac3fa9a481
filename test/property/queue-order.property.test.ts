/** Any order, any step: what is written makes exactly the order that was asked for. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  compareRanks,
  type QueueStep,
  ranksFor,
  type Ranked,
  stepped,
  woven,
} from '../../daemon/swarm/queue-order.js'
import type { TorrentId } from '../../shared/units.js'

const step: fc.Arbitrary<QueueStep> = fc.oneof(
  fc.constantFrom<QueueStep>('top', 'bottom', 'up', 'down'),
  fc.integer({ min: 1, max: 14 }),
)
const rank = fc.option(fc.integer({ min: -3000, max: 3000 }), { nil: null })
const ids = (order: readonly Ranked[]): number[] => order.map(({ id }) => id)

it('ranks bring the order that was asked for, step after step', () => {
  fc.assert(
    fc.property(
      fc.array(rank, { minLength: 1, maxLength: 12 }),
      fc.array(fc.tuple(fc.uniqueArray(fc.nat(11), { maxLength: 5 }), step, fc.boolean()), { maxLength: 8 }),
      (ranks, steps) => {
        let order: Ranked[] = ranks
          .map((one, at) => ({ id: (at + 1) as TorrentId, rank: one }))
          .sort(compareRanks)
        for (const [picks, to, all] of steps) {
          // Two kinds: odd and even numbers; only one of them is meant.
          const line = order.filter(({ id }) => all || id % 2 === 1)
          const chosen = new Set(line.filter(({ id }) => picks.includes(id - 1)))
          const wanted = woven(order, stepped(line, chosen, to), chosen)
          const now = new Map(
            ranksFor(wanted, new Set([...chosen].map(({ id }) => id))).map((row) => [row.torrent, row.rank]),
          )
          order = order
            .map((each) => ({ id: each.id, rank: now.has(each.id) ? (now.get(each.id) ?? null) : each.rank }))
            .sort(compareRanks)
          expect(ids(order)).toEqual(ids(wanted))
          if (chosen.size === 0) expect(now.size).toBeLessThanOrEqual(ranks.length)
        }
      },
    ),
    { numRuns: 500 },
  )
})

const line = ['a', 'b', 'c', 'd', 'e']
it.each([
  ['top', 'bd', 'bdace'],
  ['bottom', 'bd', 'acebd'],
  ['up', 'bd', 'badce'],
  ['up', 'ab', 'abcde'],
  ['down', 'bd', 'acbed'],
  ['down', 'de', 'abcde'],
  [2, 'ae', 'baecd'],
  [99, 'a', 'bcdea'],
] as const)('%s of %s', (to, chosen, after) => {
  expect(stepped(line, new Set(chosen), to).join('')).toBe(after)
})

it('one that is put first, or last among ranked ones, writes one rank', () => {
  const order: Ranked[] = [5, 6, 7].map((id) => ({ id: id as TorrentId, rank: null }))
  const [five, six, seven] = order as [Ranked, Ranked, Ranked]
  expect(ranksFor([seven, five, six], new Set([seven.id]))).toEqual([{ torrent: 7, rank: 1024 }])
  // To come after those that have none, those need ranks, too.
  expect(ranksFor([six, seven, five], new Set([five.id]))).toHaveLength(2)
})
