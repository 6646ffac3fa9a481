/** opentracker, and for IPv6, which it has not, the npm bittorrent-tracker: HTTP and UDP on one port. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MadeTorrent } from '../../support/make-torrent.js'
import type { Host, Program } from '../namespace.js'
import { poll } from '../poll.js'
import { SEATS } from './client.js'

const PORT = 6969
const NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups']

/** Announce URLs of the lab's tracker: known before it runs, as torrents are made first. */
export const TRACKER = {
  http: `http://10.77.0.${SEATS.tracker}:${PORT}/announce`,
  udp: `udp://10.77.0.${SEATS.tracker}:${PORT}/announce`,
} as const

export const TRACKER6 = {
  http: `http://[fd77::${SEATS.tracker}]:${PORT}/announce`,
  udp: `udp://[fd77::${SEATS.tracker}]:${PORT}/announce`,
} as const

export interface Scrape {
  readonly seeds: number
  readonly leechers: number
}

export interface Tracker {
  /** Who has announced so far. */
  scrape(torrent: MadeTorrent): Promise<Scrape>
  /** Settles when at least one seed of each torrent is known: who comes later hears of it at once. */
  seedsKnown(torrents: readonly MadeTorrent[], timeout: number): Promise<void>
  stop(): Promise<void>
}

/** Debian's build serves only listed torrents, and as root would chroot away from the list. */
export async function startTracker(host: Host, torrents: readonly MadeTorrent[]): Promise<Tracker> {
  const list = join(host.dir, 'whitelist')
  const config = join(host.dir, 'opentracker.conf')
  writeFileSync(list, torrents.map((torrent) => `${torrent.infoHash}\n`).join(''))
  writeFileSync(
    config,
    `listen.tcp ${host.address}:${PORT}\nlisten.udp ${host.address}:${PORT}\naccess.whitelist ${list}\n`,
  )
  const asNobody = process.getuid?.() === 0 ? NOBODY : []
  const program: Program = host.spawn('setpriv', [
    ...asNobody,
    '--pdeathsig',
    'KILL',
    'opentracker',
    '-f',
    config,
  ])

  async function scrape(torrent: MadeTorrent): Promise<Scrape> {
    const query = torrent.infoHash.replace(/../g, '%$&')
    const answer = await host.http(PORT, { path: `/scrape?info_hash=${query}` })
    const body = answer.body.toString('latin1')
    const count = (key: string): number => Number(new RegExp(`${key}i(\\d+)e`).exec(body)?.[1] ?? 0)
    if (answer.status !== 200) throw new Error(`scrape: ${answer.status} ${body}`)
    return { seeds: count('8:complete'), leechers: count('10:incomplete') }
  }

  await poll({ what: 'opentracker answers', timeout: 10_000 }, async () => {
    program.assertRuns()
    return (await host.http(PORT, { path: '/stats' })).status > 0
  })

  return {
    scrape,
    seedsKnown: async (list, timeout) => {
      await Promise.all(
        list.map((torrent) =>
          poll({ what: `a seed of ${torrent.name} at the tracker`, timeout }, async () => {
            return (await scrape(torrent)).seeds > 0
          }),
        ),
      )
    },
    stop: () => program.stop(),
  }
}

/** For hosts that have IPv6 alone. */
export async function startTracker6(host: Host): Promise<void> {
  const script = fileURLToPath(new URL('./tracker6.mjs', import.meta.url))
  const program = host.spawn(process.execPath, [script, host.address, String(PORT)])
  await poll({ what: 'bittorrent-tracker answers', timeout: 20_000 }, () => {
    program.assertRuns()
    return Promise.resolve(program.output.includes('ready'))
  })
}
