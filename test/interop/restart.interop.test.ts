/** Our daemon ends in the middle of a download, gently and not, and nothing is lost. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectSameFiles, makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import { lacking, titled } from './clients/all.js'
import { SEATS } from './clients/client.js'
import { type LibtorrentClient, startLibtorrent } from './clients/libtorrent.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { startTracker, TRACKER, type Tracker } from './clients/tracker.js'
import { type Lab, openLab } from './namespace.js'
import { poll } from './poll.js'
import { record, type Row } from './record.js'

const without = lacking('libtorrent')
/** Bytes a second: the download takes 10 s, so that there is a middle. */
const RATE = 2_000_000

describe.skipIf(without !== '')(titled('a restart in the middle', without), () => {
  let lab: Lab
  let tracker: Tracker
  let seed: LibtorrentClient
  let ours: Torrentino
  let torrents: Record<'gentle' | 'killed', MadeTorrent>
  const rows: Row[] = []

  beforeAll(async () => {
    lab = await openLab()
    const make = (name: string): MadeTorrent =>
      makeTorrent(lab.folder(name), {
        name,
        trackers: [[TRACKER.udp]],
        pieceLength: 131_072,
        content: [
          { path: 'a.bin', length: 7_000_001 },
          { path: 'empty', length: 0 },
          { path: 'b/c.bin', length: 13_000_003 },
        ],
      })
    torrents = { gentle: make('gentle'), killed: make('killed') }
    tracker = await startTracker(await lab.host(SEATS.tracker), Object.values(torrents))
    seed = await startLibtorrent(await lab.host(SEATS.libtorrent))
    ours = await startTorrentino(await lab.host(SEATS.torrentino))
  }, 60_000)
  afterAll(async () => {
    await lab.close()
    await record('Restarts', rows)
  }, 60_000)

  /** The recorded bytes when at least `part` of the torrent is there. */
  const reaches = (torrent: MadeTorrent, part: number): Promise<number> =>
    poll({ what: `${torrent.name} reaches ${part}`, timeout: 60_000 }, async () => {
      const view = await ours.view(torrent)
      return view.progress >= part ? view.doneBytes : null
    })

  async function survives(torrent: MadeTorrent, how: string, end: () => Promise<void>): Promise<number> {
    await seed.add(torrent, { dir: torrent.dir, uploadLimit: RATE })
    await tracker.seedsKnown([torrent], 30_000)
    const dir = lab.folder(`ours-${torrent.name}`)
    const start = Date.now()
    await ours.add(torrent, { dir })
    const before = await reaches(torrent, 0.3)
    await end()
    await ours.start()
    expect((await ours.view(torrent)).doneBytes).toBeGreaterThanOrEqual(before)
    await ours.run('wait', torrent.infoHash, '--for', 'complete', '--timeout', '90s')
    expectSameFiles(torrent, dir)
    const seconds = (Date.now() - start) / 1000
    rows.push({
      client: seed,
      direction: 'it seeds, we download',
      content: how,
      bytes: torrent.totalBytes,
      seconds,
    })
    return (await seed.transfer(torrent)).uploaded
  }

  it('by `daemon stop` keeps every piece that was there', async () => {
    const torrent = torrents.gentle
    const sent = await survives(torrent, 'daemon stop at 30 %', () => ours.stop())
    // Only pieces that were not whole at the end are asked for again: at most what was on its way.
    expect(sent).toBeLessThan(torrent.totalBytes + RATE * 2)
  }, 180_000)

  it('by SIGKILL keeps every piece that was recorded', async () => {
    const torrent = torrents.killed
    const sent = await survives(torrent, 'kill -9 at 30 %', () => ours.kill())
    // Not yet recorded is what came in since the last round of syncs, 3 s apart.
    expect(sent).toBeLessThan(torrent.totalBytes + RATE * 5)
  }, 180_000)
})
