/** A volume that does not answer, ever: what waits for it, and what must not. */
import { describe, expect, it } from 'vitest'
import { Jobs } from '../../daemon/session/jobs.js'
import { Queries } from '../../daemon/session/queries.js'
import { RpcError } from '../../shared/rpc/errors.js'
import type { TrackerView } from '../../shared/views.js'
import { makeSource, type Node, type Source, Swarm } from '../support/swarm-kit.js'

const caller = { via: 'socket', name: 'test' } as const
const one = (name: string): Source => makeSource({ name, files: [{ path: 'a', length: 20_000 }] })

function jobsOf({ session, store, log, disk, clock }: Node): Jobs {
  const queries = new Queries({ session, store })
  return new Jobs({ clock, log, disk, store, session, queries, crashPoint: () => undefined })
}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined)

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => 'nothing was refused',
    (why: unknown) => why,
  )
  return error instanceof RpcError ? error.message : String(error)
}

describe('a move', () => {
  it('to a volume that does not answer is refused, and may be asked for again', async () => {
    const swarm = new Swarm()
    const node = swarm.node()
    const { id } = await node.add(one('x'), { have: true })
    await swarm.run(1000)
    const jobs = jobsOf(node)
    node.disk.hold('stat')
    const hangs = refusal(jobs.move({ id, dir: '/dead' }, caller))
    await swarm.run(179_000)
    expect(await refusal(jobs.move({ id, dir: '/new' }, caller))).toMatch('is being moved already')
    await swarm.run(1000)
    expect(await hangs).toBe(
      '/dead does not answer; see whether its volume is well, or move it to another folder.',
    )
    node.disk.letGo('stat')
    expect((await jobs.move({ id, dir: '/new' }, caller)).job).not.toBeNull()
    await swarm.run(1000)
    expect(node.torrent.dir).toBe('/new')
  })

  it('whose torrent cannot be read may be asked for again', async () => {
    const swarm = new Swarm()
    const node = swarm.node()
    const { id } = await node.add(one('x'), { have: true })
    await swarm.run(1000)
    const jobs = jobsOf(node)
    node.store.failNext('SQLITE_IOERR', 'metainfo')
    await expect(jobs.move({ id, dir: '/new' }, caller)).rejects.toThrow('SQLITE_IOERR')
    expect((await jobs.move({ id, dir: '/new' }, caller)).job).not.toBeNull()
  })
})

describe('a torrent whose volume does not answer', () => {
  const sentence =
    '/data does not answer; see whether its volume is well: the torrent goes on by itself when it does.'

  it('is blocked at its start with a sentence, and goes on by itself when it answers', async () => {
    const swarm = new Swarm()
    const node = swarm.node()
    await node.add(one('x'), { have: true })
    await swarm.run(1000)
    node.kill()
    await node.again(() => {
      node.disk.hold('stat')
      node.disk.silentAt = () => swarm.clock.now() > 30_000
      return node.session.restore()
    })
    await swarm.run(120_000)
    expect(node.torrent.view()).toMatchObject({ state: 'blocked', error: sentence })
    node.disk.silentAt = () => false
    node.disk.letGo('stat')
    await swarm.run(30_000)
    expect(node.torrent.view()).toMatchObject({ state: 'seeding', error: null })
  })

  it('while it seeds says so, and is not stopped', async () => {
    const swarm = new Swarm()
    const node = swarm.node()
    await node.add(one('x'), { have: true })
    await swarm.run(1000)
    node.disk.silentAt = (dir) => dir === '/data'
    expect(node.torrent.view()).toMatchObject({ state: 'seeding', error: sentence })
    node.disk.silentAt = (dir) => dir === '/other'
    expect(node.torrent.view()).toMatchObject({ state: 'seeding', error: null })
  })
})

describe('a seed that sleeps', () => {
  it('and looks for peers while its volume does not answer is not blocked when that does', async () => {
    const swarm = new Swarm()
    const node = swarm.node()
    await node.add(one('x'), { have: true })
    await swarm.run(1000)
    await node.restart()
    await swarm.settle()
    expect(node.disk.storages).toEqual([])
    const leechers = { url: '', tier: 0, leechers: 1 } as unknown as TrackerView
    Object.assign(node.tracker, { views: () => [leechers] })
    node.disk.hold('stat')
    node.meet({ address: { host: '10.0.9.9', port: 6881, family: 4 } })
    await swarm.run(65_000)
    expect(node.disk.storages).toHaveLength(1)
    node.disk.letGo('stat')
    await swarm.run(1000)
    expect(node.torrent.state.kind).toBe('seeding')
    expect((await node.store.eventsSince(0, 100)).map(({ kind }) => kind)).not.toContain('blocked')
  })
})

describe('the end of the daemon', () => {
  it('does not wait for a removal that hangs', async () => {
    const swarm = new Swarm()
    const node = swarm.node()
    const torrent = await node.add(one('x'), { have: true })
    await swarm.run(1000)
    const jobs = jobsOf(node)
    node.disk.hold('unlink')
    void jobs.remove(torrent, caller)
    await swarm.run(1000)
    let over = false
    void jobs.stop().then(() => (over = true))
    await swarm.run(999)
    expect(over).toBe(false)
    await swarm.run(1)
    expect(over).toBe(true)
  })

  it('is in order for all torrents but the one that hangs, and not called clean', async () => {
    const swarm = new Swarm()
    const node = swarm.node()
    for (const name of ['x', 'y']) await node.add(one(name), { have: true })
    await swarm.run(1000)
    const [hangs] = node.disk.storages
    if (hangs === undefined) throw new Error('nothing is open')
    hangs.close = never
    await node.stop()
    expect(node.session.all().map(({ state }) => state.kind)).toEqual(['stopping', 'paused'])
    expect(await node.store.getMeta('clean')).not.toBe('yes')
  })
})
