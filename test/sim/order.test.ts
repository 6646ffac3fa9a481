/** Choosing what comes first, in whole daemons on one virtual clock. */
import { describe, expect, it } from 'vitest'
import type { PieceOrder } from '../../daemon/ports/store.js'
import type { Priority } from '../../shared/views.js'
import { USUAL_ORDER, wishesOf } from '../../daemon/swarm/wishes.js'
import { makeSource, Swarm } from '../support/swarm-kit.js'

const PIECE = 65_536
/** Pieces of each of three files. */
const EACH = 16

interface Wanted {
  readonly order: PieceOrder
  readonly priorities: readonly [Priority, Priority, Priority]
}

/** The pieces of three files in the order in which they were verified. */
async function verifiedBy({ order, priorities }: Wanted): Promise<number[]> {
  const source = makeSource({
    name: 'album',
    files: ['a', 'b', 'c'].map((path) => ({ path, length: EACH * PIECE })),
  })
  const swarm = new Swarm()
  const seeds = [swarm.node(), swarm.node()]
  const leecher = swarm.node()
  for (const seed of seeds) {
    swarm.network.limit(seed.init.host, 200_000, swarm.clock)
    await seed.add(source, { have: true })
  }
  const torrent = await leecher.add(source)
  await swarm.settle()
  const wishes = wishesOf(new Map(priorities.map((priority, file) => [file, priority])))
  torrent.select({ wishes, order })
  const have = new Set<number>()
  torrent.withLive((live) => {
    const { content } = live ?? {}
    if (content === undefined) throw new Error('the data are not there')
    const note = content.have.set.bind(content.have)
    content.have.set = (piece) => {
      have.add(piece)
      return note(piece)
    }
  })
  for (const seed of seeds) leecher.meet(seed)
  await swarm.until(() => torrent.view().state === 'seeding', 600_000)
  return [...have]
}

/** How many places a piece came too early at most, where pieces should come by number. */
function disorder(pieces: readonly number[]): number {
  return Math.max(...pieces.map((piece, at) => piece - at))
}

const ALL = ['normal', 'normal', 'normal'] as const

describe('a download', () => {
  it('fetches pieces in order where that is asked for, and else not', async () => {
    const inOrder = await verifiedBy({ order: { sequential: true, firstLast: false }, priorities: ALL })
    expect(inOrder.length).toBe(3 * EACH)
    // What is on its way from two peers at once comes as it comes.
    expect(disorder(inOrder)).toBeLessThan(12)
    expect(disorder(await verifiedBy({ order: USUAL_ORDER, priorities: ALL }))).toBeGreaterThan(20)
  })

  it('has the first and the last piece of each file before the middle ones', async () => {
    const pieces = await verifiedBy({ order: { sequential: true, firstLast: true }, priorities: ALL })
    const edges = [0, 15, 16, 31, 32, 47]
    expect(Math.max(...edges.map((piece) => pieces.indexOf(piece)))).toBeLessThan(18)
    expect(pieces.indexOf(47)).toBeLessThan(pieces.indexOf(14))
  })

  it('has files of high priority before the others, and those of low after them', async () => {
    const pieces = await verifiedBy({ order: USUAL_ORDER, priorities: ['low', 'normal', 'high'] })
    const mean = (file: number): number => {
      const places = pieces.flatMap((piece, at) => (Math.floor(piece / EACH) === file ? [at] : []))
      return places.reduce((sum, at) => sum + at, 0) / places.length
    }
    expect(mean(2)).toBeLessThan(mean(1) - EACH / 2)
    expect(mean(1)).toBeLessThan(mean(0) - EACH / 2)
  })

  it('fetches nothing of a file that is skipped', async () => {
    const pieces = await verifiedBy({ order: USUAL_ORDER, priorities: ['skip', 'high', 'skip'] })
    expect(pieces.sort((a, b) => a - b)).toEqual(Array.from({ length: EACH }, (_, at) => EACH + at))
  })
})
