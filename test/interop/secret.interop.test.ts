/** Message Stream Encryption with four clients that refuse plain handshakes: we call each, and each calls us. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PeerView } from '../../shared/views.js'
import { expectContent, expectSameFiles, makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import { FOREIGN, type ForeignName, lacking, startForeign, titled } from './clients/all.js'
import { type Client, SEATS } from './clients/client.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { startTracker, TRACKER } from './clients/tracker.js'
import { type Lab, openLab } from './namespace.js'
import { poll } from './poll.js'
import { record, type Row } from './record.js'
import { seedOne } from './transfers.js'

const here = FOREIGN.filter((name) => lacking(name) === '')
const directions = ['it seeds, we download', 'we seed, it downloads'] as const
type Direction = (typeof directions)[number]
/** Slow enough that the connection is seen. */
const SLOW = 500_000

describe('a client that refuses plain handshakes', () => {
  let lab: Lab
  let ours: Torrentino
  const rows: Row[] = []
  const begun = new Map<string, Promise<PeerView['encryption']>>()
  const titleOf = (name: ForeignName, direction: Direction): string =>
    `${name}-${direction === directions[0] ? 'theirs' : 'ours'}`

  async function carry(
    client: Client,
    torrent: MadeTorrent,
    direction: Direction,
  ): Promise<PeerView['encryption']> {
    const to = direction === directions[0] ? ours : client
    const dir = lab.folder(`got-${torrent.name}`)
    const start = Date.now()
    await to.add(torrent, { dir })
    const encryption = await poll({ what: `a peer of ${torrent.name}`, timeout: 90_000 }, async () => {
      const peers = JSON.parse(await ours.run('peers', torrent.infoHash, '--json')) as PeerView[]
      return peers[0]?.encryption ?? null
    })
    await poll({ what: `${to.name} downloads ${torrent.name}`, timeout: 120_000 }, async () => {
      return (await to.transfer(torrent)).progress === 1
    })
    if (to === ours) expectSameFiles(torrent, dir)
    else expectContent(torrent, dir)
    const seconds = (Date.now() - start) / 1000
    rows.push({ client, direction, content: encryption, bytes: torrent.totalBytes, seconds })
    return encryption
  }

  beforeAll(async () => {
    if (here.length === 0) return
    lab = await openLab()
    const torrents = new Map(
      here.flatMap((name) =>
        directions.map((direction) => {
          const title = titleOf(name, direction)
          const init = { name: title, content: 2_000_000, pieceLength: 65_536, trackers: [[TRACKER.http]] }
          return [title, makeTorrent(lab.folder(`made-${title}`), init)] as const
        }),
      ),
    )
    const tracker = await startTracker(await lab.host(SEATS.tracker), [...torrents.values()])
    const [first, ...clients] = await Promise.all([
      lab.host(SEATS.torrentino).then(startTorrentino),
      ...here.map((name) => startForeign(lab, name, true)),
    ])
    ours = first
    await ours.run('config', 'set', 'limits.up', String(SLOW))
    await ours.run('config', 'set', 'limits.down', String(SLOW))
    for (const client of clients) {
      for (const direction of directions) {
        const title = titleOf(client.name as ForeignName, direction)
        const torrent = torrents.get(title)
        if (torrent === undefined) throw new Error(`no torrent ${title}`)
        const done = seedOne(direction === directions[0] ? client : ours, torrent, tracker)
          .then(() => carry(client, torrent, direction))
          .catch((error: unknown) => {
            throw new Error(`${String(error)}\n${ours.diary()}`, { cause: error })
          })
        done.catch(() => undefined)
        begun.set(title, done)
      }
    }
    await Promise.allSettled(begun.values())
  }, 240_000)

  afterAll(async () => {
    if (here.length === 0) return
    await lab.close()
    const order = (row: Row): string => `${row.client.name} ${row.direction}`
    await record(
      'Encryption required',
      rows.toSorted((a, b) => order(a).localeCompare(order(b))),
    )
  }, 60_000)

  for (const name of FOREIGN) {
    const without = lacking(name)
    for (const direction of directions) {
      it.skipIf(without !== '')(titled(`${name}: ${direction}`, without), async () => {
        expect(['handshake', 'rc4']).toContain(await begun.get(titleOf(name, direction)))
      })
    }
  }
})
