import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LONGEST_MAGNET, parseMagnet } from '../../shared/torrent/magnet.js'
import { magnetLink } from '../../shared/torrent/magnet-link.js'
import type { InfoHashV1, InfoHashV2 } from '../../shared/units.js'

const hex = (digits: number) =>
  fc
    .uint8Array({ minLength: digits / 2, maxLength: digits / 2 })
    .map((bytes) => Buffer.from(bytes).toString('hex'))
const v1 = hex(40) as fc.Arbitrary<InfoHashV1>
const v2 = hex(64) as fc.Arbitrary<InfoHashV2>
const hashes = fc.oneof(
  v1.map((hash) => ({ v1: hash })),
  v2.map((hash) => ({ v2: hash })),
  fc.record({ v1, v2 }),
)
/** Half pairs of surrogates among them. */
const name = fc.string({ unit: 'binary', maxLength: 60 })
const path = fc.string({ unit: 'grapheme', maxLength: 20 }).map(encodeURIComponent)
const url = (...schemes: string[]) =>
  fc
    .tuple(fc.constantFrom(...schemes), fc.integer({ min: 1, max: 65_535 }), path)
    .map(([scheme, port, rest]) => `${scheme}://host.example:${port}/${rest}?a=b&c=d+e#f`)
const urls = (...schemes: string[]) => fc.uniqueArray(url(...schemes), { maxLength: 8 })

it('a link that was written is read as what it was written from', () => {
  fc.assert(
    fc.property(
      fc.record({ hashes, name, trackers: urls('http', 'https', 'udp'), webSeeds: urls('http', 'https') }),
      (parts) => {
        const link = magnetLink(parts)
        // Safe in a terminal, in single quotes, and in a text.
        expect(link).toMatch(/^magnet:\?[A-Za-z0-9%&=:._~-]+$/)
        const whole = Buffer.from(parts.name).toString()
        expect(parseMagnet(link)).toEqual({
          ...parts,
          name: whole,
          peers: [],
          nodes: [],
          only: [],
          choice: [],
        })
      },
    ),
  )
})

it('a link is never longer than one that is read', () => {
  const trackers = Array.from({ length: 90 }, (_, n) => `http://host.example/${'ü'.repeat(600)}${n}`)
  const hash = 'ab'.repeat(20) as InfoHashV1
  const link = magnetLink({ hashes: { v1: hash }, name: 'x', trackers, webSeeds: [] })
  expect(link.length).toBeLessThanOrEqual(LONGEST_MAGNET)
  expect(parseMagnet(link)).toMatchObject({ hashes: { v1: hash }, name: 'x' })
})
