/** A torrent and its files get other names on the disk, whatever stops it in the middle, and all goes on under them. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type Daemon, refusal } from '../support/daemon.js'
import { type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { seedCopy } from '../support/seed-copy.js'
import { metainfoOf, type Stage, stageFor } from '../support/stage.js'

const MIB = 1024 * 1024
/** As it comes; and as it is called after both renamings of these tests. */
const CAME = ['tree/one.bin', 'tree/sub/empty', 'tree/sub/two.bin']
const CALLED = ['Trees (2010)/one.bin', 'Trees (2010)/sub/empty', 'Trees (2010)/more/second.bin']

interface Scene {
  readonly torrent: MadeTorrent
  readonly dir: string
  readonly id: number
}

async function seeding(stage: Stage, daemon: Daemon): Promise<Scene> {
  const content = [
    { path: 'one.bin', length: 3 * MIB + 17 },
    { path: 'sub/empty', length: 0 },
    { path: 'sub/two.bin', length: 2 * MIB },
  ]
  const torrent = makeTorrent(stage.folder('made'), { name: 'tree', content })
  const dir = stage.folder('data')
  return { torrent, dir, id: await seedCopy(daemon, torrent, dir) }
}

/** The error of the job, or how it ended. */
async function rename(daemon: Daemon, id: number, name: string, file?: number): Promise<string> {
  const { job } = await daemon.call('torrent.rename', { id, name, ...(file === undefined ? {} : { file }) })
  if (job === null) return 'nothing to do'
  for (;;) {
    const { state, error } = await daemon.call('job.get', { id: job.id })
    if (state !== 'running') return error ?? state
    await delay(20)
  }
}

async function renameBoth(daemon: Daemon, id: number): Promise<void> {
  expect(await rename(daemon, id, 'Trees (2010)')).toBe('done')
  expect(await rename(daemon, id, 'more/second.bin', 2)).toBe('done')
}

/** All files below, sorted. */
function filesIn(dir: string): string[] {
  const all = readdirSync(dir, { recursive: true, withFileTypes: true })
  const files = all.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name))
  return files
    .map((path) => path.slice(dir.length + 1))
    .filter((path) => path !== '.torrentino-volume')
    .sort()
}

function expectBytes({ torrent, dir }: Scene, names: readonly string[]): void {
  for (const [at, name] of names.entries()) {
    const same = readFileSync(join(dir, name)).equals(readFileSync(join(torrent.dir, CAME[at] ?? '')))
    expect(same, name).toBe(true)
  }
}

const checks = async (daemon: Daemon): Promise<number> => {
  const { events } = await daemon.call('events.since', { seq: 0, limit: 1000 })
  return events.filter(({ kind }) => kind === 'checked').length
}

