/**
 * `npm run test:idle -- --minutes 10` (Linux): ten seeding torrents, nothing asked of the daemon. Prints its share of a
 * processor, wake-ups a second (all threads) and bytes written, and ends with 1 where one is over its bound. From five
 * minutes on it counts after the first daily backup, ten minutes after the start.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Daemon, makeHome } from '../support/daemon.js'
import { makeTorrent } from '../support/make-torrent.js'

const TORRENTS = 10
/** After the last start: records of the checks are written, V8 cleans up after the work, announces end. */
const SETTLE_MS = 60_000

/** The daily backup is made for the first time so long after the start: it is work of the day, and not of each hour. */
const FIRST_BACKUP_MS = 600_000

interface Counted {
  /** Seconds of CPU, user and system; the kernel counts in hundredths. */
  readonly cpu: number
  /** How often any thread went to sleep of its own will, so was woken. */
  readonly wakes: number
  readonly written: number
}

function count(pid: number): Counted {
  const proc = `/proc/${String(pid)}`
  const fields = readFileSync(`${proc}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  const wakes = readdirSync(`${proc}/task`).map((task) =>
    number(/^voluntary_ctxt_switches:\s*(\d+)$/m, `${proc}/task/${task}/status`),
  )
  return {
    cpu: (Number(fields[11]) + Number(fields[12])) / 100,
    wakes: wakes.reduce((sum, one) => sum + one, 0),
    written: number(/^write_bytes: (\d+)$/m, `${proc}/io`),
  }
}

function number(pattern: RegExp, file: string): number {
  return Number(pattern.exec(readFileSync(file, 'utf8'))?.[1])
}

async function seeding(folder: string): Promise<Daemon> {
  const daemon = await Daemon.start({ home: makeHome(join(folder, 'home'), '[lsd]\nenabled = false\n') })
  for (let index = 0; index < TORRENTS; index += 1) {
    const torrent = makeTorrent(folder, { name: `${String(index)}.bin`, content: 300_000 })
    const metainfo = readFileSync(torrent.file).toString('base64')
    const { id } = await daemon.call('torrent.add', { metainfo, dir: torrent.dir })
    await daemon.seeds(id, 60_000)
  }
  return daemon
}

async function firstBackup(home: string): Promise<void> {
  const folder = join(home, 'backups')
  const end = performance.now() + FIRST_BACKUP_MS + SETTLE_MS
  while (!existsSync(folder) || readdirSync(folder).length === 0) {
    if (performance.now() > end) throw new Error('there is no daily backup')
    await delay(5000)
  }
  await delay(SETTLE_MS)
}

async function main(folder: string, minutes: number): Promise<void> {
  const daemon = await seeding(folder)
  try {
    await delay(SETTLE_MS)
    if (minutes * 60_000 + SETTLE_MS > FIRST_BACKUP_MS / 2) await firstBackup(daemon.home)
    const before = count(daemon.pid)
    await delay(minutes * 60_000)
    const after = count(daemon.pid)
    const seconds = minutes * 60
    const cpu = (100 * (after.cpu - before.cpu)) / seconds
    const wakes = (after.wakes - before.wakes) / seconds
    const written = after.written - before.written
    const figures = `CPU ${cpu.toFixed(3)} %, ${wakes.toFixed(2)} wake-ups/s, ${String(written)} bytes written`
    console.log(`${String(TORRENTS)} torrents seed, ${String(minutes)} minutes: ${figures}`)
    // The other way round, so that a figure that is none fails as well.
    if (!(cpu < 0.1 && wakes < 2 && written === 0)) {
      console.error('FAILED: the bounds are CPU below 0.1 %, below 2 wake-ups/s, 0 bytes written.')
      process.exitCode = 1
    }
  } finally {
    await daemon.stop()
  }
}

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } })
const folder = mkdtempSync(join(tmpdir(), 'tor-idle-'))
try {
  await main(folder, Number(values.minutes))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
