/** A torrent through everything that may happen to it: stops, kills, full disks, missing files, other choices. */
import { describe, expect, it, vi } from 'vitest'
import { USUAL_ORDER } from '../../daemon/swarm/wishes.js'
import { Commands } from '../../daemon/session/commands.js'
import { Jobs } from '../../daemon/session/jobs.js'
import { Queries } from '../../daemon/session/queries.js'
import { UnchokeShare } from '../../daemon/swarm/unchoke-share.js'
import * as raw from '../support/raw-peer.js'
import { makeSource, type Node, type Source, Swarm } from '../support/swarm-kit.js'

interface Pair {
  readonly swarm: Swarm
  readonly seed: Node
  readonly leecher: Node
  readonly source: Source
}

/** A seed that sends 200 kB/s, and a leecher that has begun. */
async function pair(init: { readonly source?: Source; readonly rate?: number } = {}): Promise<Pair> {
  const swarm = new Swarm()
  const source = init.source ?? makeSource({ files: 2_000_000 })
  const seed = swarm.node()
  const leecher = swarm.node()
  swarm.network.limit(seed.init.host, init.rate ?? 200_000, swarm.clock)
  await seed.add(source, { have: true })
  await leecher.add(source)
  await swarm.until(
    () => seed.torrent.state.kind === 'seeding' && leecher.torrent.state.kind === 'downloading',
  )
  leecher.meet(seed)
  return { swarm, seed, leecher, source }
}

const state = (node: Node): string => node.torrent.state.kind
const verifies = (node: Node): number =>
  node.disk.storages.reduce((sum, storage) => sum + storage.verified, 0)

async function middle({ swarm, leecher }: Pair): Promise<void> {
  await swarm.until(() => leecher.torrent.view().progress > 0.4)
}

async function finish({ swarm, leecher, seed, source }: Pair): Promise<void> {
  leecher.meet(seed)
  await swarm.until(() => state(leecher) === 'seeding', 120_000)
  await swarm.settle()
  expect(leecher.hasAll(source)).toBe(true)
}

describe('the threads that hash', () => {
  it('are started for a torrent that will download, and not for one that seeds', async () => {
    const { seed, leecher } = await pair()
    expect(leecher.disk.storages.map((storage) => storage.expected)).toEqual([true])
    expect(seed.disk.storages.some((storage) => storage.expected)).toBe(false)
  })
})

