/** Peer exchange (BEP 11) alone: everybody knows one peer by name, and hears of the seed from it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PeerView } from '../../shared/views.js'
import { makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import { lacking, titled } from './clients/all.js'
import { type Client, SEATS } from './clients/client.js'
import { type LibtorrentClient, startLibtorrent } from './clients/libtorrent.js'
import { startQbittorrent } from './clients/qbittorrent.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { startTransmission } from './clients/transmission.js'
import { type Lab, openLab } from './namespace.js'
import { poll } from './poll.js'
import { record, type Row } from './record.js'

const without = lacking('libtorrent', 'transmission', 'qbittorrent')
/** Slow enough that nobody is done before all have met. */
const SLOW = 40_000

const NAMES = ['libtorrent', 'qbittorrent', 'transmission'] as const
type Name = (typeof NAMES)[number]
/** Transmission tells of peers after 90 s: it is only told. */
const TELLERS: readonly Name[] = ['libtorrent', 'qbittorrent']
const PORTS: Readonly<Record<Name, number>> = { libtorrent: 6881, qbittorrent: 6889, transmission: 51_413 }

describe.skipIf(without !== '')(titled('peer exchange alone', without), () => {
  let lab: Lab
  let ours: Torrentino
  /** Has all content and calls nobody. */
  let seed: LibtorrentClient
  const clients = new Map<Name, Client>()
  const rows: Row[] = []
  /** What each meeting came to. */
  const told = new Map<Name, Promise<void>>()
  const telling = new Map<Name, Promise<void>>()

  const magnet = (torrent: MadeTorrent, ...peers: readonly string[]): string =>
    `magnet:?xt=urn:btih:${torrent.infoHash}${peers.map((peer) => `&x.pe=${peer}`).join('')}`

  async function seeded(name: string): Promise<MadeTorrent> {
    const torrent = makeTorrent(lab.folder(name), { name, pieceLength: 65_536, content: 4_000_000 })
    await seed.add(torrent, { dir: torrent.dir, uploadLimit: SLOW })
    await poll({ what: `${name} is seeded`, timeout: 60_000 }, async () => {
      return (await seed.transfer(torrent)).seeding
    })
    return torrent
  }

  const peersOf = async (torrent: MadeTorrent): Promise<PeerView[]> =>
    JSON.parse(await ours.run('peers', torrent.infoHash, '--json')) as PeerView[]
  const row = (client: Client, direction: string, start: number): void => {
    const seconds = (Date.now() - start) / 1000
    rows.push({ client, direction, content: 'found by PEX, not waited for', bytes: 0, seconds })
  }

  /** It knows the seed, we know it. */
  async function hears(name: Name, client: Client): Promise<void> {
    const torrent = await seeded(`${name}-tells`)
    const link = magnet(torrent, `${seed.address}:6881`)
    await client.add(torrent, { dir: lab.folder('theirs'), magnet: link })
    await poll({ what: `${name} has metadata`, timeout: 60_000 }, async () => {
      return (await client.transfer(torrent)).downloaded > 0
    })
    const start = Date.now()
    const known = `${client.address}:${PORTS[name]}`
    await ours.add(torrent, { dir: lab.folder('ours'), magnet: magnet(torrent, known) })
    const found = await poll({ what: `we hear of the seed from ${name}`, timeout: 90_000 }, async () => {
      return (await peersOf(torrent)).find(({ address }) => address === `${seed.address}:6881`)
    })
    expect(found).toMatchObject({ source: 'pex', direction: 'out' })
    row(client, 'it tells, we find', start)
  }

  /** We know both, it knows nobody: we call it. */
  async function isTold(name: Name, client: Client): Promise<void> {
    const torrent = await seeded(`${name}-hears`)
    await client.add(torrent, { dir: lab.folder('theirs') })
    const start = Date.now()
    const link = magnet(torrent, `${seed.address}:6881`, `${client.address}:${PORTS[name]}`)
    await ours.add(torrent, { dir: lab.folder('ours'), magnet: link })
    await poll({ what: `${name} hears of the seed from us`, timeout: 90_000 }, async () => {
      return (await client.peers(torrent))?.some(({ host }) => host === seed.address)
    })
    row(client, 'we tell, it finds', start)
  }

  beforeAll(async () => {
    lab = await openLab()
    const [first, second, ...others] = await Promise.all([
      lab.host(SEATS.torrentino).then(startTorrentino),
      lab.host(SEATS.seed).then((host) => startLibtorrent(host)),
      lab.host(SEATS.libtorrent).then((host) => startLibtorrent(host)),
      lab.host(SEATS.qbittorrent).then((host) => startQbittorrent(host, true)),
      lab.host(SEATS.transmission).then((host) => startTransmission(host, false, true)),
    ])
    ours = first
    seed = second
    await seed.waitToBeDialled()
    for (const [at, client] of others.entries()) clients.set(NAMES[at] ?? 'libtorrent', client)
    for (const [name, client] of clients) {
      told.set(name, isTold(name, client))
      if (TELLERS.includes(name)) telling.set(name, hears(name, client))
    }
    await Promise.allSettled([...told.values(), ...telling.values()])
  }, 180_000)
  afterAll(async () => {
    await lab.close()
    const order = ({ client, direction }: Row): string => `${direction} ${client.name}`
    const sorted = rows.toSorted((a, b) => order(a).localeCompare(order(b)))
    await record('Peer exchange alone', sorted)
  }, 60_000)

  it.each(TELLERS)('we hear of the seed from %s, call it, and say that it came by PEX', (name) =>
    telling.get(name),
  )
  it.each(NAMES)('%s hears of the seed from us, and calls it', (name) => told.get(name))
})
