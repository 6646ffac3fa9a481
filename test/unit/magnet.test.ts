import { describe, expect, it } from 'vitest'
import {
  isMagnet,
  LONGEST_MAGNET,
  MagnetError,
  parseMagnet,
  withChoice,
} from '../../shared/torrent/magnet.js'
import { corpusDir, readTsv } from '../support/corpus.js'

const HASH = 'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd'

const list = (cell: string | undefined): unknown =>
  JSON.parse(cell === undefined || cell === '' ? '[]' : cell)

describe.skipIf(corpusDir() === null)('each row of the table of magnet links', () => {
  for (const row of readTsv('MAGNETS.tsv')) {
    if (row['expect'] === 'either') continue
    const uri = JSON.parse(row['uri_json'] ?? '""') as string
    it(`${row['id'] ?? ''}: ${row['note'] ?? ''}`, () => {
      if (row['expect'] === 'reject') {
        expect(() => parseMagnet(uri)).toThrow(MagnetError)
        return
      }
      const magnet = parseMagnet(uri)
      expect(magnet.hashes.v1 ?? '').toBe(row['v1'])
      expect(magnet.hashes.v2 ?? '').toBe(row['v2'])
      // A newline at the end of the link is trimmed with it.
      expect(magnet.name).toBe((JSON.parse(row['name_json'] ?? '""') as string).trim())
      expect(magnet.trackers).toEqual(list(row['trackers_json']))
      expect(magnet.webSeeds).toEqual(list(row['webseeds_json']))
      expect(magnet.peers).toEqual(list(row['peers_json']))
      expect(magnet.nodes).toEqual(list(row['dht_json']))
      expect(magnet.only).toEqual(list(row['select_only_json']))
    })
  }
})

describe('a magnet link', () => {
  it('is told from a path and an address', () => {
    expect(isMagnet('MAGNET:?xt=urn:btih:x')).toBe(true)
    expect(isMagnet('https://host/magnet:')).toBe(false)
  })

  it('is bounded in what it may name', () => {
    const many = Array.from({ length: 1500 }, (_, at) => `&tr=http://t${String(at)}/a`).join('')
    expect(parseMagnet(`magnet:?xt=urn:btih:${HASH}${many}`).trackers).toHaveLength(100)
    expect(parseMagnet(`magnet:?xt=urn:btih:${HASH}&so=0-999999999`).only).toHaveLength(10_001)
    expect(() => parseMagnet(`magnet:?xt=urn:btih:${HASH}&dn=${'x'.repeat(LONGEST_MAGNET)}`)).toThrow(
      'too long',
    )
  })

  it('keeps the words of a person for its files, and nobody else has a say in them', () => {
    const link = `magnet:?xt=urn:btih:${HASH}&x.select=evil&dn=a`
    const ours = withChoice(link, ['*.mkv', '1,3-5', 'a&b=c d'])
    expect(parseMagnet(ours)).toMatchObject({ name: 'a', choice: ['*.mkv', '1,3-5', 'a&b=c d'] })
    expect(parseMagnet(withChoice(link, [])).choice).toEqual([])
    expect(withChoice(`magnet:?xt=urn:btih:${HASH}&dn=a`, [])).toBe(`magnet:?xt=urn:btih:${HASH}&dn=a`)
  })

  it('keeps what is right beside what is broken', () => {
    const magnet = parseMagnet(
      `magnet:?dn=%ff&tr=%&tr=udp://t:1&xt=urn:btih:${HASH}&x.pe=1.2.3.4:0&x.pe=1.2.3.4:70000`,
    )
    expect(magnet).toMatchObject({ name: '', trackers: ['udp://t:1'], peers: [] })
  })
})
