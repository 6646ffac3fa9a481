/** Removals as a person sees them: what would go, and what stays. */
import { cpSync, linkSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { refusal } from '../support/daemon.js'
import { makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

const stage = useStage()

const entries = (dir: string): string[] => readdirSync(dir, { recursive: true }).map(String).sort()

it('a plan names what would go and what stays, and touches nothing', async () => {
  const daemon = await stage.daemon('home')
  const content = [
    { path: 'one.bin', length: 70_000 },
    { path: 'sub/two.bin', length: 40_000 },
  ]
  const torrent = makeTorrent(stage.folder('made'), { name: 'tree', content })
  const dir = stage.folder('data')
  cpSync(torrent.dir, dir, { recursive: true })
  const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir })
  await daemon.seeds(id)
  writeFileSync(join(dir, 'tree/sub/mine.txt'), 'mine')
  linkSync(join(dir, 'tree/one.bin'), join(stage.dir, 'kept.bin'))
  const before = entries(dir)
  const { results } = await daemon.call('torrent.planRemoval', { ids: [id] })
  expect(results).toMatchObject([
    {
      ok: true,
      plan: {
        files: [
          { path: 'tree/one.bin', bytes: 70_000, linked: true },
          { path: 'tree/sub/two.bin', bytes: 40_000, linked: false },
        ],
        bytes: 110_000,
        freedBytes: 40_000,
        stays: ['tree/sub/mine.txt'],
        moreStays: 0,
      },
    },
  ])
  expect(entries(dir)).toEqual(before)
  expect((await daemon.torrent(id)).state).toBe('seeding')
  expect((await refusal(daemon.call('torrent.get', { id: 99 }))).message).toContain('99')
})
