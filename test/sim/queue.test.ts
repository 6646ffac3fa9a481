/** The queue with whole torrents: who downloads, who waits, and what nobody hears of. */
import { describe, expect, it } from 'vitest'
import { Commands } from '../../daemon/session/commands.js'
import { Jobs } from '../../daemon/session/jobs.js'
import { Queries } from '../../daemon/session/queries.js'
import type { QueueLimits } from '../../daemon/swarm/queue.js'
import type { Torrent } from '../../daemon/swarm/torrent.js'
import type { TorrentId } from '../../shared/units.js'
import { houseFacts } from '../support/house-facts.js'
import { makeSource, type Node, type Source, Swarm } from '../support/swarm-kit.js'

const MINUTE = 60_000
const CALLER = { via: 'test', name: 'test' } as const
const FIVE: QueueLimits = { download: 5, seed: null, stalled: null }

function commandsOf(node: Node): Commands {
  const { clock, session, store, log, disk } = node
  const queries = new Queries({ session, store })
  const jobs = new Jobs({ clock, log, disk, store, session, queries, crashPoint: () => undefined })
  return new Commands({ clock, session, store, queries, jobs, log })
}

const sourcesOf = (count: number, bytes = 200_000): Source[] =>
  Array.from({ length: count }, (_, at) => makeSource({ name: `t${String(at + 1)}`, files: bytes }))

const kindOf = ({ state }: Torrent): string => (state.kind === 'queued' ? `queued ${state.for}` : state.kind)

function idsIn(node: Node, kind: string): number[] {
  return node.session
    .all()
    .filter((torrent) => kindOf(torrent) === kind)
    .map(({ id }) => id)
}

/** What trackers were told, by torrent. */
function told(node: Node, word: string): number[] {
  return [...node.trackers].flatMap(([id, tracker]) => (tracker.told.includes(word) ? [id] : []))
}

async function stage(count: number, queue: QueueLimits, bytes?: number) {
  const swarm = new Swarm()
  const sources = sourcesOf(count, bytes)
  const seed = swarm.node()
  for (const source of sources) await seed.add(source, { have: true })
  await swarm.until(() => idsIn(seed, 'seeding').length === count)
  const node = swarm.node({ queue })
  for (const source of sources) await node.add(source, { start: false })
  /** The tracker of each that asked names the seed. */
  const meet = (but: (id: number) => boolean = () => false): void => {
    for (const [id, tracker] of node.trackers) if (!but(id)) tracker.asks.found([seed.address])
  }
  return { swarm, seed, node, sources, meet, commands: commandsOf(node) }
}

async function expectClean(node: Node): Promise<void> {
  await node.stop()
  expect(node.disk.slab.available, 'slots').toBe(node.disk.slab.capacity)
  expect(node.session.budget.used, 'connections').toBe(0)
  expect(node.clock.pending, 'timers').toBe(0)
}

describe('fifty torrents, and five at once', () => {
  it('never are more than five, and all are complete in the end', async () => {
    const { swarm, seed, node, meet, commands } = await stage(50, FIVE)
    swarm.network.limit(seed.init.host, 1_000_000, swarm.clock)
    await commands.resume({ ids: 'all' }, CALLER)
    let most = 0
    const stop = swarm.clock.every(100, () => {
      most = Math.max(most, idsIn(node, 'downloading').length)
      meet()
    })
    await swarm.until(() => idsIn(node, 'seeding').length === 50, 60 * MINUTE)
    stop()
    expect(most).toBe(5)
    await expectClean(node)
  })

  it('begin in their order, and only those that begin are announced', async () => {
    const { swarm, node, commands } = await stage(50, FIVE)
    await commands.resume({ ids: 'all' }, CALLER)
    await swarm.run(5000)
    expect(idsIn(node, 'downloading')).toEqual([1, 2, 3, 4, 5])
    expect(idsIn(node, 'queued download')).toHaveLength(45)
    expect(told(node, 'start')).toEqual([1, 2, 3, 4, 5])
    expect(node.session.get(7 as TorrentId)?.view()).toMatchObject({ queuedFor: 'download', queueRank: 7 })
    expect(node.session.get(1 as TorrentId)?.view()).toMatchObject({ queuedFor: null, queueRank: null })

    // After a restart too, and after a kill.
    await node.restart()
    await swarm.run(5000)
    expect(told(node, 'start')).toEqual([1, 2, 3, 4, 5])
    node.kill()
    await node.again()
    await swarm.run(5000)
    expect(told(node, 'start')).toEqual([1, 2, 3, 4, 5])
    expect(idsIn(node, 'queued download')).toHaveLength(45)
  })

  it('are removed together without one that begins; what is not removed waits on', async () => {
    const { swarm, node, commands } = await stage(40, FIVE)
    await commands.resume({ ids: 'all' }, CALLER)
    await swarm.run(5000)
    node.store.failNext('SQLITE_FULL', 'setDesired')
    const kept = await commands.remove({ ids: [40], data: false, now: true }, CALLER)
    expect(kept.results).toMatchObject([{ ok: false }])
    const begun: number[] = []
    for (const { id, member } of node.session.all()) {
      const proceed = member.proceed.bind(member)
      Object.assign(member, {
        proceed: () => {
          begun.push(id)
          proceed()
        },
      })
    }
    const ids = Array.from({ length: 39 }, (_, at) => at + 1)
    const removed = commands.remove({ ids, data: false, now: true }, CALLER)
    await swarm.run(60_000)
    await removed
    expect(begun).toEqual([40])
    expect(idsIn(node, 'downloading')).toEqual([40])
  })

  it('end together without one that begins', async () => {
    const { swarm, node, commands } = await stage(50, FIVE)
    await commands.resume({ ids: 'all' }, CALLER)
    await swarm.run(5000)
    await commands.pause('all', CALLER)
    await swarm.run(5000)
    expect(idsIn(node, 'paused')).toHaveLength(50)
    expect(told(node, 'start')).toEqual([1, 2, 3, 4, 5])
    await expectClean(node)
  })
})

