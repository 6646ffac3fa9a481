/**
 * Bencode (BEP 3): a strict, iterative decoder over one Uint8Array, and an encoder.
 *
 * Nodes carry byte spans into the source instead of copies, so an info hash is taken over the raw bytes and
 * nothing is ever allocated by a length that the input merely claims.
 */

/** How much a document may ask of us before it is refused. */
export interface BencodeLimits {
  /** Lists and dicts inside each other. */
  readonly maxDepth: number
  /** Values and keys in all. */
  readonly maxTokens: number
  /** Bytes of the source. */
  readonly maxSize: number
}

export const DEFAULT_LIMITS: BencodeLimits = {
  maxDepth: 100,
  maxTokens: 3_000_000,
  maxSize: 64 * 1024 * 1024,
}

/** `start` is the first byte of the token, `end` the one after its last. */
interface Span {
  readonly start: number
  readonly end: number
}
/** A number where it is a safe integer, else a bigint within 64 signed bits. */
export interface BInt extends Span {
  readonly kind: 'int'
  readonly value: number | bigint
}
/** The payload is source[from, to). */
export interface BBytes extends Span {
  readonly kind: 'bytes'
  readonly from: number
  readonly to: number
}
export interface BList extends Span {
  readonly kind: 'list'
  readonly items: readonly BNode[]
  /** False where something inside is not canonical. */
  readonly canonical: boolean
}
/** Keys are byte strings, one character a byte (latin1). Of a duplicate key the first value counts. */
export interface BDict extends Span {
  readonly kind: 'dict'
  readonly entries: Entries
  /** False where keys are unsorted or twice, or a number has needless zeros, here or anywhere inside. */
  readonly canonical: boolean
}
export type BNode = BInt | BBytes | BList | BDict

/** Up to so many pairs are searched from the first on. */
const MOST_SEARCHED = 8

/**
 * The pairs of a dictionary in their order, each key once. A torrent of many files has as many dictionaries, each of two
 * or three pairs: a Map of each would cost more than all else that is read.
 */
export class Entries implements Iterable<readonly [key: string, value: BNode]> {
  /** Where each key lies; null where there are few. */
  private readonly places: ReadonlyMap<string, number> | null

  constructor(
    private readonly names: readonly string[],
    /** As many, in the same order. */
    private readonly values: readonly BNode[],
  ) {
    this.places = names.length > MOST_SEARCHED ? new Map(names.map((name, place) => [name, place])) : null
  }

  get size(): number {
    return this.names.length
  }

  get(key: string): BNode | undefined {
    return this.values[this.placeOf(key)]
  }

  has(key: string): boolean {
    return this.placeOf(key) >= 0
  }

  *[Symbol.iterator](): Iterator<readonly [key: string, value: BNode]> {
    for (const [place, value] of this.values.entries()) yield [this.names[place] ?? '', value]
  }

  private placeOf(key: string): number {
    return this.places === null ? this.names.indexOf(key) : (this.places.get(key) ?? -1)
  }
}

/** The only thing that decode throws. */
export class BencodeError extends Error {
  override readonly name = 'BencodeError'
  constructor(
    /** Position in the source, in bytes. */
    readonly offset: number,
    readonly reason: string,
  ) {
    super(`${reason} at byte ${String(offset)}`)
  }
}

export interface DecodeOptions {
  readonly limits?: Partial<BencodeLimits>
  /** 'allow' leaves what follows the first value alone: node.end tells where it begins. Default 'refuse'. */
  readonly trailing?: 'refuse' | 'allow'
}

/** The first bencoded value in `bytes`. Throws BencodeError and nothing else. */
export function decode(bytes: Uint8Array, options: DecodeOptions = {}): BNode {
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  if (bytes.length > limits.maxSize) throw new BencodeError(limits.maxSize, 'the data is too large')
  const node = new Decoder(bytes, limits).run()
  if (options.trailing !== 'allow' && node.end !== bytes.length) {
    throw new BencodeError(node.end, 'unexpected data after the end')
  }
  return node
}

