/** Bytes that were sound once: what fast-check draws is a seed and a few edits, so that a failure shrinks to few. */
import fc from 'fast-check'

/** An edit; what its numbers mean depends on the kind, and each number is taken modulo what there is. */
interface Edit {
  readonly kind: (typeof KINDS)[number]
  readonly at: number
  readonly size: number
  readonly value: number
}

export interface Mutant {
  readonly seed: number
  readonly edits: readonly Edit[]
  /** Sizes of the chunks it comes in; the rest comes at once. */
  readonly cuts: readonly number[]
}

const KINDS = [
  'flip',
  'set',
  'insert',
  'delete',
  'repeat',
  'splice',
  'number',
  'word',
  'token',
  'nest',
  'cut',
] as const

/** A mutant is never longer. */
const MOST_BYTES = 128 * 1024

/** What has hurt parsers before, as text. */
const NUMBERS = [
  '',
  '0',
  '-1',
  '-0',
  '00',
  '1',
  '16',
  '255',
  '65535',
  '2147483647',
  '2147483648',
  '4294967295',
  '4294967296',
  '9007199254740991',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '99999999999999999999999999',
  '1e9',
  '0x10',
]
/** And as 32 bits. */
const WORDS = [0, 1, 0x7f, 0x80, 0xff, 0x4000, 0x4001, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff]

const TOKENS = [
  'd',
  'l',
  'e',
  'i-1e',
  'i0e',
  '0:',
  '1:a',
  '4:path',
  '9:__proto__',
  '2:..',
  '/',
  '\\',
  '\0',
  '\r\n',
  '\n',
  '"',
  "'",
  '"""',
  '\\u',
  '\\U00110000',
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '=',
  '.',
  '#',
  '%',
  '%zz',
  '@',
  '__proto__',
  '\u202e',
  '\ud83d\ude00',
  '\x1b]0;x\x07',
]
const NESTS = ['l', 'd1:a', '[', '{"a":', '"', '\\', 'a.', '../', '%']

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom(...KINDS),
  // Mostly where the structure is: in front, not among the hashes.
  at: fc.oneof({ weight: 2, arbitrary: fc.nat(600) }, { weight: 1, arbitrary: fc.nat() }),
  size: fc.oneof({ weight: 4, arbitrary: fc.nat(8) }, { weight: 1, arbitrary: fc.nat(4096) }),
  value: fc.nat(),
})

/** Mutants of so many seeds. */
export function mutants(seeds: number): fc.Arbitrary<Mutant> {
  return fc.record({
    seed: fc.nat(seeds - 1),
    edits: fc.array(edit, { maxLength: 6 }),
    cuts: fc.array(fc.nat(70), { maxLength: 12 }),
  })
}

export function grow(seeds: readonly Uint8Array[], { seed, edits }: Mutant): Buffer {
  let bytes: Buffer = Buffer.from(seeds[seed] ?? [])
  for (const one of edits) bytes = apply(bytes, one, seeds).subarray(0, MOST_BYTES)
  return Buffer.from(bytes)
}

function apply(bytes: Buffer, { kind, at, size, value }: Edit, seeds: readonly Uint8Array[]): Buffer {
  const here = at % (bytes.length + 1)
  const put = (what: Uint8Array, over = 0): Buffer =>
    Buffer.concat([bytes.subarray(0, here), what, bytes.subarray(here + over)])
  switch (kind) {
    case 'flip':
      return put(Buffer.from([(bytes[here] ?? 0) ^ (1 << (value & 7))]), 1)
    case 'set':
      return put(Buffer.from([value & 255]), 1)
    case 'insert':
      return put(Buffer.alloc(size, value & 255))
    case 'delete':
      return put(Buffer.alloc(0), size + 1)
    case 'repeat':
      return put(bytes.subarray(here, here + size + 1))
    case 'splice': {
      const other = seeds[value % seeds.length] ?? Buffer.alloc(0)
      const from = size % (other.length + 1)
      return put(other.subarray(from, from + (value % 4096)), size)
    }
    case 'number':
      return editNumber(bytes, here, NUMBERS[value % NUMBERS.length] ?? '')
    case 'word': {
      const word = Buffer.alloc(4)
      word.writeUInt32BE(WORDS[value % WORDS.length] ?? 0)
      return put(word, 4)
    }
    case 'token':
      return put(Buffer.from(TOKENS[value % TOKENS.length] ?? ''), size % 3)
    case 'nest':
      return put(Buffer.from((NESTS[value % NESTS.length] ?? '').repeat(size)))
    case 'cut':
      return bytes.subarray(0, here)
  }
}

/** Replaces the next run of digits: a length, a count or a size. */
function editNumber(bytes: Buffer, from: number, number: string): Buffer {
  const isDigit = (at: number): boolean => (bytes[at] ?? 0) >= 0x30 && (bytes[at] ?? 0) <= 0x39
  let start = from
  while (start < bytes.length && !isDigit(start)) start += 1
  let end = start
  while (isDigit(end)) end += 1
  return Buffer.concat([bytes.subarray(0, start), Buffer.from(number), bytes.subarray(end)])
}
