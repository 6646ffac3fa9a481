/** What lies in the folder: found and seeded, named, removed, and never shared by two torrents. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Daemon, refusal } from '../support/daemon.js'
import { expectSameFiles, type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { slowSeeder } from '../support/slow-seeder.js'
import { metainfoOf, type Stage, useStage } from '../support/stage.js'

const stage = useStage()
const MIB = 1024 * 1024
const CONTENT = [
  { path: 'a.bin', length: 700_000 },
  { path: 'in/b.bin', length: 300_001 },
  { path: 'in/deep/empty.bin', length: 0 },
  { path: 'in/deep/c.bin', length: 5 },
]

/** A folder torrent with its payload below `made`. */
function album(on: Stage, name = 'album', trackers: readonly (readonly string[])[] = []): MadeTorrent {
  return makeTorrent(on.folder('made'), { name, content: CONTENT, trackers })
}

async function add(daemon: Daemon, torrent: MadeTorrent, dir: string): Promise<number> {
  return (await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir })).id
}

describe('files that lie there', () => {
  it('are verified and seeded, to the first who asks after a restart too', async () => {
    const { http } = await stage.tracker()
    const torrent = album(stage, 'album', [[http]])
    const first = await stage.daemon('seed')
    const id = await add(first, torrent, torrent.dir)
    const view = await first.seeds(id)
    expect(view).toMatchObject({ progress: 1, downloaded: 0, totalBytes: torrent.totalBytes })
    expect(view.completedAt).toBeGreaterThan(view.addedAt - 1)
    await first.stop()

    const second = await stage.daemon('seed')
    expect((await second.torrent(id)).state).toBe('seeding')
    const leech = await stage.daemon('leech')
    const dir = stage.folder('down')
    const got = await add(leech, torrent, dir)
    await leech.seeds(got)
    expectSameFiles(torrent, dir)
    expect((await second.torrent(id)).uploaded).toBeGreaterThanOrEqual(torrent.totalBytes)
  })

  it('are verified in part where a part is wrong, and the rest is fetched', async () => {
    const { http } = await stage.tracker()
    const torrent = album(stage, 'album', [[http]])
    const seed = await stage.daemon('seed')
    await seed.seeds(await add(seed, torrent, torrent.dir))
    const dir = stage.folder('down')
    mkdirSync(join(dir, 'album'))
    const bytes = readFileSync(join(torrent.dir, 'album/a.bin'))
    bytes.fill(1, 40_000, 50_000)
    writeFileSync(join(dir, 'album/a.bin'), bytes)
    const leech = await stage.daemon('leech')
    const id = await add(leech, torrent, dir)
    const view = await leech.seeds(id)
    expectSameFiles(torrent, dir)
    // One wrong piece, and the two other files.
    expect(view.downloaded).toBeLessThan(torrent.totalBytes - 600_000)
  })

  it('carry .part until they are whole', async () => {
    const made = { name: 'two', content: [1, 2].map((n) => ({ path: `${String(n)}.bin`, length: MIB })) }
    const seeder = await slowSeeder({ torrent: makeTorrent(stage.folder('made'), made), rate: 20 * MIB })
    stage.after(() => {
      seeder.close()
    })
    const trackers = [[await stage.trackerOf(seeder.port)]]
    const torrent = makeTorrent(stage.folder('made'), { ...made, trackers })
    const daemon = await stage.daemon('home')
    const dir = stage.folder('down')
    const id = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir, select: [0] })
    const half = await daemon.seeds(id.id)
    expect(half).toMatchObject({ progress: 1, wantedBytes: MIB })
    await daemon.until(id.id, () => existsSync(join(dir, 'two/1.bin')))
    expect(readdirSync(join(dir, 'two'))).not.toContain('2.bin')
    seeder.rate = 200_000
    const more = await daemon.call('torrent.select', { id: id.id, files: [0, 1] })
    expect(more.torrent).toMatchObject({ wantedBytes: 2 * MIB })
    await daemon.until(id.id, (view) => view.downloaded > 1.3 * MIB)
    expect(readdirSync(join(dir, 'two')).sort()).toEqual(['1.bin', '2.bin.part'])
    seeder.rate = 20 * MIB
    await daemon.until(id.id, (view) => view.state === 'seeding' && existsSync(join(dir, 'two/2.bin')))
    expectSameFiles(torrent, dir)
  })
})

