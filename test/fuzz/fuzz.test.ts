/** Every parser, with what has broken one before and then with mutants from a fixed seed. `npm run test:fuzz` goes on. */
import { describe, expect, it } from 'vitest'
import { readCases } from './cases.js'
import { fuzz, judge } from './target.js'
import { TARGETS } from './targets/all.js'

const SEED = 20_261_122
/** Mutants of each target. */
const RUNS = 600

describe('what has broken a parser once', () => {
  it('is kept', () => {
    expect(readCases()).not.toHaveLength(0)
  })

  it.each(readCases().map((one) => [one.target, one.what, one] as const))('%s: %s', (name, _what, one) => {
    const target = TARGETS.find((each) => each.name === name)
    if (target === undefined) throw new Error(`no target is called ${name}`)
    judge(target, Buffer.from(one.input, 'base64'), one.cuts)
  })
})

describe('the seeds', () => {
  it.each(TARGETS)('of $name are no trouble', (target) => {
    expect(target.seeds.length).toBeGreaterThan(0)
    for (const seed of target.seeds) judge(target, Buffer.from(seed), [])
  })
})

describe('mutants', () => {
  it.each(TARGETS)('of $name', { timeout: 120_000 }, (target) => {
    fuzz(target, { seed: SEED, runs: RUNS })
  })
})

describe('the judge', () => {
  const seeds = [Buffer.from('4:abcd')]
  it.each([
    ['throws what is not its own', () => void Buffer.from('x').readUInt32BE(0), /RangeError/],
    ['takes memory by a claim', () => void Buffer.alloc(10_000_000), /allocate 10000000/],
    ['takes its time', spin, /took/],
  ])('sees a parser that %s, and names the input', (_name, check, message) => {
    expect(() => {
      fuzz({ name: 'bad', seeds, check }, { seed: 1, runs: 1 })
    }).toThrow(message)
  })
})

function spin(): void {
  const end = performance.now() + 300
  while (performance.now() < end);
}
