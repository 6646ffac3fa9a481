/** Our daemon in a closed DHT with two of libtorrent: torrents without trackers go both ways. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PeerView } from '../../shared/views.js'
import { expectContent, makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import { lacking, titled } from './clients/all.js'
import { SEATS } from './clients/client.js'
import { type LibtorrentClient, startLibtorrent } from './clients/libtorrent.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { type Lab, openLab } from './namespace.js'
import { poll } from './poll.js'
import { record, type Row } from './record.js'

const without = lacking('libtorrent')

describe.skipIf(without !== '')(titled('the DHT alone', without), () => {
  let lab: Lab
  let ours: Torrentino
  let theirs: LibtorrentClient[]
  const rows: Row[] = []
  const make = (name: string): MadeTorrent =>
    makeTorrent(lab.folder(name), { name, pieceLength: 65_536, content: 3_000_000 })

  beforeAll(async () => {
    lab = await openLab()
    ours = await startTorrentino(await lab.host(SEATS.torrentino))
    await ours.run('config', 'set', 'dht.bootstrap', '')
    await ours.run('config', 'set', 'dht.enabled', 'true')
    const door = `${ours.address}:6881`
    theirs = await Promise.all(
      [SEATS.libtorrent, SEATS.seed].map(async (seat) => startLibtorrent(await lab.host(seat), door)),
    )
    await poll({ what: 'libtorrent comes into our table', timeout: 60_000 }, async () => {
      const status = JSON.parse(await ours.run('dht', 'status', '--json')) as { families: { good: number }[] }
      return (status.families[0]?.good ?? 0) >= 2
    })
  }, 120_000)
  afterAll(async () => {
    await lab.close()
    await record('DHT alone', rows)
  }, 60_000)

  it('what libtorrent seeds is found and downloaded, and the peer is said to come from the DHT', async () => {
    const torrent = make('theirs')
    const [seed] = theirs
    if (seed === undefined) throw new Error('no libtorrent')
    await seed.add(torrent, { dir: torrent.dir, uploadLimit: 400_000 })
    await poll({ what: 'the lookup finds libtorrent', timeout: 60_000 }, async () => {
      const found = JSON.parse(await ours.run('dht', 'lookup', torrent.infoHash, '--json')) as {
        peers: string[]
      }
      return found.peers.includes(`${seed.address}:6881`)
    })
    const dir = lab.folder('ours')
    const start = Date.now()
    await ours.add(torrent, { dir })
    const source = await poll({ what: 'a peer', timeout: 60_000 }, async () => {
      const peers = JSON.parse(await ours.run('peers', torrent.infoHash, '--json')) as PeerView[]
      return peers[0]?.source ?? null
    })
    expect(source).toBe('dht')
    await ours.run('wait', torrent.infoHash, '--for', 'complete', '--timeout', '60s')
    expectContent(torrent, dir)
    const seconds = (Date.now() - start) / 1000
    const bytes = torrent.totalBytes
    rows.push({ client: seed, direction: 'it seeds, we download', content: 'found by DHT', bytes, seconds })
  }, 180_000)

  it('what we seed libtorrent finds and downloads', async () => {
    const torrent = make('our')
    const [leech] = theirs
    if (leech === undefined) throw new Error('no libtorrent')
    await ours.add(torrent, { dir: torrent.dir })
    await ours.run('wait', torrent.infoHash, '--for', 'complete', '--timeout', '60s')
    const dir = lab.folder('their')
    const start = Date.now()
    await leech.add(torrent, { dir })
    await poll({ what: 'libtorrent has it', timeout: 90_000 }, async () => {
      return (await leech.transfer(torrent)).progress === 1 ? true : null
    })
    expectContent(torrent, dir)
    const seconds = (Date.now() - start) / 1000
    const bytes = torrent.totalBytes
    rows.push({ client: leech, direction: 'we seed, it downloads', content: 'found by DHT', bytes, seconds })
  }, 180_000)
})
