/** Magnet links without trackers and without the DHT: found by local discovery alone (BEP 14), over IPv4 and over IPv6. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DaemonView, PeerView } from '../../shared/views.js'
import { expectContent, expectSameFiles, makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import { lacking, titled } from './clients/all.js'
import { type Client, SEATS } from './clients/client.js'
import { startLibtorrent } from './clients/libtorrent.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { startTransmission } from './clients/transmission.js'
import { type Lab, openLab } from './namespace.js'
import { poll } from './poll.js'
import { record, type Row } from './record.js'

/** libtorrent tells of a torrent three times in six seconds; then it is silent for five minutes. */
const TOLD = 7000

const WORLDS = [
  { name: 'libtorrent', family: 4, ours: SEATS.torrentino },
  { name: 'transmission', family: 4, ours: SEATS.seed },
  { name: 'libtorrent', family: 6, ours: SEATS.torrentino },
] as const
type World = (typeof WORLDS)[number]

const without = lacking('libtorrent', 'transmission')
const magnetOf = (torrent: MadeTorrent): string => `magnet:?xt=urn:btih:${torrent.infoHash}`

describe.skipIf(without !== '')(titled('the local network alone', without), () => {
  let lab: Lab
  const rows: Row[] = []
  /** What each world came to, by direction. */
  const begun = new Map<World, { readonly up: Promise<void>; readonly down: Promise<void> }>()

  const make = (world: World, who: string): MadeTorrent => {
    const name = `${who}-${world.name}-${world.family}`
    return makeTorrent(lab.folder(name), { name, pieceLength: 65_536, content: 2_000_000 })
  }

  async function startWorld(world: World): Promise<void> {
    const { name, family } = world
    const [ours, host] = await Promise.all([
      lab.host(world.ours, family).then(startTorrentino),
      lab.host(SEATS[name], family),
    ])
    const client = await (name === 'libtorrent'
      ? startLibtorrent(host, '', true)
      : startTransmission(host, true))
    // It is there first and has told all that it tells: it must hear of us.
    const seeded = make(world, 'ours')
    const dir = lab.folder('got')
    await client.add(seeded, { dir, magnet: magnetOf(seeded) })
    const told = Date.now()
    await ours.add(seeded, { dir: seeded.dir })
    await ours.run('wait', seeded.infoHash, '--for', 'complete', '--timeout', '30s')
    await poll({ what: 'it is silent', timeout: 60_000 }, () => Promise.resolve(Date.now() - told > TOLD))
    await ours.run('config', 'set', 'lsd.enabled', 'true')
    const up = upload(world, client, seeded, dir)
    const down = download(world, client, ours)
    begun.set(world, { up, down })
    await Promise.allSettled([up, down])
  }

  async function upload({ family }: World, client: Client, torrent: MadeTorrent, dir: string): Promise<void> {
    const start = Date.now()
    await poll({ what: `${client.name} hears of us`, timeout: 60_000 }, async () => {
      return (await client.transfer(torrent)).progress === 1
    })
    expectContent(torrent, dir)
    row(client, 'we seed, it has the link', family, torrent, start)
  }

  async function download({ family, name }: World, client: Client, ours: Torrentino): Promise<void> {
    await poll({ what: 'we have told', timeout: 30_000 }, async () => (await lsdOf(ours)).sent > 0)
    const torrent = make({ name, family } as World, 'theirs')
    const dir = lab.folder('ours')
    // Told in a minute at the earliest: we must hear of the client.
    await ours.add(torrent, { dir, magnet: magnetOf(torrent) })
    const start = Date.now()
    await client.add(torrent, { dir: torrent.dir, uploadLimit: 1_000_000 })
    const source = await poll({ what: `a peer of ${torrent.name}`, timeout: 60_000 }, async () => {
      const peers = JSON.parse(await ours.run('peers', torrent.infoHash, '--json')) as PeerView[]
      return peers[0]?.source ?? null
    })
    expect(source).toBe('lsd')
    await ours.run('wait', torrent.infoHash, '--for', 'complete', '--timeout', '60s')
    expectSameFiles(torrent, dir)
    row(client, 'it seeds, we have the link', family, torrent, start)
    expect(await lsdOf(ours)).toMatchObject({ reason: null, families: [family], sent: 1 })
  }

  async function lsdOf(ours: Torrentino): Promise<DaemonView['lsd']> {
    return (JSON.parse(await ours.run('status', '--json')) as DaemonView).lsd
  }

  function row(client: Client, direction: string, family: number, torrent: MadeTorrent, start: number): void {
    const seconds = (Date.now() - start) / 1000
    rows.push({ client, direction, content: `over IPv${family}`, bytes: torrent.totalBytes, seconds })
  }

  beforeAll(async () => {
    lab = await openLab()
    await Promise.all(WORLDS.map(startWorld))
  }, 180_000)
  afterAll(async () => {
    await lab.close()
    await record('Local discovery alone', rows)
  }, 60_000)

  it.each(WORLDS)('IPv$family: $name hears of us, and downloads', (world) => begun.get(world)?.up)
  it.each(WORLDS)('IPv$family: we hear of $name, say so, and download', (world) => begun.get(world)?.down)
})