describe.concurrent('a torrent and a file of it', () => {
  it('are called otherwise from then on, with no check, after a restart and without a database too', async (context) => {
    const stage = stageFor(context)
    const daemon = await stage.daemon('home')
    const scene = await seeding(stage, daemon)
    const { dir, id, torrent } = scene
    const before = statSync(join(dir, 'tree/one.bin'))
    await renameBoth(daemon, id)
    expect(await rename(daemon, id, 'Trees (2010)')).toBe('nothing to do')
    expect(await daemon.seeds(id)).toMatchObject({ name: 'Trees (2010)', dir, infoHash: torrent.infoHash })
    expect(filesIn(dir)).toEqual([...CALLED].sort())
    expectBytes(scene, CALLED)
    expect(statSync(join(dir, 'Trees (2010)/one.bin'))).toMatchObject({
      ino: before.ino,
      mtimeMs: before.mtimeMs,
    })
    expect((await daemon.call('torrent.files', { id })).files.map(({ path }) => path)).toEqual(CALLED)
    const { events } = await daemon.call('events.since', { seq: 0, limit: 1000 })
    expect(events.filter(({ kind }) => kind === 'renamed').map(({ data }) => data)).toEqual([
      { name: 'tree', from: 'tree', to: 'Trees (2010)' },
      { name: 'Trees (2010)', from: 'Trees (2010)/sub/two.bin', to: 'Trees (2010)/more/second.bin' },
    ])
    await daemon.stop()
    const again = await stage.daemon('home')
    expect((await again.seeds(id)).name).toBe('Trees (2010)')
    expect(await checks(again)).toBe(1)
    await again.stop()
    for (const name of ['torrentino.db', 'torrentino.db-wal', 'torrentino.db-shm', 'backups'])
      rmSync(join(again.home, name), { recursive: true, force: true })
    const rebuilt = await stage.daemon('home')
    const view = await rebuilt.until(
      id,
      ({ progress, state }) => state === 'paused' || (state === 'seeding' && progress === 1),
    )
    expect(view.name).toBe('Trees (2010)')
    await rebuilt.call('torrent.verify', { ids: [id] })
    await rebuilt.until(id, ({ doneBytes }) => doneBytes === torrent.totalBytes)
    expect(filesIn(dir)).toEqual([...CALLED].sort())
  }, 60_000)

  it('go into the trash, come back, are moved and removed under their names', async (context) => {
    const stage = stageFor(context)
    const daemon = await stage.daemon('home')
    const scene = await seeding(stage, daemon)
    const { dir, id } = scene
    await renameBoth(daemon, id)
    await daemon.call('torrent.remove', { ids: [id], data: true })
    expect(filesIn(dir).filter((path) => !path.startsWith('.'))).toEqual([])
    await daemon.call('trash.undo', {})
    await daemon.seeds(id)
    expectBytes(scene, CALLED)
    const to = stage.folder('to')
    await daemon.call('torrent.move', { id, dir: to })
    await daemon.until(id, ({ state, dir: now }) => state === 'seeding' && now === to)
    expectBytes({ ...scene, dir: to }, CALLED)
    expect(await checks(daemon)).toBe(1)
    const { results } = await daemon.call('torrent.planRemoval', { ids: [id] })
    expect(results).toMatchObject([{ plan: { files: CALLED.map((path) => ({ path })) } }])
    await daemon.call('torrent.remove', { ids: [id], data: true, now: true })
    expect(filesIn(to)).toEqual([])
  })

  it('are called otherwise before anything came, and what comes or lies there is looked for under their names', async (context) => {
    const stage = stageFor(context)
    const daemon = await stage.daemon('home')
    const made = makeTorrent(stage.folder('made'), { name: 'came.bin', content: 70_000 })
    const dir = stage.folder('data')
    const magnet = `magnet:?xt=urn:btih:${made.infoHash}`
    const { id } = await daemon.call('torrent.add', { magnet, dir, paused: true })
    await daemon.call('torrent.add', { metainfo: metainfoOf(made) })
    expect(await rename(daemon, id, 'called.bin')).toBe('done')
    cpSync(join(made.dir, 'came.bin'), join(dir, 'called.bin'))
    expect((await daemon.call('torrent.files', { id })).files).toMatchObject([{ path: 'called.bin' }])
    await daemon.call('torrent.resume', { ids: [id] })
    expect(await daemon.seeds(id)).toMatchObject({ name: 'called.bin', downloaded: 0 })
    expect(filesIn(dir)).toEqual(['called.bin'])
  })

  it('are called otherwise while they come, and are complete under their names', async (context) => {
    const stage = stageFor(context)
    const seed = await stage.daemon('seed')
    const { torrent } = await seeding(stage, seed)
    const port = (await seed.call('session.status', {})).listen.port
    const leech = await stage.daemon('leech', { config: '[limits]\ndown = "1 MiB/s"\n' })
    const dir = stage.folder('down')
    const trackers = [await stage.trackerOf(port)]
    const { id } = await leech.call('torrent.add', { metainfo: metainfoOf(torrent), dir, trackers })
    await leech.until(id, ({ doneBytes }) => doneBytes > 0)
    await renameBoth(leech, id)
    expect((await leech.torrent(id)).doneBytes).toBeGreaterThan(0)
    await leech.call('config.set', { key: 'limits.down', value: 'none' })
    await leech.seeds(id)
    expect(filesIn(dir)).toEqual([...CALLED].sort())
    expectBytes({ torrent, dir, id }, CALLED)
  }, 60_000)
})

