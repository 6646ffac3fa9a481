/**
 * `npm run bench:rest -- [--torrents N]`: what a torrent at rest costs. A daemon with N seeding torrents of one small
 * file each, started anew, beside one without any: the difference of their RSS, a minute after the start.
 */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Daemon, makeHome } from '../support/daemon.js'
import { makeTorrent } from '../support/make-torrent.js'

/** KiB of RSS for each torrent. */
const BOUND = 10
/** Milliseconds after the start: trackers were asked, and what that took was let go. */
const AFTER = 60_000
const MOST_MILLIS = 300_000
const AT_ONCE = 50

const { values } = parseArgs({ options: { torrents: { type: 'string', default: '2000' } } })
const count = Number(values.torrents)
if (!Number.isInteger(count) || count < 100) throw new Error('--torrents takes a number from 100')

const dir = mkdtempSync(join(realpathSync(tmpdir()), 'tor-rest-'))
try {
  const none = await restingRss('none', 0)
  const all = await restingRss('all', count)
  const each = (all - none) / count
  console.log(
    `RSS ${mib(none)} MiB without a torrent, ${mib(all)} MiB with ${String(count)} seeding ones: ` +
      `${each.toFixed(1)} KiB each, ${String(BOUND)} at most are promised`,
  )
  process.exitCode = each > BOUND ? 1 : 0
} finally {
  rmSync(dir, { recursive: true, force: true })
}

/** KiB, of a daemon that was started with so many seeding torrents. */
async function restingRss(name: string, torrents: number): Promise<number> {
  const data = join(dir, `${name}-data`)
  mkdirSync(data)
  const home = makeHome(join(dir, name), `[download]\ndir = "${data}"\n[dht]\nenabled = true\n`)
  const first = await Daemon.start({ home })
  for (let from = 0; from < torrents; from += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, torrents - from) }, (_, at) => seed(data, from + at))
    await Promise.all(batch.map((each) => first.call('torrent.add', each)))
  }
  const end = performance.now() + MOST_MILLIS
  while ((await seeding(first)) < torrents) {
    if (performance.now() > end) throw new Error('not all torrents seed')
    await delay(500)
  }
  await first.stop()
  const second = await Daemon.start({ home })
  await delay(AFTER)
  const rss = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${String(second.pid)}/status`, 'utf8'))?.[1])
  if ((await seeding(second)) < torrents) throw new Error('not all torrents seed after the start')
  await second.stop()
  return rss
}

/** What adds the torrent of a file that lies there; its tracker refuses connections. */
function seed(data: string, index: number): { readonly metainfo: string; readonly dir: string } {
  const name = `file-${String(index)}.bin`
  const made = makeTorrent(data, { name, content: 20, trackers: [['http://127.0.0.1:9/announce']] })
  return { metainfo: readFileSync(made.file, 'base64'), dir: made.dir }
}

async function seeding(daemon: Daemon): Promise<number> {
  const { torrents } = await daemon.call('session.status', {})
  return torrents.byState.seeding ?? 0
}

function mib(kib: number): string {
  return (kib / 1024).toFixed(1)
}
