import { describe, expect, it } from 'vitest'
import { RateMeter } from '../../daemon/base/rate.js'
import { FakeLog, silentLog } from '../support/fake-log.js'

/** Adds `bytes` every 100 ms from `from` to `to`. */
function feed(meter: RateMeter, from: number, to: number, bytes: number): void {
  for (let now = from; now < to; now += 100) meter.add(now, bytes)
}

describe('RateMeter', () => {
  it('tells a steady rate, soon after the start and long after', () => {
    const meter = new RateMeter()
    for (const until of [2000, 5000, 30_000, 300_000]) {
      const fresh = new RateMeter()
      feed(fresh, 1234, 1234 + until, 5000)
      expect(Math.abs(fresh.rate(1234 + until) - 50_000)).toBeLessThan(500)
    }
    expect(meter.rate(99)).toBe(0)
  })

  it('does not take the first burst for a rate', () => {
    const meter = new RateMeter()
    meter.add(1000, 65_536)
    expect(meter.rate(1000)).toBe(65_536)
    expect(meter.rate(3000)).toBe(32_768)
  })

  it('falls to 0 after the window has passed, and starts anew', () => {
    const meter = new RateMeter()
    feed(meter, 0, 30_000, 1000)
    expect(meter.rate(40_000)).toBeGreaterThan(4000)
    expect(meter.rate(40_000)).toBeLessThan(6000)
    expect(meter.rate(50_001)).toBe(0)
    feed(meter, 90_000, 92_000, 1000)
    expect(meter.rate(92_000)).toBe(10_000)
    expect(meter.total).toBe(320_000)
  })

  it('follows a change within the window', () => {
    const meter = new RateMeter()
    feed(meter, 0, 40_000, 1000)
    feed(meter, 40_000, 61_000, 9000)
    expect(meter.rate(61_000)).toBe(90_000)
  })

  it('answers whole numbers, whatever the time', () => {
    const meter = new RateMeter({ window: 1000 })
    meter.add(0.37, 7)
    meter.add(333.91, 11)
    expect(Number.isInteger(meter.rate(777.77))).toBe(true)
    expect(meter.rate(777.77)).toBeGreaterThan(0)
    expect(meter.rate(5000)).toBe(0)
  })
})

describe('FakeLog', () => {
  it('keeps the lines of its children with their bindings', () => {
    const log = new FakeLog({ a: 1 })
    log.child({ b: 2 }).warn({ c: 3 }, 'said')
    expect(log.lines).toEqual([{ level: 'warn', fields: { a: 1, b: 2, c: 3 }, message: 'said' }])
    expect(log.messages('warn')).toEqual(['said'])
    expect(log.messages('info')).toEqual([])
    silentLog.child({}).error({}, 'unheard')
  })
})
