import { describe, expect, it } from 'vitest'
import { readDuration, readRef, readRefs } from '../../ctl/arguments.js'
import { readFileNumbers } from '../../ctl/choose-files.js'
import { combined, endingOf, Failure, RemoteError } from '../../ctl/exit.js'
import { ERRORS } from '../../shared/rpc/errors.js'

describe('refs', () => {
  it('are numbers, or text for the daemon to resolve', () => {
    expect(readRef('3')).toBe(3)
    expect(readRef('007')).toBe(7)
    expect(readRef('abcd')).toBe('abcd')
    // Digits only, but too many for a number of ours: a hash.
    expect(readRef('1234567890')).toBe('1234567890')
    expect(readRef('1'.repeat(40))).toBe('1'.repeat(40))
    expect(readRef('12e3')).toBe('12e3')
    expect(readRef('x'.repeat(500))).toHaveLength(64)
  })

  it('of nothing and of 0 are told at once', () => {
    expect(() => readRef('')).toThrow(Failure)
    expect(() => readRef('0')).toThrow(/no torrent 0/)
  })

  it('may be all, alone', () => {
    expect(readRefs(['all'])).toBe('all')
    expect(readRefs(['1', 'abcd'])).toEqual([1, 'abcd'])
    expect(() => readRefs(['all', '1'])).toThrow(/stands alone/)
  })
})

describe('file numbers', () => {
  it.each([
    [['1,3-5'], [0, 2, 3, 4]],
    [
      ['1', '3-5'],
      [0, 2, 3, 4],
    ],
    [['5-5,5, 2'], [1, 4]],
    [['200000'], [199_999]],
  ])('%j', (words, indexes) => {
    expect(readFileNumbers(words)).toEqual(indexes)
  })

  it.each(['0', '', '1,', '3-1', 'x', '1-', '-1', '1.5', '1e3', '200001', '1-999999999999'])(
    'not %j',
    (word) => {
      expect(() => readFileNumbers([word])).toThrow(/is no choice of files; write 1,3-5, counted from 1/)
    },
  )
})

describe('durations', () => {
  it.each([
    ['60s', 60_000],
    ['60', 60_000],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1500ms', 1500],
    ['0.1ms', 1],
  ])('%s', (word, ms) => {
    expect(readDuration(word)).toBe(ms)
  })

  it.each(['', '0', '-1s', '1y', 's', '60 s', '1e3', '30d', '99999999999'])('not %j', (word) => {
    expect(() => readDuration(word)).toThrow(/is no time; write 60s, 5m or 2h/)
  })
})

describe('endings', () => {
  it('combine: all well, some well, all bad in one way, bad in several', () => {
    expect(combined([])).toBe(0)
    expect(combined([0, 0])).toBe(0)
    expect(combined([0, 3])).toBe(7)
    expect(combined([3, 3])).toBe(3)
    expect(combined([3, 4])).toBe(1)
  })

  it('follow the list of errors', () => {
    for (const { code, exit } of Object.values(ERRORS)) {
      expect(endingOf(new RemoteError(code, 'said', undefined))).toEqual({ status: exit, sentence: 'said' })
    }
    expect(endingOf(new RemoteError(424_242, 'said', undefined)).status).toBe(1)
  })

  it('codes and names are nobody’s twice', () => {
    const codes = Object.values(ERRORS).map(({ code }) => code)
    expect(new Set(codes).size).toBe(codes.length)
  })
})
