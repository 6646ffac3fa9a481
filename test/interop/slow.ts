/**
 * `npm run test:interop-slow`: what Transmission does only after minutes. By magnet link over the DHT alone, both ways,
 * which takes it more than eight nodes and 75 s; and its peer exchange, which it begins after 90 s.
 */
import type { PeerView } from '../../shared/views.js'
import { expectSameFiles, expectContent, makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import { lacking } from './clients/all.js'
import { type Client, SEATS } from './clients/client.js'
import { type LibtorrentClient, startLibtorrent } from './clients/libtorrent.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { startTransmission } from './clients/transmission.js'
import { type Lab, openLab } from './namespace.js'
import { poll } from './poll.js'
import { record, type Row } from './record.js'

/** Nodes beside ours: Transmission searches when it knows more than eight. */
const NODES = 9
const PATIENCE = 300_000

const rows: Row[] = []

function done(client: Client, direction: string, content: string, bytes: number, start: number): void {
  const seconds = (Date.now() - start) / 1000
  rows.push({ client, direction, content, bytes, seconds })
  console.log(`${client.name} ${client.version}: ${direction}, ${content}: ${seconds.toFixed(1)} s`)
}

const linkOf = (torrent: MadeTorrent): string => `magnet:?xt=urn:btih:${torrent.infoHash}`

async function complete(client: Client, torrent: MadeTorrent): Promise<void> {
  await poll({ what: `${client.name} has ${torrent.name}`, timeout: PATIENCE }, async () => {
    return (await client.transfer(torrent)).progress === 1
  })
}

async function overDht(lab: Lab): Promise<void> {
  const ours = await startTorrentino(await lab.host(SEATS.torrentino))
  await ours.run('config', 'set', 'dht.bootstrap', '')
  await ours.run('config', 'set', 'dht.enabled', 'true')
  const door = `${ours.address}:6881`
  const nodes = await Promise.all(
    Array.from({ length: NODES }, async (_, at) => startLibtorrent(await lab.host(100 + at), door)),
  )
  await poll({ what: 'nodes come into our table', timeout: 60_000 }, async () => {
    const status = JSON.parse(await ours.run('dht', 'status', '--json')) as { families: { good: number }[] }
    return (status.families[0]?.good ?? 0) >= 2
  })
  const doors = [door, ...nodes.map(({ address }) => `${address}:6881`)]
  const transmission = await startTransmission(await lab.host(SEATS.transmission), false, false, doors)
  await Promise.all([ourSeed(lab, ours, transmission), theirSeed(lab, ours, transmission)])
  await transmission.stop()
}

async function ourSeed(lab: Lab, ours: Torrentino, client: Client): Promise<void> {
  const torrent = makeTorrent(lab.folder('a'), { name: 'ours', pieceLength: 65_536, content: 2_000_000 })
  await ours.add(torrent, { dir: torrent.dir })
  await complete(ours, torrent)
  const dir = lab.folder('got')
  const start = Date.now()
  await client.add(torrent, { dir, magnet: linkOf(torrent) })
  await complete(client, torrent)
  expectContent(torrent, dir)
  done(client, 'we seed, it has the link', 'found by DHT', torrent.totalBytes, start)
}

async function theirSeed(lab: Lab, ours: Torrentino, client: Client): Promise<void> {
  const torrent = makeTorrent(lab.folder('b'), { name: 'theirs', pieceLength: 65_536, content: 2_000_000 })
  await client.add(torrent, { dir: torrent.dir })
  await complete(client, torrent)
  const dir = lab.folder('got')
  const start = Date.now()
  await ours.add(torrent, { dir, magnet: linkOf(torrent) })
  await complete(ours, torrent)
  expectSameFiles(torrent, dir)
  done(client, 'it seeds, we have the link', 'found by DHT', torrent.totalBytes, start)
}

/** It knows the seed, we know it, and it tells us. */
async function byPex(lab: Lab): Promise<void> {
  const [ours, seed, client] = await Promise.all([
    lab.host(SEATS.torrentino + 50).then(startTorrentino),
    lab.host(SEATS.seed + 50).then((host): Promise<LibtorrentClient> => startLibtorrent(host)),
    lab.host(SEATS.transmission + 50).then((host) => startTransmission(host, false, true)),
  ])
  await seed.waitToBeDialled()
  const torrent = makeTorrent(lab.folder('c'), { name: 'told', pieceLength: 65_536, content: 8_000_000 })
  await seed.add(torrent, { dir: torrent.dir, uploadLimit: 40_000 })
  await complete(seed, torrent)
  const known = (host: string, port: number): string => `${linkOf(torrent)}&x.pe=${host}:${String(port)}`
  // Transmission does not read the peers of a link: we introduce the two to each other.
  await client.add(torrent, { dir: lab.folder('theirs') })
  const between = await startTorrentino(await lab.host(SEATS.aria2 + 50))
  const both = `${known(seed.address, 6881)}&x.pe=${client.address}:51413`
  await between.add(torrent, { dir: lab.folder('between'), magnet: both })
  await poll({ what: 'transmission meets the seed', timeout: PATIENCE }, async () => {
    return (await client.peers(torrent))?.some(({ host }) => host === seed.address)
  })
  await between.stop()
  const start = Date.now()
  await ours.add(torrent, { dir: lab.folder('ours'), magnet: known(client.address, 51_413) })
  await poll({ what: 'we hear of the seed from transmission', timeout: PATIENCE }, async () => {
    const peers = JSON.parse(await ours.run('peers', torrent.infoHash, '--json')) as PeerView[]
    const found = peers.find(({ address }) => address === `${seed.address}:6881`)
    return found?.source === 'pex' && found.direction === 'out'
  })
  done(client, 'it tells, we find', 'found by PEX, not waited for', 0, start)
}

async function main(): Promise<void> {
  const without = lacking('libtorrent', 'transmission')
  if (without !== '') {
    console.log(`skipped: ${without}`)
    return
  }
  const lab = await openLab()
  try {
    const ends = await Promise.allSettled([overDht(lab), byPex(lab)])
    for (const end of ends) {
      if (end.status === 'fulfilled') continue
      console.log(String(end.reason))
      process.exitCode = 1
    }
  } finally {
    await lab.close()
  }
  if (process.exitCode !== 1) await record('What Transmission takes minutes for', rows)
}

await main()
