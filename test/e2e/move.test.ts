/** A torrent's files go to another folder, whatever stops it in the middle; and removals with data go on. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type Daemon, refusal } from '../support/daemon.js'
import { expectSameFiles, type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { seedCopy } from '../support/seed-copy.js'
import { useStage } from '../support/stage.js'

const stage = useStage()
const MIB = 1024 * 1024

interface Scene {
  readonly torrent: MadeTorrent
  readonly from: string
  readonly to: string
  readonly id: number
}

function made(): MadeTorrent {
  const content = [
    { path: 'one.bin', length: 3 * MIB + 17 },
    { path: 'sub/empty', length: 0 },
    { path: 'sub/two.bin', length: 2 * MIB },
    { path: 'sub/deep/three.bin', length: 40_000 },
  ]
  return makeTorrent(stage.folder('made'), { name: 'tree', content })
}

/** A folder on another volume than the stage's: in memory, or on the disk where the stage is in memory. */
function otherVolume(): string {
  const here = statSync(stage.dir).dev
  const place = ['/dev/shm', '/var/tmp', '/tmp'].find(
    (each) => existsSync(each) && statSync(each).dev !== here,
  )
  if (place === undefined) throw new Error('this machine has one volume only')
  const dir = mkdtempSync(join(place, 'tt-move-'))
  stage.after(() => {
    rmSync(dir, { recursive: true, force: true })
  })
  return dir
}

/** A torrent that seeds what lies in `from`. */
async function seeding(daemon: Daemon, to: string): Promise<Scene> {
  const torrent = made()
  const from = stage.folder('from')
  return { torrent, from, to, id: await seedCopy(daemon, torrent, from) }
}

async function ended(daemon: Daemon, job: number): Promise<string> {
  for (;;) {
    const { state, error } = await daemon.call('job.get', { id: job })
    if (state !== 'running') return error ?? state
    await delay(20)
  }
}

function entries(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir, { recursive: true }).map(String) : []
}

const checks = async (daemon: Daemon): Promise<number> => {
  const { events } = await daemon.call('events.since', { seq: 0, limit: 1000 })
  return events.filter(({ kind }) => kind === 'checked').length
}

describe('a move', () => {
  it.each(['one volume', 'two volumes'])('brings the files over and seeds on, %s', async (volumes) => {
    const daemon = await stage.daemon('home')
    const to = join(volumes === 'one volume' ? stage.dir : otherVolume(), 'new', 'place')
    const { torrent, from, id } = await seeding(daemon, to)
    const before = statSync(join(from, 'tree/one.bin'))
    const { job } = await daemon.call('torrent.move', { id, dir: to })
    expect(job).toMatchObject({ kind: 'move', torrent: id, from, to, error: null })
    expect(await ended(daemon, job?.id ?? 0)).toBe('done')
    const view = await daemon.seeds(id)
    expect(view.dir).toBe(to)
    expectSameFiles(torrent, to)
    expect(entries(from)).toEqual([])
    expect(Math.abs(statSync(join(to, 'tree/one.bin')).mtimeMs - before.mtimeMs)).toBeLessThan(1)
    expect(await checks(daemon)).toBe(1)
    await daemon.stop()
    const again = await stage.daemon('home')
    await again.seeds(id)
    expect(await checks(again)).toBe(1)
    expect((await again.call('job.list', {})).jobs).toEqual([])
  })
})

const POINTS = {
  'one volume': [
    'move.stored',
    'move.link:2',
    'move.carried',
    'move.switched',
    'move.clean:2',
    'move.cleaned',
  ],
  'two volumes': [
    'move.stored',
    'move.copying',
    'move.copying:4',
    'move.copied',
    'move.name:2',
    'move.carried',
    'move.switched',
    'move.clean:3',
    'move.cleaned',
  ],
}