const CHAR_0 = 0x30
const CHAR_9 = 0x39
const CHAR_COLON = 0x3a
const CHAR_MINUS = 0x2d
const CHAR_D = 0x64
const CHAR_E = 0x65
const CHAR_I = 0x69
const CHAR_L = 0x6c
const INT64_MAX = 9_223_372_036_854_775_807n
const INT64_MIN = -9_223_372_036_854_775_808n
/** Digits that always fit a safe integer. */
const SAFE_DIGITS = 15
/** Digits of the largest int64. */
const INT64_DIGITS = 19
/** No source has a length of more digits: larger than any Uint8Array. */
const LENGTH_DIGITS = 10

/** A list or dict whose end has not been seen. Its values wait in Decoder.values, from `from` on. */
interface OpenList {
  readonly kind: 'list'
  readonly start: number
  readonly from: number
  canonical: boolean
}
interface OpenDict {
  readonly kind: 'dict'
  readonly start: number
  readonly from: number
  /** Its keys wait in Decoder.keys, from here on. */
  readonly fromKey: number
  /** The keys so far, where there are many. */
  seen: Set<string> | null
  /** The key whose value comes next; null where a key or the end comes next. */
  key: string | null
  /** The key before, to see whether they are sorted. */
  last: string | null
  canonical: boolean
}
type Open = OpenList | OpenDict

class Decoder {
  /** Position of the next unread byte. */
  private at = 0
  /** Values and keys seen so far. */
  private tokens = 0
  /** The lists and dicts around the next token, outermost first. */
  private readonly stack: Open[] = []
  /** Values of the containers in `stack`, outermost first: what is closed takes an array that is no longer than it needs. */
  private readonly values: BNode[] = []
  /** Keys of the dicts in `stack`, likewise. */
  private readonly keys: string[] = []
  private readonly text: Buffer
  private readonly words = new Words()