describe('files', () => {
  it('of every kind arrive: nested, empty, padded', async () => {
    const source = makeSource({
      name: 'album',
      files: [
        { path: 'a/one', length: 100_000 },
        { path: '.pad/31072', length: 31_072, pad: true },
        { path: 'empty', length: 0 },
        { path: 'a/b/two', length: 1 },
        { path: 'three', length: 200_000 },
      ],
    })
    const all = await pair({ source })
    await finish(all)
    const { leecher } = all
    expect(leecher.file('album/empty')?.length).toBe(0)
    expect([...leecher.disk.fs.nodes.keys()].filter((path) => path.includes('.pad'))).toEqual([])
    expect([...leecher.disk.fs.nodes.keys()].filter((path) => path.endsWith('.part'))).toEqual([])
  })

  it('that are chosen come first, others when they are chosen', async () => {
    const source = makeSource({
      name: 'album',
      files: ['a', 'b', 'c', 'd'].map((path) => ({ path, length: 150_000 })),
    })
    const swarm = new Swarm()
    const seed = swarm.node()
    const leecher = swarm.node()
    await seed.add(source, { have: true })
    await leecher.add(source, { unwanted: [0, 2, 3] })
    await swarm.settle()
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding')
    expect(leecher.torrent.view()).toMatchObject({ wantedBytes: 150_000, doneBytes: 150_000, progress: 1 })
    await swarm.settle()
    expect(leecher.file('album/b')?.equals(source.contents[1] ?? Buffer.alloc(0))).toBe(true)
    expect(leecher.file('album/d')).toBeNull()
    expect(leecher.disk.fs.get('/data/album/d.part')).toBeNull()
    await leecher.store.setWishes(leecher.torrent.id, [], 600_000, 150_000)
    leecher.torrent.select({ wishes: [], order: USUAL_ORDER })
    await swarm.until(() => leecher.torrent.view().doneBytes === 600_000, 120_000)
    expect(state(leecher)).toBe('seeding')
    await swarm.settle()
    expect(leecher.hasAll(source)).toBe(true)
  })

  it('that are chosen while the torrent sleeps are downloaded', async () => {
    const source = makeSource({
      name: 'album',
      files: [...['a', 'b'].map((path) => ({ path, length: 150_000 })), { path: 'empty', length: 0 }],
    })
    const swarm = new Swarm()
    const seed = swarm.node()
    const leecher = swarm.node()
    await seed.add(source, { have: true })
    await leecher.add(source, { unwanted: [1, 2] })
    await swarm.settle()
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding')
    await swarm.run(600_000)
    await leecher.restart()
    await swarm.settle()
    expect(state(leecher)).toBe('seeding')
    // As the command does it: the data are loaded, the choice made durable, then told.
    await leecher.store.setWishes(leecher.torrent.id, [], 300_000, 150_000)
    leecher.torrent.withLive(() => undefined)
    await swarm.settle()
    leecher.torrent.select({ wishes: [], order: USUAL_ORDER })
    await swarm.settle()
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding', 120_000)
    await swarm.settle()
    expect(leecher.hasAll(source)).toBe(true)
  })
})

