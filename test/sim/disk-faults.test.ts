/** Disks that fail and files that others change, under whole torrents in virtual time. */
import { describe, expect, it } from 'vitest'
import type { FakeNode } from '../support/fake-files.js'
import { makeSource, type Node, type Source, Swarm } from '../support/swarm-kit.js'

const state = (node: Node): string => node.torrent.state.kind
const PIECE = 65_536

interface Pair {
  readonly swarm: Swarm
  readonly source: Source
  readonly seed: Node
  readonly leecher: Node
}

/** A seed that was checked and a leecher that does not know of it yet. */
async function pair(source = makeSource({ files: 1_000_000 })): Promise<Pair> {
  const swarm = new Swarm()
  const seed = swarm.node()
  const leecher = swarm.node()
  await seed.add(source, { have: true })
  await leecher.add(source)
  await swarm.until(() => state(seed) === 'seeding' && state(leecher) === 'downloading')
  return { swarm, source, seed, leecher }
}

function fileOf(node: Node, path: string): FakeNode {
  const found = node.disk.fs.get(`/data/${path}`)
  if (found === null) throw new Error(`no ${path}`)
  return found
}

const verified = (node: Node): number =>
  node.disk.storages.reduce((sum, storage) => sum + storage.verified, 0)

async function arrives({ swarm, seed, leecher, source }: Pair): Promise<void> {
  // A peer that hung up waits a while before it is dialled again.
  await swarm.until(() => {
    if (state(leecher) === 'downloading') leecher.meet(seed)
    return state(leecher) === 'seeding'
  }, 900_000)
  await swarm.settle()
  expect(leecher.hasAll(source)).toBe(true)
}

describe('a finished file that somebody changes under a seed', () => {
  it.each(['with a new time', 'with its old time put back'])('%s is never sent from', async (how) => {
    const all = await pair()
    const { swarm, seed, leecher } = all
    const file = fileOf(seed, 'source')
    const good = Buffer.from(file.bytes)
    const { mtimeNs } = file
    file.bytes.fill(7, 100_000, 200_000)
    seed.disk.fs.touch(file)
    if (how !== 'with a new time') file.mtimeNs = mtimeNs
    leecher.meet(seed)
    await swarm.until(
      () => state(seed) === 'blocked' && seed.torrent.view().error?.includes('finished') === true,
    )
    expect(seed.torrent.view().error).toBe(
      'A finished file was changed by another program (source); put the old content back, or run "torrentinoctl verify" to fetch it again over the change.',
    )
    expect(leecher.torrent.wasted).toBe(0)
    // Nothing is written over it, and it is hashed once for each change, not for each look.
    const hashed = verified(seed)
    const looks = seed.disk.storages.length
    await swarm.run(60_000)
    expect(seed.disk.storages.length).toBeGreaterThan(looks)
    expect([state(seed), verified(seed)]).toEqual(['blocked', hashed])
    expect(
      fileOf(seed, 'source')
        .bytes.subarray(100_000, 200_000)
        .every((byte) => byte === 7),
    ).toBe(true)
    good.copy(file.bytes)
    seed.disk.fs.touch(file)
    await swarm.until(() => state(seed) === 'seeding')
    await arrives(all)
    expect(leecher.torrent.wasted).toBe(0)
  })

  it('is still not fetched again after a restart, and is when the user says so', async () => {
    const all = await pair()
    const { swarm, seed, leecher, source } = all
    await arrives(all)
    const file = fileOf(seed, 'source')
    file.bytes.fill(7, 100_000, 200_000)
    seed.disk.fs.touch(file)
    await seed.restart()
    leecher.meet(seed)
    // Asleep after an end in order: looked at when somebody asks. After a kill at the start.
    const third = swarm.node()
    await third.add(source)
    await swarm.settle()
    third.meet(seed)
    for (const again of [false, true]) {
      if (again) seed.kill()
      if (again) await seed.again()
      await swarm.until(() => state(seed) === 'blocked', 300_000)
      expect(fileOf(seed, 'source').bytes[100_000]).toBe(7)
    }
    seed.torrent.verify()
    await swarm.until(() => state(seed) === 'downloading')
    await arrives({ ...all, seed: leecher, leecher: seed })
    expect(seed.torrent.view().doneBytes).toBe(1_000_000)
  })

  it('with the same content goes on after a check', async () => {
    const all = await pair()
    const { swarm, seed, leecher } = all
    seed.disk.fs.touch(fileOf(seed, 'source'))
    leecher.meet(seed)
    await swarm.until(() => state(seed) === 'blocked')
    expect(seed.torrent.view().error).toBe(
      '/data/source was changed by another program; it is checked again.',
    )
    await swarm.until(() => state(seed) === 'seeding')
    await arrives(all)
  })
})

