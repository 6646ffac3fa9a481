import { describe, expect, it } from 'vitest'
import {
  asBytes,
  asDict,
  asInt,
  asList,
  asText,
  BencodeError,
  decode,
  dictGet,
  encode,
  type BNode,
  type DecodeOptions,
} from '../../shared/torrent/bencode.js'
import { corpusDir, readTsv } from '../support/corpus.js'

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
const read = (text: string, options?: DecodeOptions): BNode => decode(latin1(text), options)

/** As the tables write values: byte strings as latin1, integers beyond 2^53 as decimal strings. */
function plain(node: BNode, source: Uint8Array): unknown {
  if (node.kind === 'int') return typeof node.value === 'bigint' ? node.value.toString() : node.value
  if (node.kind === 'bytes') return Buffer.from(asBytes(node, source) ?? []).toString('latin1')
  if (node.kind === 'list') return node.items.map((item) => plain(item, source))
  return Object.fromEntries([...node.entries].map(([key, value]) => [key, plain(value, source)]))
}

function faultOf(bytes: Uint8Array, options?: DecodeOptions): BencodeError | null {
  try {
    decode(bytes, options)
    return null
  } catch (error) {
    if (error instanceof BencodeError) return error
    throw error
  }
}

describe('decode', () => {
  it('gives spans of the source', () => {
    const node = read('d1:ai5e1:bl2:xyee')
    expect(node).toMatchObject({ kind: 'dict', start: 0, end: 17, canonical: true })
    expect(dictGet(node, 'a')).toEqual({ kind: 'int', start: 4, end: 7, value: 5 })
    expect(asList(dictGet(node, 'b'))).toEqual([{ kind: 'bytes', start: 11, end: 15, from: 13, to: 15 }])
  })

  it('works on a view in the middle of a buffer', () => {
    const node = decode(latin1('xxxd1:a2:bcexx').subarray(3, 12))
    expect(Array.from(asDict(node)?.entries ?? [], ([key]) => key)).toEqual(['a'])
  })

  it('refuses what follows, or tells where it begins', () => {
    expect(faultOf(latin1('i1ex'))?.offset).toBe(3)
    expect(read('i1exyz', { trailing: 'allow' }).end).toBe(3)
  })

  it('keeps integers exact or refuses them', () => {
    expect(read('i9007199254740991e')).toMatchObject({ value: 9007199254740991 })
    expect(read('i9007199254740992e')).toMatchObject({ value: 9007199254740992n })
    expect(read('i-9007199254740993e')).toMatchObject({ value: -9007199254740993n })
    expect(read('i-9223372036854775808e')).toMatchObject({ value: -9223372036854775808n })
    expect(faultOf(latin1('i9223372036854775808e'))?.reason).toBe('a number is too large')
    expect(faultOf(latin1(`i${'9'.repeat(100_000)}e`))?.reason).toBe('a number is too large')
    expect(read(`i${'0'.repeat(100)}7e`)).toMatchObject({ value: 7 })
  })

  it('marks dicts that are not canonical, and those around them', () => {
    const marks = (text: string): boolean[] => {
      const outer = asDict(read(text))
      const inner = asDict(dictGet(outer, 'a'))
      return [outer?.canonical ?? false, inner?.canonical ?? false]
    }
    expect(marks('d1:ad1:bi1e1:ci2eee')).toEqual([true, true])
    expect(marks('d1:ad1:ci1e1:bi2eee')).toEqual([false, false])
    expect(marks('d1:ad1:bi1e1:bi2eee')).toEqual([false, false])
    expect(marks('d1:ad1:bi01eee')).toEqual([false, false])
    expect(marks('d1:ad1:bi-0eee')).toEqual([false, false])
    expect(marks('d1:ad01:bi0eee')).toEqual([false, false])
    expect(marks('d1:ad1:bl02:xxeee')).toEqual([false, false])
    expect(marks('d1:adee')).toEqual([true, true])
    expect(marks('d1:ade1:0i1ee')).toEqual([false, true])
  })

  it('takes the first of a duplicate key', () => {
    expect(plain(read('d1:ai1e1:ai2ee'), latin1(''))).toEqual({ a: 1 })
  })

  it('says where and why', () => {
    const of = (text: string): unknown[] => {
      const fault = faultOf(latin1(text))
      return [fault?.offset, fault?.reason]
    }
    expect(of('')).toEqual([0, 'unexpected end'])
    expect(of('l-3:')).toEqual([1, 'a string has no length'])
    expect(of('d1:ae')).toEqual([4, 'a dictionary key has no value'])
    expect(of('di1e1:ae')).toEqual([1, 'a dictionary key must be a string'])
    expect(of('l5:abc')).toEqual([1, 'a string runs past the end'])
    expect(faultOf(latin1('l5:abc'))?.message).toBe('a string runs past the end at byte 1')
  })

  it('is limited in depth, values and size', () => {
    const nested = (depth: number): Uint8Array => latin1('l'.repeat(depth) + 'e'.repeat(depth))
    expect(faultOf(nested(100))).toBeNull()
    expect(faultOf(nested(101))?.reason).toBe('nested too deep')
    expect(faultOf(nested(1_000_000))?.offset).toBe(100)
    const keys = { limits: { maxTokens: 5 } }
    expect(faultOf(latin1('d1:a1:b1:c1:de'), keys)).toBeNull()
    expect(faultOf(latin1('d1:a1:b1:cl1:dee'), keys)?.reason).toBe('too many values')
    expect(faultOf(latin1('4:abcd'), { limits: { maxSize: 5 } })?.reason).toBe('the data is too large')
  })

  it('never allocates by a claimed length', () => {
    for (const claim of ['99999999999', '9999999999', '2147483648', '999999999999999999999999']) {
      expect(faultOf(latin1(`${claim}:x`))?.reason).toBe('a string runs past the end')
    }
  })
})

