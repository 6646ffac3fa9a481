import { describe, expect, it } from 'vitest'
import {
  foldPath,
  PathError,
  readUtf8,
  safeComponent,
  safePath,
  uniquePaths,
} from '../../shared/torrent/paths.js'
import { corpusDir, readTsv } from '../support/corpus.js'

/** A name as it is read: one character a byte. */
const utf8 = (text: string): string => Buffer.from(text).toString('latin1')
const safe = (...parts: string[]): string => safePath(parts.map(utf8)).join('/')
const unique = (...paths: string[]): (string | null)[] => uniquePaths(paths.map((path) => path.split('/')))

describe('safePath', () => {
  it('drops what would leave the root', () => {
    expect(safe('..', '..', 'etc', 'passwd')).toBe('etc/passwd')
    expect(safe('a', '../../b')).toBe('a/....b')
    expect(safe('/', '\\', 'a')).toBe('a')
    expect(safe('..')).toBe('_')
    expect(safePath([])).toEqual(['_'])
  })

  it('takes dots apart from what hides between them', () => {
    expect(safe('a', '.\u200b.', 'b')).toBe('a/b')
    expect(safe('a', '/..', 'b')).toBe('a/b')
    expect(safe('a', '...', 'b')).toBe('a/.../b')
  })

  it('replaces controls, NUL and line separators, drops bidi marks', () => {
    expect(safe('a\0b\nc\u007f\u0085\u2028')).toBe('a_b_c___')
    expect(safe('exe\u202etxt.pdf')).toBe('exetxt.pdf')
  })

  it('cuts long names at a character and keeps the extension, with room for .part', () => {
    const long = safeComponent(utf8('ä'.repeat(200) + '.torrent')) ?? ''
    expect(long).toBe('ä'.repeat(120) + '.torrent')
    expect(safeComponent(utf8('x'.repeat(300)))).toBe('x'.repeat(240))
    expect(safeComponent(utf8('x'.repeat(238) + '.mkv'))).toBe('x'.repeat(238) + '.mkv')
    const wide = safeComponent(utf8('x'.repeat(239) + '\u{1f600}y' + '.torrent')) ?? ''
    expect(wide).toBe('x'.repeat(239) + '.torrent')
    for (const name of [long, wide]) expect(Buffer.byteLength(`${name}.part`)).toBeLessThanOrEqual(255)
  })

  it('has a limit of depth', () => {
    const deep = (depth: number): string[] => safePath(Array.from({ length: depth }, () => utf8('d')))
    expect(deep(100)).toHaveLength(100)
    expect(() => deep(101)).toThrow(PathError)
  })
})

describe('uniquePaths', () => {
  it('leaves different files alone', () => {
    expect(unique('r/a', 'r/b', 'r/d/a', 'r/d/b')).toEqual(['r/a', 'r/b', 'r/d/a', 'r/d/b'])
  })

  it('numbers files of one name before their extension', () => {
    expect(unique('r/a.txt', 'r/a.txt', 'r/a.txt', 'r/a', 'r/a')).toEqual([
      'r/a.txt',
      'r/a.1.txt',
      'r/a.2.txt',
      'r/a',
      'r/a.1',
    ])
    expect(unique('.rc', '.rc')).toEqual(['.rc', '.rc.1'])
    expect(unique('a.1', 'a', 'a')).toEqual(['a.1', 'a', 'a.2'])
  })

  it('folds case and normalisation as APFS does', () => {
    expect(unique('A.txt', 'a.TXT')).toEqual(['A.txt', 'a.1.TXT'])
    expect(unique('\u00e9', 'e\u0301')).toEqual(['\u00e9', 'e\u0301.1'])
    expect(foldPath('\u00c9')).toBe(foldPath('e\u0301'))
  })

  it('renames a file where a folder is, whichever comes first', () => {
    expect(unique('r/a', 'r/a/b')).toEqual(['r/a.1', 'r/a/b'])
    expect(unique('r/a/b', 'r/A')).toEqual(['r/a/b', 'r/A.1'])
  })

  it('lets no file be the unfinished part of another, or of a folder', () => {
    expect(unique('a', 'a.part')).toEqual(['a', 'a.1.part'])
    expect(unique('a.part', 'a')).toEqual(['a.part', 'a.1'])
    expect(unique('a', 'a.part/b')).toEqual(['a.1', 'a.part/b'])
  })

  it('leaves pads out', () => {
    expect(uniquePaths([['a'], null, ['a'], null])).toEqual(['a', null, 'a.1', null])
  })

  it('keeps renamed names short enough', () => {
    const name = 'x'.repeat(240) + '.longext'
    for (const path of unique(name, name, name)) {
      expect(Buffer.byteLength(`${path ?? ''}.part`)).toBeLessThanOrEqual(255)
    }
  })

  it('gives up on a torrent made of equal names', () => {
    expect(() => unique(...Array.from({ length: 502 }, () => 'a'))).toThrow(PathError)
    expect(unique(...Array.from({ length: 400 }, () => 'a')).at(-1)).toBe('a.399')
  })
})

describe.skipIf(corpusDir() === null)('the corpus', () => {
  const hexes = (cell: string): string[] =>
    cell.split(' ').map((hex) => Buffer.from(hex, 'hex').toString('latin1'))
  const rows = readTsv('PATH_SANITIZE.tsv')
  const forced = rows.filter((row) => row['force'] === '1')

  it.each(
    rows
      .filter((row) => row['force'] === '0')
      .map((row) => [row['elements_json_latin1'] ?? '', row] as const),
  )('PATH_SANITIZE %s', (_name, row) => {
    const found = safePath(hexes(row['elements_hex'] ?? '')).join('/')
    expect(found).toBe(Buffer.from(row['expected_posix_hex'] ?? '', 'hex').toString('utf8'))
  })

  it.each(forced.map((row) => [row['elements_json_latin1'] ?? '', row] as const))(
    'PATH_SANITIZE (forced) %s is inside',
    (_name, row) => {
      const found = safePath(hexes(row['elements_hex'] ?? ''))
      expect(found.every((part) => part !== '' && part !== '.' && part !== '..' && !part.includes('/'))).toBe(
        true,
      )
    },
  )

  const rules = readTsv('PATH_RULES.tsv').map((row) => {
    const components = JSON.parse(row['components_json'] ?? '[]') as string[]
    return [row['kind'] ?? '', components, row['expected'] ?? ''] as const
  })

  it.each(rules)('PATH_RULES %s %j: %s', (kind, components, expected) => {
    const found = safePath(components.map(utf8))
    expect(found.every((part) => part !== '' && part !== '.' && part !== '..' && !/[/\\\0]/.test(part))).toBe(
      true,
    )
    if (kind !== 'portable') return
    if (expected.startsWith('posix ok')) expect(found).toEqual(components)
    else expect(found).not.toEqual(components)
  })

  it.each(readTsv('UTF8.tsv').map((row) => [row['hex'] ?? '', row['expected'] ?? ''] as const))(
    'UTF8 %s is %s',
    (hex, expected) => {
      const bytes = new Uint8Array(Buffer.from(hex, 'hex'))
      let valid = true
      for (let at = 0; at < bytes.length;) {
        const { codePoint, length } = readUtf8(bytes, at)
        if (codePoint < 0) valid = false
        at += length
      }
      expect(valid).toBe(expected === 'valid')
      if (!valid) expect(safeComponent(Buffer.from(bytes).toString('latin1'))).toContain('_')
    },
  )
})
