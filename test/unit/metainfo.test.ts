import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { encode, type Encodable } from '../../shared/torrent/bencode.js'
import { MetainfoError, parseInfo, parseMetainfo, type Metainfo } from '../../shared/torrent/metainfo.js'
import { corpusDir, readCorpus, readTsv } from '../support/corpus.js'

type Fields = Record<string, Encodable | undefined>

const single: Fields = { name: 'a.txt', length: 20_000, 'piece length': 16_384, pieces: new Uint8Array(40) }
const torrent = (info: Fields, rest: Fields = {}): Uint8Array => encode({ ...rest, info })
const parse = (info: Fields, rest: Fields = {}): Metainfo => parseMetainfo(torrent(info, rest))

function faultOf(bytes: Uint8Array): string {
  try {
    parseMetainfo(bytes)
  } catch (error) {
    if (!(error instanceof MetainfoError)) throw error
    expect(error.message).toMatch(/^[A-Z].*\.$/)
    return error.code
  }
  return 'none'
}

const fault = (info: Fields): string => faultOf(torrent({ ...single, ...info }))

function many(files: Fields[], total: number, more: Fields = {}): Fields {
  const pieces = new Uint8Array(20 * Math.ceil(total / 16_384))
  return { name: 'root', 'piece length': 16_384, pieces, files, ...more }
}

describe('a single file', () => {
  it('is read with all its fields', () => {
    const info = { ...single, private: 1 }
    const meta = parse(info, {
      announce: 'http://t/announce',
      comment: 'hello',
      'created by': 'me',
      'creation date': 1_000,
      'url-list': 'http://w/a.txt',
    })
    expect(meta).toMatchObject({
      kind: 'v1',
      name: 'a.txt',
      pieceLength: 16_384,
      pieceCount: 2,
      totalSize: 20_000,
      contentSize: 20_000,
      private: true,
      multiFile: false,
      files: [{ path: 'a.txt', length: 20_000, pad: false }],
      trackers: [['http://t/announce']],
      webSeeds: ['http://w/a.txt'],
      comment: 'hello',
      createdBy: 'me',
      createdAt: 1_000_000,
    })
    expect(meta.digests).toHaveLength(40)
    expect(meta.hashes).toEqual({ v1: createHash('sha1').update(encode(info)).digest('hex') })
  })

  it('hashes the raw bytes of info, unsorted as they are', () => {
    const raw = Buffer.from('d12:piece lengthi4e4:name1:a6:lengthi4e6:pieces20:aaaaaaaaaaaaaaaaaaaae')
    const meta = parseMetainfo(Buffer.concat([Buffer.from('d4:info'), raw, Buffer.from('e')]))
    expect(meta.hashes.v1).toBe(createHash('sha1').update(raw).digest('hex'))
    expect([meta.infoStart, meta.infoEnd]).toEqual([7, 7 + raw.length])
  })

  it('may be followed by a newline', () => {
    expect(faultOf(Buffer.concat([torrent(single), Buffer.from('\n')]))).toBe('none')
  })

  it('prefers the name that is known to be UTF-8', () => {
    expect(parse({ ...single, 'name.utf-8': 'ä.txt' }).name).toBe('ä.txt')
    expect(parse({ ...single, 'name.utf-8': 7 }).name).toBe('a.txt')
  })

  it.each(['', '..', '.', '///'])('is called by its info hash where its name is %j', (name) => {
    const meta = parse({ ...single, name })
    expect(meta.name).toBe(meta.hashes.v1)
    expect(meta.files[0]?.path).toBe(meta.hashes.v1)
  })

  it('keeps a copy of the digests, so that the source may go', () => {
    const bytes = torrent(single)
    const meta = parseMetainfo(bytes)
    bytes.fill(0xff)
    expect(meta.digests).toEqual(new Uint8Array(40))
  })
})

