/** Names that people give torrents and files. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode } from '../../shared/torrent/bencode.js'
import { type Metainfo, parseMetainfo } from '../../shared/torrent/metainfo.js'
import {
  type GivenNames,
  goodNames,
  NameError,
  NO_NAMES,
  type Renaming,
  renaming,
  withNames,
} from '../../shared/torrent/names.js'
import { foldPath } from '../../shared/torrent/paths.js'

const SHARED = { 'piece length': 16_384, pieces: Buffer.alloc(20) }

function tree(...paths: string[]): Metainfo {
  const files = paths.map((path) => ({ length: 1, path: path.split('/') }))
  return parseMetainfo(encode({ info: { ...SHARED, name: 'show', files } }))
}
const SHOW = tree('one.mkv', 'sub/two.mkv', 'sub/two.srt')
const SINGLE = parseMetainfo(encode({ info: { ...SHARED, name: 'film.mkv', length: 3 } }))

const pathsOf = (meta: Metainfo, names: GivenNames): string[] =>
  withNames(meta, names).files.map(({ path }) => path)

function after(meta: Metainfo, ...all: Renaming[]): string[] {
  let names = NO_NAMES
  for (const what of all) names = renaming(meta, names, what) ?? names
  return pathsOf(meta, names)
}

describe('a torrent of several files', () => {
  it('has another folder', () => {
    expect(after(SHOW, { root: 'Series' })).toEqual([
      'Series/one.mkv',
      'Series/sub/two.mkv',
      'Series/sub/two.srt',
    ])
    expect(withNames(SHOW, { root: 'Series', paths: [] }).name).toBe('Series')
  })

  it('has another path for one file, whatever its folder is called', () => {
    const moved = ['Series/one.mkv', 'Series/a/b.mkv', 'Series/sub/two.srt']
    const file = { file: 1, path: 'a/b.mkv' }
    expect(after(SHOW, file, { root: 'Series' })).toEqual(moved)
    expect(after(SHOW, { root: 'Series' }, file)).toEqual(moved)
  })

  it('forgets what is given where it is called again as it came', () => {
    const once = renaming(SHOW, NO_NAMES, { file: 1, path: 'x' })
    expect(renaming(SHOW, once ?? NO_NAMES, { file: 1, path: 'sub/two.mkv' })).toEqual(NO_NAMES)
  })

  it('two files may trade their names by way of a third one', () => {
    const names = [
      { file: 1, path: 't' },
      { file: 2, path: 'sub/two.mkv' },
      { file: 1, path: 'sub/two.srt' },
    ]
    expect(after(SHOW, ...names)).toEqual(['show/one.mkv', 'show/sub/two.srt', 'show/sub/two.mkv'])
  })
})

it('a torrent of one file has another name, said of the torrent or of its file', () => {
  expect(after(SINGLE, { root: 'Film (2010).mkv' })).toEqual(['Film (2010).mkv'])
  expect(after(SINGLE, { file: 0, path: 'Film (2010).mkv' })).toEqual(['Film (2010).mkv'])
})

describe('nothing is to be done', () => {
  it.each<[string, Metainfo, Renaming]>([
    ['of a folder', SHOW, { root: 'show' }],
    ['of a file', SHOW, { file: 1, path: 'sub/two.mkv' }],
    ['of a single file', SINGLE, { root: 'film.mkv' }],
  ])('where the name is the present one, %s', (_, meta, what) => {
    expect(renaming(meta, NO_NAMES, what)).toBeNull()
  })
})

describe('refused is', () => {
  it.each<[string, Renaming, RegExp]>([
    ['a path for a folder', { root: 'a/b' }, /"a\/b" cannot be the name of a file; "ab" can/],
    ['what leads out', { file: 0, path: '../x' }, /"\.\." cannot be/],
    ['what leads out further in', { file: 0, path: 'a/../../x' }, /"\.\." cannot be/],
    ['an absolute path', { file: 0, path: '/etc/passwd' }, /"" cannot be/],
    ['a folder alone', { file: 0, path: 'a/' }, /"" cannot be/],
    ['no name', { root: '' }, /"" cannot be/],
    ['a blank', { file: 0, path: 'a/ ' }, /" " cannot be/],
    ['half a character', { root: '\ud800' }, /cannot be/],
    ['what is ours', { root: '.Torrentino-trash' }, /Torrentino's own/],
    ['what is ours, in a folder', { file: 0, path: 'a/.torrentino-move-1-0' }, /Torrentino's own/],
    ['the folder itself', { root: '.' }, /"\." cannot be/],
    ['a line', { root: 'a\nb' }, /"a\\nb" cannot be the name of a file; "a_b" can/],
    ['a mark that turns text', { root: 'a\u202eb' }, /cannot be the name of a file; "ab" can/],
    ['a backslash', { file: 0, path: 'a\\b' }, /; "ab" can/],
    ['a name too long', { root: 'x'.repeat(300) }, /cannot be the name/],
    [
      'the name of another file',
      { file: 0, path: 'sub/two.mkv' },
      /Another file of this torrent has that name/,
    ],
    ['the same in other letters', { file: 0, path: 'sub/TWO.MKV' }, /Another file/],
    ['the name of a folder', { file: 0, path: 'sub' }, /Another file/],
    ['a path through a file', { file: 0, path: 'sub/two.mkv/x' }, /Another file/],
    ['the name of another that is unfinished', { file: 0, path: 'sub/two.mkv.part' }, /Another file/],
    ['a file that is not there', { file: 3, path: 'x' }, /no file 4/],
    ['too many folders', { file: 0, path: 'a/'.repeat(120) + 'x' }, /too many folders/],
  ])('%s', (_, what, sentence) => {
    expect(() => renaming(SHOW, NO_NAMES, what)).toThrow(NameError)
    expect(() => renaming(SHOW, NO_NAMES, what)).toThrow(sentence)
  })
})

it('whatever is asked, files stay in the folder of the torrent, each with a path of its own', () => {
  const part = fc.oneof(
    fc.constantFrom('sub', 'two.mkv', 'ONE.mkv', '..', '.', '', 'a'),
    fc.string({ maxLength: 6 }),
  )
  const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
  const change = fc.oneof(
    fc.record({ root: path }),
    fc.record({ file: fc.integer({ min: -1, max: 4 }), path }),
  )
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
      let names = NO_NAMES
      for (const what of changes) {
        try {
          names = renaming(SHOW, names, what) ?? names
        } catch (error) {
          if (!(error instanceof NameError)) throw error
        }
      }
      const paths = pathsOf(SHOW, names)
      expect(new Set(paths.map(foldPath)).size).toBe(3)
      const root = names.root ?? 'show'
      for (const each of paths) {
        const parts = each.split('/')
        expect(parts[0]).toBe(root)
        expect(parts.length).toBeGreaterThan(1)
        for (const each of parts) expect(['', '.', '..']).not.toContain(each)
      }
    }),
    { numRuns: 300 },
  )
})

it('names of an edited database are passed over where no file can have them', () => {
  for (const root of ['..', 'a/b', ''])
    expect(pathsOf(SHOW, { root, paths: [] })).toEqual(pathsOf(SHOW, NO_NAMES))
  expect(pathsOf(SHOW, { root: null, paths: [{ file: 0, path: '../../x' }] })).toEqual(
    pathsOf(SHOW, NO_NAMES),
  )
  expect(goodNames({ name: 'a', root: null, paths: [{ file: 0, path: 'x' }] })).not.toBeNull()
  for (const bad of [null, 3, {}, { name: 'a', root: 3, paths: [] }, { name: 'a', root: null, paths: [{}] }])
    expect(goodNames(bad)).toBeNull()
})
