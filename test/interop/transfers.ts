/** One seed, one that downloads, one torrent: the step every test here is made of. */
import type { Lab } from './namespace.js'
import { makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import type { ForeignName } from './clients/all.js'
import type { Client } from './clients/client.js'
import { TRACKER, type Tracker } from './clients/tracker.js'
import { poll } from './poll.js'

/** One torrent between our client and another, by one kind of tracker. */
export interface Pair {
  readonly name: ForeignName
  readonly via: keyof typeof TRACKER
  readonly torrent: MadeTorrent
  readonly content: string
}

const MANY = [
  { path: 'one.bin', length: 700_001 },
  { path: 'deep/er/two.bin', length: 1_234_567 },
  { path: 'empty', length: 0 },
  { path: 'deep/three.bin', length: 5 },
  { path: 'four.bin', length: 1_048_576 },
]

/**
 * Two torrents for each client: one file and several, with odd lengths and an empty one; each client meets both
 * kinds of tracker.
 */
export function makePairs(lab: Lab, names: readonly ForeignName[]): Pair[] {
  return names.flatMap((name, index) =>
    (['http', 'udp'] as const).map((via, turn) => {
      const single = (index + turn) % 2 === 0
      const torrent = makeTorrent(lab.folder(`${name}-${via}`), {
        name: `${name}-${via}`,
        content: single ? 3_000_001 : MANY,
        pieceLength: single ? 65_536 : 32_768,
        trackers: [[TRACKER[via]]],
      })
      return { name, via, torrent, content: `${single ? 'one file' : 'five files'}, ${via} tracker` }
    }),
  )
}

/** The client holds the payload already; settles when the tracker knows it as a seed. */
export async function seedOne(client: Client, torrent: MadeTorrent, tracker: Tracker): Promise<void> {
  await client.add(torrent, { dir: torrent.dir })
  await poll({ what: `${client.name} seeds ${torrent.name}`, timeout: 60_000 }, async () => {
    return (await client.transfer(torrent)).seeding
  })
  await tracker.seedsKnown([torrent], 60_000)
}

/** Downloads into `dir`; the seconds it took. */
export async function fetchOne(client: Client, torrent: MadeTorrent, dir: string): Promise<number> {
  const start = Date.now()
  await client.add(torrent, { dir })
  await poll({ what: `${client.name} downloads ${torrent.name}`, timeout: 120_000 }, async () => {
    const transfer = await client.transfer(torrent)
    return transfer.progress === 1 && transfer.seeding
  })
  return (Date.now() - start) / 1000
}
