/**
 * A daemon with many torrents and much coming and going: its memory, its descriptors and the delay of its loop must
 * not grow. V8 takes memory and gives it back in large steps, so no two samples are compared: after a warm-up (heap,
 * slab, frames and caches fill once) the rest is cut in thirds, and the median of the last is held against that of the
 * first. Between them lie two thirds of that time, which gives the slope. RSS holds garbage that V8 has not collected,
 * of which there is more on a loaded machine; what lives is what V8 itself says is left after each full collection.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { encode } from '../../shared/torrent/bencode.js'
import { Daemon, makeHome } from '../support/daemon.js'
import { FakeRandom } from '../support/fake-random.js'
import { httpTracker, reply } from '../support/fake-tracker.js'
import { rssOf } from '../support/floods.js'
import { type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { slowSeeder } from '../support/slow-seeder.js'
import { Traffic } from './soak-traffic.js'

const KIB = 1024
/** One torrent in so many is downloaded again and again; the others are seeded. */
const DOWNLOADED = 10
/** Of these, so many at once. */
const AT_ONCE = 4
/** Milliseconds between two downloads of one. */
const REST = 200
/** What a seeded, and what a downloaded torrent is made of. */
const SEEDED_BYTES = 64 * KIB
const DOWNLOADED_BYTES = 1024 * KIB
/** Bytes a second of each download. */
const RATE = 4 * 1024 * KIB

export interface SoakInit {
  /** A new folder; short, for a socket lies in it. */
  readonly dir: string
  readonly torrents: number
  /** Milliseconds before what is judged, and of that. */
  readonly warmUp: number
  readonly millis: number
  readonly sampleEvery: number
  readonly say?: (line: string) => void
}

export interface Sample {
  /** Milliseconds since the start. */
  readonly at: number
  /** Bytes. */
  readonly rss: number
  readonly fds: number
  /** Milliseconds of the last minute at most; null where no payload moved. */
  readonly p99: number | null
}

/** The main thread's heap after full collections. */
export interface LiveHeap {
  /** Medians of the first and of the last third, bytes. */
  readonly bytes: readonly [number, number]
  /** KiB a minute. */
  readonly slope: number
}

export interface SoakFigures {
  /** KiB a minute. */
  readonly rssSlope: number
  /** Bytes: the median of the last third less that of the first. */
  readonly rssGrowth: number
  /** Medians of the first and of the last third. */
  readonly rss: readonly [number, number]
  /** Null where V8 collected too seldom to say. */
  readonly live: LiveHeap | null
  readonly fds: readonly [number, number]
  readonly p99: readonly [number, number]
  readonly samples: number
  readonly peers: number
  readonly blocks: number
  readonly answers: number
  readonly downloads: number
}

/** Bounds of a run of minutes; a shorter one has looser ones of its own. */
export const BOUNDS = {
  /** KiB a minute. A leak of one object for each peer (20 a second, 1 KiB) would be 1200. */
  rssSlope: 1024,
  /** KiB a minute: half of what such a leak would be. */
  liveSlope: 600,
  /** More open at the median than before: those of peers that are just there. */
  fds: 10,
  /** Milliseconds, and twice what it was: two cores that others use as well. */
  p99: 50,
} as const

/** Sentences; empty where all is flat. */
export function notFlat({ rssSlope, live, fds, p99 }: SoakFigures): string[] {
  const found: string[] = []
  if (rssSlope > BOUNDS.rssSlope) found.push(`RSS grows by ${rssSlope.toFixed(0)} KiB/min`)
  if (live !== null && live.slope > BOUNDS.liveSlope)
    found.push(`the live heap grows by ${live.slope.toFixed(0)} KiB/min`)
  if (fds[1] > fds[0] + BOUNDS.fds) found.push(`fds grow from ${String(fds[0])} to ${String(fds[1])}`)
  if (p99[1] > Math.max(BOUNDS.p99, 2 * p99[0]))
    found.push(`the loop's p99 grows from ${String(p99[0])} to ${String(p99[1])} ms`)
  return found
}

export function judge(
  samples: readonly Sample[],
): Pick<SoakFigures, 'rssSlope' | 'rssGrowth' | 'rss' | 'fds' | 'p99'> {
  const third = Math.floor(samples.length / 3)
  if (third === 0) throw new Error('too few samples')
  const [first, last] = [samples.slice(0, third), samples.slice(-third)]
  const pair = (of: (sample: Sample) => number): [number, number] => [
    median(first.map(of)),
    median(last.map(of)),
  ]
  const rss = pair((sample) => sample.rss)
  const at = pair((sample) => sample.at)
  const rssGrowth = rss[1] - rss[0]
  const rssSlope = rssGrowth / KIB / ((at[1] - at[0]) / 60_000)
  return { rssSlope, rssGrowth, rss, fds: pair(({ fds }) => fds), p99: pair(({ p99 }) => p99 ?? 0) }
}

