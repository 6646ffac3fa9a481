import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob, GlobError } from '../../shared/glob.js'

const fits = (pattern: string, path: string): boolean => compileGlob(pattern)(path)

describe('a pattern', () => {
  it.each([
    ['*.mkv', 'show/one.mkv', true],
    ['*.mkv', 'show/one.mkv.txt', false],
    ['show/*.mkv', 'show/one.mkv', true],
    ['show/*.mkv', 'show/extras/two.mkv', false],
    ['show/**.mkv', 'show/extras/two.mkv', true],
    ['e?.mkv', 'a/e1.mkv', true],
    ['e?.mkv', 'e10.mkv', false],
    ['e[1-3].mkv', 'e2.mkv', true],
    ['e[!1-3].mkv', 'e2.mkv', false],
    ['e[!1-3].mkv', 'e4.mkv', true],
    ['[]x].mkv', '].mkv', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['*', 'any/thing', true],
    ['???', '映画1', true],
    ['one.mkv', 'show/one.mkv', true],
    ['(a|b)+$', 'ab', false],
    ['(a|b)+$', '(a|b)+$', true],
  ])('%s and %s: %s', (pattern, path, right) => {
    expect(fits(pattern, path)).toBe(right)
  })

  it.each(['', '[', 'a[bc', 'a\\', '[z-a]'])('%j is none', (pattern) => {
    expect(() => compileGlob(pattern)).toThrow(GlobError)
  })

  it('fits every name that it is made of, and whatever is in the place of a star', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '.', 'é', '映'), maxLength: 8 })
    fc.assert(
      fc.property(name, name, name, (head, middle, tail) => {
        expect(fits(`${head}*${tail}`, head + middle + tail)).toBe(true)
      }),
    )
  })

  it('is done in the product of the lengths, whatever it is', () => {
    expect(fits(`${'*a'.repeat(60)}b`, 'a'.repeat(2000))).toBe(false)
  })
})
