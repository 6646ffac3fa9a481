/**
 * Hosts that have no IPv4 address at all, not even 127.0.0.1: transfers with libtorrent over a tracker of both kinds,
 * and a magnet link over the DHT between daemons of ours.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DhtView, PeerView, TrackerView } from '../../shared/views.js'
import { expectContent, expectSameFiles, makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import { lacking, titled } from './clients/all.js'
import { type Client, SEATS } from './clients/client.js'
import { startLibtorrent } from './clients/libtorrent.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { startTracker6, TRACKER6 } from './clients/tracker.js'
import { type Lab, openLab } from './namespace.js'
import { poll } from './poll.js'
import { record, type Row } from './record.js'

const without = lacking('libtorrent')
const protocols = ['http', 'udp'] as const
type Protocol = (typeof protocols)[number]
/** Another daemon of ours, and the node at which the DHT begins. */
const SECOND = SEATS.seed
const DOOR = 8

describe.skipIf(without !== '')(titled('IPv6 alone', without), () => {
  let lab: Lab
  let ours: Torrentino
  let theirs: Client
  const rows: Row[] = []
  /** The magnet link of the DHT, begun when everything stands. */
  let overDht: Promise<MadeTorrent>

  const make = (name: string, protocol?: Protocol): MadeTorrent => {
    const trackers = protocol === undefined ? {} : { trackers: [[TRACKER6[protocol]]] }
    return makeTorrent(lab.folder(name), { name, pieceLength: 65_536, content: 2_000_000, ...trackers })
  }
  const row = (direction: string, content: string, torrent: MadeTorrent, start: number): void => {
    const seconds = (Date.now() - start) / 1000
    rows.push({ client: theirs, direction, content, bytes: torrent.totalBytes, seconds })
  }

  async function magnetOverDht(door: Torrentino, second: Torrentino): Promise<MadeTorrent> {
    for (const each of [door, ours, second]) {
      await each.run('config', 'set', 'dht.bootstrap', each === door ? '' : `[${door.address}]:6881`)
      await each.run('config', 'set', 'dht.enabled', 'true')
    }
    for (const each of [ours, second]) {
      await poll({ what: 'the door is known', timeout: 60_000 }, async () => {
        const { families } = JSON.parse(await each.run('dht', 'status', '--json')) as DhtView
        return families[0]?.family === 6 && families[0].good > 0
      })
    }
    const torrent = make('dht')
    await ours.add(torrent, { dir: torrent.dir })
    await poll({ what: 'it is announced', timeout: 60_000 }, async () => {
      const text = await second.run('dht', 'lookup', torrent.infoHash, '--json')
      return (JSON.parse(text) as { peers: string[] }).peers.includes(`[${ours.address}]:6881`)
    })
    const dir = lab.folder('by-dht')
    await second.add(torrent, { dir, magnet: `magnet:?xt=urn:btih:${torrent.infoHash}` })
    await second.run('wait', torrent.infoHash, '--for', 'complete', '--timeout', '60s')
    expectSameFiles(torrent, dir)
    return torrent
  }

  beforeAll(async () => {
    lab = await openLab()
    const host = (seat: number): ReturnType<Lab['host']> => lab.host(seat, 6)
    const [first, second, door, foreign] = await Promise.all([
      host(SEATS.torrentino).then(startTorrentino),
      host(SECOND).then(startTorrentino),
      host(DOOR).then(startTorrentino),
      host(SEATS.libtorrent).then((at) => startLibtorrent(at)),
      host(SEATS.tracker).then(startTracker6),
    ])
    ours = first
    theirs = foreign
    overDht = magnetOverDht(door, second)
    overDht.catch(() => undefined)
  }, 120_000)
  afterAll(async () => {
    await Promise.allSettled([overDht])
    await lab.close()
    await record('IPv6 alone', rows)
  }, 60_000)

  it.each(protocols)(
    'what libtorrent seeds comes to us by the %s tracker',
    async (protocol) => {
      const torrent = make(`theirs-${protocol}`, protocol)
      const dir = lab.folder('ours')
      const start = Date.now()
      await theirs.add(torrent, { dir: torrent.dir })
      await ours.add(torrent, { dir })
      await ours.run('wait', torrent.infoHash, '--for', 'complete', '--timeout', '60s')
      expectContent(torrent, dir)
      row('it seeds, we download', `${protocol} tracker`, torrent, start)
      const trackers = JSON.parse(await ours.run('trackers', torrent.infoHash, '--json')) as TrackerView[]
      expect(trackers).toMatchObject([
        { status: 'working', url: expect.stringContaining('[fd77::1]') as string },
      ])
    },
    90_000,
  )

  it.each(protocols)(
    'what we seed comes to libtorrent by the %s tracker',
    async (protocol) => {
      const torrent = make(`ours-${protocol}`, protocol)
      const dir = lab.folder('theirs')
      const start = Date.now()
      await ours.add(torrent, { dir: torrent.dir })
      await theirs.add(torrent, { dir })
      await poll({ what: 'libtorrent has it', timeout: 60_000 }, async () => {
        const peers = JSON.parse(await ours.run('peers', torrent.infoHash, '--json')) as PeerView[]
        for (const { address } of peers) expect(address).toContain('[fd77::5]')
        return (await theirs.transfer(torrent)).progress === 1
      })
      expectContent(torrent, dir)
      row('we seed, it downloads', `${protocol} tracker`, torrent, start)
    },
    90_000,
  )

  it('a magnet link without trackers comes over the DHT', async () => {
    expect((await overDht).name).toBe('dht')
  }, 120_000)
})