describe('stops', () => {
  it('pause in the middle, and go on where it was', async () => {
    const all = await pair()
    const { swarm, leecher } = all
    await middle(all)
    let paused = false
    leecher.torrent.pause(() => (paused = true))
    await swarm.until(() => paused)
    expect(state(leecher)).toBe('paused')
    expect(leecher.session.budget.used).toBe(0)
    expect(leecher.disk.slab.available).toBe(leecher.disk.slab.capacity)
    const { doneBytes, wantedBytes } = leecher.torrent.view()
    expect(doneBytes).toBeGreaterThan(0.4 * wantedBytes)
    await swarm.run(30_000)
    expect(leecher.torrent.view().doneBytes).toBe(doneBytes)
    leecher.torrent.start()
    await swarm.until(() => state(leecher) === 'downloading')
    expect(leecher.torrent.view().doneBytes).toBe(doneBytes)
    expect(verifies(leecher)).toBe(0)
    await finish(all)
    expect(leecher.torrent.view().downloaded).toBeLessThan(1.3 * wantedBytes)
  })

  it('restart believes what is recorded without reading it', async () => {
    const all = await pair()
    const { swarm, leecher } = all
    await middle(all)
    await leecher.restart()
    await swarm.until(() => state(leecher) === 'downloading')
    expect(leecher.torrent.view().progress).toBeGreaterThan(0.4)
    expect(leecher.disk.storages.map(({ verified, sniffed }) => [verified, sniffed])).toEqual([[0, 0]])
    await finish(all)
  })

  it('a complete torrent restarts asleep, and wakes for a peer', async () => {
    const all = await pair({ rate: 10_000_000 })
    const { swarm, leecher, source } = all
    await finish(all)
    await leecher.restart()
    await swarm.settle()
    expect(state(leecher)).toBe('seeding')
    expect(leecher.disk.storages).toEqual([])
    const other = swarm.node()
    await other.add(source)
    await swarm.settle()
    other.meet(leecher)
    await swarm.until(() => state(other) === 'seeding')
    expect(other.hasAll(source)).toBe(true)
    expect(leecher.disk.storages.length).toBe(1)
    // Nobody comes any more: it gives its memory back.
    await swarm.run(200_000)
    expect(leecher.disk.storages[0]?.closed).toBe(true)
    expect(state(leecher)).toBe('seeding')
  })

  it('a kill loses nothing that is recorded, and finds what is not', async () => {
    const all = await pair()
    const { swarm, leecher } = all
    await middle(all)
    // Written, and no round has recorded it: only a look at the disk can find it.
    leecher.disk.hold('sync')
    await swarm.run(2000)
    const before = leecher.torrent.view()
    const [storage] = leecher.disk.storages.slice(-1)
    expect(storage).toBeDefined()
    leecher.kill()
    await leecher.again()
    await swarm.until(() => state(leecher) === 'downloading')
    const after = leecher.torrent.view()
    expect(after.doneBytes).toBeGreaterThan(before.doneBytes)
    const { verified, sniffed } = leecher.disk.storages[0] ?? { verified: 0, sniffed: 0 }
    expect(sniffed).toBeGreaterThan(0)
    expect(verified).toBeLessThan(10)
    await finish(all)
  })

  it('verify on a paused torrent ends paused', async () => {
    const all = await pair()
    const { swarm, leecher } = all
    await middle(all)
    leecher.torrent.pause()
    await swarm.until(() => state(leecher) === 'paused')
    const { doneBytes } = leecher.torrent.view()
    leecher.torrent.verify()
    expect(state(leecher)).not.toBe('paused')
    await swarm.until(() => state(leecher) === 'paused')
    expect(verifies(leecher)).toBe(31)
    expect(leecher.torrent.view().doneBytes).toBe(doneBytes)
    expect(leecher.tracker.told.filter((said) => said === 'start').length).toBe(1)
  })

  it('pause right after verify tells the tracker', async () => {
    const all = await pair()
    const { swarm, leecher } = all
    await middle(all)
    leecher.torrent.verify()
    leecher.torrent.pause()
    await swarm.until(() => state(leecher) === 'paused')
    expect(leecher.tracker.told).toContain('stop')
  })

  it('verify finds what was damaged, and gets it again', async () => {
    const all = await pair({ rate: 10_000_000 })
    const { swarm, leecher, seed, source } = all
    await finish(all)
    const node = leecher.disk.fs.get('/data/source')
    node?.bytes.fill(1, 100_000, 100_010)
    leecher.torrent.verify()
    await swarm.until(() => state(leecher) === 'downloading')
    expect(leecher.torrent.view().doneBytes).toBe(2_000_000 - 65_536)
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding', 120_000)
    await swarm.settle()
    expect(leecher.hasAll(source)).toBe(true)
  })
})

