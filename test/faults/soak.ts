/** `npm run test:soak -- [--minutes N] [--torrents N] [--verbose]` */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { inFolder } from './report.js'
import { mib, notFlat, soak } from './soak-run.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    torrents: { type: 'string', default: '200' },
    verbose: { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes)
const torrents = Number(values.torrents)
if (!(minutes > 0)) throw new Error('--minutes takes a number above 0')
if (!Number.isInteger(torrents) || torrents < 10) throw new Error('--torrents takes a number from 10')

await inFolder(async (dir) => {
  const whole = minutes * 60_000
  // A fifth to fill what fills once.
  const figures = await soak({
    dir: join(dir, 's'),
    torrents,
    warmUp: whole / 5,
    millis: (whole * 4) / 5,
    sampleEvery: Math.min(3000, whole / 60),
    say: (line) => {
      if (values.verbose) console.log(line)
    },
  })
  const { peers, blocks, answers, downloads, rss, live, fds, p99, rssSlope } = figures
  console.log(
    `${String(torrents)} torrents, ${String(peers)} peers came and went, ${String(blocks)} blocks sent, ` +
      `${String(downloads)} downloads, ${String(answers)} answers`,
  )
  const found = notFlat(figures)
  const lives =
    live === null
      ? 'too few collections to tell the live heap'
      : `live heap ${mib(live.bytes[0])} to ${mib(live.bytes[1])} MiB, its slope ${live.slope.toFixed(0)} KiB/min`
  console.log(
    `RSS ${mib(rss[0])} to ${mib(rss[1])} MiB, RSS slope ${rssSlope.toFixed(0)} KiB/min, ${lives}, ` +
      `fds ${fds.join('..')}, loop p99 ${p99.join('..')} ms, ${found.length === 0 ? 'all flat' : found.join(', ')}`,
  )
  return found.length === 0 ? 0 : 1
})