  constructor(
    private readonly bytes: Uint8Array,
    private readonly limits: BencodeLimits,
  ) {
    this.text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  run(): BNode {
    for (;;) {
      const top = this.stack.at(-1)
      const done = this.step(top)
      if (done === null) continue
      const parent = this.stack.at(-1)
      if (parent === undefined) return done
      this.attach(parent, done)
    }
  }

  /** Reads one token: a finished value, or null where a container opened or a key was read. */
  private step(top: Open | undefined): BNode | null {
    const byte = this.peek()
    if (top !== undefined && byte === CHAR_E) return this.close(top)
    this.tokens += 1
    if (this.tokens > this.limits.maxTokens) throw this.fault('too many values')
    if (top?.kind === 'dict' && top.key === null) {
      this.key(top)
      return null
    }
    if (byte === CHAR_I) return this.int(top)
    if (byte === CHAR_L || byte === CHAR_D) {
      this.open(byte)
      return null
    }
    return this.string(top)
  }

  private open(byte: number): void {
    if (this.stack.length >= this.limits.maxDepth) throw this.fault('nested too deep')
    const start = this.at
    this.at += 1
    const from = this.values.length
    if (byte === CHAR_L) this.stack.push({ kind: 'list', start, from, canonical: true })
    else {
      const fromKey = this.keys.length
      this.stack.push({
        kind: 'dict',
        start,
        from,
        fromKey,
        seen: null,
        key: null,
        last: null,
        canonical: true,
      })
    }
  }

  private close(top: Open): BNode {
    if (top.kind === 'dict' && top.key !== null) throw this.fault('a dictionary key has no value')
    this.at += 1
    this.stack.pop()
    const { start, from, canonical } = top
    const parent = this.stack.at(-1)
    if (!canonical && parent !== undefined) parent.canonical = false
    const values = this.values.slice(from)
    this.values.length = from
    if (top.kind === 'list') return { kind: 'list', start, end: this.at, items: values, canonical }
    const names = this.words.list(this.keys, top.fromKey)
    this.keys.length = top.fromKey
    return { kind: 'dict', start, end: this.at, entries: new Entries(names, values), canonical }
  }

  private attach(parent: Open, value: BNode): void {
    if (parent.kind === 'dict') {
      const key = parent.key ?? ''
      parent.last = key
      parent.key = null
      if (this.isKnown(parent, key)) {
        parent.canonical = false
        return
      }
      this.keys.push(key)
    }
    this.values.push(value)
  }

  private isKnown(dict: OpenDict, key: string): boolean {
    if (dict.seen === null && this.keys.length - dict.fromKey > MOST_SEARCHED) {
      dict.seen = new Set(this.keys.slice(dict.fromKey))
    }
    if (dict.seen === null) return this.keys.indexOf(key, dict.fromKey) >= 0
    if (dict.seen.has(key)) return true
    dict.seen.add(key)
    return false
  }

  private key(top: OpenDict): void {
    const byte = this.peek()
    if (byte < CHAR_0 || byte > CHAR_9) throw this.fault('a dictionary key must be a string')
    const { from, to } = this.string(top)
    const key = this.words.read(this.text, from, to)
    if (top.last !== null && key <= top.last) top.canonical = false
    top.key = key
  }

  private string(top: Open | undefined): BBytes {
    const start = this.at
    const [first, last] = this.digits('a string has no length')
    if (this.peek() !== CHAR_COLON) throw this.fault('a string length must end with a colon')
    this.at += 1
    if (first > start && top !== undefined) top.canonical = false
    if (last - first > LENGTH_DIGITS) throw new BencodeError(start, 'a string runs past the end')
    const length = this.small(first, last)
    if (length > this.bytes.length - this.at) throw new BencodeError(start, 'a string runs past the end')
    const from = this.at
    this.at += length
    return { kind: 'bytes', start, end: this.at, from, to: this.at }
  }

  private int(top: Open | undefined): BInt {
    const start = this.at
    this.at += 1
    const negative = this.peek() === CHAR_MINUS
    if (negative) this.at += 1
    const digits = this.at
    const [first, last] = this.digits('a number has no digits')
    if (this.peek() !== CHAR_E) throw this.fault('a number must end with e')
    this.at += 1
    const zero = last - first === 1 && this.bytes[first] === CHAR_0
    if ((first > digits || (negative && zero)) && top !== undefined) top.canonical = false
    return { kind: 'int', start, end: this.at, value: zero ? 0 : this.value(start, negative, first, last) }
  }

  private value(start: number, negative: boolean, first: number, last: number): number | bigint {
    if (last - first > INT64_DIGITS) throw new BencodeError(start, 'a number is too large')
    if (last - first <= SAFE_DIGITS) {
      const small = this.small(first, last)
      return negative ? -small : small
    }
    const text = this.text.toString('latin1', first, last)
    const big = negative ? -BigInt(text) : BigInt(text)
    if (big > INT64_MAX || big < INT64_MIN) throw new BencodeError(start, 'a number is too large')
    const small = Number(big)
    return Number.isSafeInteger(small) ? small : big
  }

  /** The number of at most SAFE_DIGITS digits. */
  private small(first: number, last: number): number {
    let number = 0
    for (let at = first; at < last; at += 1) number = number * 10 + (this.bytes[at] ?? CHAR_0) - CHAR_0
    return number
  }

  /** Steps over a run of digits; the span without needless leading zeros. */
  private digits(missing: string): [first: number, last: number] {
    const start = this.at
    let at = start
    let byte = this.peek()
    while (byte >= CHAR_0 && byte <= CHAR_9) {
      at += 1
      const next = this.bytes[at]
      if (next === undefined) throw new BencodeError(at, 'unexpected end')
      byte = next
    }
    if (at === start) throw this.fault(missing)
    this.at = at
    let first = start
    while (first < at - 1 && this.bytes[first] === CHAR_0) first += 1
    return [first, at]
  }

  private peek(): number {
    const byte = this.bytes[this.at]
    if (byte === undefined) throw this.fault('unexpected end')
    return byte
  }

  private fault(reason: string): BencodeError {
    return new BencodeError(this.at, reason)
  }
}

/** Keys are the same few words in the same order again and again: each is made a string, and a list, once. */
class Words {
  /** The last word of each hash; '' where there was none. */
  private readonly known: string[] = new Array<string>(64).fill('')
  /** The last list of each length. */
  private readonly lists: (readonly string[])[] = []

  /** text[from, to) as latin1. */
  read(text: Buffer, from: number, to: number): string {
    const slot = (31 * (to - from) + 7 * (text[from] ?? 0) + (text[to - 1] ?? 0)) & 63
    const known = this.known[slot] ?? ''
    if (isAt(known, text, from, to)) return known
    const word = text.toString('latin1', from, to)
    if (to - from <= LONGEST_NAME) this.known[slot] = word
    return word
  }