describe('kill -9 in a move', () => {
  for (const volumes of ['one volume', 'two volumes'] as const) {
    it.each(POINTS[volumes])(`at %s, ${volumes}, ends with one whole copy and no check`, async (point) => {
      const to = join(volumes === 'one volume' ? stage.dir : otherVolume(), 'new')
      const daemon = await stage.daemon('home', { env: { TORRENTINO_CRASH_AT: point } })
      const { torrent, from, id } = await seeding(daemon, to)
      await daemon.call('torrent.move', { id, dir: to }).catch(() => undefined)
      expect((await daemon.ended).signal).toBe('SIGKILL')
      const again = await stage.daemon('home')
      await again.until(id, ({ state, dir }) => state === 'seeding' && dir === to)
      expectSameFiles(torrent, to)
      expect(entries(from)).toEqual([])
      expect(
        entries(to).filter((name) => name.includes('torrentino') && name !== '.torrentino-volume'),
      ).toEqual([])
      expect(await checks(again)).toBe(1)
      expect((await again.call('job.list', {})).jobs).toMatchObject([{ state: 'done', progress: 1 }])
    })
  }
})

describe('a move that is not done', () => {
  it('is refused before anything, or fails and leaves all where it was', async () => {
    const daemon = await stage.daemon('home')
    const to = join(otherVolume(), 'new')
    const { torrent, from, id } = await seeding(daemon, to)
    expect(await daemon.call('torrent.move', { id, dir: `${from}/` })).toMatchObject({ job: null })
    const inside = await refusal(daemon.call('torrent.move', { id, dir: join(from, 'tree/sub') }))
    expect(inside).toMatchObject({ code: 1022, data: { reason: 'INSIDE' } })
    expect((await refusal(daemon.call('job.get', { id: 4711 }))).code).toBe(1012)
    // A byte goes bad behind our back, with the time of before.
    const path = join(from, 'tree/one.bin')
    const bytes = readFileSync(path)
    bytes[MIB] = (bytes[MIB] ?? 0) ^ 1
    writeFileSync(path, bytes)
    const { job } = await daemon.call('torrent.move', { id, dir: to })
    expect(await ended(daemon, job?.id ?? 0)).toContain('does not read as it was recorded')
    expect((await daemon.torrent(id)).dir).toBe(from)
    expect(entries(to)).toEqual([])
    expect(entries(from)).toHaveLength(entries(torrent.dir).length)
  })
})

describe('a removal with data', () => {
  it.each(['remove.stored', 'remove.stopped', 'remove.cleared', 'remove.deleted'])(
    'that is killed at %s is ended by the next start',
    async (point) => {
      const daemon = await stage.daemon('home', { env: { TORRENTINO_CRASH_AT: point } })
      const { from, id } = await seeding(daemon, '')
      writeFileSync(join(from, 'tree/mine'), 'not of the torrent')
      await daemon.call('torrent.remove', { ids: [id], data: true, now: true }).catch(() => undefined)
      expect((await daemon.ended).signal).toBe('SIGKILL')
      const again = await stage.daemon('home')
      for (let left = 1; left > 0;) {
        await delay(20)
        left = (await again.call('torrent.list', {})).torrents.length
      }
      expect(entries(from).sort()).toEqual(['tree', 'tree/mine'])
    },
  )

  it('waits for a folder that is away, and goes on when it is back', async () => {
    const daemon = await stage.daemon('home')
    const { from, id } = await seeding(daemon, '')
    renameSync(from, `${from} away`)
    const { results } = await daemon.call('torrent.remove', { ids: [id], data: true, now: true })
    expect(results).toMatchObject([{ ok: true, torrent: { state: 'blocked' } }])
    expect((await daemon.call('job.list', {})).jobs).toMatchObject([{ kind: 'remove', state: 'waiting' }])
    renameSync(`${from} away`, from)
    await daemon.call('torrent.remove', { ids: [id], data: true, now: true })
    expect((await daemon.call('torrent.list', {})).torrents).toEqual([])
    expect(entries(from)).toEqual([])
  })
})
