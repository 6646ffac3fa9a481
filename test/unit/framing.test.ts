import { describe, expect, it } from 'vitest'
import { exceedsJsonLimits, LineSplitter } from '../../shared/rpc/framing.js'

function lines(splitter: LineSplitter): string[] {
  const out: string[] = []
  for (let line = splitter.next(); line !== null; line = splitter.next()) out.push(line.toString())
  return out
}

describe('LineSplitter', () => {
  it('gives the same lines however the stream is cut', () => {
    const stream = Buffer.from('{"a":1}\n\n{"b":"é"}\r\nlast\nrest')
    for (let size = 1; size <= stream.length; size += 1) {
      const splitter = new LineSplitter(100)
      const out: string[] = []
      for (let at = 0; at < stream.length; at += size) {
        splitter.push(stream.subarray(at, at + size))
        out.push(...lines(splitter))
      }
      expect(out).toEqual(['{"a":1}', '', '{"b":"é"}\r', 'last'])
      expect(splitter.held).toBe(4)
    }
  })

  it('takes a line of exactly the cap and refuses one byte more, with or without its newline', () => {
    const exact = new LineSplitter(5)
    exact.push(Buffer.from('12345\n'))
    expect(lines(exact)).toEqual(['12345'])
    for (const text of ['123456\n', '123456']) {
      const over = new LineSplitter(5)
      over.push(Buffer.from(text))
      expect(over.next()).toBeNull()
      expect(over.overflowed).toBe(true)
      expect(over.held).toBe(0)
    }
  })

  it('gives out the lines before the one that is too long', () => {
    const splitter = new LineSplitter(5)
    splitter.push(Buffer.from('a\nb\n'))
    splitter.push(Buffer.from('1234567'))
    expect(lines(splitter)).toEqual(['a', 'b'])
    expect(splitter.overflowed).toBe(true)
    splitter.push(Buffer.from('\nc\n'))
    expect(splitter.next()).toBeNull()
  })

  it('lets its cap be raised between lines', () => {
    const splitter = new LineSplitter(5)
    splitter.push(Buffer.from('hello\nlonger now\n'))
    expect(splitter.next()?.toString()).toBe('hello')
    splitter.cap = 20
    expect(splitter.next()?.toString()).toBe('longer now')
  })
})

describe('exceedsJsonLimits', () => {
  const check = (text: string, tokens?: number) => exceedsJsonLimits(Buffer.from(text), 64, tokens)

  it('allows a depth of 64 and refuses 65', () => {
    expect(check('['.repeat(64) + ']'.repeat(64))).toBe(false)
    expect(check('['.repeat(65) + ']'.repeat(65))).toBe(true)
    expect(check('{"a":'.repeat(65))).toBe(true)
  })

  it('does not count what lies in strings, whatever is escaped in them', () => {
    const brackets = '['.repeat(100)
    expect(check(JSON.stringify([brackets, `"${brackets}`, `\\${brackets}`, `\\"${brackets}\\\\`]))).toBe(
      false,
    )
    expect(check(`["\\\\", ${'['.repeat(64)}`)).toBe(true)
  })

  it('counts siblings as depth of their own', () => {
    expect(check('[' + '[],'.repeat(1000) + '[]]')).toBe(false)
  })

  it('refuses too many values', () => {
    expect(check('[' + '1,'.repeat(99) + '1]', 100)).toBe(false)
    expect(check('[' + '1,'.repeat(100) + '1]', 100)).toBe(true)
  })

  it('counts escaped quotes, which are slow to pass', () => {
    expect(check(JSON.stringify('"'.repeat(100)), 100)).toBe(false)
    expect(check(JSON.stringify('"'.repeat(101)), 100)).toBe(true)
    expect(check(JSON.stringify('\\'.repeat(1000)), 100)).toBe(false)
  })

  it('ends at an unclosed string', () => {
    expect(check('"abc\\"')).toBe(false)
  })
})
