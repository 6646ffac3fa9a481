/**
 * Real volumes under whole daemons: small ones, read-only ones, ones that go away, and disks that answer EIO. Most of
 * the time is spent in waiting for a next look, so all run side by side, each on a stage of its own.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Daemon } from '../support/daemon.js'
import { expectContent, type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { canMount, seenBy, withVolume } from '../support/own-mounts.js'
import { type SlowSeeder, slowSeeder } from '../support/slow-seeder.js'
import { metainfoOf, type Stage, stageFor } from '../support/stage.js'
import { canTrace } from '../support/strace.js'

const MIB = 1024 * 1024
const canEnter = canMount && spawnSync('nsenter', ['--version']).status === 0 && process.getuid?.() === 0

async function served(
  stage: Stage,
  name: string,
  size: number,
  rate: number,
): Promise<{ torrent: MadeTorrent; seeder: SlowSeeder; metainfo: string }> {
  const made = { name, content: size, pieceLength: 65_536 }
  const seeder = await slowSeeder({ torrent: makeTorrent(stage.folder('made'), made), rate })
  stage.after(() => {
    seeder.close()
  })
  const trackers = [[await stage.trackerOf(seeder.port)]]
  const torrent = makeTorrent(stage.folder('made'), { ...made, trackers })
  return { torrent, seeder, metainfo: metainfoOf(torrent) }
}

/** In the daemon's namespace of mounts. */
function inside(daemon: Daemon, ...words: string[]): void {
  const ran = spawnSync('nsenter', ['-t', String(daemon.pid), '-m', ...words], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`${words.join(' ')}: ${ran.stderr}`)
}

describe.skipIf(!canEnter)('a volume', { concurrent: true }, () => {
  it('of 8 MiB that others fill holds a download up, which says what is missing and ends by itself', async (context) => {
    const stage = stageFor(context)
    const dir = stage.folder('small')
    const daemon = await stage.daemon('home', { under: withVolume(dir, 'size=8m') })
    const { torrent, seeder, metainfo } = await served(stage, 'six.bin', 6 * MIB, MIB)
    const { id } = await daemon.call('torrent.add', { metainfo, dir })
    await daemon.until(id, (view) => view.doneBytes > 0)
    const filler = seenBy(daemon.pid, join(dir, 'filler'))
    for (let n = 0; n < 200; n++) {
      try {
        writeFileSync(filler, Buffer.alloc(65_536), { flag: 'a' })
      } catch {
        break
      }
    }
    await daemon.until(id, ({ error }) =>
      /^No space left in .*: \S+ [KM]iB more are needed;/.test(error ?? ''),
    )
    const other = await served(stage, 'other.bin', MIB, 20 * MIB)
    const elsewhere = stage.folder('elsewhere')
    await daemon.seeds((await daemon.call('torrent.add', { metainfo: other.metainfo, dir: elsewhere })).id)
    rmSync(filler)
    seeder.rate = 50 * MIB
    await daemon.seeds(id, 60_000)
    expectContent(torrent, seenBy(daemon.pid, dir))
  }, 120_000)

  it.for(['downloading', 'paused'])(
    'that is unmounted while a torrent is %s is waited for: nothing is made in its place',
    { timeout: 150_000 },
    async (when, context) => {
      const stage = stageFor(context)
      const dir = stage.folder('volume')
      const daemon = await stage.daemon('home', { under: withVolume(dir, 'size=32m') })
      // A second way to it, so that it can come back.
      const kept = stage.folder('kept')
      inside(daemon, 'mount', '--bind', dir, kept)
      const { torrent, seeder, metainfo } = await served(stage, 'eight.bin', 8 * MIB, MIB)
      const { id } = await daemon.call('torrent.add', { metainfo, dir })
      await daemon.until(id, (view) => view.doneBytes > 0)
      if (when === 'paused') {
        await daemon.call('torrent.pause', { ids: [id] })
        await daemon.until(id, ({ state }) => state === 'paused')
      }
      inside(daemon, 'umount', '-l', dir)
      if (when === 'paused') await daemon.call('torrent.resume', { ids: [id] })
      const told = `The volume of ${dir} is not there, or another one is in its place;`
      await daemon.until(
        id,
        ({ state, error }) => state === 'blocked' && error?.startsWith(told) === true,
        40_000,
      )
      await delay(6000)
      expect(readdirSync(seenBy(daemon.pid, dir))).toEqual([])
      const had = (await daemon.torrent(id)).doneBytes
      inside(daemon, 'mount', '--bind', kept, dir)
      seeder.rate = 50 * MIB
      await daemon.until(id, ({ state }) => state === 'downloading' || state === 'seeding', 40_000)
      expect((await daemon.torrent(id)).doneBytes).toBeGreaterThanOrEqual(had)
      await daemon.seeds(id, 60_000)
      expectContent(torrent, seenBy(daemon.pid, dir))
    },
  )

  it('that is read-only seeds, and refuses a download with a sentence until it can be written to', async (context) => {
    const stage = stageFor(context)
    const dir = stage.folder('volume')
    const daemon = await stage.daemon('home', { under: withVolume(dir, 'size=32m') })
    const done = await served(stage, 'done.bin', MIB, 50 * MIB)
    const part = await served(stage, 'part.bin', 4 * MIB, MIB)
    const a = await daemon.call('torrent.add', { metainfo: done.metainfo, dir })
    await daemon.seeds(a.id)
    const b = await daemon.call('torrent.add', { metainfo: part.metainfo, dir })
    await daemon.until(b.id, (view) => view.doneBytes > 0)
    for (const call of ['torrent.pause', 'torrent.resume'] as const) {
      await daemon.call(call, { ids: 'all' })
      if (call === 'torrent.resume') continue
      for (const { id } of [a, b]) await daemon.until(id, ({ state }) => state === 'paused')
      inside(daemon, 'mount', '-o', 'remount,ro', dir)
    }
    const view = await daemon.until(b.id, ({ state }) => state === 'blocked', 40_000)
    expect(view.error).toMatch(
      /^The volume of \S+ is read-only; the download goes on by itself when it can be written to\.$/,
    )
    expect((await daemon.seeds(a.id)).error).toBeNull()
    // From read-only data to somebody else.
    const leech = await stage.daemon('leech')
    const { port } = (await daemon.call('session.status', {})).listen
    const down = stage.folder('down')
    const url = await stage.trackerOf(port)
    // Without the tracker that knows the first seed.
    const alone = makeTorrent(stage.folder('again'), { name: 'done.bin', content: MIB, pieceLength: 65_536 })
    const got = await leech.call('torrent.add', { metainfo: metainfoOf(alone), dir: down, trackers: [url] })
    await leech.seeds(got.id)
    expectContent(done.torrent, down)
    inside(daemon, 'mount', '-o', 'remount,rw', dir)
    part.seeder.rate = 50 * MIB
    await daemon.seeds(b.id, 60_000)
    expectContent(part.torrent, seenBy(daemon.pid, dir))
  }, 150_000)
})

