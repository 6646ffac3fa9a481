import fc from 'fast-check'
import { parse } from 'smol-toml'
import { describe, expect, it } from 'vitest'
import { ConfigError, parseConfig, readSetting, setInToml } from '../../shared/config.js'
import { isSettingKey, SETTING_KEYS, type SettingValue } from '../../shared/settings.js'
import { scanToml } from '../../shared/toml-scan.js'

/** Names that collide with ours and with each other often. */
const bare = fc.constantFrom('listen', 'port', 'host', 'download', 'dir', 'a', 'b-c', '1')
const part = fc.oneof(
  { weight: 4, arbitrary: bare },
  bare.map((name) => `"${name}"`),
  fc.constantFrom("'a b'", '"q\\"."', '"listen.port"', '"\\u0061"', "'#'", '""'),
)
const blanks = fc.constantFrom('', ' ', '\t ', '  ')
const key = fc
  .tuple(fc.array(part, { minLength: 1, maxLength: 3 }), blanks, blanks)
  .map(([parts, before, after]) => parts.join(`${before}.${after}`))
const scalar = fc.constantFrom(
  '1',
  '-0x0',
  '1_000',
  '3.5e2',
  'nan',
  '-inf',
  'true',
  '9223372036854775807',
  '1979-05-27T07:32:00Z',
  '07:32:00',
  '""',
  '"a # b"',
  '"\\\\"',
  '"[listen]\\nport = 5"',
  "'C:\\'",
  '"""two\n[listen] # no comment\nport = 1 """',
  '"""ends in quotes"""""',
  "'''\nlisten.port = '3'\n''''",
  '"""a \\\n   b \\""" """',
)
const value = fc.oneof(
  { weight: 4, arbitrary: scalar },
  scalar.map((inner) => `[ ${inner}, # a ]\n  ${inner} ]`),
  scalar.map((inner) => `{ port = ${inner}, x.y = [{}] }`),
  fc.constantFrom('[]', '{}', '[["]"], [\'[\']]'),
)
const comment = fc.constantFrom('', '', ' # c', '#', ' # [listen] port = "x')
const line = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(blanks, key, blanks, value, blanks, comment)
      .map(([a, k, b, v, c, d]) => `${a}${k}${b}=${b}${v}${c}${d}`),
  },
  fc.tuple(blanks, key, comment).map(([a, k, d]) => `${a}[${a}${k}${a}]${d}`),
  fc.tuple(key, comment).map(([k, d]) => `[[${k}]]${d}`),
  fc.constantFrom('', '   ', '# a comment', '\t# listen.port = 5'),
)

function isToml(text: string): boolean {
  try {
    parse(text)
    return true
  } catch {
    return false
  }
}

/** Lines are added while the whole stays valid: random lines alone would collide almost always. */
const document = fc
  .tuple(fc.array(line, { maxLength: 12 }), fc.constantFrom('\n', '\r\n'), fc.boolean())
  .map(([lines, eol, ends]) => {
    const kept: string[] = []
    for (const one of lines) if (isToml([...kept, one].join('\n'))) kept.push(one)
    return (kept.join('\n') + (ends ? '\n' : '')).replaceAll('\n', eol)
  })

const settable = fc.oneof(
  fc.string({ unit: 'binary' }).filter((text) => !/\p{Surrogate}/u.test(text)),
  fc.constantFrom('/data', '"""', "'", '\\', '\r\n', '\x7f', '# x', '😀'),
  fc.maxSafeInteger(),
  fc.boolean(),
)
const path = fc.constantFrom('listen.port', 'download.dir', 'a.b-c', 'x.y')

function read(text: string): Record<string, unknown> {
  return parse(text, { integersAsBigInt: 'asNeeded' })
}

function set(text: string, name: string, to: SettingValue): string | null {
  try {
    return setInToml(text, name, to)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return null
  }
}

