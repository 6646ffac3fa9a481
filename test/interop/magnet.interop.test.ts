/** By magnet link: we fetch the metadata from each of four clients, and each fetches them from us. */
import { afterAll, beforeAll, describe, it } from 'vitest'
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

/** Enough long names for metadata of several blocks. */
const CONTENT = Array.from({ length: 300 }, (_, at) => ({
  path: `${'a folder with a long name/'.repeat(3)}file ${String(at).padStart(4, '0')}.bin`,
  length: 3000 + at,
}))

const directions = ['it seeds, we have the link', 'we seed, it has the link'] as const
type Direction = (typeof directions)[number]

describe('a magnet link', () => {
  let lab: Lab
  let ours: Torrentino
  const rows: Row[] = []
  const begun = new Map<string, Promise<void>>()
  const nameOf = (name: ForeignName, direction: Direction): string =>
    `${name}-${direction === directions[0] ? 'theirs' : 'ours'}`

  async function carry(client: Client, torrent: MadeTorrent, direction: Direction): Promise<void> {
    const [from, to] = direction === directions[0] ? [client, ours] : [ours, client]
    const dir = lab.folder(`got-${torrent.name}`)
    const magnet = `magnet:?xt=urn:btih:${torrent.infoHash}&tr=${encodeURIComponent(TRACKER.http)}`
    const start = Date.now()
    await to.add(torrent, { dir, magnet })
    await poll(
      { what: `${to.name} downloads ${torrent.name} from ${from.name}`, timeout: 150_000 },
      async () => {
        const transfer = await to.transfer(torrent)
        return transfer.progress === 1 && transfer.seeding
      },
    )
    if (to === ours) expectSameFiles(torrent, dir)
    else expectContent(torrent, dir)
    const seconds = (Date.now() - start) / 1000
    rows.push({ client, direction, content: '300 files', bytes: torrent.totalBytes, seconds })
  }

  beforeAll(async () => {
    if (here.length === 0) return
    lab = await openLab()
    const torrents = new Map(
      here.flatMap((name) =>
        directions.map((direction) => {
          const title = nameOf(name, direction)
          const init = { name: title, content: CONTENT, pieceLength: 16_384, trackers: [[TRACKER.http]] }
          return [title, makeTorrent(lab.folder(`made-${title}`), init)] as const
        }),
      ),
    )
    const tracker = await startTracker(await lab.host(SEATS.tracker), [...torrents.values()])
    const [first, ...clients] = await Promise.all([
      lab.host(SEATS.torrentino).then(startTorrentino),
      ...here.map((name) => startForeign(lab, name)),
    ])
    ours = first
    for (const client of clients) {
      for (const direction of directions) {
        const title = nameOf(client.name as ForeignName, direction)
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
  }, 120_000)

  afterAll(async () => {
    if (here.length === 0) return
    await Promise.allSettled(begun.values())
    await lab.close()
    const order = (row: Row): string => `${row.client.name} ${row.direction}`
    await record(
      'Magnet links',
      rows.toSorted((a, b) => order(a).localeCompare(order(b))),
    )
  }, 60_000)

  for (const name of FOREIGN) {
    const without = lacking(name)
    for (const direction of directions) {
      it.skipIf(without !== '')(
        titled(`and ${name}: ${direction}`, without),
        () => begun.get(nameOf(name, direction)),
        180_000,
      )
    }
  }
})
