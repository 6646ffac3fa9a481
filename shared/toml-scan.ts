/**
 * Where the statements of a TOML 1.0 document lie, so that one value can be changed and every other byte stays. Only
 * for documents that a parser has accepted: it finds places, and judges nothing. Pure.
 */

export interface TomlHeader {
  readonly kind: 'header'
  /** `[[path]]` */
  readonly array: boolean
  readonly path: readonly string[]
  readonly start: number
  /** Behind the line, its line end not counted. */
  readonly end: number
}

export interface TomlPair {
  readonly kind: 'pair'
  /** From the root: the table it stands in, and its own key. */
  readonly path: readonly string[]
  /** How many headers come before it: 0 for the root table. */
  readonly section: number
  readonly start: number
  readonly valueStart: number
  readonly valueEnd: number
  /** Behind the last line of the statement, its line end not counted. */
  readonly end: number
}

export type TomlStatement = TomlHeader | TomlPair

/** In the order of the document. */
export function scanToml(text: string): TomlStatement[] {
  const statements: TomlStatement[] = []
  let table: readonly string[] = []
  let section = 0
  for (let at = 0; at < text.length;) {
    at = skip(text, at, /[ \t\r\n\ufeff]*/y)
    if (at >= text.length) break
    const statement = statementAt(text, at, table, section)
    if (statement !== null) statements.push(statement)
    if (statement?.kind === 'header') {
      table = statement.path
      section += 1
    }
    at = statement?.end ?? endOfLine(text, at)
  }
  return statements
}

function statementAt(
  text: string,
  start: number,
  table: readonly string[],
  section: number,
): TomlStatement | null {
  if (text[start] === '#') return null
  if (text[start] === '[') {
    const array = text[start + 1] === '['
    const { path } = keyAt(text, start + (array ? 2 : 1))
    return { kind: 'header', array, path, start, end: endOfLine(text, start) }
  }
  const key = keyAt(text, start)
  const valueStart = skip(text, key.end + 1, /[ \t]*/y)
  const valueEnd = endOfValue(text, valueStart)
  return {
    kind: 'pair',
    path: [...table, ...key.path],
    section,
    start,
    valueStart,
    valueEnd,
    end: endOfLine(text, valueEnd),
  }
}

/** A dotted key; `end` is where `=` or `]` stands. */
function keyAt(text: string, start: number): { path: string[]; end: number } {
  const path: string[] = []
  let at = start
  for (;;) {
    at = skip(text, at, /[ \t]*/y)
    const end = text[at] === '"' || text[at] === "'" ? endOfString(text, at) : skip(text, at, /[\w-]*/y)
    path.push(unquote(text.slice(at, end)))
    at = skip(text, end, /[ \t]*/y)
    if (text[at] !== '.') return { path, end: at }
    at += 1
  }
}

function unquote(key: string): string {
  if (key.startsWith("'")) return key.slice(1, -1)
  if (!key.startsWith('"')) return key
  return key.slice(1, -1).replace(/\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|x([0-9a-f]{2})|(.))/gi, unescapeOne)
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r', e: '\x1b' }

function unescapeOne(_all: string, u?: string, long?: string, x?: string, letter?: string): string {
  const hex = u ?? long ?? x
  if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
  return ESCAPES[letter ?? ''] ?? letter ?? ''
}

/** Behind the value, without the blanks and the comment that may follow. */
function endOfValue(text: string, start: number): number {
  let depth = 0
  let end = start
  for (let at = start; at < text.length;) {
    const character = text[at] ?? ''
    if (character === '"' || character === "'") end = at = endOfString(text, at)
    else if (character === '#') at = endOfLine(text, at)
    else if (character === '\n' && depth === 0) break
    else {
      if (character === '[' || character === '{') depth += 1
      if (character === ']' || character === '}') depth -= 1
      at += 1
      if (!/[ \t\r\n]/.test(character)) end = at
    }
  }
  return end
}

/** Behind the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  const quote = text[start] ?? '"'
  const escapes = quote === '"'
  const long = text.startsWith(quote.repeat(3), start)
  let at = start + (long ? 3 : 1)
  while (at < text.length) {
    if (escapes && text[at] === '\\') at += 2
    else if (!text.startsWith(long ? quote.repeat(3) : quote, at)) at += 1
    // A long string may end in up to two quotes of its own.
    else return long ? skip(text, at + 3, quote === '"' ? /"{0,2}/y : /'{0,2}/y) : at + 1
  }
  return text.length
}

/** The next line end at or behind `at` (a CR before it included in the line end), or the end of the text. */
function endOfLine(text: string, at: number): number {
  const newline = text.indexOf('\n', at)
  if (newline < 0) return text.length
  return newline > at && text[newline - 1] === '\r' ? newline - 1 : newline
}

function skip(text: string, at: number, pattern: RegExp): number {
  pattern.lastIndex = at
  return at + (pattern.exec(text)?.[0].length ?? 0)
}
