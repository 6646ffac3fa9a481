/** The settings of V8, in processes of their own: flags are the process's. */
import { execFileSync, spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { daemonVariables } from '../../shared/environment.js'

const HEAP = pathToFileURL(resolve(import.meta.dirname, '../../dist/daemon/io/heap.js')).href
const V8 = pathToFileURL(resolve(import.meta.dirname, '../../dist/daemon/io/v8.js')).href

/** Bytes of the new space after 300 ms of garbage, with a thread started first. */
function nursery(before: string, variables: Readonly<Record<string, string>> = {}): number {
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
  const options = { encoding: 'utf8', env: { ...process.env, ...variables } } as const
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], options))
}

describe('the nursery', () => {
  it('stays small after a thread was started, where V8 would let it grow', () => {
    expect(nursery(`await import('${V8}')`)).toBeLessThanOrEqual(4 * 1024 * 1024)
    expect(nursery('')).toBeGreaterThan(8 * 1024 * 1024)
  })

  it('stays small by the variables of a daemon alone', () => {
    expect(nursery('', daemonVariables(process.platform))).toBeLessThanOrEqual(4 * 1024 * 1024)
  })
})

/**
 * The most that a heap held while 800 MB of garbage outlived the nursery, over what it began with. V8 has one thread
 * there: how far others are behind with marking is a matter of the machine.
 */
function mostHeld(before: string): number {
  const script = `${before}
    const { getHeapStatistics } = await import('node:v8')
    const alive = Array.from({ length: 150_000 }, (_, at) => ({ at, b: [at] }))
    const held = () => getHeapStatistics().used_heap_size
    const first = held()
    let most = 0
    for (let round = 0; round < 600; round++) {
      const kept = Array.from({ length: 20_000 }, (_, at) => ({ at, b: [at] }))
      most = Math.max(most, held())
      // Marking ends in tasks of its own, as in a daemon.
      if (round % 50 === 49) await new Promise((done) => setTimeout(done, 5))
    }
    console.log(alive.length > 0 ? most / first : 0)`
  const flags = ['--single-threaded', '--input-type=module']
  return Number(execFileSync(process.execPath, [...flags, '-e', script], { encoding: 'utf8' }))
}

describe('the heap', () => {
  it('is collected before it is several times what lives, where V8 would wait', () => {
    const soon = mostHeld(`await import('${V8}')`)
    expect(soon).toBeLessThan(0.7 * mostHeld(''))
  })
})

/** Pages held over bytes in use, after two of three objects have gone that lay side by side. */
function gaps(closed: boolean): number {
  const script = `await import('${V8}')
    const { v8Heap } = await import('${HEAP}')
    const { runInNewContext } = await import('node:vm')
    const { setFlagsFromString } = await import('node:v8')
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc')
    let all = Array.from({ length: 400_000 }, (_, at) => ({ at, b: [at] }))
    gc()
    all = all.filter((_, at) => at % 3 === 0)
    v8Heap.closeGaps(${String(closed)})
    gc()
    const { used, held } = v8Heap.size()
    console.log(all.length > 0 ? held / used : 0)`
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }))
}

describe('gaps in the heap', () => {
  it('are closed by a full collection that is told to', () => {
    expect(gaps(true)).toBeLessThan(1.4)
    expect(gaps(false)).toBeGreaterThan(1.6)
  })
})

describe('every setting', () => {
  it('is known to this V8, which would complain otherwise', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `await import('${V8}')
        const { v8Heap } = await import('${HEAP}')
        v8Heap.closeGaps(true)
        v8Heap.closeGaps(false)`,
      ],
      { encoding: 'utf8' },
    )
    expect([status, stderr]).toEqual([0, ''])
  })
})
