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

/** How many times what is alive the heap was at most, while things that lived for a while were replaced. */
function swing(before: string): number {
  const script = `${before}
    const { getHeapStatistics, setFlagsFromString } = await import('node:v8')
    const { runInNewContext } = await import('node:vm')
    setFlagsFromString('--expose-gc')
    const ring = Array.from({ length: 200_000 }, (_, n) => ({ n, list: [n, n] }))
    runInNewContext('gc')()
    const alive = getHeapStatistics().used_heap_size
    let most = 0
    for (let turn = 0; turn < 400; turn++) {
      for (let n = 0; n < 5000; n++) ring[(turn * 5000 + n) % ring.length] = { n, list: [n, n] }
      most = Math.max(most, getHeapStatistics().used_heap_size)
      await new Promise((done) => setTimeout(done, 1))
    }
    console.log(most / alive)`
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }))
}

describe('the heap', () => {
  it('does not swing to a multiple of what is alive, where V8 would let it', () => {
    expect(swing(`await import('${V8}')`)).toBeLessThan(2.7)
    expect(swing('')).toBeGreaterThan(3)
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