describe('accessors', () => {
  const source = latin1('d1:ai5e1:b3:x\xc3\xa41:cle1:dde1:ei9223372036854775807e1:f1:\xffe')
  const node = decode(source)

  it('give a value of the type asked for, or undefined', () => {
    expect(asInt(dictGet(node, 'a'))).toBe(5)
    expect(asInt(dictGet(node, 'e'))).toBeUndefined()
    expect(asInt(dictGet(node, 'b'))).toBeUndefined()
    expect(asText(dictGet(node, 'b'), source)).toBe('xä')
    expect(asText(dictGet(node, 'f'), source)).toBe('\ufffd')
    expect(asText(dictGet(node, 'a'), source)).toBeUndefined()
    expect(asBytes(dictGet(node, 'b'), source)?.buffer).toBe(source.buffer)
    expect(asList(dictGet(node, 'c'))).toEqual([])
    expect(asList(dictGet(node, 'd'))).toBeUndefined()
    expect(asDict(dictGet(node, 'd'))?.kind).toBe('dict')
    expect(dictGet(node, 'nothing')).toBeUndefined()
    expect(dictGet(node, 'constructor')).toBeUndefined()
    expect(dictGet(dictGet(node, 'a'), 'a')).toBeUndefined()
    expect(dictGet(undefined, 'a')).toBeUndefined()
  })
})

describe('encode', () => {
  const text = (value: Parameters<typeof encode>[0]): string => Buffer.from(encode(value)).toString('latin1')

  it('writes every kind of value', () => {
    expect(text({ b: [1, -2, 3n], a: 'ä', c: latin1('\xff'), n: undefined, d: {} })).toBe(
      'd1:a2:\xc3\xa41:bli1ei-2ei3ee1:c1:\xff1:ddee',
    )
    expect(text(new Map([['x', 1]]))).toBe('d1:xi1ee')
    expect(text(-0)).toBe('i0e')
  })

  it('sorts keys as raw bytes', () => {
    const keys = new Map<string | Uint8Array, number>([
      ['\u{1f600}', 1],
      ['\uffee', 2],
      [latin1('\xff'), 3],
      ['B', 4],
      ['a', 5],
    ])
    expect(text(keys)).toMatch(/^d1:Bi4e1:ai5e3:...i2e4:....i1e1:\xffi3ee$/s)
  })

  it('refuses numbers that are no integers', () => {
    expect(() => encode(1.5)).toThrow(TypeError)
    expect(() => encode(2 ** 53)).toThrow(TypeError)
  })
})

