import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Limiter } from '../../daemon/base/limiter.js'
import { FakeClock } from '../support/fake-clock.js'

const BLOCK = 16 * 1024
/** Seconds of its rate that a bucket holds while somebody waits. */
const SAVED = 0.25

type Step =
  | { readonly kind: 'take'; readonly who: number; readonly blocks: number }
  | { readonly kind: 'give'; readonly who: number; readonly part: number }
  | { readonly kind: 'rate'; readonly rate: number | null }
  | { readonly kind: 'wait'; readonly millis: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      who: fc.nat(2),
      blocks: fc.integer({ min: 1, max: 64 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('give' as const),
      who: fc.nat(2),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('rate' as const),
      rate: fc.option(fc.integer({ min: 1000, max: 50_000_000 })),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), millis: fc.nat(700) }) },
)

/** What moved in sum at a moment, under one rate. */
interface Mark {
  readonly at: number
  readonly sum: number
}

/** Keeps an account, and checks it when the rate changes. */
class Account {
  sum = 0
  private marks: Mark[] = [{ at: 0, sum: 0 }]

  moved(at: number, bytes: number): void {
    this.sum += bytes
    this.marks.push({ at, sum: this.sum })
  }

  check(rate: number | null): void {
    if (rate !== null) {
      let lowest = Infinity
      for (const { at, sum } of this.marks) {
        // Over every window that ends here: no more than the rate, a full bucket, and one unit that is owed.
        lowest = Math.min(lowest, sum - (rate * at) / 1000)
        expect(sum - (rate * at) / 1000 - lowest).toBeLessThanOrEqual(rate * SAVED + BLOCK + 1)
      }
    }
    this.marks = []
  }

  mark(at: number): void {
    this.marks.push({ at, sum: this.sum })
  }
}

/** Three who take and give back in any order; what they took while nothing was limited they do not give. */
function play(
  limiter: Limiter,
  clock: FakeClock,
  steps: readonly Step[],
  rates: (rate: number | null) => void,
): Account {
  const account = new Account()
  const held = [0, 0, 0]
  const want = [0, 0, 0]
  const takers = held.map((_, who) => (): void => {
    const granted = limiter.take(want[who] ?? 0, takers[who] ?? again)
    want[who] = (want[who] ?? 0) - granted
    if (limiter.rate !== null) held[who] = (held[who] ?? 0) + granted
    account.moved(clock.now(), granted)
  })
  const again = (): void => undefined
  for (const each of steps) {
    if (each.kind === 'wait') clock.advance(each.millis)
    else if (each.kind === 'rate') {
      account.check(limiter.rate)
      rates(each.rate)
      account.mark(clock.now())
    } else if (each.kind === 'take') {
      want[each.who] = (want[each.who] ?? 0) + each.blocks * BLOCK
      takers[each.who]?.()
    } else {
      const bytes = Math.floor((held[each.who] ?? 0) * each.part)
      held[each.who] = (held[each.who] ?? 0) - bytes
      account.moved(clock.now(), -bytes)
      limiter.give(bytes)
    }
  }
  clock.advance(1000)
  account.check(limiter.rate)
  return account
}

describe('a limit', () => {
  it('lets no more through in any window than its rate and what a bucket holds', () => {
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: 1000, max: 50_000_000 })),
        fc.array(step, { maxLength: 60 }),
        (rate, steps) => {
          const clock = new FakeClock()
          const limiter = new Limiter({ rate }, { clock })
          play(limiter, clock, steps, (next) => {
            limiter.setRate(next)
          })
        },
      ),
      { numRuns: 500 },
    )
  })

  it('holds below another one too, whichever of the two is lower', () => {
    const rate = fc.option(fc.integer({ min: 1000, max: 50_000_000 }))
    fc.assert(
      fc.property(rate, rate, fc.array(step, { maxLength: 60 }), (above, own, steps) => {
        const clock = new FakeClock()
        const house = new Limiter({ rate: above }, { clock })
        const limiter = new Limiter({ rate: own }, { clock, above: house })
        play(limiter, clock, steps, (next) => {
          limiter.setRate(next)
        })
      }),
      { numRuns: 500 },
    )
  })
})