describe('a disk that cannot read', () => {
  it('what a sync did not bring there writes back what a check finds of it, and nothing else', async () => {
    const world = await pair(makeSource({ files: 2_000_000 }))
    const { swarm, leecher, seed } = world
    swarm.network.limit(seed.init.host, 200_000, swarm.clock)
    leecher.meet(seed)
    await swarm.until(() => leecher.torrent.view().doneBytes > 0)
    leecher.disk.fail({ operation: 'sync', code: 'EIO', times: 1 })
    await swarm.until(() => state(leecher) === 'blocked')
    const bits = (await leecher.store.have(leecher.torrent.id)).bits ?? new Uint8Array()
    const isRecorded = (piece: number): boolean => ((bits[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0
    expect(world.source.meta.pieceCount).toBeGreaterThan(1)
    expect(isRecorded(0) || bits.some((byte) => byte !== 0)).toBe(true)
    leecher.torrent.verify()
    await arrives(world)
    const doubted = leecher.disk.storages.flatMap((storage) => storage.doubted)
    expect(doubted.length).toBeGreaterThan(0)
    expect(doubted.filter(isRecorded)).toEqual([])
  })

  it('one piece, costs that piece, which is fetched again; the tracker hears of no second completion', async () => {
    const all = await pair()
    const { swarm, seed, leecher, source } = all
    const third = swarm.node()
    await third.add(source, { have: true })
    seed.disk.fail({ operation: 'read', code: 'EIO', times: 1 })
    leecher.meet(seed)
    await swarm.until(() => state(seed) === 'downloading')
    await swarm.settle()
    expect(seed.torrent.view()).toMatchObject({ error: null, doneBytes: 1_000_000 - PIECE })
    const rows = await seed.store.have(seed.torrent.id)
    expect(rows.bits?.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)).toBe(15)
    expect(leecher.torrent.wasted).toBe(0)
    seed.meet(third)
    await swarm.until(() => state(seed) === 'seeding', 120_000)
    await swarm.settle()
    expect(seed.hasAll(source)).toBe(true)
    expect(seed.tracker.told).not.toContain('completed')
    await arrives(all)
  })

  it('three pieces, blocks, and goes on by itself when it can', async () => {
    const all = await pair()
    const { swarm, seed, leecher, source } = all
    const third = swarm.node()
    await third.add(source, { have: true })
    seed.disk.fail({ operation: 'read', code: 'EIO' })
    leecher.meet(seed)
    await swarm.until(() => state(seed) === 'blocked')
    expect(seed.torrent.view().error).toMatch(/^The disk failed to read \/data\/source/)
    expect(seed.torrent.view().doneBytes).toBeLessThan(1_000_000)
    seed.disk.heal()
    await swarm.until(() => {
      if (state(seed) === 'downloading') seed.meet(third)
      return state(seed) === 'seeding'
    }, 300_000)
    await arrives(all)
  })
})

describe('a download that ends', () => {
  it('where its name is taken is complete, and announced, only when it has it', async () => {
    const all = await pair()
    const { swarm, seed, leecher, source } = all
    swarm.network.limit(seed.init.host, 200_000, swarm.clock)
    leecher.meet(seed)
    await swarm.until(() => leecher.torrent.view().progress > 0)
    leecher.disk.fs.writeFile('/data/source', Buffer.from('mine'))
    await swarm.until(() => state(leecher) === 'blocked')
    expect(leecher.torrent.view()).toMatchObject({ completedAt: null })
    expect(leecher.tracker.told).not.toContain('completed')
    leecher.disk.fs.nodes.delete('/data/source')
    await swarm.until(() => state(leecher) === 'seeding')
    expect(leecher.torrent.view().completedAt).not.toBeNull()
    expect(leecher.tracker.told.filter((word) => word === 'completed')).toHaveLength(1)
    expect(leecher.hasAll(source)).toBe(true)
  })
})

describe('a volume', () => {
  /** The leecher's folder lies on a volume of its own. */
  async function foreign(): Promise<Pair & { readonly away: () => () => void }> {
    const swarm = new Swarm()
    const source = makeSource({ files: 1_000_000 })
    const seed = swarm.node()
    const leecher = swarm.node()
    let device = '7'
    const settle = (): void => {
      leecher.disk.volumeOf = (dir) => (dir === '/data' ? device : '1')
    }
    settle()
    swarm.network.limit(seed.init.host, 200_000, swarm.clock)
    await seed.add(source, { have: true })
    await leecher.add(source)
    await swarm.until(() => state(seed) === 'seeding' && state(leecher) === 'downloading')
    const away = (): (() => void) => {
      const { nodes } = leecher.disk.fs
      const kept = [...nodes].filter(([path]) => path.startsWith('/data/'))
      for (const [path] of kept) nodes.delete(path)
      device = '1'
      return () => {
        for (const [path, node] of kept) nodes.set(path, node)
        // Mounted anew it has another number.
        device = '8'
      }
    }
    return { swarm, source, seed, leecher, away }
  }
  const mark = '/data/.torrentino-volume'

  it('of its own gets a mark, that of the home none', async () => {
    const { seed, leecher } = await foreign()
    expect(leecher.disk.fs.content(mark)?.toString()).toMatch(/^[0-9a-f]{32}/)
    expect(seed.disk.fs.get(mark)).toBeNull()
  })

  it.each(['downloads', 'is paused', 'seeds'])(
    'that goes while the torrent %s blocks it, nothing is made, and it goes on',
    async (when) => {
      const all = await foreign()
      const { swarm, seed, leecher } = all
      leecher.meet(seed)
      await swarm.until(() => leecher.torrent.view().progress > 0.3)
      if (when === 'seeds') await swarm.until(() => state(leecher) === 'seeding', 120_000)
      if (when !== 'downloads') {
        leecher.torrent.pause()
        await swarm.until(() => state(leecher) === 'paused')
      }
      const back = all.away()
      if (when !== 'downloads') leecher.torrent.start()
      await swarm.until(() => state(leecher) === 'blocked')
      await swarm.run(15_000)
      expect(leecher.torrent.view().error).toBe(
        'The volume of /data is not there, or another one is in its place; the torrent goes on by itself when it is back, or with what is there now after "torrentinoctl verify".',
      )
      await swarm.run(120_000)
      expect(state(leecher)).toBe('blocked')
      expect([...leecher.disk.fs.nodes.keys()].filter((path) => path.startsWith('/data/'))).toEqual([])
      const hashed = verified(leecher)
      back()
      await swarm.until(() => state(leecher) !== 'blocked', 15_000)
      await swarm.until(() => leecher.torrent.isRunning)
      if (when !== 'downloads') expect(verified(leecher)).toBe(hashed)
      await arrives(all)
    },
  )

  it('that is another one is left alone, until the user takes it', async () => {
    const all = await foreign()
    const { swarm, seed, leecher } = all
    leecher.torrent.pause()
    await swarm.until(() => state(leecher) === 'paused')
    leecher.disk.fs.writeFile(mark, Buffer.from('0'.repeat(32)))
    leecher.torrent.start()
    await swarm.until(() => state(leecher) === 'blocked')
    await swarm.run(60_000)
    expect(leecher.disk.fs.content(mark)?.toString()).toBe('0'.repeat(32))
    leecher.torrent.verify()
    await swarm.until(() => state(leecher) === 'downloading')
    leecher.meet(seed)
    await arrives(all)
  })
})

describe('room', () => {
  it('that is too little keeps a download from starting, says how much is missing, and lets it start', async () => {
    const all = await pair()
    const { swarm, leecher } = all
    leecher.torrent.pause()
    await swarm.until(() => state(leecher) === 'paused')
    leecher.disk.reserve = 500_000
    leecher.disk.freeBytes = 1_000_000
    leecher.torrent.start()
    await swarm.until(() => state(leecher) === 'blocked')
    expect(leecher.torrent.view().error).toBe(
      'No space left in /data: 488 KiB more are needed; the download goes on by itself when there is room.',
    )
    leecher.disk.freeBytes = 1_400_000
    await swarm.run(10_000)
    expect(leecher.torrent.view().error).toContain('97.7 KiB more')
    leecher.disk.freeBytes = 1_500_000
    await swarm.until(() => state(leecher) === 'downloading', 60_000)
    await arrives(all)
  })

  it('that goes below the reserve while it downloads blocks it, before the volume is full', async () => {
    const all = await pair()
    const { swarm, seed, leecher } = all
    swarm.network.limit(seed.init.host, 100_000, swarm.clock)
    leecher.meet(seed)
    await swarm.until(() => leecher.torrent.view().progress > 0.1)
    leecher.disk.reserve = 500_000
    leecher.disk.freeBytes = 400_000
    await swarm.until(() => state(leecher) === 'blocked')
    expect(leecher.torrent.view().error).toMatch(/^No space left in \/data: \S+ [KM]iB more are needed;/)
    leecher.disk.freeBytes = 10_000_000
    await arrives(all)
  })
})
