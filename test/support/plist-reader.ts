/** Reads a property list of Apple's XML form into plain values; throws on anything it does not know. */

export type PlistValue = string | number | boolean | readonly PlistValue[] | PlistDict
export interface PlistDict {
  readonly [key: string]: PlistValue
}

interface Token {
  /** 'dict', '/dict', 'true/', ... */
  readonly tag: string
  /** The text up to the next tag, references resolved. */
  readonly text: string
}

export function readPlist(xml: string): PlistDict {
  const tokens = new Tokens(xml)
  tokens.take('plist')
  const root = value(tokens)
  tokens.take('/plist')
  if (!tokens.done) throw new Error('plist: something follows </plist>')
  return asDict(root)
}

export function asDict(found: PlistValue | undefined): PlistDict {
  if (typeof found !== 'object' || isArray(found))
    throw new Error(`plist: not a dict: ${JSON.stringify(found)}`)
  return found
}

export function asStrings(found: PlistValue | undefined): readonly string[] {
  if (!isArray(found)) throw new Error(`plist: not an array: ${JSON.stringify(found)}`)
  return found.map((item) => asString(item))
}

export function asString(found: PlistValue | undefined): string {
  if (typeof found !== 'string') throw new Error(`plist: not a string: ${JSON.stringify(found)}`)
  return found
}

export function asInteger(found: PlistValue | undefined): number {
  if (typeof found !== 'number') throw new Error(`plist: not an integer: ${JSON.stringify(found)}`)
  return found
}

function isArray(found: PlistValue | undefined): found is readonly PlistValue[] {
  return Array.isArray(found)
}

class Tokens {
  /** Tags in order, the declaration and the document type left out. */
  private readonly tokens: Token[]
  /** Index of the next token, 0..length. */
  private at = 0

  constructor(xml: string) {
    const body = xml.replace(/^<\?xml[^>]*\?>\s*<!DOCTYPE[^>]*>/, '')
    const found = [...body.matchAll(/<(?<tag>\/?[a-z]+)(?: [^>]*?)?(?<empty>\/?)>(?<text>[^<]*)/g)]
    const length = found.reduce((sum, match) => sum + match[0].length, 0)
    if (length !== body.trimStart().length) throw new Error('plist: markup outside its form')
    this.tokens = found.map(({ groups = {} }) => ({
      tag: `${groups['tag'] ?? ''}${groups['empty'] ?? ''}`,
      text: resolve(groups['text'] ?? ''),
    }))
  }

  get done(): boolean {
    return this.at === this.tokens.length
  }

  get tag(): string {
    return this.tokens[this.at]?.tag ?? ''
  }

  take(tag: string): string {
    const token = this.tokens[this.at]
    if (token?.tag !== tag) throw new Error(`plist: <${tag}> expected, <${token?.tag ?? 'end'}> found`)
    this.at += 1
    return token.text
  }

  element(tag: string): string {
    const text = this.take(tag)
    this.take(`/${tag}`)
    return text
  }
}

function resolve(text: string): string {
  return text
    .replace(/&#(x?)([0-9a-fA-F]+);/g, (_, hex: string, digits: string) =>
      String.fromCodePoint(Number.parseInt(digits, hex === 'x' ? 16 : 10)),
    )
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&')
}

function value(tokens: Tokens): PlistValue {
  switch (tokens.tag) {
    case 'string':
      return tokens.element('string')
    case 'integer':
      return integer(tokens.element('integer'))
    case 'true/':
      tokens.take('true/')
      return true
    case 'false/':
      tokens.take('false/')
      return false
    case 'array':
      return array(tokens)
    case 'dict':
      return dict(tokens)
    default:
      throw new Error(`plist: <${tokens.tag}> is no value`)
  }
}

function integer(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new Error(`plist: ${text} is no integer`)
  return Number(text)
}

function array(tokens: Tokens): PlistValue[] {
  const items: PlistValue[] = []
  tokens.take('array')
  while (tokens.tag !== '/array') items.push(value(tokens))
  tokens.take('/array')
  return items
}

function dict(tokens: Tokens): PlistDict {
  const entries = new Map<string, PlistValue>()
  tokens.take('dict')
  while (tokens.tag !== '/dict') {
    const key = tokens.element('key')
    if (entries.has(key)) throw new Error(`plist: ${key} twice`)
    entries.set(key, value(tokens))
  }
  tokens.take('/dict')
  return Object.fromEntries(entries)
}
