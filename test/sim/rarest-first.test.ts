/** What becomes of a swarm whose only seed leaves early. */
import { afterEach, expect, it, vi } from 'vitest'
import { Picker } from '../../daemon/swarm/picker.js'
import type { PieceSet } from '../../daemon/swarm/rarity.js'
import { chart, publish } from './network/chart.js'
import { SimTorrent } from './network/sim-torrent.js'
import { World } from './network/sim-world.js'

const LEECHERS = 12
const UP = 500_000

afterEach(() => {
  vi.restoreAllMocks()
})

/** Runs until the seed has sent so many copies and leaves; then until everybody is done, or nothing moves. */
async function seedLeaves(seed: number, copies: number): Promise<{ pieces: number; finished: number }> {
  const torrent = new SimTorrent({ pieces: 1024, pieceLength: 131_072 })
  const world = new World({ torrent, seed })
  const source = world.add({ up: UP, seed: true })
  const leechers = Array.from({ length: LEECHERS }, () => world.add({ up: UP / 2, down: 4 * UP }))
  await world.start()
  const sent = (): number => source.uploaded / torrent.size
  const curves: Record<'sent' | 'out' | 'have', [number, number][]> = { sent: [], out: [], have: [] }
  const stop = world.sample(2000, (now) => {
    const verified = leechers.reduce((sum, { disk }) => sum + disk.goodCount, 0)
    curves.sent.push([now / 1000, 100 * sent()])
    curves.out.push([now / 1000, 100 * Math.min(1, world.copies() - (source.gone ? 0 : 1))])
    curves.have.push([now / 1000, (100 * verified) / (LEECHERS * torrent.pieceCount)])
  })
  const done = (): number => leechers.filter((node) => node.finishedAt !== null).length
  await world.until(() => sent() >= copies || done() === LEECHERS, 3_600_000)
  expect(sent()).toBeLessThan(copies + 0.01)
  source.leave()
  const pieces = Math.round(Math.min(1, world.copies()) * torrent.pieceCount)
  if (pieces === torrent.pieceCount) await world.until(() => done() === LEECHERS, 1_200_000)
  stop()
  const picture = [
    { mark: '.', points: curves.sent },
    { mark: 'o', points: curves.out },
    { mark: '#', points: curves.have },
  ]
  if (pieces === torrent.pieceCount) publish('seed leaves', chart(picture, 120, '%'))
  return { pieces, finished: done() }
}

it.each([1, 2])(
  'rarest first keeps the swarm alive when the seed leaves after 1.1 copies (seed %d)',
  async (seed) => {
    expect(await seedLeaves(seed, 1.1)).toEqual({ pieces: 1024, finished: LEECHERS })
  },
)

it('and nothing else does: in order, 1.1 copies of the same pieces leave the swarm without the rest', async () => {
  vi.spyOn(Picker.prototype, 'pick').mockImplementation(inOrder)
  const { pieces, finished } = await seedLeaves(1, 1.1)
  expect(pieces).toBeLessThan(512)
  expect(finished).toBe(0)
})

function inOrder(this: Picker, has: PieceSet): number {
  for (let piece = 0; piece < this.pieceCount; piece++) {
    if (has.get(piece) && this.isNeeded(piece) && !this.isOpen(piece)) return piece
  }
  return -1
}