describe('many files', () => {
  it('lie in a folder of the name', () => {
    const meta = parse(
      many(
        [
          { path: ['a', 'b'], length: 5, attr: 'x' },
          { path: ['c'], length: 0 },
        ],
        5,
      ),
    )
    expect(meta.multiFile).toBe(true)
    expect(meta.files).toEqual([
      { path: 'root/a/b', length: 5, pad: false, executable: true },
      { path: 'root/c', length: 0, pad: false },
    ])
  })

  it('have pads that count in the total only, with or without a path (BEP 47)', () => {
    const meta = parse(
      many(
        [
          { path: ['a'], length: 100 },
          { attr: 'p', length: 16_284 },
          { path: ['b'], length: 1 },
          { path: ['_____padding_file_1_x'], length: 16_383 },
        ],
        32_768,
      ),
    )
    expect([meta.totalSize, meta.contentSize, meta.pieceCount]).toEqual([32_768, 101, 2])
    expect(meta.files.map((file) => file.pad)).toEqual([false, true, false, true])
    expect(meta.files[1]?.path).toBe('root/.pad/16284')
  })

  it('make an empty file of a symbolic link, whatever length it claims', () => {
    const files = [
      { path: ['a'], length: 5 },
      { path: ['l'], attr: 'l', length: 99, 'symlink path': ['..', '..', 'etc'] },
    ]
    expect(parse(many(files, 5)).files[1]).toEqual({ path: 'root/l', length: 0, pad: false, link: true })
  })

  it('prefer the path that is known to be UTF-8', () => {
    const meta = parse(many([{ path: ['x'], 'path.utf-8': ['ü'], length: 1 }], 1))
    expect(meta.files[0]?.path).toBe('root/ü')
  })

  it('never leave the folder', () => {
    const meta = parse(
      many(
        [
          { path: ['..', '..', 'a'], length: 1 },
          { path: ['/etc/passwd'], length: 1 },
          { path: ['..'], length: 1 },
        ],
        3,
      ),
    )
    expect(meta.files.map((file) => file.path)).toEqual(['root/a', 'root/etcpasswd', 'root/_'])
  })

  it('are renamed where two would be one', () => {
    const files = ['a.txt', 'A.TXT', 'a.txt'].map((name) => ({ path: [name], length: 1 }))
    expect(parse(many(files, 3)).files.map((file) => file.path)).toEqual([
      'root/a.txt',
      'root/A.1.TXT',
      'root/a.2.txt',
    ])
  })
})

describe('what is refused, and how it is called', () => {
  it.each<[string, Fields]>([
    ['name', { name: undefined }],
    ['name', { name: 5 }],
    ['piece-length', { 'piece length': 0 }],
    ['piece-length', { 'piece length': -1 }],
    ['piece-length', { 'piece length': 'x' }],
    ['piece-length', { 'piece length': 536_854_529 }],
    ['piece-length', { 'piece length': undefined }],
    ['pieces', { pieces: undefined }],
    ['pieces', { pieces: 4 }],
    ['piece-count', { pieces: new Uint8Array(39) }],
    ['piece-count', { pieces: new Uint8Array(20) }],
    ['piece-count', { pieces: new Uint8Array(60) }],
    ['length', { length: -1 }],
    ['length', { length: 'x' }],
    ['length', { length: 2n ** 60n }],
    ['files', { length: undefined }],
    ['files', { files: [] }],
    ['files', { files: 3 }],
    ['files', { files: [3] }],
    ['empty', { length: 0 }],
    ['empty', { files: [{ path: ['a'], length: 0 }] }],
    ['empty', { files: [{ path: ['a'], length: 10, attr: 'p' }] }],
    ['path', { files: [{ length: 4 }] }],
    ['path', { files: [{ path: [], length: 4 }] }],
    ['path', { files: [{ path: [4], length: 4 }] }],
    ['path', { files: [{ path: ['l'], attr: 'l', 'symlink path': [1] }] }],
    ['length', { files: [{ path: ['a'] }] }],
    ['length', { files: Array.from({ length: 3 }, () => ({ path: ['a'], length: 2 ** 52 })) }],
    ['too-many-pieces', { 'piece length': 1, length: 2 ** 21 + 1 }],
    ['version', { 'meta version': 3 }],
    ['tree', { 'meta version': 2 }],
  ])('%s: %o', (code, info) => {
    expect(fault(info)).toBe(code)
  })

  it.each<[string, string]>([
    ['not-bencode', ''],
    ['not-bencode', '<html>'],
    ['not-bencode', 'le'],
    ['not-bencode', 'd4:info'],
    ['no-info', 'de'],
    ['no-info', 'd4:infole'.concat('e')],
  ])('%s: %j', (code, text) => {
    expect(faultOf(Buffer.from(text))).toBe(code)
  })

  it('a file over 10 MB', () => {
    expect(faultOf(new Uint8Array(10_000_001))).toBe('too-large')
  })

  it('a file too many folders deep; 50 are no trouble', () => {
    const deep = (depth: number): Fields =>
      many([{ path: Array.from({ length: depth }, () => 'd'), length: 4 }], 4)
    expect(faultOf(torrent(deep(50)))).toBe('none')
    expect(faultOf(torrent(deep(200)))).toBe('path')
  })

  it('too many files of one name', () => {
    const files = Array.from({ length: 600 }, () => ({ path: ['a'], length: 1 }))
    expect(faultOf(torrent(many(files, 600)))).toBe('path')
  })
})