  /** words[from, end). */
  list(words: readonly string[], from: number): readonly string[] {
    const length = words.length - from
    const known = this.lists[length]
    if (known?.every((word, place) => word === words[from + place]) === true) return known
    const list = words.slice(from)
    if (length <= MOST_SEARCHED) this.lists[length] = list
    return list
  }
}

/** Longer keys are hashes or names of files, and come once. */
const LONGEST_NAME = 24

function isAt(word: string, text: Buffer, from: number, to: number): boolean {
  if (word.length !== to - from) return false
  for (let at = from; at < to; at += 1) if (word.charCodeAt(at - from) !== text[at]) return false
  return true
}

/** The value of a key, where `node` is a dict that has it. The key is latin1: one character a byte. */
export function dictGet(node: BNode | undefined, key: string): BNode | undefined {
  return node?.kind === 'dict' ? node.entries.get(key) : undefined
}

/** A safe integer, else undefined. */
export function asInt(node: BNode | undefined): number | undefined {
  return node?.kind === 'int' && typeof node.value === 'number' ? node.value : undefined
}

/** A view into `source`, which must be what the node was decoded from; not a copy. */
export function asBytes(node: BNode | undefined, source: Uint8Array): Uint8Array | undefined {
  return node?.kind === 'bytes' ? source.subarray(node.from, node.to) : undefined
}

/** A byte string as latin1, one character a byte. `source` must be what the node was decoded from. */
export function asLatin1(node: BNode | undefined, source: Buffer): string | undefined {
  return node?.kind === 'bytes' ? source.toString('latin1', node.from, node.to) : undefined
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** A byte string as UTF-8 text; what is not UTF-8 becomes U+FFFD. */
export function asText(node: BNode | undefined, source: Uint8Array): string | undefined {
  const bytes = asBytes(node, source)
  return bytes === undefined ? undefined : utf8.decode(bytes)
}

export function asList(node: BNode | undefined): readonly BNode[] | undefined {
  return node?.kind === 'list' ? node.items : undefined
}

export function asDict(node: BNode | undefined): BDict | undefined {
  return node?.kind === 'dict' ? node : undefined
}

/**
 * What encode takes. Strings, keys too, are written as UTF-8; numbers must be safe integers. A property that
 * is undefined is left out.
 */
export type Encodable =
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Encodable[]
  | ReadonlyMap<string | Uint8Array, Encodable>
  | { readonly [key: string]: Encodable | undefined }

/** Canonical bencode of `value`: keys are sorted as raw bytes (BEP 3). A TypeError is a bug of the caller's. */
export function encode(value: Encodable): Uint8Array {
  const parts: Uint8Array[] = []
  write(value, parts)
  const whole = Buffer.concat(parts)
  return new Uint8Array(whole.buffer, whole.byteOffset, whole.byteLength)
}

function write(value: Encodable, parts: Uint8Array[]): void {
  if (typeof value === 'number' || typeof value === 'bigint') writeInt(value, parts)
  else if (typeof value === 'string') writeBytes(Buffer.from(value, 'utf8'), parts)
  else if (value instanceof Uint8Array) writeBytes(value, parts)
  else if (isList(value)) {
    parts.push(Buffer.from('l'))
    for (const item of value) write(item, parts)
    parts.push(Buffer.from('e'))
  } else writeDict(value instanceof Map ? value.entries() : Object.entries(value), parts)
}

function isList(value: object): value is readonly Encodable[] {
  return Array.isArray(value)
}

function writeInt(value: number | bigint, parts: Uint8Array[]): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new TypeError(`not a safe integer: ${String(value)}`)
  }
  parts.push(Buffer.from(`i${BigInt(value).toString()}e`))
}

function writeBytes(bytes: Uint8Array, parts: Uint8Array[]): void {
  parts.push(Buffer.from(`${String(bytes.length)}:`), bytes)
}

function writeDict(
  entries: Iterable<[string | Uint8Array, Encodable | undefined]>,
  parts: Uint8Array[],
): void {
  const pairs: [Uint8Array, Encodable][] = []
  for (const [key, value] of entries) {
    if (value !== undefined) pairs.push([typeof key === 'string' ? Buffer.from(key, 'utf8') : key, value])
  }
  pairs.sort((a, b) => Buffer.compare(a[0], b[0]))
  parts.push(Buffer.from('d'))
  for (const [key, value] of pairs) {
    writeBytes(key, parts)
    write(value, parts)
  }
  parts.push(Buffer.from('e'))
}
