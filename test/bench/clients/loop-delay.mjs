// Loaded into our daemon beside its own code (node --import): on SIGUSR2 it writes the delays of the main loop since
// the last time to the file named by TORRENTINO_BENCH_LOOP, and starts anew.
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/** Milliseconds between its timers: what is counted is how much later than that they come. */
const RESOLUTION = 10
const file = process.env.TORRENTINO_BENCH_LOOP

if (isMainThread && file !== undefined) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION })
  histogram.enable()
  let times = 0
  process.on('SIGUSR2', () => {
    const late = (nanos) => Math.max(0, nanos / 1e6 - RESOLUTION)
    times += 1
    const said = { p99: late(histogram.percentile(99)), max: late(histogram.max), times }
    writeFileSync(`${file}.new`, `${JSON.stringify(said)}\n`)
    renameSync(`${file}.new`, file)
    histogram.reset()
  })
}
