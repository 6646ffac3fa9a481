/** Magnet links between whole daemons, without any tracker: the link names the peer. */
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseMetainfo } from '../../shared/torrent/metainfo.js'
import type { Daemon } from '../support/daemon.js'
import { expectContent, expectSameFiles, makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

const stage = useStage()
const CTL = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')

async function seeded(
  name: string,
  content: number,
): Promise<{ torrent: MadeTorrent; seed: Daemon; link: string }> {
  const torrent = makeTorrent(stage.folder('made'), { name, content, pieceLength: 262_144 })
  const seed = await stage.daemon('seed')
  const { id } = await seed.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
  await seed.seeds(id)
  const { listen } = await seed.call('session.status', {})
  return {
    torrent,
    seed,
    link: `magnet:?xt=urn:btih:${torrent.infoHash}&x.pe=127.0.0.1:${String(listen.port)}`,
  }
}

function ctl(home: string, ...words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [CTL, '--home', home, ...words], { timeout: 60_000 }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

describe('a magnet link', () => {
  it('is added, followed to the end, and its .torrent exported', async () => {
    const { torrent, link } = await seeded('film.bin', 5_000_000)
    const daemon = await stage.daemon('leech')
    const dir = stage.folder('down')
    const added = await ctl(daemon.home, 'add', link, '--dir', dir, '--follow')
    expect(added).toMatchObject({ code: 0, err: '' })
    expect(added.out).toMatch(/^Added torrent 1: [0-9a-f]{40}, a magnet link; its files are known when/)
    expect(added.out).toMatch(/Complete, in .*; torrentinod goes on seeding\.\n$/)
    expectSameFiles(torrent, dir)
    const { metainfo } = await daemon.call('torrent.export', { id: 1 })
    expect(parseMetainfo(Buffer.from(metainfo, 'base64')).hashes.v1).toBe(torrent.infoHash)
    expect((await daemon.torrent(1)).name).toBe('film.bin')
  })

  it('takes the files that its words fit, though they were not known, also after kill -9', async () => {
    const content = [
      { path: 'one.mkv', length: 40_000 },
      { path: 'sub/two.srt', length: 20_000 },
      { path: 'sub/three.mkv', length: 30_000 },
    ]
    const torrent = makeTorrent(stage.folder('made'), { name: 'show', content, pieceLength: 16_384 })
    const first = await stage.daemon('leech')
    const dir = stage.folder('down')
    const bare = `magnet:?xt=urn:btih:${torrent.infoHash}`
    expect((await ctl(first.home, 'add', bare, '--dir', dir, '--select', '*.mkv')).code).toBe(0)
    await first.kill9()
    const seed = await stage.daemon('seed')
    const { id } = await seed.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
    await seed.seeds(id)
    const daemon = await stage.daemon('leech')
    await daemon.call('torrent.add', { metainfo: metainfoOf(torrent) })
    const { files } = await daemon.call('torrent.files', { id: 1 })
    expect(files.filter(({ wanted }) => wanted).map(({ path }) => path)).toEqual([
      'show/one.mkv',
      'show/sub/three.mkv',
    ])
  })

  it('whose metadata came is not asked for again after kill -9, and the download completes', async () => {
    const { torrent, seed, link } = await seeded('show.bin', 20_000_000)
    const dir = stage.folder('down')
    const first = await stage.daemon('leech')
    await first.call('torrent.add', { magnet: link, dir })
    await first.until(1, (view) => view.state !== 'fetchingMetadata')
    await first.kill9()
    await seed.stop()
    const again = await stage.daemon('leech')
    expect(await again.torrent(1)).toMatchObject({ name: 'show.bin', totalBytes: 20_000_000 })
    const back = await stage.daemon('seed')
    const { listen } = await back.call('session.status', {})
    const url = await stage.trackerOf(listen.port)
    await again.call('torrent.add', { metainfo: metainfoOf(torrent), trackers: [url] })
    await again.seeds(1)
    expectContent(torrent, dir)
  })

  it('that nobody answers tells so, and can be paused and removed', async () => {
    const daemon = await stage.daemon('leech')
    const hash = 'c'.repeat(40)
    const dir = stage.folder('down')
    const { out } = await ctl(daemon.home, 'add', `magnet:?xt=urn:btih:${hash}&dn=%1b%5b2Jname`, '--dir', dir)
    expect(out).not.toContain('\u001b')
    expect((await ctl(daemon.home, 'list')).out).toMatch(/metadata/)
    expect(await ctl(daemon.home, 'files', '1')).toMatchObject({
      code: 1,
      err: 'error: Torrent 1 is a magnet link whose metadata have not come yet; "torrentinoctl show 1" tells of its peers.\n',
    })
    expect((await ctl(daemon.home, 'show', hash.slice(0, 6))).out).toContain(hash)
    expect((await ctl(daemon.home, 'pause', '1')).code).toBe(0)
    expect((await ctl(daemon.home, 'remove', '1', '--data')).code).toBe(0)
    expect((await daemon.call('torrent.list', {})).torrents).toEqual([])
  })
})

it('from the link to the first piece: the best of five is printed', async () => {
  const seed = await stage.daemon('seed')
  const leech = await stage.daemon('leech')
  const { listen } = await seed.call('session.status', {})
  const took: number[] = []
  for (let turn = 1; turn <= 5; turn += 1) {
    const init = { name: `film ${String(turn)}.bin`, content: 300_000, pieceLength: 262_144 }
    const torrent = makeTorrent(stage.folder(`made-${String(turn)}`), init)
    const { id: seeded } = await seed.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
    await seed.seeds(seeded)
    const begun = performance.now()
    const magnet = `magnet:?xt=urn:btih:${torrent.infoHash}&x.pe=127.0.0.1:${String(listen.port)}`
    const { id } = await leech.call('torrent.add', { magnet, dir: stage.folder('down') })
    // A piece is counted when it is recorded, which is later than verified; of a small torrent that is soon.
    await leech.until(id, (view) => view.doneBytes > 0)
    took.push(Math.round(performance.now() - begun))
    await leech.seeds(id)
  }
  console.info(
    `add magnet to the first piece, verified, synced and recorded: ${String(Math.min(...took))} ms (${took.join(', ')})`,
  )
  // How long it takes depends on the machine; that it is not a matter of timers does not.
  expect(Math.min(...took)).toBeLessThan(5000)
})