describe('setting one value in any document', () => {
  it('sets it, leaves every other value, and every byte around the one place', () => {
    let done = 0
    let refused = 0
    fc.assert(
      fc.property(document, path, settable, (text, name, to) => {
        const after = set(text, name, to)
        if (after === null) {
          refused += 1
          return
        }
        done += 1
        const [table = '', last = ''] = name.split('.')
        const before = read(text)
        const inner = { ...(before[table] ?? {}), [last]: to }
        expect(read(after)).toEqual({ ...before, [table]: inner })
        const place = scanToml(text).find(
          (one) => one.kind === 'pair' && one.path.join('\0') === name.split('.').join('\0'),
        )
        if (place?.kind === 'pair') {
          // Only the value's own bytes are replaced.
          expect(after.startsWith(text.slice(0, place.valueStart))).toBe(true)
          expect(after.endsWith(text.slice(place.valueEnd))).toBe(true)
        } else {
          // Something was put in at one place, and nothing taken out.
          let head = 0
          while (head < text.length && text[head] === after[head]) head += 1
          expect(after.endsWith(text.slice(head))).toBe(true)
        }
      }),
      { numRuns: 1500 },
    )
    // Both ways are walked: a generator that only made refusals would prove nothing.
    expect(done).toBeGreaterThan(500)
    expect(refused).toBeGreaterThan(10)
  })

  it('keeps CRLF documents in CRLF', () => {
    fc.assert(
      fc.property(document, path, fc.integer(), (text, name, to) => {
        if (!text.includes('\r\n')) return
        const after = set(text, name, to)
        if (after !== null) expect(after.replaceAll('\r\n', '')).not.toContain('\n')
      }),
    )
  })

  it('is done when it is done again', () => {
    fc.assert(
      fc.property(document, path, settable, (text, name, to) => {
        const once = set(text, name, to)
        if (once !== null) expect(setInToml(once, name, to)).toBe(once)
      }),
    )
  })

  it('is never refused without a reason: only tables, lists of tables and plain values in the way', () => {
    fc.assert(
      fc.property(document, path, (text, name) => {
        if (set(text, name, 1) !== null) return
        const [table = '', last = ''] = name.split('.')
        const old = read(text)[table]
        const plain = typeof old !== 'object' || old === null || Array.isArray(old) || old instanceof Date
        const inline = scanToml(text).some(
          (one) => one.kind === 'pair' && one.path.join('\0') === table && text[one.valueStart] === '{',
        )
        const inner = plain ? undefined : (old as Record<string, unknown>)[last]
        const deep = typeof inner === 'object' && inner !== null
        expect([text, plain || inline || deep]).toEqual([text, true])
      }),
      { numRuns: 500 },
    )
  })
})

describe('scanning', () => {
  it('finds every pair of the document where it stands', () => {
    fc.assert(
      fc.property(document, (text) => {
        for (const one of scanToml(text)) {
          if (one.kind === 'header') continue
          const alone = read(`x = ${text.slice(one.valueStart, one.valueEnd)}`)['x']
          if (alone instanceof Date || typeof alone === 'object') continue
          let found: unknown = read(text)
          for (const name of one.path) {
            if (Array.isArray(found)) return
            found = (found as Record<string, unknown>)[name]
          }
          expect(found).toEqual(alone)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('reading any text', () => {
  it('answers values or one sentence with a place, and throws nothing', () => {
    fc.assert(
      fc.property(fc.oneof(document, fc.string({ unit: 'binary' })), (text) => {
        const parsed = parseConfig(text)
        if (!(parsed instanceof ConfigError)) {
          for (const name of Object.keys(parsed.values)) expect(isSettingKey(name)).toBe(true)
          return
        }
        expect(parsed.line).toBeGreaterThanOrEqual(1)
        expect(parsed.line).toBeLessThanOrEqual(text.split('\n').length)
        expect(parsed.message).toMatch(/^[^\n]+[.?]$/)
      }),
      { numRuns: 500 },
    )
  })

  it('gives back what was set', () => {
    const good: [string, fc.Arbitrary<SettingValue>][] = [
      ['download.dir', fc.stringMatching(/^\/[^\0]*$/).filter((text) => !/\p{Surrogate}/u.test(text))],
      ['listen.port', fc.integer({ min: 0, max: 65_535 })],
      ['listen.host', fc.oneof(fc.ipV4(), fc.ipV6())],
      ['log.level', fc.constantFrom('trace', 'error')],
      ['memory.buffer', fc.integer({ min: 16 * 1024 * 1024, max: 2 ** 32 })],
      ['disk.reserve', fc.integer({ min: 0, max: 2 ** 40 })],
      ['limits.up', fc.oneof(fc.constant(0), fc.integer({ min: 1024, max: 2 ** 40 }))],
    ]
    for (const [name, arbitrary] of good)
      fc.assert(
        fc.property(
          arbitrary,
          fc.constantFrom('', '# c\r\n', '[listen]\n', 'log.level = "info"'),
          (to, text) => {
            const { key: known, value: checked } = readSetting(name, to)
            const parsed = parseConfig(setInToml(text, known, checked))
            if (parsed instanceof ConfigError) throw parsed
            expect(parsed.values[known]).toBe(to)
          },
        ),
      )
    expect(SETTING_KEYS).toContain('net.scope')
  })
})