describe('a place', () => {
  it('of one that is paused, is removed or cannot go on is the next one’s at once', async () => {
    const { swarm, node, commands } = await stage(8, { ...FIVE, download: 2 })
    await commands.resume({ ids: 'all' }, CALLER)
    await swarm.run(1000)
    await commands.pause([1], CALLER)
    await swarm.run(1000)
    expect(idsIn(node, 'downloading')).toEqual([2, 3])
    await commands.remove({ ids: [2], data: false }, CALLER)
    await swarm.run(1000)
    expect(idsIn(node, 'downloading')).toEqual([3, 4])
    node.session.get(4 as TorrentId)?.fail(new Error('a bug of the test'))
    await swarm.run(1000)
    expect(idsIn(node, 'downloading')).toEqual([3, 5])
    expect(idsIn(node, 'blocked')).toEqual([4])
    expect(node.session.get(6 as TorrentId)?.view().queueRank).toBe(5)
  })

  it('is not needed for a check, nor by what turns out to be complete', async () => {
    const { swarm, node, sources, commands } = await stage(4, { ...FIVE, download: 1 })
    const [, , third] = sources
    if (third !== undefined) node.putContent(third)
    await commands.resume({ ids: 'all' }, CALLER)
    await swarm.until(() => idsIn(node, 'seeding').length === 1)
    expect(idsIn(node, 'seeding')).toEqual([3])
    expect(idsIn(node, 'downloading')).toEqual([1])
    commands.verify([1, 2])
    await swarm.run(5000)
    expect([...idsIn(node, 'downloading'), ...idsIn(node, 'queued download')].sort()).toEqual([1, 2, 4])
    expect(idsIn(node, 'downloading')).toHaveLength(1)
  })

  it('is given to others by one that stalls, which goes on and is complete too', async () => {
    const { swarm, node, meet, commands } = await stage(12, { ...FIVE, download: 3, stalled: 5 * MINUTE })
    await commands.resume({ ids: 'all' }, CALLER)
    let most = 0
    const dead = (id: number): boolean => id === 2
    const stop = swarm.clock.every(1000, () => {
      const counted = node.session
        .all()
        .filter(({ state, member }) => state.kind === 'downloading' && !node.session.queue.isStalled(member))
      most = Math.max(most, counted.length)
    })
    // None has a peer: after five minutes their places are others'.
    await swarm.run(6 * MINUTE)
    expect(idsIn(node, 'downloading')).toEqual([1, 2, 3, 4, 5, 6])
    const more = swarm.clock.every(5000, () => {
      meet(dead)
    })
    await swarm.until(() => idsIn(node, 'seeding').length === 11, 120 * MINUTE)
    expect(idsIn(node, 'downloading')).toEqual([2])
    meet()
    await swarm.until(() => idsIn(node, 'seeding').length === 12, 10 * MINUTE)
    stop()
    more()
    expect(most).toBe(3)
    await expectClean(node)
  })
})

