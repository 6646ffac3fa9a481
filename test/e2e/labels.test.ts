/** Labels outlive a kill; they and what else a person said of a torrent, a database made anew from the saved copies. */
import { rmSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

const stage = useStage()

it('a torrent is found by its label, after a kill and without a database', async () => {
  const daemon = await stage.daemon('home')
  const torrent = makeTorrent(stage.folder('made'), { name: 'film.bin', content: 40_000 })
  const { id } = await daemon.call('torrent.add', {
    metainfo: metainfoOf(torrent),
    dir: torrent.dir,
    paused: true,
  })
  await daemon.call('torrent.label', { ids: [id], add: ['films', 'a keeper'] })
  await daemon.kill9()
  const again = await stage.daemon('home')
  expect((await again.torrent(id)).labels).toEqual(['a keeper', 'films'])
  // The saved copy follows the database, and a kill may come before it: an end in order does not.
  await again.call('torrent.label', { ids: [id], add: ['later'] })
  await again.call('torrent.limit', { ids: [id], down: 1_000_000, up: null })
  await again.call('torrent.seed', { ids: [id], ratio: 1.5, idle: 'none' })
  await again.call('torrent.select', { id, sequential: true })
  await again.stop()
  const state = join(stage.dir, 'home')
  for (const name of readdirSync(state, { recursive: true }).map(String))
    if (/\.db(-wal|-shm)?$/.test(name)) rmSync(join(state, name), { force: true })
  const anew = await stage.daemon('home')
  expect(await anew.torrent(id)).toMatchObject({
    labels: ['a keeper', 'films', 'later'],
    downLimit: 1_000_000,
    upLimit: null,
    seedGoals: { ratio: 1.5, time: 'default', idle: 'none' },
    sequential: true,
    firstLast: false,
  })
})