/** `GEN 6c*3 65` is the bytes 6c 6c 6c 65; `l*3+e*3` the same with letters. */
function bytesOf(hex: string): Uint8Array {
  if (!hex.startsWith('GEN ')) return new Uint8Array(Buffer.from(hex, 'hex'))
  const parts = hex
    .slice(4)
    .split(/[ +]/)
    .map((part) => {
      const [unit = '', times = '1'] = part.split('*')
      return Buffer.from(unit, /^(?:[0-9a-f]{2})+$/.test(unit) ? 'hex' : 'latin1')
        .toString('latin1')
        .repeat(Number(times))
    })
  return latin1(parts.join(''))
}

describe.skipIf(corpusDir() === null)('the corpus (BENCODE.tsv)', () => {
  const rows = readTsv('BENCODE.tsv')

  it('has its rows', () => {
    expect(rows.length).toBeGreaterThan(100)
  })

  it.each(rows.map((row) => [row['id'] ?? '', row['verdict'] ?? '', row] as const))(
    '%s is %s',
    (_id, verdict, row) => {
      const bytes = bytesOf(row['hex'] ?? '')
      const fault = faultOf(bytes)
      if (verdict === 'invalid' || verdict === 'limit') {
        expect(fault).not.toBeNull()
        return
      }
      if (verdict === 'trailing') expect(fault?.reason).toBe('unexpected data after the end')
      if (verdict === 'either' && fault !== null) return
      if (verdict === 'lenient' || verdict.startsWith('valid')) expect(fault).toBeNull()
      const node = decode(bytes, { trailing: 'allow' })
      const canonical = node.kind === 'dict' || node.kind === 'list' ? node.canonical : null
      if (verdict === 'valid' && canonical !== null) expect(canonical).toBe(true)
      if (verdict === 'lenient' && canonical !== null) expect(canonical).toBe(false)
      const wanted = row['value_json_latin1'] ?? ''
      if (wanted !== '' && !wanted.includes('"?"')) expect(plain(node, bytes)).toEqual(JSON.parse(wanted))
    },
  )
})

describe('dictionaries', () => {
  const text = (count: number): Uint8Array =>
    latin1(
      `d${Array.from({ length: count }, (_, n) => `3:${String(n).padStart(3, '0')}i${String(n)}e`).join('')}e`,
    )

  it.each([0, 1, 8, 9, 10, 500])('of %i keys find each, in order, and no other', (count) => {
    const entries = asDict(decode(text(count)))?.entries
    expect(entries?.size).toBe(count)
    expect(Array.from(entries ?? [], ([key, node]) => [Number(key), asInt(node)])).toEqual(
      Array.from({ length: count }, (_, n) => [n, n]),
    )
    expect([entries?.has('toString'), entries?.get('__proto__')]).toEqual([false, undefined])
  })

  it.each([2, 8, 9, 12, 40])('with %i times the same key keep the first', (count) => {
    const node = decode(
      latin1(`d${Array.from({ length: count }, (_, n) => `1:ai${String(n)}e`).join('')}1:bi7ee`),
    )
    expect([asDict(node)?.entries.size, asInt(dictGet(node, 'a')), asInt(dictGet(node, 'b'))]).toEqual([
      2, 0, 7,
    ])
    expect(asDict(node)?.canonical).toBe(false)
  })

  it('keep apart keys of one length, one beginning and one end', () => {
    const node = decode(latin1('ld3:abci1e3:axci2eed3:axci3e3:abci4eed3:abci5e3:aycd3:axci6eeee'))
    const lists = node.kind === 'list' ? node.items.map((item) => asDict(item)?.entries) : []
    expect(lists.map((entries) => Array.from(entries ?? [], ([key]) => key))).toEqual([
      ['abc', 'axc'],
      ['axc', 'abc'],
      ['abc', 'ayc'],
    ])
    expect(asInt(dictGet(lists[2]?.get('ayc'), 'axc'))).toBe(6)
  })
})
