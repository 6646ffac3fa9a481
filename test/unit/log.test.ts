/** What the log may cost: of the disk, and of whoever reads it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { withoutRepeats } from '../../daemon/base/repeats.js'
import { createLog } from '../../daemon/io/log.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeLog } from '../support/fake-log.js'

describe('the same again and again', () => {
  function scene(): { clock: FakeClock; out: FakeLog; log: ReturnType<typeof withoutRepeats> } {
    const clock = new FakeClock()
    const out = new FakeLog()
    return { clock, out, log: withoutRepeats(out, () => clock.now()) }
  }

  it('is written ten times a minute and then counted', () => {
    const { clock, out, log } = scene()
    for (let n = 0; n < 1000; n++) log.warn({ n }, 'no')
    expect(out.lines).toHaveLength(10)
    clock.advance(60_000)
    log.warn({ n: 1000 }, 'no')
    expect(out.messages('warn').slice(10)).toEqual(['no (repeated 990 times)', 'no'])
    expect(out.lines[10]?.fields).toMatchObject({ n: 999, repeated: 990 })
  })

  it('is told at the end, once', () => {
    const { out, log } = scene()
    for (let n = 0; n < 12; n++) log.error({}, 'no')
    log.settle()
    log.settle()
    expect(out.messages('error').slice(10)).toEqual(['no (repeated 2 times)'])
  })

  it('is another thing of another torrent, another level, another sentence', () => {
    const { out, log } = scene()
    for (let n = 0; n < 100; n++) {
      log.warn({ torrent: 1 }, 'no')
      log.child({ torrent: 2 }).warn({}, 'no')
      log.info({}, 'no')
      log.warn({}, 'yes')
    }
    expect(out.lines).toHaveLength(40)
  })

  it('is not counted at debug', () => {
    const { out, log } = scene()
    for (let n = 0; n < 100; n++) log.debug({}, 'no')
    expect(out.lines).toHaveLength(100)
  })

  it('holds no more than so many causes', () => {
    const { out, log } = scene()
    for (let n = 0; n < 2000; n++) for (let i = 0; i < 11; i++) log.warn({}, `cause ${String(n)}`)
    // Who made room told its count.
    expect(out.messages('warn').filter((text) => text.includes('repeated'))).toHaveLength(1500)
  })
})

describe('the file', () => {
  let dir = ''
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tor-log-'))
  })
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true })
  })
  const lines = (name: string): Record<string, unknown>[] =>
    readFileSync(join(dir, name), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)

  it('has what was said before it was open', async () => {
    const log = createLog({ level: 'info' }, { now: () => 0 })
    log.info({ a: 1 }, 'early')
    log.open(join(dir, 'sub', 'x.log'))
    log.info({}, 'late')
    await vi.waitFor(() => {
      expect(lines('sub/x.log').map(({ msg }) => msg)).toEqual(['early', 'late'])
    })
  })

  it('stays under a megabyte for a thousand failures of a hostile tracker', async () => {
    const log = createLog({ level: 'info' }, { now: () => 0 })
    log.open(join(dir, 'x.log'))
    const junk = 'x'.repeat(100_000)
    for (let n = 0; n < 1000; n++) {
      const error = new Error(junk)
      log.warn({ torrent: n % 3, message: junk, nested: { list: [junk, { junk }] }, error }, `failed ${junk}`)
    }
    log.flush()
    await vi.waitFor(() => {
      expect(lines('x.log').length).toBeGreaterThan(30)
    })
    expect(statSync(join(dir, 'x.log')).size).toBeLessThan(1024 * 1024)
    for (const line of lines('x.log')) {
      expect(String(line['message']).length).toBeLessThanOrEqual(1025)
      expect(String(line['msg']).length).toBeLessThanOrEqual(1100)
    }
  })

  it('goes on in a new one at its cap, keeps three old ones, and loses no line', async () => {
    const log = createLog({ level: 'info', cap: 20_000 }, { now: () => 0 })
    log.open(join(dir, 'x.log'))
    const kept = ['x.log', 'x.log.1', 'x.log.2', 'x.log.3']
    const all = (): unknown[] => [...kept].reverse().flatMap((name) => lines(name).map(({ n }) => n))
    let n = 0
    // What waits for the first file to open may land in the next one.
    log.info({ n }, `line ${String(n++)}`)
    await vi.waitFor(() => {
      expect(lines('x.log')).toHaveLength(1)
    })
    // A message of its own each: nothing is counted together.
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 105; i++) log.info({ n, pad: 'p'.repeat(150) }, `line ${String(n++)}`)
      await vi.waitFor(() => {
        expect(readdirSync(dir).sort()).toEqual(kept.slice(0, round + 2))
        expect(lines(`x.log.${String(round + 1)}`).at(0)).toMatchObject({ n: 0 })
        expect(kept.slice(0, round + 2).flatMap(lines)).toHaveLength(n)
      })
    }
    expect(all()).toEqual(Array.from({ length: n }, (_, at) => at))
    for (let i = 0; i < 105; i++) log.info({ n, pad: 'p'.repeat(150) }, `line ${String(n++)}`)
    await vi.waitFor(() => {
      expect(lines('x.log.3').at(0)?.['n']).toBeGreaterThan(0)
      expect(readdirSync(dir).sort()).toEqual(kept)
    })
  })
})
