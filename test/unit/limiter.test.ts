import { describe, expect, it } from 'vitest'
import { Limiter } from '../../daemon/base/limiter.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'

const KIB = 1024
const BLOCK = 16 * KIB

/** Takes chunk after chunk, as a link that always has something to move; tells each byte that moved. */
class Mover {
  moved = 0
  calls = 0
  constructor(
    private readonly limiter: Limiter,
    private readonly chunk: number,
    private readonly told: (bytes: number) => void = () => undefined,
  ) {}
  readonly again = (): void => {
    this.calls++
    for (let i = 0; i < 100_000; i++) {
      const granted = this.limiter.take(this.chunk, this.again)
      this.moved += granted
      if (granted > 0) this.told(granted)
      if (granted < this.chunk) return
    }
    throw new Error('a limited rate gives without end')
  }
}

function bench(rate: number | null): { clock: FakeClock; limiter: Limiter } {
  const clock = new FakeClock()
  return { clock, limiter: new Limiter({ rate }, { clock }) }
}

describe('the limiter', () => {
  const rates = [64 * KIB, 100_000, 1024 * KIB, 10 * 1024 * KIB, 333_333_333, 1024 ** 3]
  it.each(rates.flatMap((rate) => [16 * KIB, 256 * KIB].map((chunk) => ({ rate, chunk }))))(
    'lets $rate B/s through within 3 % over any 10 s, in chunks of $chunk',
    ({ rate, chunk }) => {
      const { clock, limiter } = bench(rate)
      const log: { at: number; sum: number }[] = []
      let sum = 0
      const mover = new Mover(limiter, chunk, (bytes) => {
        log.push({ at: clock.now(), sum: (sum += bytes) })
      })
      mover.again()
      clock.advance(33_000)
      const before = (time: number): number => log.findLast(({ at }) => at <= time)?.sum ?? 0
      for (let start = 3000; start <= 23_000; start += 487) {
        const bytes = before(start + 10_000) - before(start)
        expect(Math.abs(bytes - 10 * rate) / (10 * rate), `from ${String(start)}`).toBeLessThan(0.03)
      }
    },
  )

  it('keeps the rate where timers come late', () => {
    const { clock, limiter } = bench(10_000_000)
    const random = new FakeRandom(7)
    // The clock as a busy loop sees it: due callbacks run up to 80 ms late.
    let owed = 0
    const late = {
      now: () => clock.now(),
      wall: () => clock.wall(),
      after: (delay: number, fn: () => void) => clock.after(delay + random.int(80), fn),
      every: () => () => undefined,
    }
    const slow = new Limiter({ rate: 10_000_000 }, { clock: late })
    const mover = new Mover(slow, 256 * KIB, (bytes) => (owed += bytes))
    mover.again()
    clock.advance(3000)
    const settled = owed
    clock.advance(10_000)
    expect(Math.abs(owed - settled - 100_000_000)).toBeLessThan(3_000_000)
    expect(limiter.rate).toBe(10_000_000)
  })

  it('saves up no more than a tenth of a second', () => {
    const { clock, limiter } = bench(1_000_000)
    clock.advance(3_600_000)
    const mover = new Mover(limiter, BLOCK)
    mover.again()
    expect(mover.moved).toBeLessThanOrEqual(100_000 + BLOCK)
    expect(mover.moved).toBeGreaterThan(80_000)
  })

  it('sets no timer while nobody waits or nothing is limited, and one at most', () => {
    const { clock, limiter } = bench(1_000_000)
    expect(limiter.take(BLOCK, () => undefined)).toBe(BLOCK)
    expect(clock.pending).toBe(0)
    const movers = [new Mover(limiter, BLOCK), new Mover(limiter, BLOCK)]
    for (const mover of movers) mover.again()
    expect(clock.pending).toBe(1)
    clock.advance(5000)
    expect(clock.pending).toBe(1)
    const free = bench(null)
    expect(free.limiter.take(1024 ** 3, () => undefined)).toBe(1024 ** 3)
    expect(free.clock.pending).toBe(0)
  })

  it('falls silent once everybody has what they wanted', () => {
    const { clock, limiter } = bench(100_000)
    let wanted = 1_000_000
    const again = (): void => {
      if (wanted > 0) wanted -= limiter.take(wanted, again)
    }
    again()
    clock.advance(12_000)
    expect(wanted).toBe(0)
    expect(clock.pending).toBe(0)
  })

  it('serves those who wait in turn, the greedy and the modest alike', () => {
    const { clock, limiter } = bench(1_000_000)
    const greedy = new Mover(limiter, 4 * 1024 * KIB)
    const modest = Array.from({ length: 9 }, () => new Mover(limiter, BLOCK))
    greedy.again()
    for (const mover of modest) mover.again()
    clock.advance(30_000)
    const least = Math.min(greedy.moved, ...modest.map((mover) => mover.moved))
    const most = Math.max(greedy.moved, ...modest.map((mover) => mover.moved))
    expect(least / most).toBeGreaterThan(0.9)
  })

  it('lets nobody overtake who waits', () => {
    const { clock, limiter } = bench(1_000_000)
    const first = new Mover(limiter, BLOCK)
    first.again()
    clock.advance(9)
    expect(limiter.take(BLOCK, () => undefined)).toBe(0)
  })

  it('calls once, however often the same one asks while it waits', () => {
    const { clock, limiter } = bench(100_000)
    new Mover(limiter, BLOCK).again()
    let calls = 0
    const again = (): void => {
      calls++
    }
    for (let i = 0; i < 5; i++) expect(limiter.take(BLOCK, again)).toBe(0)
    clock.advance(10_000)
    expect(calls).toBe(1)
  })

  it('grants whole units, the last part of what is wanted aside', () => {
    const { clock, limiter } = bench(1_000_000)
    const granted: number[] = []
    const again = (): void => {
      granted.push(limiter.take(10 * BLOCK + 5, again))
    }
    again()
    clock.advance(3000)
    expect(granted.every((bytes) => bytes % BLOCK === 0 || bytes === 10 * BLOCK + 5)).toBe(true)
    expect(granted.filter((bytes) => bytes > 0).length).toBeGreaterThan(3)
    const { limiter: tiny } = bench(1024)
    expect(tiny.take(5, () => undefined)).toBe(5)
  })

  it('lets a unit through that is larger than a bucket would be, and has it made up for', () => {
    const { clock, limiter } = bench(64 * KIB)
    let moved = 0
    const again = (): void => {
      for (let got = 1; got > 0; moved += got) got = limiter.take(128 * KIB, again, 128 * KIB)
    }
    again()
    clock.advance(100_000)
    expect(moved % (128 * KIB)).toBe(0)
    expect(Math.abs(moved - 6400 * KIB)).toBeLessThanOrEqual(128 * KIB)
  })

  it('moves what was given back to somebody else', () => {
    const { clock, limiter } = bench(100_000)
    expect(limiter.take(BLOCK, () => undefined)).toBe(BLOCK)
    const mover = new Mover(limiter, BLOCK)
    mover.again()
    const before = mover.moved
    limiter.give(BLOCK)
    clock.advance(10)
    expect(mover.moved - before).toBe(BLOCK)
    clock.advance(10_000)
    expect(Math.abs(mover.moved - 1_000_000)).toBeLessThan(40_000)
  })

  it('does not spin for one who gives everything back', () => {
    const { clock, limiter } = bench(1_000_000)
    let calls = 0
    const again = (): void => {
      calls++
      limiter.give(limiter.take(1024 * KIB, again))
    }
    again()
    clock.advance(1000)
    expect(calls).toBeLessThan(250)
  })

  it('takes another rate at once, for those who wait too', () => {
    const { clock, limiter } = bench(1024)
    const mover = new Mover(limiter, BLOCK)
    mover.again()
    limiter.setRate(1_000_000)
    clock.advance(1000)
    expect(mover.moved).toBeGreaterThan(900_000)
    const before = mover.moved
    limiter.setRate(65_536)
    clock.advance(10_000)
    expect(mover.moved - before).toBeLessThan(655_360 * 1.06)
  })

  it('frees everybody when the limit ends', () => {
    const { clock, limiter } = bench(1024)
    let left = 1_000_000
    const again = (): void => {
      if (left > 0) left -= limiter.take(left, again)
    }
    again()
    limiter.setRate(null)
    clock.advance(0)
    expect(left).toBe(0)
    expect(clock.pending).toBe(0)
    limiter.give(5)
    limiter.setRate(1024)
    // Nothing that moved without a limit counts against a later one.
    expect(limiter.take(BLOCK, again)).toBe(0)
    clock.advance(2000)
    expect(limiter.rate).toBe(1024)
  })

  it('refuses a rate that is none', () => {
    const { limiter } = bench(null)
    for (const rate of [0, -1, Number.NaN]) {
      expect(() => {
        limiter.setRate(rate)
      }).toThrow(RangeError)
    }
  })
})
