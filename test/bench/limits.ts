/**
 * `npm run test:limits`: how exactly a limit is kept between two real daemons on loopback: payload of 10 s after 3 s of
 * settling, of all torrents together and of one, received and sent. Ends with 1 where one is off by more than 3 %.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Daemon } from '../support/daemon.js'
import { type Stage, stageFor } from '../support/stage.js'
import { makeContent, makeTorrent } from './content.js'

const MIB = 1024 * 1024
const RATES = [1, 10, 100] as const
const SETTLES = 3000
const COUNTED = 10_000
const MOST_OFF = 0.03
/** What the fastest row needs, and some more. */
const SIZE = 1600 * MIB
const PIECE = MIB

interface Row {
  readonly whose: 'daemon' | 'torrent'
  readonly way: 'down' | 'up'
  readonly rate: number
}

const rows: Row[] = (['daemon', 'torrent'] as const).flatMap((whose) =>
  (['down', 'up'] as const).flatMap((way) => RATES.map((mib) => ({ whose, way, rate: mib * MIB }))),
)

let end: () => unknown = () => undefined
const stage = stageFor({ onTestFinished: (fn) => void (end = fn as () => unknown) })
try {
  process.exitCode = (await measure(stage)) ? 0 : 1
} finally {
  await end()
}

async function measure(stage: Stage): Promise<boolean> {
  const data = stage.folder('seed-data')
  const { http } = await stage.tracker()
  const content = makeContent(data, { name: 'big.bin', files: SIZE })
  const made = makeTorrent(content, {
    file: join(stage.dir, 'big.torrent'),
    pieceLength: PIECE,
    announce: http,
  })
  const metainfo = readFileSync(made.file, 'base64')
  const seed = await stage.daemon('seed')
  const leech = await stage.daemon('leech')
  const { id: seeded } = await seed.call('torrent.add', { metainfo, dir: data })
  await seed.seeds(seeded, 120_000)
  console.log('limit of       way           asked          kept           off')
  let good = true
  for (const row of rows) {
    const kept = await keptBy(row, { seed, seeded, leech, metainfo, dir: stage.folder('down') })
    const off = kept / row.rate - 1
    good &&= Math.abs(off) <= MOST_OFF
    const figures = [mib(row.rate), mib(kept), `${(off * 100).toFixed(2)} %`]
    console.log(
      `${row.whose.padEnd(14)} ${row.way.padEnd(4)} ${figures.map((text) => text.padStart(14)).join('')}`,
    )
  }
  return good
}

interface Pair {
  readonly seed: Daemon
  readonly seeded: number
  readonly leech: Daemon
  readonly metainfo: string
  readonly dir: string
}

/** Bytes a second that went with that limit. */
async function keptBy({ whose, way, rate }: Row, pair: Pair): Promise<number> {
  const { seed, seeded, leech, metainfo, dir } = pair
  const { id } = await leech.call('torrent.add', { metainfo, dir, paused: true })
  const [limited, its] = way === 'down' ? [leech, id] : [seed, seeded]
  const set = async (value: number | null): Promise<void> => {
    if (whose === 'torrent') await limited.call('torrent.limit', { ids: [its], [way]: value })
    else await limited.call('config.set', { key: `limits.${way}`, value: String(value ?? 'none') })
  }
  await set(rate)
  await leech.call('torrent.resume', { ids: [id], now: true })
  await leech.until(id, ({ downloaded }) => downloaded > 0, 60_000)
  await delay(SETTLES)
  // What came is what counts, on either side.
  const look = async (): Promise<readonly [number, number]> => {
    const { downloaded } = await leech.torrent(id)
    return [performance.now(), downloaded]
  }
  const [from, before] = await look()
  await delay(COUNTED)
  const [to, after] = await look()
  await leech.call('torrent.remove', { ids: [id], data: true, now: true })
  await set(null)
  return ((after - before) * 1000) / (to - from)
}

function mib(rate: number): string {
  return `${(rate / MIB).toFixed(2)} MiB/s`
}
