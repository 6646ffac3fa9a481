/** Everybody comes at once and there is one slow seed. */
import { expect, it } from 'vitest'
import { FakeRandom } from '../support/fake-random.js'
import { chart, publish } from './network/chart.js'
import { SimTorrent } from './network/sim-torrent.js'
import { World } from './network/sim-world.js'

const KIB = 1024
const LEECHERS = 300
const SEED_UP = 64 * KIB
const DOWN = 4096 * KIB

it(
  '300 leechers with a slow seed are done within 1.3 times the fluid bound',
  { timeout: 120_000 },
  async () => {
    const torrent = new SimTorrent({ pieces: 128, pieceLength: 65_536 })
    const world = new World({ torrent, seed: 1 })
    const random = new FakeRandom(6)
    // Fewer connections than the default of 80: each costs the simulation a HAVE for each piece.
    const maxPeers = 25
    const seed = world.add({ up: SEED_UP, seed: true, maxPeers })
    let up = SEED_UP
    for (let i = 0; i < LEECHERS; i++) {
      const rate = 512 * KIB * (0.5 + random.float())
      up += rate
      world.add({ up: rate, down: DOWN, latency: 5 + 70 * random.float(), maxPeers })
    }
    const { size, pieceCount } = torrent
    const bound = 1000 * Math.max(size / SEED_UP, size / DOWN, (LEECHERS * size) / up)
    await world.start()
    const have: [number, number][] = []
    const out: [number, number][] = []
    const ideal: [number, number][] = []
    const stop = world.sample(1000, (now) => {
      const verified = world.nodes.reduce((sum, { disk }) => sum + disk.goodCount, -pieceCount)
      have.push([now / 1000, (100 * verified) / (LEECHERS * pieceCount)])
      out.push([now / 1000, 100 * Math.min(1, world.copies() - 1)])
      ideal.push([now / 1000, Math.min(100, (100 * now) / bound)])
    })
    expect(await world.until(() => world.finished === LEECHERS, 10 * bound)).toBe(true)
    stop()
    const last = Math.max(...world.nodes.map((node) => node.finishedAt ?? 0))
    const curves = [
      { mark: '.', points: ideal },
      { mark: 'o', points: out },
      { mark: '#', points: have },
    ]
    const note = `done after ${(last / 1000).toFixed(0)} s, ${(last / bound).toFixed(2)} of the bound of ${(bound / 1000).toFixed(0)} s; the seed sent ${(seed.uploaded / size).toFixed(2)} copies`
    publish('flash crowd', `${chart(curves, 100, '%')}\n\n${note}`)
    expect(last / bound, note).toBeLessThan(1.3)
  },
)
