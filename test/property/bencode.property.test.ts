import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  asBytes,
  BencodeError,
  decode,
  encode,
  type BNode,
  type Encodable,
} from '../../shared/torrent/bencode.js'

const value = fc.letrec<{ node: Encodable }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5 },
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('node'), { maxLength: 5 }),
    fc
      .uniqueArray(fc.tuple(fc.uint8Array({ maxLength: 8 }), tie('node')), {
        maxLength: 5,
        selector: ([key]) => Buffer.from(key).toString('latin1'),
      })
      .map((pairs) => new Map(pairs)),
  ),
})).node

/** Back to what encode takes, out of nothing but the spans. */
function rebuild(node: BNode, source: Uint8Array): Encodable {
  if (node.kind === 'int') return node.value
  if (node.kind === 'bytes') return asBytes(node, source) ?? 0
  if (node.kind === 'list') return node.items.map((item) => rebuild(item, source))
  const pairs = [...node.entries].map(([key, entry]): [Uint8Array, Encodable] => [
    Buffer.from(key, 'latin1'),
    rebuild(entry, source),
  ])
  return new Map(pairs)
}

function decodeOrNull(bytes: Uint8Array): BNode | null {
  try {
    return decode(bytes)
  } catch (error) {
    if (error instanceof BencodeError) return null
    throw error
  }
}

/** Every token begins and ends inside the one around it. */
function spansHold(node: BNode, start: number, end: number): boolean {
  if (node.start < start || node.end > end || node.start >= node.end) return false
  if (node.kind === 'int') return true
  if (node.kind === 'bytes') return node.from > node.start && node.to === node.end
  const inside = node.kind === 'list' ? node.items : Array.from(node.entries, ([, value]) => value)
  return inside.every((child) => spansHold(child, node.start + 1, node.end - 1))
}

describe('bencode', () => {
  it('reads back what it wrote, and calls it canonical', () => {
    fc.assert(
      fc.property(value, (input) => {
        const bytes = encode(input)
        const node = decode(bytes)
        expect(Buffer.from(encode(rebuild(node, bytes)))).toEqual(Buffer.from(bytes))
        if (node.kind === 'dict' || node.kind === 'list') expect(node.canonical).toBe(true)
        expect(spansHold(node, 0, bytes.length)).toBe(true)
      }),
    )
  })

  it('calls canonical exactly what it would write itself', () => {
    const soup = fc.array(
      fc.constantFrom('d', 'l', 'e', 'i', '0', '1', '2', ':', '-', 'a', 'i0e', '1:a', '1:b', '0:'),
    )
    fc.assert(
      fc.property(soup, (parts) => {
        const bytes = new Uint8Array(Buffer.from(`d1:xl${parts.join('')}ee`))
        const node = decodeOrNull(bytes)
        if (node?.kind !== 'dict') return
        expect(Buffer.from(encode(rebuild(node, bytes))).equals(bytes)).toBe(node.canonical)
      }),
      { numRuns: 3000 },
    )
  })

  it('throws BencodeError and nothing else, on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeOrNull(bytes)
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses every prefix of a value', () => {
    fc.assert(
      fc.property(value, fc.nat(), (input, at) => {
        const bytes = encode(input)
        expect(decodeOrNull(bytes.subarray(0, at % bytes.length))).toBeNull()
      }),
    )
  })
})
