/** Whole downloads in virtual time: real sessions over a disk, a store and a network in memory. */
import { describe, expect, it } from 'vitest'
import { makeSource, Swarm, type Node } from '../support/swarm-kit.js'

/** Nothing is left behind by a daemon that has stopped. */
async function expectClean(node: Node): Promise<void> {
  await node.stop()
  expect(node.disk.slab.available, 'slots').toBe(node.disk.slab.capacity)
  expect(node.disk.pinned, 'frames').toBe(0)
  expect(node.session.budget.used, 'connections').toBe(0)
  expect(node.clock.pending, 'timers').toBe(0)
}

describe('a download', () => {
  it('goes from one seed to one leecher', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 3_000_001 })
    const seed = swarm.node()
    const leecher = swarm.node()
    await seed.add(source, { have: true })
    await leecher.add(source)
    await swarm.until(() => seed.torrent.state.kind === 'seeding')
    leecher.meet(seed)
    await swarm.until(() => leecher.torrent.state.kind === 'seeding')
    expect(leecher.hasAll(source)).toBe(true)
    expect(leecher.torrent.view()).toMatchObject({ progress: 1, downloaded: 3_000_001 })
    expect(seed.torrent.view().uploaded).toBe(3_000_001)
    await swarm.settle()
    expect(leecher.reasons).toEqual(['both-complete'])
    await expectClean(seed)
    await expectClean(leecher)
  })

  it('goes from one seed to five leechers that help each other', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 4_000_000 })
    const seed = swarm.node()
    await seed.add(source, { have: true })
    const leechers = [1, 2, 3, 4, 5].map(() => swarm.node())
    for (const node of swarm.nodes) swarm.network.limit(node.init.host, 400_000, swarm.clock)
    for (const node of leechers) await node.add(source)
    await swarm.run(1000)
    for (const node of leechers) node.meet(...swarm.nodes.filter((other) => other !== node))
    await swarm.until(() => leechers.every((node) => node.torrent.state.kind === 'seeding'), 600_000)
    for (const node of leechers) expect(node.hasAll(source)).toBe(true)
    expect(seed.torrent.view().uploaded).toBeLessThan(4.5 * 4_000_000)
    for (const node of swarm.nodes) await expectClean(node)
  })
})