describe('trouble', () => {
  it('missing files block, and it goes on by itself when they are back', async () => {
    const all = await pair({ rate: 10_000_000 })
    const { swarm, leecher } = all
    await finish(all)
    leecher.torrent.pause()
    await swarm.until(() => state(leecher) === 'paused')
    const node = leecher.disk.fs.get('/data/source')
    if (node === null) throw new Error('no file')
    leecher.disk.fs.nodes.delete('/data/source')
    leecher.torrent.start()
    await swarm.until(() => state(leecher) === 'blocked')
    expect(leecher.torrent.view().error).toContain('missing')
    const events = leecher.store.calls.filter((call) => call === 'appendEvent').length
    await swarm.run(600_000)
    expect(state(leecher)).toBe('blocked')
    // It tries every few seconds; that it fails alike is no news for the journal.
    expect(leecher.store.calls.filter((call) => call === 'appendEvent').length).toBe(events)
    leecher.disk.fs.nodes.set('/data/source', node)
    await swarm.until(() => state(leecher) === 'seeding')
    expect(leecher.torrent.view().error).toBeNull()
    await swarm.run(1000)
    const journal = await leecher.store.eventsSince(0, 100)
    const told = journal.filter(({ kind }) => kind === 'blocked' || kind === 'recovered')
    expect(told.map(({ kind, data }) => [kind, data['name'], data['reason']])).toEqual([
      ['blocked', 'source', expect.stringContaining('missing')],
      ['recovered', 'source', told[0]?.data['reason']],
    ])
  })

  it.each([
    ['in order', 'over while the daemon was not there', true],
    ['in order', 'over later', false],
    ['by kill -9', 'over later', false],
  ])('what was told before an end %s is told to be over, once (%s)', async (end, _when, healed) => {
    const swarm = new Swarm()
    const node = swarm.node()
    await node.add(makeSource({ files: 100_000 }))
    await swarm.until(() => state(node) === 'downloading')
    node.torrent.pause()
    await swarm.until(() => state(node) === 'paused')
    const folder = node.disk.fs.get('/data')
    if (folder === null) throw new Error('no folder')
    node.disk.fs.nodes.delete('/data')
    node.torrent.start()
    await swarm.until(() => state(node) === 'blocked')
    await swarm.run(1000)
    if (end === 'in order') await node.stop()
    else node.kill()
    if (healed) node.disk.fs.nodes.set('/data', folder)
    await swarm.run(3_600_000)
    await node.again()
    await swarm.run(120_000)
    expect(state(node)).toBe(healed ? 'downloading' : 'blocked')
    node.disk.fs.nodes.set('/data', folder)
    await swarm.until(() => state(node) === 'downloading')
    await swarm.run(120_000)
    const journal = await node.store.eventsSince(0, 100)
    const told = journal.filter(({ kind }) => kind === 'blocked' || kind === 'recovered')
    expect(told.map(({ kind, data }) => [kind, data['reason']])).toEqual([
      ['blocked', expect.stringContaining('/data is not there')],
      ['recovered', told[0]?.data['reason']],
    ])
    await node.restart()
    await swarm.run(120_000)
    expect((await node.store.blocked()).size).toBe(0)
    expect((await node.store.eventsSince(0, 100)).filter(({ kind }) => kind === 'recovered')).toHaveLength(1)
  })

  it('a folder that is gone blocks, and it goes on when the folder is back', async () => {
    const all = await pair({ rate: 10_000_000 })
    const { swarm, leecher } = all
    await finish(all)
    leecher.torrent.pause()
    await swarm.until(() => state(leecher) === 'paused')
    const kept = [...leecher.disk.fs.nodes].filter(([path]) => path.startsWith('/data'))
    for (const [path] of kept) leecher.disk.fs.nodes.delete(path)
    leecher.torrent.start()
    await swarm.until(() => state(leecher) === 'blocked')
    expect(leecher.torrent.view().error).toContain('/data')
    await swarm.run(60_000)
    for (const [path, node] of kept) leecher.disk.fs.nodes.set(path, node)
    await swarm.until(() => state(leecher) === 'seeding')
  })

  it('a full disk blocks, and the download goes on when there is room', async () => {
    const all = await pair()
    const { swarm, leecher } = all
    await middle(all)
    leecher.disk.fail({ operation: 'write', code: 'ENOSPC' })
    leecher.disk.freeBytes = 0
    await swarm.until(() => state(leecher) === 'blocked')
    expect(leecher.torrent.view().error).toContain('No space')
    await swarm.run(300_000)
    expect(state(leecher)).toBe('blocked')
    expect(leecher.disk.slab.available).toBe(leecher.disk.slab.capacity)
    expect(leecher.session.budget.used).toBe(0)
    leecher.disk.heal()
    leecher.disk.freeBytes = 1e12
    await swarm.until(() => state(leecher) === 'downloading')
    await finish(all)
  })

  it('a sync that fails voids what it covered, and it is fetched again', async () => {
    const all = await pair()
    const { swarm, leecher } = all
    await middle(all)
    leecher.disk.fail({ operation: 'sync', code: 'EIO', times: 1 })
    await swarm.until(() => state(leecher) === 'blocked')
    await swarm.until(() => state(leecher) === 'downloading')
    await finish(all)
  })

  it('a store that fails stops neither the download nor a pause', async () => {
    const all = await pair()
    const { swarm, leecher } = all
    await middle(all)
    leecher.store.failWrites('SQLITE_FULL')
    const before = leecher.torrent.view()
    await swarm.run(5000)
    expect(state(leecher)).toBe('downloading')
    expect(leecher.torrent.view().error).toContain('The volume of the database is full')
    expect(leecher.torrent.view().downloaded).toBeGreaterThan(before.downloaded)
    let paused = false
    leecher.torrent.pause(() => (paused = true))
    await swarm.until(() => paused)
    leecher.torrent.start()
    await swarm.run(10_000)
    leecher.store.failWrites(null)
    await swarm.run(10_000)
    expect(leecher.torrent.view().error).toBeNull()
    await finish(all)
  })

  it('a store that fails does not keep the daemon from ending', async () => {
    const all = await pair()
    await middle(all)
    all.leecher.store.failWrites('SQLITE_FULL')
    await all.leecher.stop()
    expect(all.leecher.clock.pending).toBe(0)
  })

  it('a file in the way blocks with its name, and the download ends when it is gone', async () => {
    const all = await pair()
    const { swarm, leecher, source } = all
    await middle(all)
    leecher.disk.fs.writeFile('/data/source', Buffer.from('mine'))
    await swarm.until(() => state(leecher) === 'blocked')
    expect(leecher.torrent.view().error).toContain('/data/source')
    expect(leecher.file('source')?.toString()).toBe('mine')
    leecher.disk.fs.nodes.delete('/data/source')
    await swarm.until(() => state(leecher) === 'seeding', 120_000)
    await swarm.settle()
    expect(leecher.hasAll(source)).toBe(true)
  })
})

