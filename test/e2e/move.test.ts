/** A torrent's files go to another folder, whatever stops it in the middle; and removals with data go on. */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Daemon } from '../support/daemon.js'
import { expectSameFiles, type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

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
  cpSync(torrent.dir, from, { recursive: true, preserveTimestamps: true })
  const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: from })
  await daemon.seeds(id)
  return { torrent, from, to, id }
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
      expect(entries(to).filter((name) => name.includes('torrentino'))).toEqual([])
      expect(await checks(again)).toBe(1)
      expect((await again.call('job.list', {})).jobs).toMatchObject([{ state: 'done', progress: 1 }])
    })
  }
})
