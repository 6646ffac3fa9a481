/** Downloads that have less memory than they could use: nobody starves, nothing is held for ever. */
import { expect, it } from 'vitest'
import { makeSource, Swarm } from '../support/swarm-kit.js'

it.each([1, 4, 6, 16])(
  'with %d slots a download from many ends, and gives all of them back',
  async (slots) => {
    const swarm = new Swarm({ step: 200 })
    const source = makeSource({ files: 8_000_000, pieceLength: 1 << 20 })
    const seeds = [1, 2, 3, 4, 5, 6].map(() => swarm.node())
    for (const seed of seeds) {
      swarm.network.limit(seed.init.host, 100_000, swarm.clock)
      await seed.add(source, { have: true })
    }
    const leecher = swarm.node({ slots })
    await leecher.add(source)
    await swarm.until(() => leecher.torrent.state.kind === 'downloading')
    leecher.meet(...seeds)
    const took = await swarm.until(() => leecher.torrent.state.kind === 'seeding', 1_000_000)
    await swarm.settle()
    expect(leecher.hasAll(source)).toBe(true)
    expect(leecher.disk.slab.available).toBe(slots)
    expect(took).toBeLessThan(slots < 4 ? 200_000 : 60_000)
  },
)

it('two downloads on one daemon share what there is', async () => {
  const swarm = new Swarm({ step: 200 })
  const one = makeSource({ name: 'one', files: 4_000_000, pieceLength: 1 << 20 })
  const two = makeSource({ name: 'two', files: 4_000_000, pieceLength: 1 << 20 })
  const seed = swarm.node()
  const fast = swarm.node()
  await seed.add(one, { have: true })
  await fast.add(two, { have: true })
  swarm.network.limit(seed.init.host, 50_000, swarm.clock)
  swarm.network.limit(fast.init.host, 500_000, swarm.clock)
  const leecher = swarm.node({ slots: 10 })
  const a = await leecher.add(one)
  const b = await leecher.add(two)
  await swarm.until(() => a.isRunning && b.isRunning)
  leecher.trackers.get(a.id)?.asks.found([seed.address])
  leecher.trackers.get(b.id)?.asks.found([fast.address])
  const quick = await swarm.until(() => b.state.kind === 'seeding', 200_000)
  await swarm.until(() => a.state.kind === 'seeding', 200_000)
  await swarm.settle()
  expect(quick).toBeLessThan(20_000)
  expect(leecher.disk.slab.available).toBe(10)
})

it('a fast peer keeps its rate beside twenty slow ones that came first, with little memory', async () => {
  const swarm = new Swarm({ step: 20 })
  const source = makeSource({ files: 40_000_000, pieceLength: 4 << 20 })
  const leecher = swarm.node({ slots: 24 })
  const slow = Array.from({ length: 20 }, () => swarm.node())
  const fast = swarm.node()
  for (const node of slow) {
    swarm.network.limit(node.init.host, 10_000, swarm.clock)
    await node.add(source, { have: true })
  }
  swarm.network.limit(fast.init.host, 8_000_000, swarm.clock)
  await fast.add(source, { have: true })
  await leecher.add(source)
  await swarm.until(() => leecher.torrent.state.kind === 'downloading')
  leecher.meet(...slow)
  await swarm.run(3000)
  leecher.meet(fast)
  // 36 MB are 4.5 s at the full rate.
  const most = await swarm.until(() => leecher.torrent.view().downloaded > 36_000_000)
  expect(most).toBeLessThan(5000)
  const rest = await swarm.until(() => leecher.torrent.state.kind === 'seeding', 200_000)
  await swarm.settle()
  expect(most + rest).toBeLessThan(6500)
  expect(leecher.hasAll(source)).toBe(true)
  expect(leecher.disk.slab.available).toBe(24)
})