describe('what a person says', () => {
  it('of the order holds at once, and after a restart', async () => {
    const { swarm, node, commands } = await stage(6, { ...FIVE, download: 2 })
    await commands.resume({ ids: 'all' }, CALLER)
    await swarm.run(1000)
    const ranks = (): number[] => commands.queueing.list().order.map(({ torrent }) => torrent.id)
    await commands.queueing.move({ ids: [6], to: 'top' })
    await swarm.run(1000)
    expect(ranks()).toEqual([6, 1, 2, 3, 4, 5])
    expect(idsIn(node, 'downloading')).toEqual([1, 6])
    await commands.queueing.move({ ids: [1], to: 'bottom' })
    await commands.queueing.move({ ids: [4, 5], to: 2 })
    await commands.queueing.move({ ids: [3], to: 'up' })
    await swarm.run(1000)
    expect(ranks()).toEqual([6, 4, 5, 3, 2, 1])
    expect(idsIn(node, 'downloading')).toEqual([4, 6])
    expect(node.session.get(1 as TorrentId)?.view().queueRank).toBe(6)
    await node.restart()
    await swarm.run(1000)
    expect(idsIn(node, 'downloading')).toEqual([4, 6])
    expect(
      commandsOf(node)
        .queueing.list()
        .order.map(({ torrent }) => torrent.id),
    ).toEqual([6, 4, 5, 3, 2, 1])
  })

  it('of the order changes nothing where it cannot be recorded', async () => {
    const { swarm, node, commands } = await stage(3, { ...FIVE, download: 1 })
    await commands.resume({ ids: 'all' }, CALLER)
    await swarm.run(1000)
    node.store.failNext('SQLITE_FULL', 'setRanks')
    await expect(commands.queueing.move({ ids: [3], to: 'top' })).rejects.toThrow('it stays as it was')
    await swarm.run(1000)
    expect(idsIn(node, 'downloading')).toEqual([1])
  })

  it('starts one past the queue, also after a kill, until it is resumed without that', async () => {
    const { swarm, node, commands } = await stage(4, { ...FIVE, download: 1 })
    await commands.resume({ ids: 'all' }, CALLER)
    await swarm.run(1000)
    await commands.resume({ ids: [3], now: true }, CALLER)
    await swarm.run(1000)
    expect(idsIn(node, 'downloading')).toEqual([1, 3])
    expect(node.session.get(3 as TorrentId)?.view().desired).toBe('forced')
    node.kill()
    await node.again()
    await swarm.run(1000)
    expect(idsIn(node, 'downloading')).toEqual([1, 3])
    await commandsOf(node).resume({ ids: [3] }, CALLER)
    await swarm.run(1000)
    expect(idsIn(node, 'downloading')).toEqual([1])
    expect(idsIn(node, 'queued download')).toEqual([2, 3, 4])
  })

  it('is what `why` tells one that waits', async () => {
    const { swarm, node, commands } = await stage(3, { ...FIVE, download: 1 })
    await commands.resume({ ids: 'all' }, CALLER)
    await swarm.run(1000)
    const queries = new Queries(node)
    const why = await queries.why(3, houseFacts({ queue: { download: 1, seed: null } }))
    expect(why.causes).toEqual([
      {
        kind: 'queued',
        stops: true,
        sentence:
          'It is queued for download at rank 3: 1 torrent downloads at once (queue.downloads), and it begins when a place is free; "torrentinoctl queue 3 --top" puts it first, and "torrentinoctl resume 3 --now" starts it past the queue.',
      },
    ])
  })
})

describe('seeds', () => {
  it('wait too, and what completes where all places are taken stops seeding', async () => {
    const { swarm, node, sources, meet, commands } = await stage(3, {
      download: null,
      seed: 1,
      stalled: null,
    })
    const [first] = sources
    if (first !== undefined) node.putContent(first)
    await commands.resume({ ids: 'all' }, CALLER)
    await swarm.until(() => idsIn(node, 'seeding').length === 1)
    meet()
    await swarm.until(() => idsIn(node, 'queued seed').length === 2, 10 * MINUTE)
    expect(idsIn(node, 'seeding')).toEqual([1])
    expect(node.session.get(3 as TorrentId)?.view()).toMatchObject({ progress: 1, queueRank: 3 })
    expect(told(node, 'completed')).toEqual([2, 3])
    const completed = (await node.store.eventsSince(0, 1000)).filter(({ kind }) => kind === 'completed')
    expect(completed.map(({ torrent }) => torrent)).toEqual([2, 3])
    await commands.pause([1], CALLER)
    await swarm.run(1000)
    expect(idsIn(node, 'seeding')).toEqual([2])
    expect(node.disk.slab.available).toBe(node.disk.slab.capacity)
  })
})
