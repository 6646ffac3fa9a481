import { posix } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode, type Encodable } from '../../shared/torrent/bencode.js'
import { Layout } from '../../shared/torrent/layout.js'
import { MetainfoError, parseMetainfo, type Metainfo } from '../../shared/torrent/metainfo.js'
import { foldPath } from '../../shared/torrent/paths.js'
import { corpusDir, readCorpus, readTsv } from '../support/corpus.js'

const MUTATIONS = 10_000
/** Of a parse, in ms: generous for a machine that does other things too. */
const BUDGET = 50

/** A small generator with a seed of its own, so that a failure can be had again (mulberry32). */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const TOKENS = [
  'i',
  'e',
  'l',
  'd',
  '0:',
  '-',
  '99999999999:',
  'i-1e',
  'le',
  'de',
  '4:path',
  '6:length',
  'i0e',
  '..',
  '/',
]

function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  let mutant = Buffer.from(bytes)
  for (let times = 1 + random(4); times > 0; times -= 1) {
    // Mostly where the structure is: the front, not the hashes.
    const at = random(random(3) === 0 ? mutant.length + 1 : Math.min(mutant.length + 1, 600))
    const kind = random(4)
    if (kind === 0) mutant[Math.min(at, mutant.length - 1)] = random(256)
    else if (kind === 1) mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + 1 + random(8))])
    else if (kind === 2) {
      const token = Buffer.from(TOKENS[random(TOKENS.length)] ?? '')
      mutant = Buffer.concat([mutant.subarray(0, at), token, mutant.subarray(at)])
    } else mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(random(at + 1))])
    if (mutant.length === 0) return mutant
  }
  return mutant
}

/** What must hold of anything that was accepted. */
function check(meta: Metainfo): void {
  const paths = meta.files.filter((file) => !file.pad).map((file) => file.path)
  for (const path of paths) expect(posix.resolve('/root', path)).toBe(`/root/${path}`)
  expect(new Set(paths.map(foldPath)).size).toBe(paths.length)
  expect(meta.files.every((file) => Number.isSafeInteger(file.length) && file.length >= 0)).toBe(true)
  expect(meta.contentSize).toBeGreaterThan(0)
  const layout = new Layout(meta.files, meta.pieceLength)
  expect([layout.totalSize, layout.contentSize]).toEqual([meta.totalSize, meta.contentSize])
  if (meta.kind === 'v2') return
  expect(layout.pieceCount).toBe(meta.pieceCount)
  expect(meta.digests).toHaveLength(meta.pieceCount * 20)
}

/** Milliseconds. Anything thrown but a MetainfoError fails the test. */
function parseTimed(bytes: Uint8Array): number {
  const start = performance.now()
  let meta: Metainfo | null = null
  try {
    meta = parseMetainfo(bytes)
  } catch (error) {
    if (!(error instanceof MetainfoError)) throw error
  }
  const took = performance.now() - start
  if (meta !== null) check(meta)
  return took
}

/** Once more where it took long: a pause of the machine is not ours. */
function parseWithin(bytes: Uint8Array): void {
  if (parseTimed(bytes) < BUDGET) return
  expect(Math.min(parseTimed(bytes), parseTimed(bytes))).toBeLessThan(BUDGET)
}

describe.skipIf(corpusDir() === null)('metainfo, from the corpus', () => {
  const corpus = readTsv('EXPECT.tsv').map((row) => readCorpus(row['file'] ?? ''))

  it(
    `throws MetainfoError and nothing else, after ${String(MUTATIONS)} mutations`,
    { timeout: 60_000 },
    () => {
      const random = seeded(20_240_601)
      for (let round = 0; round < MUTATIONS; round += 1) {
        parseWithin(mutate(corpus[round % corpus.length] ?? new Uint8Array(0), random))
      }
    },
  )

  it('refuses every file that was cut off', { timeout: 60_000 }, () => {
    for (const bytes of corpus) {
      const step = Math.max(64, 64 * Math.ceil(bytes.length / 64 / 200))
      for (let end = 0; end < Math.min(bytes.length, 64 * 200); end += 64) {
        expect(() => parseMetainfo(bytes.subarray(0, end))).toThrow(MetainfoError)
      }
      for (let end = 0; end < bytes.length - 2; end += step) {
        expect(() => parseMetainfo(bytes.subarray(0, end))).toThrow(MetainfoError)
      }
    }
  })
})

describe('metainfo, made up', () => {
  const field = fc.oneof(
    fc.integer({ min: -2, max: 50_000 }),
    fc.maxSafeInteger(),
    fc.string(),
    fc.array(fc.string(), { maxLength: 3 }),
  )
  const file = fc.record(
    {
      length: fc.oneof({ weight: 5, arbitrary: fc.nat(5000) }, field),
      path: fc.array(fc.oneof(fc.constantFrom('..', 'a', 'A', '/'), fc.string()), { maxLength: 4 }),
      attr: fc.constantFrom('p', 'x', 'l', 'xh', ''),
    },
    { requiredKeys: ['path'] },
  )

  it('is accepted sound, or refused with a MetainfoError', () => {
    let accepted = 0
    fc.assert(
      fc.property(fc.array(file, { minLength: 1, maxLength: 8 }), fc.string(), (files, name) => {
        const total = files.reduce((sum, { length, attr }) => {
          return sum + (typeof length === 'number' && attr !== 'l' ? Math.max(0, length) : 0)
        }, 0)
        const pieces = new Uint8Array(20 * Math.min(1000, Math.ceil(total / 1024)))
        const info = { name, 'piece length': 1024, pieces, files: files as Encodable }
        try {
          check(parseMetainfo(encode({ info })))
          accepted += 1
        } catch (error) {
          if (!(error instanceof MetainfoError)) throw error
        }
      }),
      { numRuns: 1000 },
    )
    expect(accepted).toBeGreaterThan(50)
  })
})
