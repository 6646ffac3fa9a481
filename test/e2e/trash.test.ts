/** What is removed lies in the trash, whole, whatever stops it in the middle; and comes back without a check. */
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Daemon, refusal } from '../support/daemon.js'
import { expectSameFiles, type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { seedCopy } from '../support/seed-copy.js'
import { metainfoOf, useStage } from '../support/stage.js'

const stage = useStage()

interface Scene {
  readonly torrent: MadeTorrent
  readonly dir: string
  readonly id: number
}

/** A torrent that seeds. */
async function seeding(daemon: Daemon): Promise<Scene> {
  const content = [
    { path: 'one.bin', length: 300_017 },
    { path: 'sub/empty', length: 0 },
    { path: 'sub/two.bin', length: 200_000 },
    { path: 'sub/deep/three.bin', length: 40_000 },
  ]
  const torrent = makeTorrent(stage.folder('made'), { name: 'tree', content })
  const dir = stage.folder('data')
  return { torrent, dir, id: await seedCopy(daemon, torrent, dir) }
}

const isTrash = (name: string): boolean => /^\.torrentino-trash-[0-9a-f]{8}$/.test(name)

/** The folder of a torrent in the trash, or null. */
function placeIn(dir: string, id: number): string | null {
  const name = readdirSync(dir).find(isTrash)
  const path = join(dir, name ?? 'none', String(id))
  return existsSync(path) ? path : null
}

async function kinds(daemon: Daemon): Promise<string[]> {
  const { events } = await daemon.call('events.since', { seq: 0, limit: 1000 })
  return events.map(({ kind }) => kind)
}

const ids = async (daemon: Daemon): Promise<number[]> =>
  (await daemon.call('torrent.list', {})).torrents.map(({ id }) => id)

const KEEP = { env: {} }
const crashing = (point: string) => ({ env: { TORRENTINO_CRASH_AT: point } })

describe('a removal with its files', () => {
  it('puts them into the trash beside the data, and undo brings all back without a check', async () => {
    const daemon = await stage.daemon('home')
    const { torrent, dir, id } = await seeding(daemon)
    writeFileSync(join(dir, 'tree/mine.txt'), 'mine')
    const { results } = await daemon.call('torrent.remove', { ids: [id], data: true })
    expect(results).toMatchObject([{ ok: true }])
    expect(await ids(daemon)).toEqual([])
    expect(readdirSync(join(dir, 'tree'))).toEqual(['mine.txt'])
    expectSameFiles(torrent, placeIn(dir, id) ?? '')
    const { trash, bytes } = await daemon.call('trash.list', {})
    expect(trash).toMatchObject([{ id, name: 'tree', data: true, bytes: 540_017, dir }])
    expect(bytes).toBe(540_017)
    expect((await daemon.call('session.status', {})).trash).toEqual({ torrents: 1, bytes })
    const week = 7 * 86_400_000
    expect((trash[0]?.until ?? 0) - (trash[0]?.removedAt ?? 0)).toBe(week)
    await daemon.stop()
    const again = await stage.daemon('home')
    expect(await ids(again)).toEqual([])
    expect((await again.call('trash.undo', {})).torrent).toMatchObject({ id, dir })
    await again.seeds(id)
    rmSync(join(dir, 'tree/mine.txt'))
    expectSameFiles(torrent, dir)
    expect(readdirSync(dir)).toEqual(['tree'])
    expect((await kinds(again)).filter((kind) => kind === 'checked')).toHaveLength(1)
    expect((await kinds(again)).slice(-2)).toEqual(['removed', 'restored'])
    expect((await refusal(again.call('trash.undo', {}))).message).toBe('The trash is empty.')
  })

  it('goes for good at once with now, with trash.keep 0, and with trash.empty', async () => {
    const daemon = await stage.daemon('home')
    for (const how of ['now', 'keep', 'empty']) {
      const { dir, id } = await seeding(daemon)
      if (how === 'keep') await daemon.call('config.set', { key: 'trash.keep', value: '0' })
      await daemon.call('torrent.remove', { ids: [id], data: true, ...(how === 'now' ? { now: true } : {}) })
      if (how === 'keep') await daemon.call('config.set', { key: 'trash.keep', value: '7d' })
      expect(placeIn(dir, id) === null).toBe(how !== 'empty')
      const { results } = await daemon.call('trash.empty', { ids: 'all' })
      expect(results).toMatchObject(how === 'empty' ? [{ ref: id, ok: true }] : [])
      expect(readdirSync(dir)).toEqual([])
      expect((await daemon.call('trash.list', {})).trash).toEqual([])
    }
  })

  it('goes for good when its time is over, by itself', async () => {
    const daemon = await stage.daemon('home', { config: '[trash]\nkeep = 1\n' })
    const { dir, id } = await seeding(daemon)
    await daemon.call('torrent.remove', { ids: [id], data: true })
    while ((await daemon.call('trash.list', {})).trash.length > 0)
      await new Promise((go) => setTimeout(go, 50))
    expect(readdirSync(dir)).toEqual([])
    expect((await kinds(daemon)).slice(-2)).toEqual(['removed', 'emptied'])
  })

  it('is refused where there can be no trash, and the torrent goes on; --now deletes', async () => {
    const daemon = await stage.daemon('home')
    const first = await seeding(daemon)
    await daemon.call('torrent.remove', { ids: [first.id], data: true })
    const name = readdirSync(first.dir).find(isTrash) ?? ''
    await daemon.call('trash.undo', {})
    await daemon.seeds(first.id)
    mkdirSync(join(stage.dir, 'elsewhere'))
    symlinkSync(join(stage.dir, 'elsewhere'), join(first.dir, name))
    const { results } = await daemon.call('torrent.remove', { ids: [first.id], data: true })
    expect(results).toMatchObject([{ ok: false }])
    expect(JSON.stringify(results)).toContain('remove --data --now')
    expect((await daemon.torrent(first.id)).state).toBe('seeding')
    expect(readdirSync(join(stage.dir, 'elsewhere'))).toEqual([])
    await daemon.call('torrent.remove', { ids: [first.id], data: true, now: true })
    expect(readdirSync(first.dir)).toEqual([name])
  })
})

it('what a person deleted in the trash by hand is forgotten when it is emptied', async () => {
  const daemon = await stage.daemon('home')
  const { dir, id } = await seeding(daemon)
  await daemon.call('torrent.remove', { ids: [id], data: true })
  rmSync(join(dir, readdirSync(dir).find(isTrash) ?? ''), { recursive: true })
  expect((await daemon.call('trash.empty', { ids: 'all' })).results).toMatchObject([{ ok: true }])
  expect((await daemon.call('trash.list', {})).trash).toEqual([])
})

describe('undo', () => {
  it('of a removal without files: the torrent goes on where it was, without a check', async () => {
    const daemon = await stage.daemon('home')
    const { torrent, dir, id } = await seeding(daemon)
    await daemon.call('torrent.remove', { ids: [id], data: false })
    expectSameFiles(torrent, dir)
    await daemon.kill9()
    const again = await stage.daemon('home')
    await again.call('trash.undo', { id })
    expect(await again.seeds(id)).toMatchObject({ id, dir, downloaded: 0 })
    expect((await kinds(again)).filter((kind) => kind === 'checked')).toHaveLength(1)
  })

  it('is refused where another file lies now, and what is in the trash stays whole', async () => {
    const daemon = await stage.daemon('home')
    const { torrent, dir, id } = await seeding(daemon)
    await daemon.call('torrent.remove', { ids: [id], data: true })
    mkdirSync(join(dir, 'tree'))
    writeFileSync(join(dir, 'tree/one.bin'), 'another')
    const { message } = await refusal(daemon.call('trash.undo', { id }))
    expect(message).toContain('tree stays in the trash: Another file lies at')
    expectSameFiles(torrent, placeIn(dir, id) ?? '')
    expect(await ids(daemon)).toEqual([])
    rmSync(join(dir, 'tree'), { recursive: true })
    await daemon.call('trash.undo', { id })
    await daemon.seeds(id)
  })

  it('adding it brings it back with its files, and one without files is added anew', async () => {
    const daemon = await stage.daemon('home')
    const { torrent, dir, id } = await seeding(daemon)
    const metainfo = metainfoOf(torrent)
    await daemon.call('torrent.remove', { ids: [id], data: true })
    const elsewhere = await refusal(daemon.call('torrent.add', { metainfo, dir: stage.folder('other') }))
    expect(elsewhere.message).toContain(`torrentinoctl undo ${String(id)}`)
    expect(await daemon.call('torrent.add', { metainfo, dir })).toMatchObject({ id, fromTrash: true })
    await daemon.seeds(id)
    await daemon.call('torrent.remove', { ids: [id], data: false })
    const anew = await daemon.call('torrent.add', { metainfo, dir })
    expect(anew).toMatchObject({ fromTrash: false, duplicate: false })
    expect(anew.id).toBeGreaterThan(id)
    await daemon.seeds(anew.id)
    expect((await daemon.call('trash.list', {})).trash).toEqual([])
  })
})

const IN = ['trash.stored', 'move.link:2', 'move.carried', 'move.switched', 'trash.moved']
const OUT = ['undo.stored', 'move.link:2', 'move.carried', 'move.switched', 'undo.moved']
const GONE = ['remove.stored', 'remove.cleared', 'remove.deleted']

describe('kill -9', () => {
  it.each(IN)('on the way into the trash, at %s: the next start has it there, whole', async (point) => {
    const daemon = await stage.daemon('home', crashing(point))
    const { torrent, dir, id } = await seeding(daemon)
    await daemon.call('torrent.remove', { ids: [id], data: true }).catch(() => undefined)
    expect((await daemon.ended).signal).toBe('SIGKILL')
    const again = await stage.daemon('home', KEEP)
    while ((await ids(again)).length > 0) await new Promise((go) => setTimeout(go, 25))
    expectSameFiles(torrent, placeIn(dir, id) ?? '')
    expect(readdirSync(dir).filter((name) => !isTrash(name))).toEqual([])
    await again.call('trash.undo', { id })
    await again.seeds(id)
    expectSameFiles(torrent, dir)
    expect(readdirSync(dir)).toEqual(['tree'])
    expect((await kinds(again)).filter((kind) => kind === 'checked')).toHaveLength(1)
  })

  it.each(OUT)('on the way out of it, at %s: the next start brings it back, whole', async (point) => {
    const first = await stage.daemon('home')
    const { torrent, dir, id } = await seeding(first)
    await first.call('torrent.remove', { ids: [id], data: true })
    await first.stop()
    const daemon = await stage.daemon('home', crashing(point))
    await daemon.call('trash.undo', { id }).catch(() => undefined)
    expect((await daemon.ended).signal).toBe('SIGKILL')
    const again = await stage.daemon('home', KEEP)
    await again.seeds(id)
    expectSameFiles(torrent, dir)
    while (readdirSync(dir).length > 1) await new Promise((go) => setTimeout(go, 25))
    expect((await again.call('trash.list', {})).trash).toEqual([])
    expect((await kinds(again)).filter((kind) => kind === 'checked')).toHaveLength(1)
  })

  it.each(GONE)('while it is deleted, at %s: the next start deletes the rest', async (point) => {
    const first = await stage.daemon('home')
    const { dir, id } = await seeding(first)
    await first.call('torrent.remove', { ids: [id], data: true })
    await first.stop()
    const daemon = await stage.daemon('home', crashing(point))
    await daemon.call('trash.empty', { ids: [id] }).catch(() => undefined)
    expect((await daemon.ended).signal).toBe('SIGKILL')
    const again = await stage.daemon('home', KEEP)
    while ((await again.call('trash.list', {})).trash.length > 0)
      await new Promise((go) => setTimeout(go, 25))
    expect(readdirSync(dir)).toEqual([])
    expect(await ids(again)).toEqual([])
  })
})
