/**
 * Patterns of file names: `*` and `?` stand for anything but `/`, `**` for anything, `[a-z]` and `[!a-z]` for one of
 * some characters, `\` takes the next one as it is. A pattern without `/` is held against the last part of a path.
 */

/** Says in a few words what is wrong with a pattern. */
export class GlobError extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'GlobError'
  }
}

/** One character of a path, or any number of them. */
interface Token {
  readonly many: boolean
  readonly takes: (char: string) => boolean
}

const notSlash = (char: string): boolean => char !== '/'

/** Throws GlobError. */
export function compileGlob(pattern: string): (path: string) => boolean {
  if (pattern === '') throw new GlobError('it is empty')
  const tokens = readTokens(Array.from(pattern))
  const whole = pattern.includes('/')
  return (path) => matches(tokens, Array.from(whole ? path : path.slice(path.lastIndexOf('/') + 1)))
}

function readTokens(chars: readonly string[]): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at]
    if (char === '*') {
      const deep = chars[at + 1] === '*'
      if (deep) at++
      tokens.push({ many: true, takes: deep ? () => true : notSlash })
    } else if (char === '?') tokens.push({ many: false, takes: notSlash })
    else if (char === '[') {
      const end = chars.indexOf(']', at + (chars[at + 1] === '!' ? 3 : 2))
      if (end < 0) throw new GlobError('a [ has no ]')
      tokens.push({ many: false, takes: readSet(chars.slice(at + 1, end)) })
      at = end
    } else {
      const literal = char === '\\' ? chars[++at] : char
      if (literal === undefined) throw new GlobError('it ends with a \\')
      tokens.push({ many: false, takes: (one) => one === literal })
    }
  }
  return tokens
}

function readSet(chars: readonly string[]): (char: string) => boolean {
  const not = chars[0] === '!'
  const ranges: { readonly from: string; readonly to: string }[] = []
  for (let at = not ? 1 : 0; at < chars.length; at++) {
    const from = chars[at] ?? ''
    const isRange = chars[at + 1] === '-' && at + 2 < chars.length
    const to = isRange ? (chars[at + 2] ?? '') : from
    if (isRange) at += 2
    if (from > to) throw new GlobError(`${from}-${to} is the wrong way round`)
    ranges.push({ from, to })
  }
  return (char) => char !== '/' && ranges.some(({ from, to }) => from <= char && char <= to) !== not
}

/** Which beginnings of the pattern fit what was read so far: its time is the product of both lengths, whatever they are. */
function matches(tokens: readonly Token[], chars: readonly string[]): boolean {
  let fits = withEmpty(tokens, [true])
  for (const char of chars) {
    const next: boolean[] = [false]
    tokens.forEach(({ many, takes }, at) => {
      next[at + 1] = takes(char) && (fits[at] === true || (many && fits[at + 1] === true))
    })
    fits = withEmpty(tokens, next)
  }
  return fits[tokens.length] === true
}

/** `*` fits nothing at all, too. */
function withEmpty(tokens: readonly Token[], fits: boolean[]): boolean[] {
  tokens.forEach(({ many }, at) => {
    fits[at + 1] = fits[at + 1] === true || (many && fits[at] === true)
  })
  return fits
}