describe('a torrent of very many files', () => {
  /** Each as short as a file can be said. */
  const short = (count: number): Uint8Array => {
    const files = Array.from({ length: count }, (_, n) => {
      const name = n.toString(36)
      return `d6:lengthi1e4:pathl${String(name.length)}:${name}ee`
    })
    const pieces = 20 * Math.ceil(count / 2 ** 20)
    const rest = `e4:name1:n12:piece lengthi1048576e6:pieces${String(pieces)}:${'x'.repeat(pieces)}ee`
    return Buffer.from(`d4:infod5:filesl${files.join('')}${rest}`)
  }

  it('is refused where it is of a million', () => {
    const files = 'd6:lengthi1e4:pathl1:aee'.repeat(1_000_000)
    expect(faultOf(Buffer.from(`d4:infod5:filesl${files}e4:name1:nee`))).toBe('too-large')
  })

  it('and of as many as 10 MB can name takes little time', { timeout: 60_000 }, () => {
    const count = 360_000
    const bytes = short(count)
    expect(bytes.length).toBeGreaterThan(9_500_000)
    const begun = process.cpuUsage()
    expect(parseMetainfo(bytes).files.length).toBe(count)
    // 1.2 s alone on two cores; the CPU time of one that waits for its caches is longer.
    expect(process.cpuUsage(begun).user / 1000).toBeLessThan(5000)
  })
})

describe('what may be wrong without harm', () => {
  it.each<Fields>([
    { 'creation date': 'yesterday' },
    { 'creation date': -5 },
    { 'creation date': 2n ** 62n },
    { nodes: '' },
    { comment: 5 },
    { announce: 7 },
    { announce: 'not a url' },
    { 'announce-list': 'x' },
    { 'announce-list': [5, [5], [[]]] },
    { 'url-list': 5 },
    { 'url-list': [5, 'ftp://x/'] },
    { 'url-list': '' },
  ])('%o', (rest) => {
    const meta = parse(single, rest)
    expect([meta.createdAt, meta.trackers, meta.webSeeds, meta.comment]).toEqual([null, [], [], null])
  })
})

describe('trackers and web seeds', () => {
  it('come in tiers, once each, and announce is used where there are none', () => {
    const list = [[' http://a/x ', 'ftp://b/', 'udp://c:1/'], ['http://a/x'], ['wss://d/', 'https://e/']]
    expect(parse(single, { announce: 'http://z/', 'announce-list': list }).trackers).toEqual([
      ['http://a/x', 'udp://c:1/'],
      ['https://e/'],
    ])
    expect(parse(single, { announce: 'http://z/', 'announce-list': [] }).trackers).toEqual([['http://z/']])
    expect(parse(single, { announce: 'http://z/', 'announce-list': [['junk']] }).trackers).toEqual([
      ['http://z/'],
    ])
  })

  it('are once each, escaped, and end in a slash for a folder', () => {
    const list = ['http://a/b c', 'http://a/b c', 'http://a/d/']
    expect(parse(single, { 'url-list': list }).webSeeds).toEqual(['http://a/b%20c', 'http://a/d/'])
    const folder = many([{ path: ['a'], length: 1 }], 1)
    expect(parse(folder, { 'url-list': list }).webSeeds).toEqual(['http://a/b%20c/', 'http://a/d/'])
  })
})

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