describe('remove', () => {
  it('with data deletes what is ours and the folders left empty', async () => {
    const torrent = album(stage)
    const daemon = await stage.daemon('home')
    const id = await add(daemon, torrent, torrent.dir)
    await daemon.seeds(id)
    const foreign = join(torrent.dir, 'album/in/foreign.txt')
    writeFileSync(foreign, 'not yours')
    const { results } = await daemon.call('torrent.remove', { ids: [id], data: true, now: true })
    expect(results).toMatchObject([{ ref: id, ok: true }])
    expect(readdirSync(torrent.dir, { recursive: true }).sort()).toEqual([
      'album',
      'album/in',
      'album/in/foreign.txt',
    ])
    expect(readFileSync(foreign, 'utf8')).toBe('not yours')
    expect((await daemon.call('torrent.list', {})).torrents).toEqual([])
    const again = await refusal(daemon.call('torrent.get', { id }))
    expect(again.code).toBe(1010)
  })

  it('with data in the middle of a download deletes unfinished files too, and spares the other torrent', async () => {
    const made = { name: 'big.bin', content: 8 * MIB }
    const seeder = await slowSeeder({ torrent: makeTorrent(stage.folder('made'), made), rate: MIB })
    stage.after(() => {
      seeder.close()
    })
    const trackers = [[await stage.trackerOf(seeder.port)]]
    const torrent = makeTorrent(stage.folder('made'), { ...made, trackers })
    const other = album(stage)
    const daemon = await stage.daemon('home')
    const kept = await add(daemon, other, other.dir)
    await daemon.seeds(kept)
    const id = await add(daemon, torrent, stage.folder('down'))
    await daemon.until(id, (view) => view.downloaded > MIB / 2)
    expect(readdirSync(join(stage.dir, 'down'))).toEqual(['big.bin.part'])
    const { results } = await daemon.call('torrent.remove', { ids: [id], data: true, now: true })
    expect(results).toMatchObject([{ ok: true }])
    expect(readdirSync(join(stage.dir, 'down'))).toEqual([])
    expect((await daemon.torrent(kept)).state).toBe('seeding')
    expectSameFiles(other, other.dir)
    // And it can be added anew: nothing is left of it.
    const anew = await add(daemon, torrent, stage.folder('down'))
    expect(anew).toBeGreaterThan(id)
    expect((await daemon.torrent(anew)).downloaded).toBe(0)
  })

  it('without data keeps every file', async () => {
    const torrent = album(stage)
    const daemon = await stage.daemon('home')
    const id = await add(daemon, torrent, torrent.dir)
    await daemon.seeds(id)
    await daemon.call('torrent.remove', { ids: [id], data: false })
    expectSameFiles(torrent, torrent.dir)
    expect((await daemon.call('torrent.list', {})).torrents).toEqual([])
  })
})

describe('add', () => {
  it('refuses a second torrent that would write the same path', async () => {
    const torrent = album(stage)
    const daemon = await stage.daemon('home')
    const dir = stage.folder('down')
    const id = await add(daemon, torrent, dir)
    const twin = makeTorrent(stage.folder('other'), { name: 'album', content: CONTENT, seed: 'other bytes' })
    const error = await refusal(daemon.call('torrent.add', { metainfo: metainfoOf(twin), dir }))
    expect(error).toMatchObject({ code: 1024, data: { torrent: id } })
    expect(error.message).toMatch(/^Torrent 1 .*already writes .*; add this one with another --dir\.$/)
    expect((await daemon.call('torrent.list', {})).torrents).toHaveLength(1)
    await expect(
      daemon.call('torrent.add', { metainfo: metainfoOf(twin), dir: stage.folder('elsewhere') }),
    ).resolves.toMatchObject({ duplicate: false })
  })

  it('of a known torrent says so, and adds its trackers', async () => {
    const torrent = album(stage, 'album', [['http://127.0.0.1:9/announce']])
    const daemon = await stage.daemon('home')
    const metainfo = metainfoOf(torrent)
    const { id } = await daemon.call('torrent.add', { metainfo, dir: torrent.dir })
    await daemon.seeds(id)
    const { http } = await stage.tracker()
    const again = await daemon.call('torrent.add', { metainfo, trackers: [http], dir: stage.folder('no') })
    expect(again).toMatchObject({ id, duplicate: true, dir: torrent.dir, addedTrackers: 1 })
    const { trackers } = await daemon.call('torrent.trackers', { id })
    expect(trackers.map((tracker) => tracker.url).sort()).toEqual(
      ['http://127.0.0.1:9/announce', http].sort(),
    )
    const third = await daemon.call('torrent.add', { metainfo, trackers: [http] })
    expect(third).toMatchObject({ duplicate: true, addedTrackers: 0 })
    await daemon.stop()
    const restarted = await stage.daemon('home')
    expect((await restarted.call('torrent.trackers', { id })).trackers).toHaveLength(2)
  })
})
