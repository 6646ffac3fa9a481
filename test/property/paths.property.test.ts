import { posix } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { foldPath, PathError, safePath, uniquePaths } from '../../shared/torrent/paths.js'

const hostile = fc.constantFrom(
  '.',
  '..',
  '/',
  '\\',
  '\0',
  '\u200b',
  '\u202e',
  ' ',
  'a',
  'A',
  '\u00e9',
  'e\u0301',
  '~',
  ':',
)
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const component = fc
  .oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.uint8Array({ minLength: 200, maxLength: 400 }),
    fc.array(hostile, { maxLength: 6 }).map((parts) => new TextEncoder().encode(parts.join(''))),
    fc
      .string({ unit: 'grapheme', minLength: 60, maxLength: 120 })
      .map((text) => new TextEncoder().encode(text)),
  )
  .map(latin1)

describe('paths', () => {
  it('never leave the root, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(component, { maxLength: 8 }), (components) => {
        const parts = safePath(components)
        const joined = posix.resolve('/root', ...parts)
        expect(joined).toBe(`/root/${parts.join('/')}`)
        for (const part of parts) {
          expect(part).not.toMatch(/[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff/\\]|\p{Surrogate}/u)
          expect(Buffer.byteLength(`${part}.part`)).toBeLessThanOrEqual(255)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('come out as they are when they are already safe', () => {
    fc.assert(
      fc.property(fc.array(component, { minLength: 1, maxLength: 5 }), (components) => {
        const once = safePath(components)
        expect(safePath(once.map((part) => latin1(Buffer.from(part))))).toEqual(once)
      }),
    )
  })

  it('are never one file, a file in a folder, or the unfinished part of another', () => {
    const name = fc.constantFrom(
      'a',
      'A',
      'b',
      'a.part',
      'A.PART',
      'a.1',
      'a.1.part',
      'a.part.part',
      '\u00e9',
      'e\u0301',
    )
    const path = fc.array(name, { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(fc.array(fc.option(path, { freq: 8 }), { maxLength: 25 }), (paths) => {
        const found = uniquePaths(paths)
        const files = found.filter((file) => file !== null).map(foldPath)
        const folders = new Set(files.flatMap((file) => parents(file)))
        const written = files.flatMap((file) => [file, `${file}.part`])
        expect(new Set(written).size).toBe(written.length)
        expect(written.filter((file) => folders.has(file))).toEqual([])
        expect(found.map((file) => file === null)).toEqual(paths.map((raw) => raw === null))
      }),
      { numRuns: 3000 },
    )
  })

  it('with too many equal names are refused in no time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 501, max: 3000 }), (count) => {
        expect(() => uniquePaths(Array.from({ length: count + 1 }, () => ['same']))).toThrow(PathError)
      }),
      { numRuns: 20 },
    )
  })
})

function parents(file: string): string[] {
  const parts = file.split('/')
  return parts.slice(1).map((_part, depth) => parts.slice(0, depth + 1).join('/'))
}
