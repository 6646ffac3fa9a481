/** Torrents of other people's making, from one daemon to another, byte by byte. */
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encode } from '../../shared/torrent/bencode.js'
import { corpusDir } from '../support/corpus.js'
import { pseudoRandom } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

const stage = useStage()
const corpus = corpusDir() ?? ''

/** Path of every file below a folder, and its content. */
function tree(dir: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map((entry) => join(entry.parentPath, entry.name))
  const rows = paths.map((path) => [
    path.slice(dir.length + 1),
    createHash('sha256').update(readFileSync(path)).digest('hex'),
  ])
  return Object.fromEntries(rows.sort()) as Record<string, string>
}

/** Left out of the corpus: that many zeros. */
const ZERO = ['sample_torrent/data/zero.bin', 10_485_760] as const

/** Payload that lies beside its .torrent: the torrent, and the file or folder it names. */
const PAYLOADS = [
  ['webtorrent-fixtures', 'numbers.torrent', 'numbers'],
  ['webtorrent-fixtures', 'lots-of-numbers.torrent', 'lots-of-numbers'],
  ['webtorrent-fixtures', 'folder.torrent', 'folder'],
  ['webtorrent-fixtures', 'leaves.torrent', 'Leaves of Grass by Walt Whitman.epub'],
  ['webtorrent-fixtures', 'alice.torrent', 'alice.txt'],
  ['rain', 'sample_torrent.torrent', 'sample_torrent'],
] as const

describe.skipIf(corpus === '')('torrents of the corpus', () => {
  it('reach another daemon byte by byte, all at once', async () => {
    const { http } = await stage.tracker()
    const seed = await stage.daemon('seed')
    const leech = await stage.daemon('leech')
    const trackers = [http]
    const ids: number[] = []
    const payload = stage.folder('payload')
    for (const folder of ['webtorrent-fixtures', 'rain']) {
      cpSync(join(corpus, folder), join(payload, folder), { recursive: true })
    }
    chmodSync(join(payload, 'rain', dirname(ZERO[0])), 0o755)
    writeFileSync(join(payload, 'rain', ZERO[0]), Buffer.alloc(ZERO[1]))
    for (const [folder, file] of PAYLOADS) {
      const metainfo = metainfoOf(join(corpus, folder, file))
      const { id } = await seed.call('torrent.add', { metainfo, dir: join(payload, folder), trackers })
      const view = await seed.until(id, ({ state }) => state === 'seeding' || state === 'downloading')
      expect([file, view.state]).toEqual([file, 'seeding'])
      const got = await leech.call('torrent.add', { metainfo, dir: stage.folder(`down/${file}`), trackers })
      ids.push(got.id)
    }
    for (const id of ids) await leech.seeds(id)
    for (const [folder, file, root] of PAYLOADS) {
      const down = join(stage.dir, 'down', file)
      await leech.until(ids[0] ?? 0, () => !Object.keys(tree(down)).some((path) => path.endsWith('.part')))
      const all = Object.entries(tree(join(payload, folder)))
      const mine = all.filter(([path]) => path === root || path.startsWith(`${root}/`))
      expect(tree(down)).toEqual(Object.fromEntries(mine))
    }
  })
})

describe('a torrent of several files', () => {
  it('brings the chosen ones, more of them later, empty ones, and never a pad', async () => {
    const { http } = await stage.tracker()
    const PIECE = 32_768
    const contents = {
      'a.bin': pseudoRandom('a', 50_000),
      'b.bin': pseudoRandom('b', 3 * PIECE),
      'empty.txt': Buffer.alloc(0),
      'c.bin': pseudoRandom('c', 40_001),
    }
    const from = stage.folder('seed-data/padded')
    for (const [name, bytes] of Object.entries(contents)) writeFileSync(join(from, name), bytes)
    const pad = 2 * PIECE - 50_000
    const whole = Buffer.concat([
      contents['a.bin'],
      Buffer.alloc(pad),
      contents['b.bin'],
      contents['empty.txt'],
      contents['c.bin'],
    ])
    const pieces: Buffer[] = []
    for (let at = 0; at < whole.length; at += PIECE) {
      pieces.push(
        createHash('sha1')
          .update(whole.subarray(at, at + PIECE))
          .digest(),
      )
    }
    const info = {
      files: [
        { length: 50_000, path: ['a.bin'] },
        { attr: 'p', length: pad, path: ['.pad', String(pad)] },
        { length: 3 * PIECE, path: ['b.bin'] },
        { length: 0, path: ['empty.txt'] },
        { length: 40_001, path: ['c.bin'] },
      ],
      name: 'padded',
      'piece length': PIECE,
      pieces: Buffer.concat(pieces),
    }
    const metainfo = Buffer.from(encode({ announce: http, info })).toString('base64')
    const seed = await stage.daemon('seed')
    const { id } = await seed.call('torrent.add', { metainfo, dir: join(from, '..') })
    await seed.seeds(id)

    const leech = await stage.daemon('leech')
    const dir = stage.folder('down')
    const got = await leech.call('torrent.add', { metainfo, dir, select: [0, 3] })
    expect(got.wantedBytes).toBe(50_000)
    const part = await leech.until(
      got.id,
      (view) => view.state === 'seeding' && existsSync(join(dir, 'padded/a.bin')),
    )
    expect(part.downloaded).toBe(2 * PIECE)
    const names = (): string[] => readdirSync(join(dir, 'padded')).sort()
    expect(names()).toEqual(['a.bin', 'empty.txt'])
    const { files } = await leech.call('torrent.files', { id: got.id })
    expect(files.map(({ path, wanted }) => [path, wanted])).toEqual([
      ['padded/a.bin', true],
      ['padded/b.bin', false],
      ['padded/empty.txt', true],
      ['padded/c.bin', false],
    ])

    // The rest is chosen of a torrent that sleeps: nobody has asked for it since the start.
    await leech.stop()
    const again = await stage.daemon('leech')
    await again.call('torrent.select', { id: got.id, files: [0, 2, 3, 4] })
    await again.until(
      got.id,
      (view) => view.state === 'seeding' && !names().some((name) => name.endsWith('.part')),
    )
    expect(tree(dir)).toEqual(tree(join(from, '..')))
    expect(existsSync(join(dir, 'padded/.pad'))).toBe(false)
  })
})
