import { describe, expect, it } from 'vitest'
import {
  cellWidth,
  escapeText,
  formatBytes,
  formatDuration,
  formatPercent,
  formatRate,
  jsonText,
  padCells,
  truncateCells,
  truncateMiddle,
} from '../../shared/text.js'

describe('escapeText', () => {
  it.each([
    ['plain ä 漢 😀 a\\b', 'plain ä 漢 😀 a\\b'],
    ['a\nb\rc\td', 'a\\nb\\rc\\td'],
    ['\u001b[2J\u0000\u007f\u009b', '\\x1b[2J\\x00\\x7f\\x9b'],
    ['a\u202eb\u2066c\u2069\u200e\u200f\u061c', 'a\\u202eb\\u2066c\\u2069\\u200e\\u200f\\u061c'],
    ['\u2028\u2029\ufeff', '\\u2028\\u2029\\ufeff'],
    ['\ud800x', '\\ud800x'],
  ])('%j', (text, shown) => {
    expect(escapeText(text)).toBe(shown)
  })
})

describe('jsonText', () => {
  const value = { a: '\x1b\x7f\u0085\u009b2J\u202e\u2028\ufeff\n\u00e9', b: [1, null] }

  it.each([0, 2])('escapes what harms a terminal and is the same value (indent %i)', (indent) => {
    const text = jsonText(value, indent)
    expect(text).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\ufeff]/)
    expect(text).toContain('\u00e9')
    expect(JSON.parse(text)).toEqual(value)
  })
})

describe('cells', () => {
  it('counts them', () => {
    expect(['abc', 'é', 'e\u0301', '漢字', '한', '😀', 'ｆ', '', '👍'].map(cellWidth)).toEqual([
      3, 1, 1, 4, 2, 2, 2, 0, 2,
    ])
  })

  it('pads', () => {
    expect([padCells('漢', 4), padCells('a', 3, 'right'), padCells('long', 2)]).toEqual([
      '漢  ',
      '  a',
      'long',
    ])
  })

  it('truncates at the end and in the middle, never over', () => {
    expect(['abcdef', '漢字漢字'].map((text) => truncateCells(text, 5))).toEqual(['abcd…', '漢字…'])
    expect(truncateCells('abc', 3)).toBe('abc')
    expect(truncateCells('abc', 0)).toBe('')
    expect(truncateMiddle('abcdefghij.mkv', 9)).toBe('abcd….mkv')
    expect(truncateMiddle('漢字漢字漢字', 6)).toBe('漢…字')
    expect(truncateMiddle('abc', 3)).toBe('abc')
    expect(truncateMiddle('abc', 0)).toBe('')
  })
})

describe('units', () => {
  it('bytes', () => {
    const all = [
      0,
      1,
      1023,
      1024,
      1536,
      16_384,
      1_048_575,
      1_048_576,
      1.5 * 2 ** 30,
      150.4 * 2 ** 20,
      2 ** 53,
      -5,
    ]
    expect(all.map(formatBytes)).toEqual([
      ...['0 B', '1 B', '1023 B', '1 KiB', '1.5 KiB', '16 KiB', '1 MiB', '1 MiB', '1.5 GiB', '150 MiB'],
      ...['8 PiB', '0 B'],
    ])
    expect(formatRate(2048)).toBe('2 KiB/s')
  })

  it('durations', () => {
    const all = [0, 59.4, 60, 3599, 3600, 86_399, 86_400, 273_600, null, Infinity]
    expect(all.map(formatDuration)).toEqual([
      ...['0s', '59s', '1m 00s', '59m 59s', '1h 00m', '23h 59m', '1d 0h', '3d 4h', '-', '-'],
    ])
  })

  it('percent, never 100 before it is', () => {
    expect([0, 0.29, 0.5, 0.9999, 1 - Number.EPSILON, 1].map(formatPercent)).toEqual([
      ...['0.0%', '29.0%', '50.0%', '99.9%', '99.9%', '100%'],
    ])
  })
})