describe('v2 (BEP 52)', () => {
  const root = new Uint8Array(32).fill(7)
  const leaf = (length: number, more: Fields = {}): Encodable => ({
    '': { length, ...(length > 0 ? { 'pieces root': root } : {}), ...more },
  })
  const v2 = (tree: Encodable, more: Fields = {}): Fields => ({
    name: 'n',
    'meta version': 2,
    'piece length': 16_384,
    'file tree': tree,
    ...more,
  })
  const fresh = (info: Fields, rest: Fields = {}): string => faultOf(torrent(info, rest))

  it('is read from its file tree, pieces ending with files', () => {
    const meta = parse(v2({ a: leaf(10), d: { b: leaf(20), c: leaf(0) } }))
    expect(meta).toMatchObject({ kind: 'v2', pieceCount: 2, totalSize: 30, contentSize: 30, multiFile: true })
    expect(meta.files.map((file) => file.path)).toEqual(['n/a', 'n/d/b', 'n/d/c'])
    expect(meta.hashes.v1).toBeUndefined()
    expect(meta.hashes.v2).toHaveLength(64)
    expect(meta.digests).toHaveLength(0)
  })

  it('is a single file where the tree holds just the name', () => {
    expect(parse(v2({ n: leaf(10) })).files).toEqual([{ path: 'n', length: 10, pad: false }])
    expect(parse(v2({ m: leaf(10) })).files[0]?.path).toBe('n/m')
  })

  it('is refused where its structure is wrong', () => {
    expect(fresh(v2({ '': { length: 3 } }))).toBe('tree')
    expect(fresh(v2({ a: 5 }))).toBe('tree')
    expect(fresh(v2({ a: { '': 5 } }))).toBe('tree')
    expect(fresh(v2({ a: { '': { length: 3, 'pieces root': root }, b: leaf(3) } }))).toBe('tree')
    expect(fresh(v2({ a: leaf(3, { 'pieces root': new Uint8Array(32) }) }))).toBe('tree')
    expect(fresh(v2({ a: leaf(3, { 'pieces root': 'short' }) }))).toBe('tree')
    expect(fresh(v2({ a: leaf(3, { attr: 'p' }) }))).toBe('tree')
    expect(fresh(v2({ a: leaf(-3) }))).toBe('length')
    expect(fresh(v2({ a: leaf(2 ** 44) }))).toBe('length')
    expect(fresh(v2({}))).toBe('files')
    expect(fresh(v2({ a: leaf(0) }))).toBe('empty')
    expect(fresh(v2({ a: leaf(3) }, { 'piece length': 8192 }))).toBe('piece-length')
    expect(fresh(v2({ a: leaf(3) }, { 'piece length': 49_152 }))).toBe('piece-length')
    expect(fresh(v2({ a: leaf(2 ** 40) }))).toBe('too-many-pieces')
  })

  it('is refused where its info is not canonical', () => {
    const good = Buffer.from(torrent(v2({ a: leaf(3), b: leaf(4) }))).toString('latin1')
    expect(faultOf(Buffer.from(good, 'latin1'))).toBe('none')
    expect(faultOf(Buffer.from(good.replace('i16384e', 'i016384e'), 'latin1'))).toBe('not-canonical')
    expect(faultOf(Buffer.from(good.replace('1:bd', '1:Ad'), 'latin1'))).toBe('not-canonical')
  })

  it('needs a layer for each file of more than a piece, that leads to its root', () => {
    const hashes = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte))
    const [a, b, c] = hashes as [Uint8Array, Uint8Array, Uint8Array]
    const zero = new Uint8Array(32)
    const blank = sha256(zero, zero)
    const top = sha256(sha256(a, b), sha256(c, blank))
    const info = v2({ f: { '': { length: 32_768 * 2 + 5, 'pieces root': top } } }, { 'piece length': 32_768 })
    const layered = (layer: Uint8Array): Fields => ({ 'piece layers': new Map([[top, layer]]) })
    expect(fresh(info, layered(Buffer.concat(hashes)))).toBe('none')
    expect(fresh(info)).toBe('layers')
    expect(fresh(info, layered(Buffer.concat([a, b])))).toBe('layers')
    expect(fresh(info, layered(Buffer.concat([a, b, a])))).toBe('layers')
    expect(parseInfo(encode(info)).pieceCount).toBe(3)
  })

  describe('with a v1 part', () => {
    const hybrid = (files: Fields[], total: number): Fields =>
      many(files, total, { 'meta version': 2, 'file tree': { a: leaf(10), b: leaf(20) } })
    const pad = { attr: 'p', length: 16_374, path: ['.pad', '16374'] }

    it('is read as v1 with both hashes', () => {
      const meta = parse(hybrid([{ path: ['a'], length: 10 }, pad, { path: ['b'], length: 20 }], 16_404))
      expect(meta).toMatchObject({ kind: 'hybrid', pieceCount: 2, contentSize: 30, totalSize: 16_404 })
      expect([meta.hashes.v1?.length, meta.hashes.v2?.length]).toEqual([40, 64])
    })

    it('is refused where the two contradict each other', () => {
      const a = { path: ['a'], length: 10 }
      const b = { path: ['b'], length: 20 }
      expect(fresh(hybrid([a, b], 30))).toBe('hybrid')
      expect(fresh(hybrid([a, pad], 16_384))).toBe('hybrid')
      expect(fresh(hybrid([a, pad, { ...b, path: ['c'] }], 16_404))).toBe('hybrid')
      expect(fresh(hybrid([a, pad, { ...b, length: 21 }], 16_405))).toBe('hybrid')
      expect(fresh(hybrid([a, pad, b, { path: ['c'], length: 1 }], 16_405))).toBe('hybrid')
    })
  })
})

