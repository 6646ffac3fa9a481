/** The queue and goals of seeding with real daemons: what trackers hear, and what outlives kill -9. */
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { makeTorrent } from '../support/make-torrent.js'
import type { Daemon } from '../support/daemon.js'
import { metainfoOf, useStage } from '../support/stage.js'

const CTL = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
const stage = useStage()

async function ctl(daemon: Daemon, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [CTL, '--home', daemon.home, ...args])
  return stdout
}

/** What each is doing, by number. */
async function states(daemon: Daemon): Promise<Record<number, string>> {
  const { torrents } = await daemon.call('torrent.list', {})
  return Object.fromEntries(
    torrents.map(({ id, state, queueRank }) => [
      id,
      queueRank == null ? String(state) : `${String(state)} #${String(queueRank)}`,
    ]),
  )
}

async function expectStates(daemon: Daemon, wanted: Record<number, string>): Promise<void> {
  await expect.poll(() => states(daemon), { timeout: 20_000, interval: 50 }).toEqual(wanted)
}

it('lets so many download, keeps rank and force through kill -9, and announces nobody who waits', async () => {
  const { http, server } = await stage.tracker()
  const heard = new Set<string>()
  server.on('start', (_address: unknown, { info_hash: hash }: { info_hash: string }) => void heard.add(hash))
  const made = [1, 2, 3, 4, 5].map((n) =>
    makeTorrent(stage.folder(`made ${String(n)}`), { name: `t${String(n)}.bin`, content: 200_000 }),
  )
  const config = '[queue]\ndownloads = 2\n'
  const first = await stage.daemon('leech', { config })
  for (const torrent of made)
    await first.call('torrent.add', {
      metainfo: metainfoOf(torrent),
      dir: stage.folder('down'),
      trackers: [http],
    })
  await expectStates(first, {
    1: 'downloading',
    2: 'downloading',
    3: 'queued #3',
    4: 'queued #4',
    5: 'queued #5',
  })

  expect(await ctl(first, 'queue', '5', '--top')).toMatch(/^5 t5\.bin: /)
  await ctl(first, 'queue', '3', '--to', '2')
  await ctl(first, 'resume', '4', '--now')
  const after = {
    1: 'queued #3',
    2: 'queued #4',
    3: 'downloading',
    4: 'downloading',
    5: 'downloading',
  }
  await expectStates(first, after)
  expect(await ctl(first, 'show', '2')).toMatch(/State +queued for download at rank 4\n/)
  expect(await ctl(first, 'why', '2')).toContain('It is queued for download at rank 4')
  const order = (await ctl(first, 'queue')).split('\n').map((line) => line.trim().split(/ +/)[1])
  expect(order.slice(2, -1)).toEqual(['5', '3', '1', '2', '4'])

  heard.clear()
  await first.kill9()
  const again = await stage.daemon('leech')
  await expectStates(again, after)
  await delay(500)
  const { torrents } = await again.call('torrent.list', {})
  const hashOf = (id: number): string => torrents.find((torrent) => torrent.id === id)?.infoHash ?? ''
  expect([...heard].sort()).toEqual([hashOf(3), hashOf(4), hashOf(5)].sort())

  // What completes makes room at once.
  const seed = await stage.daemon('seed')
  for (const torrent of made) {
    const { id } = await seed.call('torrent.add', {
      metainfo: metainfoOf(torrent),
      dir: torrent.dir,
      trackers: [http],
    })
    await seed.seeds(id)
  }
  await again.call('torrent.announce', { ids: 'all' })
  for (const id of [1, 2, 3, 4, 5]) await again.seeds(id, 60_000)
})

it('ends seeding at its goal, says so, and remembers goal and time through kill -9', async () => {
  const { http } = await stage.tracker()
  const made = makeTorrent(stage.folder('made'), { name: 'a.bin', content: 500_000 })
  const seed = await stage.daemon('seed')
  const added = { metainfo: metainfoOf(made), trackers: [http] }
  const { id } = await seed.call('torrent.add', { ...added, dir: made.dir })
  await seed.seeds(id)
  expect(await ctl(seed, 'seed', '1', '--ratio', '1', '--idle', '7d')).toBe(
    '1 a.bin: seeding ends at ratio 1.00, as seed.time says, after 7d 0h without an upload\n',
  )
  await seed.kill9()
  const again = await stage.daemon('seed')
  const kept = await again.seeds(id)
  expect(kept.seedGoals).toEqual({ ratio: 1, time: 'default', idle: 604_800 })

  // Whole seconds are told.
  await delay(1200)
  const leech = await stage.daemon('leech')
  await leech.call('torrent.add', { ...added, dir: stage.folder('down') })
  await leech.seeds(1)
  const paused = await again.until(id, ({ state }) => state === 'paused')
  expect(paused).toMatchObject({ goalReached: 'ratio 1.00', desired: 'paused', error: null })
  expect(paused.seedingTime).toBeGreaterThan(0)
  expect(await ctl(again, 'list')).toContain('\n1: paused: its goal is reached, ratio 1.00\n')
  expect(await ctl(again, 'events')).toMatch(/ goal .*its goal is reached, ratio 1\.00/)
  await again.kill9()

  const last = await stage.daemon('seed')
  await delay(300)
  const { seedingTime } = paused
  expect(await last.torrent(id)).toMatchObject({ state: 'paused', goalReached: 'ratio 1.00', seedingTime })
  // Who resumes it means that it seeds on.
  await last.call('torrent.resume', { ids: [id] })
  await last.seeds(id)
  await delay(300)
  expect(await last.torrent(id)).toMatchObject({
    state: 'seeding',
    goalReached: null,
    seedGoals: { ratio: 'none', time: 'default', idle: 604_800 },
  })
})