/** What `--trace-gc` prints of a full collection: whose, when, and what is left. */
const COLLECTED = /\[\d+:(0x[0-9a-f]+)\] +(\d+) ms: Mark-Compact.*? -> ([\d.]+) \(/g
const FEWEST_COLLECTIONS = 9

/** Of the thread that started first; collections before `from`, in milliseconds of the process, do not count. */
export function liveHeap(trace: string, from: number): LiveHeap | null {
  const all = [...trace.matchAll(COLLECTED)].map(([, whose, at, left]) => {
    return { whose, at: Number(at), bytes: Number(left) * KIB * KIB }
  })
  const mine = all.filter(({ whose, at }) => whose === all[0]?.whose && at >= from)
  if (mine.length < FEWEST_COLLECTIONS) return null
  const third = Math.floor(mine.length / 3)
  const [first, last] = [mine.slice(0, third), mine.slice(-third)]
  const of = (some: typeof mine): number => median(some.map(({ bytes }) => bytes))
  const minutes = (median(last.map(({ at }) => at)) - median(first.map(({ at }) => at))) / 60_000
  return { bytes: [of(first), of(last)], slope: (of(last) - of(first)) / KIB / minutes }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

export async function soak(init: SoakInit): Promise<SoakFigures> {
  mkdirSync(init.dir, { recursive: true })
  const names = Array.from({ length: init.torrents }, (_, n) => n)
  const seeded = names
    .filter((n) => n % DOWNLOADED !== 0)
    .map((n) =>
      makeTorrent(join(init.dir, 'made'), {
        name: `s${String(n)}`,
        content: SEEDED_BYTES,
        pieceLength: 16 * KIB,
      }),
    )
  const home = makeHome(join(init.dir, 'h'))
  const daemon = await Daemon.start({ home, flags: ['--trace-gc'] })
  const ends: (() => void)[] = []
  try {
    for (const torrent of seeded)
      await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
    const circles = names.filter((n) => n % DOWNLOADED === 0).map((n) => circle(init.dir, n, ends))
    const made = await Promise.all(circles)
    const { listen } = await daemon.call('session.status', {})
    const traffic = new Traffic({ port: listen.port, home, torrents: seeded, random: new FakeRandom(1) })
    const state = { over: false, downloads: 0 }
    ends.push(() => {
      traffic.stop()
      state.over = true
    })
    const down = join(init.dir, 'down')
    const working = Array.from({ length: AT_ONCE }, (_, n) =>
      again(
        daemon,
        made.filter((_each, at) => at % AT_ONCE === n),
        down,
        state,
      ),
    )
    const samples = await watch(daemon, init)
    for (const end of ends.splice(0)) end()
    await Promise.all(working)
    const { peers, blocks, answers } = traffic
    const { downloads } = state
    const live = liveHeap(daemon.said(), init.warmUp)
    return { ...judge(samples), live, samples: samples.length, peers, blocks, answers, downloads }
  } finally {
    for (const end of ends) end()
    await daemon.stop()
  }
}

async function watch(daemon: Daemon, init: SoakInit): Promise<Sample[]> {
  const samples: Sample[] = []
  const begun = performance.now()
  for (let at = 0; at < init.warmUp + init.millis; at = performance.now() - begun) {
    await delay(init.sampleEvery)
    const { loopDelay } = await daemon.call('session.status', {})
    const fds = readdirSync(`/proc/${String(daemon.pid)}/fd`).length
    const sample = { at, rss: rssOf(daemon.pid), fds, p99: loopDelay.p99 }
    init.say?.(
      `${(at / 1000).toFixed(0)} s: RSS ${mib(sample.rss)} MiB, ${String(fds)} fds, p99 ${String(sample.p99)} ms`,
    )
    if (at >= init.warmUp) samples.push(sample)
  }
  return samples
}

export function mib(bytes: number): string {
  return (bytes / KIB / KIB).toFixed(1)
}

/** A torrent with a seed of its own. */
async function circle(dir: string, n: number, ends: (() => void)[]): Promise<MadeTorrent> {
  let port = 0
  const tracker = await httpTracker((socket) => {
    const peers = Buffer.from([127, 0, 0, 1, port >> 8, port & 255])
    reply(socket, Buffer.from(encode({ interval: 1800, peers })))
  })
  const trackers = [[`http://127.0.0.1:${String(tracker.port)}/announce`]]
  const shape = { name: `d${String(n)}`, content: DOWNLOADED_BYTES, pieceLength: 64 * KIB, trackers }
  const torrent = makeTorrent(join(dir, 'sources'), shape)
  const seeder = await slowSeeder({ torrent, rate: RATE })
  port = seeder.port
  ends.push(() => {
    seeder.close()
    tracker.close()
  })
  return torrent
}

/** One after another is added, comes, and is removed with its file, until it is over. */
async function again(
  daemon: Daemon,
  torrents: readonly MadeTorrent[],
  dir: string,
  state: { over: boolean; downloads: number },
): Promise<void> {
  const isOver = (): boolean => state.over
  for (let turn = 0; !isOver() && torrents.length > 0; turn++) {
    const torrent = torrents[turn % torrents.length]
    if (torrent === undefined) return
    const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir })
    await daemon.until(id, ({ state: now }) => now === 'seeding' || isOver(), 60_000)
    if (!isOver()) state.downloads++
    await daemon.call('torrent.remove', { ids: [id], data: true, now: true })
    await delay(REST)
  }
}

function metainfoOf(torrent: MadeTorrent): string {
  return readFileSync(torrent.file).toString('base64')
}
