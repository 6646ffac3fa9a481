/** How the micro benches measure: a warm-up, then some rounds of which the median counts. */
import { spread, type Spread } from '../results.js'

const ROUNDS = 5

export interface Line {
  readonly name: string
  readonly unit: string
  readonly spread: Spread
}

function lineOf(name: string, unit: string, values: readonly number[]): Line {
  const known = spread(values)
  if (known === null) throw new Error(`${name}: no round`)
  return { name, unit, spread: known }
}

/** CPU-nanoseconds of one of the `count` operations that `run` does: who else uses the core does not count. */
export function nanoseconds(name: string, count: number, run: () => void): Line {
  run()
  const values = Array.from({ length: ROUNDS }, () => {
    const used = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(used)
    return ((user + system) * 1e3) / count
  })
  return lineOf(name, 'CPU-ns', values)
}

/** Microseconds of one of the `count` operations that `run` does. */
export async function microseconds(name: string, count: number, run: () => Promise<void>): Promise<Line> {
  await run()
  const values: number[] = []
  for (let i = 0; i < ROUNDS; i += 1) {
    const since = performance.now()
    await run()
    values.push(((performance.now() - since) * 1e3) / count)
  }
  return lineOf(name, 'us', values)
}

/** GiB/s, and CPU-seconds of all threads of this process for a GiB, where `run` moves `bytes`. */
export async function throughput(
  name: string,
  bytes: number,
  run: () => void | Promise<void>,
): Promise<Line[]> {
  const gib = bytes / 1024 ** 3
  await run()
  const rates: number[] = []
  const costs: number[] = []
  for (let i = 0; i < ROUNDS; i += 1) {
    const since = performance.now()
    const used = process.cpuUsage()
    await run()
    const { user, system } = process.cpuUsage(used)
    rates.push((gib * 1000) / (performance.now() - since))
    costs.push((user + system) / 1e6 / gib)
  }
  return [lineOf(name, 'GiB/s', rates), lineOf(name, 'CPU-s/GiB', costs)]
}
