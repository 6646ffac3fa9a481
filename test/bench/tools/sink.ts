/**
 * Null sinks: many leechers in one process that ask as fast as they are answered and throw away what comes, or check
 * it first. They knowingly never say `have`. Command line and output: test/bench/tools/README.md.
 */
import { parseArgs } from 'node:util'
import { Histogram } from './histogram.js'
import { Leech, type LeechInit, type Tally } from './leech.js'
import { loadMetainfo } from './metainfo.js'
import { positive, ready, run } from './program.js'
import { endpoint } from './sockets.js'

const DEPTH = 256
/** Between two dials: a burst of SYNs would overflow a short backlog. */
const DIAL_EVERY_MS = 2
/** All begin to ask when all are connected, or after this long. */
const TOGETHER_WITHIN_MS = 5000

/** Deterministic chance (mulberry32), so that a run can be repeated. */
function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      torrent: { type: 'string', multiple: true },
      target: { type: 'string' },
      connections: { type: 'string' },
      local: { type: 'string', multiple: true },
      depth: { type: 'string' },
      seconds: { type: 'string' },
      bytes: { type: 'string' },
      once: { type: 'boolean' },
      wait: { type: 'string' },
      verify: { type: 'boolean' },
      slow: { type: 'string' },
      seed: { type: 'string' },
    },
  })
  if (values.torrent === undefined || values.target === undefined) {
    throw new Error('needs --torrent FILE --target IP:PORT')
  }
  const metas = values.torrent.map(loadMetainfo)
  const to = endpoint(values.target)
  const count = positive('connections', values.connections, 1)
  const most = positive('seconds', values.seconds, Infinity)
  const random = chance(positive('seed', values.seed, 1))
  const tally: Tally = { latency: new Histogram(), drops: 0, chokes: 0, goodPieces: 0, badPieces: 0 }

  /** When all began to ask. */
  let released: number | null = null
  let first: number | null = null
  let last = 0
  let greeted = 0
  let open = count
  const init: Omit<LeechInit, 'meta' | 'local' | 'start' | 'goal'> = {
    to,
    depth: positive('depth', values.depth, DEPTH),
    verify: values.verify ?? false,
    slow: values.slow === undefined ? null : positive('slow', values.slow, 0),
    tally,
    onGreeted: () => {
      greeted += 1
      if (greeted === count) release()
    },
    onBlock: (now) => {
      first ??= now
      last = now
    },
    onGoal: () => {
      open -= 1
      if (open === 0) program.end()
    },
  }
  const leeches: Leech[] = []
  const release = (): void => {
    if (released !== null) return
    released = performance.now()
    for (const leech of leeches) leech.release()
    if (most < Infinity) setTimeout(() => program.end(), most * 1000)
  }
  const program = ready({}, ({ cpu }) => {
    const bytes = leeches.map((leech) => leech.bytes)
    const min = bytes.reduce((least, one) => Math.min(least, one), Infinity)
    const max = bytes.reduce((greatest, one) => Math.max(greatest, one), 0)
    const { latency, ...counts } = tally
    return {
      seconds: first === null || released === null ? 0 : (last - released) / 1000,
      total: bytes.reduce((sum, one) => sum + one, 0),
      connections: bytes,
      fairness: max === 0 ? 0 : min / max,
      min: max === 0 ? 0 : min,
      max,
      latency: { p50: latency.quantile(0.5), p99: latency.quantile(0.99), max: latency.max },
      firstBlockMillis: leeches.map(({ firstBlock }) =>
        firstBlock === null || released === null ? null : firstBlock - released,
      ),
      connected: greeted,
      ...counts,
      cpu: cpu(),
    }
  })
  setTimeout(
    () => {
      if (first === null) program.end()
    },
    positive('wait', values.wait, 60) * 1000,
  )
  setTimeout(release, TOGETHER_WITHIN_MS)
  for (let i = 0; i < count; i += 1) {
    const meta = metas[i % metas.length]
    const local = values.local?.[i % values.local.length]
    if (meta === undefined) throw new Error('no torrent')
    const goal = values.once === true ? meta.totalBytes : positive('bytes', values.bytes, Infinity)
    const start = Math.floor(random() * meta.pieceCount)
    leeches.push(new Leech({ ...init, meta, start, goal, ...(local === undefined ? {} : { local }) }, i))
    if (i % 16 === 15) await new Promise((resolve) => setTimeout(resolve, 16 * DIAL_EVERY_MS))
  }
}

run(main)
