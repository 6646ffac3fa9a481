import { describe, expect, it } from 'vitest'
import { makeAddress } from '../../daemon/base/address.js'
import type { Endpoint, NodeId } from '../../daemon/codec/krpc.js'
import { countOf, filterOf, uniteFilters } from '../../daemon/dht/filter.js'
import * as ids from '../../daemon/dht/id.js'
import { corpusDir, readTsv } from '../support/corpus.js'
import { FakeRandom } from '../support/fake-random.js'

const endpoint = (host: string, port = 6881): Endpoint => {
  const address = makeAddress(host, port)
  if (address === null) throw new Error(`no address: ${host}`)
  return ids.endpointOf(address)
}
const fromHex = (hex: string): NodeId => ids.idFrom(Buffer.from(hex, 'hex'))

describe('ids by address (BEP 42)', () => {
  const rows = readTsv('VECTORS.tsv').filter(({ kind }) => kind === 'bep42-node-id')

  it.skipIf(corpusDir() === null)('has the vectors', () => {
    expect(rows.length).toBeGreaterThanOrEqual(5)
  })

  it.skipIf(corpusDir() === null).each(rows)('$input_json', (row) => {
    const { ip, rand } = JSON.parse(row['input_json'] ?? '') as { ip: string; rand: number }
    const { node_id } = JSON.parse(row['expected_json'] ?? '') as { node_id: string }
    expect(ids.isLawful(fromHex(node_id), endpoint(ip))).toBe(true)
    const made = ids.idForHost(ids.hostOf(endpoint(ip)), rand, new FakeRandom(3))
    expect(ids.idHex(made).slice(0, 5)).toBe(node_id.slice(0, 5))
    expect(Number.parseInt(ids.idHex(made).slice(5, 6), 16) & 8).toBe(
      Number.parseInt(node_id.slice(5, 6), 16) & 8,
    )
    expect(ids.idHex(made).slice(38)).toBe(node_id.slice(38))
    // The 21st bit counts, and so does the last byte.
    const off = Buffer.from(node_id, 'hex')
    off[2] = (off[2] ?? 0) ^ 8
    expect(ids.isLawful(ids.idFrom(off), endpoint(ip))).toBe(false)
    const other = Buffer.from(node_id, 'hex')
    other[19] = (other[19] ?? 0) ^ 1
    expect(ids.isLawful(ids.idFrom(other), endpoint(ip))).toBe(false)
  })

  it('holds for IPv6, and not for addresses near us', () => {
    const random = new FakeRandom(1)
    for (let i = 0; i < 50; i++) {
      const at = endpoint(`2a02:${(i + 1).toString(16)}::5`)
      const id = ids.idForHost(ids.hostOf(at), random.int(256), random)
      expect(ids.isLawful(id, at)).toBe(true)
      expect(ids.isLawful(id, endpoint(`2a03:${(i + 1).toString(16)}::5`))).toBe(false)
    }
    for (const host of ['127.0.0.1', '10.1.2.3', '192.168.1.1', '::1', 'fd00::1']) {
      expect(ids.isLawful(ids.idFrom(random.bytes(20)), endpoint(host)), host).toBe(true)
    }
  })
})

describe('distance', () => {
  it('is the XOR of the ids', () => {
    const zero = fromHex('00'.repeat(20))
    const one = fromHex(`${'00'.repeat(19)}01`)
    const high = fromHex(`80${'00'.repeat(19)}`)
    expect(ids.compareDistance(zero, one, high)).toBeLessThan(0)
    expect(ids.compareDistance(high, one, zero)).toBeGreaterThan(0)
    expect(ids.compareDistance(one, high, high)).toBe(0)
    expect(ids.commonPrefix(zero, one)).toBe(159)
    expect(ids.commonPrefix(zero, high)).toBe(0)
    expect(ids.commonPrefix(one, one)).toBe(160)
  })

  it('a random id near another shares as many bits as were asked for', () => {
    const random = new FakeRandom(9)
    const id = ids.idFrom(random.bytes(20))
    for (const bits of [0, 1, 7, 8, 9, 31, 100, 159, 160]) {
      expect(ids.commonPrefix(id, ids.randomIdNear(id, bits, random)), String(bits)).toBe(bits)
    }
  })

  it('addresses go to endpoints and back', () => {
    for (const host of ['1.2.3.4', '2001:db8::1']) {
      expect(ids.addressOf(endpoint(host, 6881))).toMatchObject({ host, port: 6881 })
    }
    expect(ids.networkOf(endpoint('1.2.3.4'))).toBe(ids.networkOf(endpoint('1.2.3.9', 5)))
    expect(ids.networkOf(endpoint('1.2.4.4'))).not.toBe(ids.networkOf(endpoint('1.2.3.4')))
    expect(ids.networkOf(endpoint('2a00:1:2:3::1'))).toBe(ids.networkOf(endpoint('2a00:1:2:4::1')))
  })
})

describe('filters (BEP 33)', () => {
  const four = Array.from({ length: 256 }, (_, i) => ids.hostOf(endpoint(`192.0.2.${String(i)}`)))
  const six = Array.from({ length: 1000 }, (_, i) => ids.hostOf(endpoint(`2001:db8::${i.toString(16)}`)))

  it('are those of the specification', () => {
    const filter = filterOf([...four, ...six])
    expect(filter.toString('hex').slice(0, 64)).toBe(
      'f6c3f5eaa07ffd91bde89f777f26fb2bff37bdb8fb2bbaa2fd3ddde7bacfff75',
    )
    expect(filter.toString('hex').slice(-8)).toBe('fd8f72ef')
    expect(countOf(filter)).toBeCloseTo(1224.9308, 3)
  })

  it('unite', () => {
    const both = filterOf(four)
    uniteFilters(both, filterOf(six))
    expect(both).toEqual(filterOf([...four, ...six]))
    expect(countOf(filterOf([]))).toBe(0)
  })
})