describe.skipIf(!canTrace)('a disk that answers', { concurrent: true }, () => {
  /** The daemon's calls on data files fail so. */
  const failing = (path: string, inject: string): string[] => [
    'strace',
    '-D',
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-P',
    path,
    '-e',
    'signal=none',
    '-e',
    `trace=${inject.split(':')[0] ?? ''}`,
    '-e',
    `inject=${inject}`,
  ]

  it.for<[string, string]>([
    ['EIO to a write', 'pwrite64:error=EIO:when=3'],
    ['EIO to a sync', 'fdatasync:error=EIO:when=1'],
    ['EMFILE to an open', 'openat:error=EMFILE:when=2..3'],
    ['after two seconds to a sync', 'fdatasync:delay_enter=2000000'],
  ])(
    '%s holds nothing up for good, and nothing false is claimed',
    { timeout: 120_000 },
    async ([name, inject], context) => {
      const stage = stageFor(context)
      const dir = stage.folder('down')
      mkdirSync(dir, { recursive: true })
      const daemon = await stage.daemon('home', { under: failing(join(dir, 'f.bin.part'), inject) })
      const { torrent, metainfo } = await served(stage, 'f.bin', 6 * MIB, 2 * MIB)
      const { id } = await daemon.call('torrent.add', { metainfo, dir })
      let slowest = 0
      for (let n = 0; n < 1200; n++) {
        const begun = performance.now()
        const view = await daemon.torrent(id)
        slowest = Math.max(slowest, performance.now() - begun)
        if (view.state === 'seeding') break
        await delay(50)
      }
      expect((await daemon.torrent(id)).state, name).toBe('seeding')
      expectContent(torrent, dir)
      await daemon.call('torrent.verify', { ids: [id] })
      expect((await daemon.seeds(id)).doneBytes).toBe(6 * MIB)
      // Two seconds of a disk are none of the main thread.
      expect(slowest).toBeLessThan(1000)
    },
  )

  it('EIO to reads costs those pieces, gives no bad byte away, and is fetched again', async (context) => {
    const stage = stageFor(context)
    const { torrent, metainfo } = await served(stage, 'f.bin', 2 * MIB, 20 * MIB)
    const dir = stage.folder('down')
    const daemon = await stage.daemon('home', {
      under: failing(join(dir, 'f.bin'), 'preadv,preadv2:error=EIO:when=2..4'),
    })
    const { id } = await daemon.call('torrent.add', { metainfo, dir })
    await daemon.seeds(id)
    const { port } = (await daemon.call('session.status', {})).listen
    const leech = await stage.daemon('leech')
    const down = stage.folder('leech-down')
    const alone = makeTorrent(stage.folder('again'), { name: 'f.bin', content: 2 * MIB, pieceLength: 65_536 })
    const got = await leech.call('torrent.add', {
      metainfo: metainfoOf(alone),
      dir: down,
      trackers: [await stage.trackerOf(port)],
    })
    await leech.seeds(got.id, 100_000)
    expectContent(torrent, down)
    expect((await leech.call('torrent.get', { id: got.id })).wasted).toBe(0)
    await daemon.seeds(id, 60_000)
  }, 150_000)
})
