/** Counts without an announce, and trackers added and removed, as opentracker sees it: over HTTP and over UDP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TrackerView } from '../../shared/views.js'
import { makeTorrent } from '../support/make-torrent.js'
import { lacking, titled } from './clients/all.js'
import { SEATS } from './clients/client.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { startTracker, TRACKER } from './clients/tracker.js'
import { type Lab, openLab } from './namespace.js'
import { poll } from './poll.js'

const without = lacking()

describe.skipIf(without !== '')(titled('opentracker', without), () => {
  let lab: Lab

  beforeAll(async () => {
    lab = await openLab()
  }, 60_000)
  afterAll(() => lab.close())

  async function trackers(ours: Torrentino, ...words: string[]): Promise<TrackerView[]> {
    return JSON.parse(await ours.run('trackers', '1', '--json', ...words)) as TrackerView[]
  }

  it('counts for one that is paused, and knows us no more once it was removed', async () => {
    const made = { name: 'counted', content: 300_000, trackers: [[TRACKER.http]] }
    const torrent = makeTorrent(lab.folder('counted'), made)
    const tracker = await startTracker(await lab.host(SEATS.tracker), [torrent])
    const ours = await startTorrentino(await lab.host(SEATS.torrentino))
    await ours.add(torrent, { dir: torrent.dir })
    await tracker.seedsKnown([torrent], 30_000)
    await ours.run('pause', '1')
    const gone = { what: 'it heard stopped', timeout: 30_000 }
    await poll(gone, async () => (await tracker.scrape(torrent)).seeds === 0)
    const both = await trackers(ours, '--add', TRACKER.udp)
    expect(both.map(({ url }) => url)).toEqual([TRACKER.http, TRACKER.udp])
    const counted = { seeds: 0, leechers: 0, downloads: 0, scrapedAt: expect.any(Number) as number }
    expect(await trackers(ours, '--scrape')).toMatchObject([counted, counted])
    await ours.run('trackers', '1', '--remove', TRACKER.http)
    await ours.run('resume', '1')
    await tracker.seedsKnown([torrent], 30_000)
    await poll({ what: 'it may be asked again', timeout: 60_000 }, async () => {
      const [udp, ...others] = await trackers(ours, '--scrape')
      expect([udp?.url, others]).toEqual([TRACKER.udp, []])
      return udp?.seeds === 1
    })
    // Added again it is one seed, not two: the key is the same.
    await ours.run('trackers', '1', '--add', TRACKER.http)
    await poll({ what: 'the added one answered', timeout: 30_000 }, async () => {
      return (await trackers(ours)).every(({ status }) => status === 'working')
    })
    expect(await tracker.scrape(torrent)).toEqual({ seeds: 1, leechers: 0 })
    await ours.run('trackers', '1', '--remove', TRACKER.udp, '--remove', TRACKER.http)
    await poll(gone, async () => (await tracker.scrape(torrent)).seeds === 0)
  }, 120_000)
})
