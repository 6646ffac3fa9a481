/** The settings of V8, in processes of their own: flags are the process's. */
import { execFileSync, spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'

const V8 = pathToFileURL(resolve(import.meta.dirname, '../../dist/daemon/io/v8.js')).href

/** Bytes of the new space after 300 ms of garbage, with a thread started first. */
function nursery(before: string): number {
  const script = `${before}
    const { Worker } = await import('node:worker_threads')
    const worker = new Worker('setInterval(() => {}, 1000)', { eval: true })
    await new Promise((done) => worker.once('online', done))
    let kept = []
    for (const end = performance.now() + 300; performance.now() < end;) {
      kept.push({ a: kept.length, b: [1] })
      if (kept.length > 20_000) kept = []
    }
    const { getHeapSpaceStatistics } = await import('node:v8')
    console.log(getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size)
    process.exit()`
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }))
}

describe('the nursery', () => {
  it('stays small after a thread was started, where V8 would let it grow', () => {
    expect(nursery(`await import('${V8}')`)).toBeLessThanOrEqual(4 * 1024 * 1024)
    expect(nursery('')).toBeGreaterThan(8 * 1024 * 1024)
  })
})

describe('every setting', () => {
  it('is known to this V8, which would complain otherwise', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', `await import('${V8}')`],
      { encoding: 'utf8' },
    )
    expect([status, stderr]).toEqual([0, ''])
  })
})