describe('removal', () => {
  it('with data leaves what is not its own', async () => {
    const source = makeSource({
      name: 'album',
      files: ['a', 'b/c'].map((path) => ({ path, length: 150_000 })),
    })
    const all = await pair({ source, rate: 10_000_000 })
    const { swarm, leecher } = all
    await finish(all)
    leecher.disk.fs.writeFile('/data/album/b/mine', Buffer.from('mine'))
    const { torrent } = leecher
    let paused = false
    torrent.pause(() => (paused = true))
    await swarm.until(() => paused)
    let answer: unknown = 'none'
    torrent.removeData((fault) => (answer = fault))
    await swarm.settle()
    expect(answer).toBeNull()
    expect([...leecher.disk.fs.nodes.keys()].filter((path) => path.startsWith('/data/')).sort()).toEqual([
      '/data/album',
      '/data/album/b',
      '/data/album/b/mine',
    ])
    leecher.session.forget(torrent)
    await swarm.run(120_000)
    expect(leecher.clock.pending).toBe(0)
  })

  it('that fails leaves a torrent that can be started again', async () => {
    const all = await pair({ rate: 10_000_000 })
    const { swarm, leecher, source } = all
    await finish(all)
    const { torrent } = leecher
    let paused = false
    torrent.pause(() => (paused = true))
    await swarm.until(() => paused)
    leecher.disk.fail({ operation: 'unlink', code: 'EACCES' })
    await leecher.store.clearHave(torrent.id)
    let answer: unknown = 'none'
    torrent.removeData((fault) => (answer = fault))
    await swarm.settle()
    expect(answer).toMatchObject({ code: 'EACCES' })
    torrent.start()
    await swarm.until(() => state(leecher) === 'seeding')
    expect(verifies(leecher)).toBe(31)
    expect(leecher.hasAll(source)).toBe(true)
  })
})