describe('an info dictionary alone', () => {
  it('is read as the torrent would be', () => {
    const whole = parse(single, { announce: 'http://t/' })
    const alone = parseInfo(encode(single))
    expect(alone).toEqual({ ...whole, trackers: [], infoStart: 0, infoEnd: encode(single).length })
  })
})

describe.skipIf(corpusDir() === null)('the corpus (EXPECT.tsv)', () => {
  it.each(readTsv('EXPECT.tsv').map((row) => [row['file'] ?? '', row] as const))('%s', (file, row) => {
    if (row['expect'] === 'reject') {
      expect(faultOf(readCorpus(file))).not.toBe('none')
      return
    }
    const meta = parseMetainfo(readCorpus(file))
    expect({
      kind: meta.kind,
      infohash_v1: meta.hashes.v1 ?? '',
      infohash_v2: meta.hashes.v2 ?? '',
      name: JSON.stringify(meta.name),
      total_size: String(meta.totalSize),
      content_size: String(meta.contentSize),
      piece_length: String(meta.pieceLength),
      n_pieces: String(meta.pieceCount),
      n_files: String(meta.files.length),
      n_pad: String(meta.files.filter((entry) => entry.pad).length),
    }).toEqual(
      Object.fromEntries(
        [
          ...['kind', 'infohash_v1', 'infohash_v2', 'name', 'total_size', 'content_size'],
          ...['piece_length', 'n_pieces', 'n_files', 'n_pad'],
        ].map((column) => [column, row[column]]),
      ),
    )
  })

  it('reads the trackers and web seeds that the notes name', () => {
    const of = (file: string): Metainfo => parseMetainfo(readCorpus(file))
    expect(of('parse-torrent/bitlove-intro.torrent')).toMatchObject({
      trackers: [['http://t.bitlove.org/announce']],
      webSeeds: ['http://spaceboyz.net/~astro/bitlove-show/bl001-introduction.webm'],
    })
    expect(of('parse-torrent/leaves-duplicate-tracker.torrent').trackers).toEqual([
      ['http://tracker.example.com/announce'],
    ])
    const empty = of('parse-torrent/leaves-empty-announce-list.torrent')
    expect(empty.trackers).toEqual([['udp://tracker.publicbt.com:80/announce']])
    expect(of('parse-torrent/leaves-empty-url-list.torrent').webSeeds).toEqual([])
    expect(of('parse-torrent/leaves-url-list.torrent').webSeeds).toHaveLength(1)
    expect(of('webtorrent-fixtures/bunny.torrent').private).toBe(true)
    expect(of('rqbit/private.torrent').private).toBe(true)
  })
})
