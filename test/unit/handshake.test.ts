import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { allowedFastSet } from '../../daemon/codec/allowed-fast.js'
import { handshakeBytes, HandshakeParser } from '../../daemon/codec/handshake.js'
import type { SwarmKey } from '../../shared/units.js'

const KEY = '0123456789abcdef0123456789abcdef01234567' as SwarmKey
const ID = Buffer.from('-TO0100-abcdefghijkl')

describe('handshake', () => {
  const bytes = handshakeBytes(KEY, ID)

  it('has the 68 bytes of BEP 3 and offers BEP 10 and 6, not the DHT', () => {
    expect(bytes).toHaveLength(68)
    expect(bytes.toString('latin1', 0, 20)).toBe('\x13BitTorrent protocol')
    expect(bytes.subarray(20, 28).toString('hex')).toBe('0000000000100004')
  })

  it('tells the swarm after 48 bytes and the peer after 68, byte by byte', () => {
    const parser = new HandshakeParser()
    for (let i = 0; i < 68; i += 1) {
      expect(parser.key).toBe(i < 48 ? null : KEY)
      expect(parser.peerId).toBeNull()
      expect(parser.push(bytes.subarray(i, i + 1))).toBe(1)
    }
    expect(parser.peerId?.equals(ID)).toBe(true)
    expect(parser.features).toEqual({ extension: true, fast: true, dht: false })
    expect(parser.fault).toBeNull()
  })

  it('takes no byte of the messages that follow', () => {
    const parser = new HandshakeParser()
    expect(parser.push(Buffer.concat([bytes, Buffer.alloc(9)]))).toBe(68)
    expect(parser.push(Buffer.alloc(9))).toBe(0)
    expect(parser.key).toBe(KEY)
  })

  it('refuses at the first byte that is not of the protocol', () => {
    const http = new HandshakeParser()
    http.push(Buffer.from('G'))
    expect(http.fault).toBe('not-bittorrent')
    const late = new HandshakeParser()
    late.push(Buffer.from('\x13BitTorrent protocoL', 'latin1'))
    expect(late.fault).toBe('not-bittorrent')
    expect(late.push(bytes)).toBe(0)
    expect(late.key).toBeNull()
  })

  it('reads the feature bits each for itself', () => {
    const other = Buffer.from(bytes)
    other[25] = 0
    other[27] = 0x05
    const parser = new HandshakeParser()
    parser.push(other)
    expect(parser.features).toEqual({ extension: false, fast: true, dht: true })
  })
})

const VECTORS = new URL('../../../shared/corpus/VECTORS.tsv', import.meta.url)

describe.skipIf(!existsSync(VECTORS))('allowed fast set, vectors of BEP 6', () => {
  const rows = existsSync(VECTORS)
    ? readFileSync(VECTORS, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('bep6-allowed-fast\t'))
        .map((line) => line.split('\t'))
    : []

  it('has vectors', () => {
    expect(rows).toHaveLength(2)
  })

  it.each(rows)('%s %s %s', (_kind, _basis, input = '', expected = '') => {
    const { k, pieces, infohash, ip } = JSON.parse(input) as {
      k: number
      pieces: number
      infohash: SwarmKey
      ip: string
    }
    const [a = 0, b = 0, c = 0, d = 0] = ip.split('.').map(Number)
    const { set } = JSON.parse(expected) as { set: number[] }
    expect(allowedFastSet(infohash, [a, b, c, d], pieces, k)).toEqual(set)
  })
})

describe('allowed fast set', () => {
  it('is the same within a /24, and ends where the torrent has fewer pieces', () => {
    expect(allowedFastSet(KEY, [10, 1, 2, 3], 500, 10)).toEqual(allowedFastSet(KEY, [10, 1, 2, 99], 500, 10))
    expect(allowedFastSet(KEY, [10, 1, 2, 3], 500, 10)).not.toEqual(
      allowedFastSet(KEY, [10, 1, 3, 3], 500, 10),
    )
    expect(allowedFastSet(KEY, [10, 1, 2, 3], 3, 10).sort()).toEqual([0, 1, 2])
    expect(allowedFastSet(KEY, [10, 1, 2, 3], 0, 10)).toEqual([])
  })
})
