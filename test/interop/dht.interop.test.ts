/** Our daemon in a closed DHT with two of libtorrent and qBittorrent: magnet links without trackers go both ways. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PeerView } from '../../shared/views.js'
import { expectContent, makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import { lacking, titled } from './clients/all.js'
import { type Client, SEATS } from './clients/client.js'
import { startLibtorrent } from './clients/libtorrent.js'
import { startQbittorrent } from './clients/qbittorrent.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { type Lab, openLab } from './namespace.js'
import { poll } from './poll.js'
import { record, type Row } from './record.js'

const without = lacking('libtorrent', 'qbittorrent')

const NAMES = ['libtorrent', 'qbittorrent'] as const
type Name = (typeof NAMES)[number]
const PORTS: Readonly<Record<Name, number>> = { libtorrent: 6881, qbittorrent: 6889 }

describe.skipIf(without !== '')(titled('the DHT alone', without), () => {
  let lab: Lab
  let ours: Torrentino
  const clients = new Map<Name, Client>()
  const rows: Row[] = []
  const make = (name: string): MadeTorrent =>
    makeTorrent(lab.folder(name), { name, pieceLength: 65_536, content: 3_000_000 })
  /** qBittorrent has no setting for where its DHT begins; a link may say it. */
  const magnet = (torrent: MadeTorrent): string =>
    `magnet:?xt=urn:btih:${torrent.infoHash}&dht=${ours.address}:6881`
  const clientOf = (name: Name): Client => {
    const client = clients.get(name)
    if (client === undefined) throw new Error(`no ${name}`)
    return client
  }

  /** Settles when a lookup is told of that address. */
  const foundAt = async ({ infoHash }: MadeTorrent, address: string, what: string): Promise<void> => {
    await poll({ what, timeout: 60_000, every: 1000 }, async () => {
      const found = JSON.parse(await ours.run('dht', 'lookup', infoHash, '--json')) as { peers: string[] }
      return found.peers.includes(address)
    })
  }

  beforeAll(async () => {
    lab = await openLab()
    ours = await startTorrentino(await lab.host(SEATS.torrentino))
    await ours.run('config', 'set', 'dht.bootstrap', '')
    await ours.run('config', 'set', 'dht.enabled', 'true')
    const door = `${ours.address}:6881`
    const [libtorrent, , qbittorrent] = await Promise.all([
      lab.host(SEATS.libtorrent).then((host) => startLibtorrent(host, door)),
      lab.host(SEATS.seed).then((host) => startLibtorrent(host, door)),
      lab.host(SEATS.qbittorrent).then((host) => startQbittorrent(host, false, true)),
    ])
    clients.set('libtorrent', libtorrent).set('qbittorrent', qbittorrent)
    await poll({ what: 'libtorrent comes into our table', timeout: 60_000 }, async () => {
      const status = JSON.parse(await ours.run('dht', 'status', '--json')) as { families: { good: number }[] }
      return (status.families[0]?.good ?? 0) >= 2
    })
  }, 120_000)
  afterAll(async () => {
    await lab.close()
    await record('DHT alone', rows)
  }, 60_000)

  it.each(NAMES)(
    'what we seed %s, which has the link alone, finds and downloads',
    async (name) => {
      const torrent = make(`our-${name}`)
      const leech = clientOf(name)
      await ours.add(torrent, { dir: torrent.dir })
      await ours.run('wait', torrent.infoHash, '--for', 'complete', '--timeout', '60s')
      // Who asks before we are announced is told of nobody, and asks again in minutes.
      await foundAt(torrent, `${ours.address}:6881`, 'our announce is found')
      const dir = lab.folder('their')
      const start = Date.now()
      await leech.add(torrent, { dir, magnet: magnet(torrent) })
      await poll({ what: `${name} has it`, timeout: 90_000 }, async () => {
        return (await leech.transfer(torrent)).progress === 1
      })
      expectContent(torrent, dir)
      const seconds = (Date.now() - start) / 1000
      const bytes = torrent.totalBytes
      rows.push({
        client: leech,
        direction: 'we seed, it has the link',
        content: 'found by DHT',
        bytes,
        seconds,
      })
    },
    180_000,
  )

  it.each(NAMES)(
    'what %s seeds is found by its link and downloaded, and the peer is said to come from the DHT',
    async (name) => {
      const torrent = make(`their-${name}`)
      const seed = clientOf(name)
      await seed.add(torrent, { dir: torrent.dir, uploadLimit: 1_000_000 })
      await foundAt(torrent, `${seed.address}:${String(PORTS[name])}`, `the lookup finds ${name}`)
      const dir = lab.folder('ours')
      const start = Date.now()
      await ours.add(torrent, { dir, magnet: `magnet:?xt=urn:btih:${torrent.infoHash}` })
      const source = await poll({ what: 'a peer', timeout: 60_000 }, async () => {
        const peers = JSON.parse(await ours.run('peers', torrent.infoHash, '--json')) as PeerView[]
        return peers[0]?.source ?? null
      })
      expect(source).toBe('dht')
      await ours.run('wait', torrent.infoHash, '--for', 'complete', '--timeout', '60s')
      expectContent(torrent, dir)
      const seconds = (Date.now() - start) / 1000
      const bytes = torrent.totalBytes
      rows.push({
        client: seed,
        direction: 'it seeds, we have the link',
        content: 'found by DHT',
        bytes,
        seconds,
      })
    },
    180_000,
  )
})