describe.concurrent('a name is refused', () => {
  it('where something lies there, or no file can have it, and nothing changes', async (context) => {
    const stage = stageFor(context)
    const daemon = await stage.daemon('home')
    const { dir, id } = await seeding(stage, daemon)
    mkdirSync(join(dir, 'mine'))
    writeFileSync(join(dir, 'tree/sub/mine.txt'), 'of a person')
    const before = filesIn(dir)
    const refused = async (name: string, file?: number): Promise<string> => {
      const ask = { id, name, ...(file === undefined ? {} : { file }) }
      return (await refusal(daemon.call('torrent.rename', ask))).message
    }
    expect(await refused('mine')).toBe(
      `There is ${join(dir, 'mine')} already; move it away, or choose another name.`,
    )
    expect(await refused('sub/mine.txt', 0)).toContain('mine.txt already; move it away')
    expect(await refused('sub/two.bin', 0)).toBe('Another file of this torrent has that name.')
    expect(await refused('../out')).toBe('"../out" cannot be the name of a file; "..out" can.')
    expect(await refused('../../out', 0)).toBe('".." cannot be the name of a file.')
    expect(await refused('x', 9)).toBe('This torrent has no file 10.')
    const content = [{ path: 'one.bin', length: 70_000 }]
    const second = makeTorrent(stage.folder('other'), { name: 'Second', content })
    await daemon.call('torrent.add', { metainfo: metainfoOf(second), dir, paused: true })
    expect(await refused('Second')).toContain('already writes')
    expect(filesIn(dir)).toEqual(before)
    expect((await daemon.torrent(id)).name).toBe('tree')
  })
})

describe.concurrent('kill -9 in a renaming', () => {
  it.for([
    'move.stored',
    'move.link',
    'move.link:2',
    'move.carried',
    'move.switched',
    'move.clean',
    'move.cleaned',
  ])('at %s ends with every file under its new name, once, and no check', async (point, context) => {
    const stage = stageFor(context)
    const daemon = await stage.daemon('home', { env: { TORRENTINO_CRASH_AT: point } })
    const scene = await seeding(stage, daemon)
    const { dir, id } = scene
    await daemon.call('torrent.rename', { id, name: 'Trees' }).catch(() => undefined)
    expect((await daemon.ended).signal).toBe('SIGKILL')
    const again = await stage.daemon('home')
    await again.until(id, ({ state, name }) => state === 'seeding' && name === 'Trees')
    const called = CAME.map((path) => path.replace('tree/', 'Trees/'))
    expect(filesIn(dir)).toEqual([...called].sort())
    expectBytes(scene, called)
    expect(await checks(again)).toBe(1)
    expect((await again.call('job.list', {})).jobs).toMatchObject([{ kind: 'rename', state: 'done' }])
  })

  it('at one of its files leaves the others where they are', async (context) => {
    const stage = stageFor(context)
    const daemon = await stage.daemon('home', { env: { TORRENTINO_CRASH_AT: 'move.switched' } })
    const scene = await seeding(stage, daemon)
    await daemon.call('torrent.rename', { id: scene.id, file: 2, name: 'sub/2.bin' }).catch(() => undefined)
    expect((await daemon.ended).signal).toBe('SIGKILL')
    const again = await stage.daemon('home')
    await again.seeds(scene.id)
    const called = ['tree/one.bin', 'tree/sub/empty', 'tree/sub/2.bin']
    await again.until(scene.id, () => filesIn(scene.dir).length === 3)
    expect(filesIn(scene.dir)).toEqual([...called].sort())
    expectBytes(scene, called)
  })
})
