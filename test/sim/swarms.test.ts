/** Whole swarms in virtual time: who is served, how it ends, who is banned, what the seed has to give. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Choker, type ChokerPeer, type RoundInit, type Verdict } from '../../daemon/swarm/choker.js'
import { Rush } from '../../daemon/swarm/rush.js'
import { FakeRandom } from '../support/fake-random.js'
import { SimTorrent } from './network/sim-torrent.js'
import { type SimNode, World } from './network/sim-world.js'

const KIB = 1024
const MIB = 1024 * KIB
const HOUR = 3_600_000

afterEach(() => {
  vi.restoreAllMocks()
})

function finish(nodes: readonly SimNode[]): number[] {
  return nodes.map((node) => node.finishedAt ?? Infinity)
}

describe('tit for tat', () => {
  /** Part of the torrent that the rider has when half of the contributors have all of it. */
  async function riderShare(seed: number): Promise<{ share: number; all: boolean }> {
    const torrent = new SimTorrent({ pieces: 192, pieceLength: 131_072 })
    const world = new World({ torrent, seed })
    world.add({ up: 1000 * KIB, seed: true })
    const givers = Array.from({ length: 24 }, () => world.add({ up: 160 * KIB, down: 2 * MIB }))
    const rider = world.add({ up: 160 * KIB, down: 2 * MIB, rider: true })
    await world.start()
    const done = (): number => givers.filter((node) => node.finishedAt !== null).length
    await world.until(() => done() >= givers.length / 2, HOUR)
    const share = rider.disk.goodCount / torrent.pieceCount
    const all = await world.until(() => world.finished === givers.length + 1, HOUR)
    return { share, all }
  }

  it.each([1, 2])(
    'a free rider has three quarters at most when the contributors are done (seed %d)',
    async (seed) => {
      const { share, all } = await riderShare(seed)
      expect(share).toBeLessThan(0.8)
      expect(all).toBe(true)
    },
  )

  it('and nothing else does it: where everybody is unchoked it has as much as they', async () => {
    vi.spyOn(Choker.prototype, 'round').mockImplementation(everybody)
    vi.spyOn(Choker.prototype, 'fill').mockImplementation((_now, waiting: readonly ChokerPeer[]) => [
      ...waiting,
    ])
    const { share } = await riderShare(1)
    expect(share).toBeGreaterThan(0.95)
  })

  function everybody(_now: number, peers: Iterable<ChokerPeer>, _init: RoundInit): Verdict<ChokerPeer> {
    return { choke: [], unchoke: [...peers].filter((peer) => peer.choked && peer.interested) }
  }
})

describe('endgame', () => {
  /** Part of the time that the last 1 % of the pieces took, and of the payload that was thrown away. */
  async function tail(rates: readonly number[], seed: number): Promise<{ last: number; wasted: number }> {
    const torrent = new SimTorrent({ pieces: 400, pieceLength: 262_144 })
    const world = new World({ torrent, seed })
    const leecher = world.add({})
    const random = new FakeRandom(seed)
    for (const rate of rates) world.add({ up: rate * KIB, latency: 5 + 60 * random.float(), seed: true })
    await world.start()
    const { disk } = leecher
    await world.until(() => disk.goodCount >= 0.99 * torrent.pieceCount, 10 * HOUR)
    const before = world.clock.now()
    await world.until(() => leecher.finishedAt !== null, 10 * HOUR)
    return { last: 1 - before / world.clock.now(), wasted: leecher.wasted / torrent.size }
  }

  const mixed = [20, 50, 100, 200, 500, 1000, 2000, 4000]

  it.each([1, 2, 3])('with peers from 20 KiB/s to 4 MiB/s has no slow tail (seed %d)', async (seed) => {
    const { last, wasted } = await tail(mixed, seed)
    expect(last).toBeLessThan(0.03)
    expect(wasted).toBeLessThan(0.005)
  })

  it('would have one if nobody took over what a slow peer brings late', async () => {
    vi.spyOn(Rush.prototype, 'ask').mockReturnValue(false)
    const { last } = await tail(mixed, 1)
    expect(last).toBeGreaterThan(0.03)
  })
})

describe('a lying peer', () => {
  it.each([1, 0.2])('among ten is the only one banned (part of its blocks that lie: %d)', async (part) => {
    const torrent = new SimTorrent({ pieces: 48, pieceLength: MIB })
    const world = new World({ torrent, seed: 3 })
    const random = new FakeRandom(11)
    for (let i = 0; i < 9; i++) world.add({ up: 100 * KIB, seed: true })
    const liar = world.add({ up: 100 * KIB, seed: true, lies: () => random.float() < part })
    const leechers = [1, 2, 3].map(() => world.add({ up: 50 * KIB }))
    await world.start()
    expect(await world.until(() => world.finished === leechers.length, 2 * HOUR)).toBe(true)
    const banned = new Set(leechers.flatMap((node) => [...node.banned]))
    expect([...banned]).toEqual([liar.address.host])
  })
})

describe('a mesh of six with one limited seed', () => {
  it.each([1, 2])('costs the seed at most 1.3 copies (seed %d)', async (seed) => {
    const torrent = new SimTorrent({ pieces: 512, pieceLength: 131_072 })
    const world = new World({ torrent, seed })
    const source = world.add({ up: 2 * MIB, seed: true, latency: 1 })
    const leechers = Array.from({ length: 6 }, () => world.add({ up: 20 * MIB, latency: 1 }))
    await world.start()
    expect(await world.until(() => world.finished === leechers.length, HOUR)).toBe(true)
    const bound = (torrent.size / source.host.up) * 1000
    expect(source.uploaded / torrent.size).toBeLessThanOrEqual(1.3)
    expect(Math.max(...finish(leechers)) / bound).toBeLessThan(1.3)
    // Nobody takes blocks from the seed's queue that it would not bring much sooner: they are sent already.
    const wasted = leechers.reduce((sum, node) => sum + node.wasted, 0)
    expect(wasted / torrent.size / leechers.length).toBeLessThan(0.001)
  })
})

describe('a bad world', () => {
  it('with cut connections, refused ones, slow disks and disks that fail ends well', async () => {
    const torrent = new SimTorrent({ pieces: 128, pieceLength: 131_072 })
    const world = new World({ torrent, seed: 5, lifetime: 40_000, refusals: 0.2, announceEvery: 60_000 })
    world.add({ up: 500 * KIB, seed: true, disk: { delay: 30, rate: 5 * MIB } })
    for (let i = 0; i < 30; i++) {
      const fails = (now: number): boolean => i % 5 === 0 && now > 20_000 && now < 25_000
      world.add({
        up: 300 * KIB,
        latency: 5 + 10 * i,
        disk: {
          delay: 20,
          rate: 3 * MIB,
          slots: 24,
          fault: (_operation, now) => (fails(now) ? 'EIO' : null),
        },
      })
    }
    await world.start()
    expect(await world.until(() => world.finished === 30, HOUR)).toBe(true)
    expect(world.network.cuts).toBeGreaterThan(100)
  })
})