describe('removal', () => {
  const caller = { via: 'socket', name: 'test' } as const
  const commandsOf = ({ session, store, log, disk, clock }: Node): Commands => {
    const queries = new Queries({ session, store })
    const jobs = new Jobs({ clock, log, disk, store, session, queries, crashPoint: () => undefined })
    return new Commands({ clock, session, store, log, queries, jobs })
  }

  it('gives back its part of the upload slots, whose owners are asked about them', async () => {
    let seats = 0
    const join = UnchokeShare.prototype.join
    const spy = vi.spyOn(UnchokeShare.prototype, 'join').mockImplementation(function (this: UnchokeShare) {
      seats++
      const seat = join.call(this)
      const { leave } = seat
      return Object.assign(Object.create(seat) as typeof seat, {
        leave: () => {
          seats--
          leave()
        },
      })
    })
    const all = await pair()
    await middle(all)
    const before = seats
    const removing = commandsOf(all.leecher).remove({ ids: [1], data: true }, caller)
    await all.swarm.run(1000)
    await removing
    expect([before, seats]).toEqual([2, 1])
    spy.mockRestore()
  })

  it.each([true, false])('wins over a resume that comes in the middle (data: %s)', async (data) => {
    const all = await pair()
    const { swarm, leecher } = all
    await middle(all)
    const commands = commandsOf(leecher)
    const { torrent } = leecher
    const removing = commands.remove({ ids: [1], data }, caller)
    for (let i = 0; i < 30; i++) {
      await Promise.resolve()
      torrent.start()
    }
    const twice = commands.remove({ ids: [1], data }, caller)
    await swarm.run(1000)
    expect((await removing).results).toMatchObject([{ ok: true }])
    expect((await twice).results.length).toBe(1)
    expect(torrent.state.kind).toBe('paused')
    expect(leecher.session.all()).toEqual([])
    expect(leecher.session.budget.used).toBe(0)
    expect(leecher.disk.fs.get('/data/source.part') === null).toBe(data)
    await swarm.run(120_000)
    expect(leecher.clock.pending).toBe(0)
  })

  it('that the disk refuses leaves a paused torrent that can go on', async () => {
    const all = await pair()
    const { swarm, leecher } = all
    await middle(all)
    leecher.disk.fail({ operation: 'unlink', code: 'EACCES' })
    const removing = commandsOf(leecher).remove({ ids: [1], data: true }, caller)
    await swarm.run(1000)
    expect((await removing).results).toMatchObject([{ ok: false }])
    expect(state(leecher)).toBe('paused')
    leecher.torrent.start()
    await swarm.until(() => state(leecher) === 'downloading')
    await finish(all)
  })
})

describe('connections', () => {
  it('of a daemon with itself end, and are not tried again', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 100_000 })
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    node.meet(node)
    await swarm.run(300_000)
    expect(swarm.network.lines.length).toBe(1)
    expect(node.session.budget.used).toBe(0)
  })

  it('that cross become one', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 4_000_000 })
    const a = swarm.node()
    const b = swarm.node()
    for (const node of [a, b]) swarm.network.limit(node.init.host, 20_000, swarm.clock)
    await a.add(source, { have: true })
    await b.add(source)
    await swarm.until(() => state(a) === 'seeding')
    a.meet(b)
    b.meet(a)
    await swarm.run(5000)
    expect(a.torrent.connected).toBe(1)
    expect(b.torrent.connected).toBe(1)
    expect(swarm.network.open(a.init.host).length).toBe(1)
    expect(a.session.budget.used).toBe(1)
    expect(b.session.budget.used).toBe(1)
  })

  it('stay below the limits', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 100_000 })
    const node = swarm.node({ maxPeers: 3, maxConnections: 5 })
    await node.add(source)
    await swarm.settle()
    for (let i = 1; i <= 6; i++) raw.rawPeer(swarm, node, source, `10.1.0.${String(i)}`)
    await swarm.settle()
    expect(node.torrent.connected).toBe(3)
    expect(node.session.budget.used).toBe(3)
    expect(node.reasons).toEqual(['too-many-peers', 'too-many-peers', 'too-many-peers'])
  })
})
