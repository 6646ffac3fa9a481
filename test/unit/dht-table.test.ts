import { describe, expect, it } from 'vitest'
import type { Contact, Endpoint, NodeId } from '../../daemon/codec/krpc.js'
import { compareDistance, idForHost, idFrom, hostOf, randomIdNear } from '../../daemon/dht/id.js'
import { PeerStore } from '../../daemon/dht/peer-store.js'
import { Sources } from '../../daemon/dht/sources.js'
import { K, Table } from '../../daemon/dht/table.js'
import { Tokens } from '../../daemon/dht/tokens.js'
import { Votes } from '../../daemon/dht/votes.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'

const MINUTE = 60_000
const random = new FakeRandom(5)
const own = idFrom(random.bytes(20))
const at = (...bytes: number[]): Endpoint =>
  Buffer.from([...bytes, 0x1a, 0xe1]).toString('latin1') as Endpoint
let last = 0
/** Each in a network of its own. */
const fresh = (): Endpoint => at(20 + ((last += 1) >> 8), last & 255, 9, 9)
const near = (bits: number, where = fresh()): Contact => ({ id: randomIdNear(own, bits, random), at: where })

describe('the table', () => {
  it('splits towards ourselves only', () => {
    const table = new Table({ id: own })
    for (let i = 0; i < 30; i++) table.answered(near(0), 0)
    expect([table.size, table.buckets]).toEqual([K, 1])
    for (let i = 0; i < 30; i++) table.answered(near(3), 0)
    expect(table.size).toBe(2 * K)
    expect(table.buckets).toBe(4)
  })

  it('answers the nearest by XOR, whatever the target', () => {
    const table = new Table({ id: own })
    const all: Contact[] = []
    for (let i = 0; i < 400; i++) {
      const contact = near(random.int(8))
      table.answered(contact, 0)
      if (table.find(contact.id) !== undefined) all.push(contact)
    }
    const kept = all.filter(({ id }) => table.find(id) !== undefined)
    for (let bits = 0; bits < 12; bits++) {
      const target = randomIdNear(own, bits, random)
      const expected = [...kept].sort((a, b) => compareDistance(target, a.id, b.id)).slice(0, K)
      expect(table.nearest(target, K, 0).map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
    }
  })

  it('takes one node of a /24, and one of an IPv6 /48, into a bucket; near us any', () => {
    const table = new Table({ id: own })
    for (let host = 0; host < 5; host++) table.answered(near(0, at(77, 1, 1, host)), 0)
    expect(table.size).toBe(1)
    table.answered(near(4, at(77, 1, 1, 9)), 0)
    expect(table.size, 'all of them are in one bucket before it is split').toBe(1)
    for (let host = 0; host < 5; host++) table.answered(near(0, at(127, 0, 0, host)), 0)
    expect(table.size).toBe(6)
    const six = new Table({ id: own })
    const prefix = [0x2a, 0, 0, 1, 0, 2]
    for (let host = 0; host < 5; host++)
      six.answered(near(0, at(...prefix, host, 0, 0, 0, 0, 0, 0, 0, 0, 1)), 0)
    expect(six.size).toBe(1)
  })

  it('an id stays with the address that had it first', () => {
    const table = new Table({ id: own })
    const first = near(0)
    table.answered(first, 0)
    table.answered({ id: first.id, at: fresh() }, 0)
    expect(table.find(first.id)?.at).toBe(first.at)
  })

  it('a full bucket keeps its good nodes and remembers the newcomer for when one goes', () => {
    const table = new Table({ id: own })
    const nodes = Array.from({ length: K }, () => near(0))
    for (const node of nodes) table.answered(node, 0)
    const newcomer = near(0)
    table.answered(newcomer, 0)
    expect(table.find(newcomer.id)).toBeUndefined()
    const silent = nodes[3]!
    expect(table.failed(silent), 'one silence makes nobody bad').toBeNull()
    expect(table.failed(silent)).toMatchObject({ id: newcomer.id })
    expect(table.find(silent.id)).toBeUndefined()
    table.answered(newcomer, 0)
    expect(table.size).toBe(K)
  })

  it('a silent node is told to nobody, and one that answers again is', () => {
    const table = new Table({ id: own })
    const node = near(0)
    table.answered(node, 0)
    table.failed(node)
    expect(table.nearest(own, K, 0)).toEqual([])
    table.answered(node, 5)
    expect(table.nearest(own, K, 5)).toHaveLength(1)
  })

  it('without a spare, nodes stay through an outage', () => {
    const table = new Table({ id: own })
    const nodes = Array.from({ length: K }, () => near(0))
    for (const node of nodes) table.answered(node, 0)
    for (let i = 0; i < 4; i++) for (const node of nodes) table.failed(node)
    expect(table.size).toBe(K)
    for (let i = 0; i < 6; i++) for (const node of nodes) table.failed(node)
    expect(table.size).toBe(0)
  })

  it('a lawful id takes the place of an unlawful one (BEP 42)', () => {
    const table = new Table({ id: own })
    const lawful = (): Contact => {
      for (;;) {
        const where = fresh()
        const id = idForHost(hostOf(where), random.int(256), random)
        if (((id.charCodeAt(0) ^ own.charCodeAt(0)) & 0x80) !== 0) return { id, at: where }
      }
    }
    for (let i = 0; i < K; i++) table.answered(near(0), 0)
    for (let i = 0; i < K; i++) {
      const contact = lawful()
      expect(table.wants(contact)).toBe(true)
      table.answered(contact, 0)
    }
    expect([...table.entries()].every((entry) => entry.lawful)).toBe(true)
    expect(table.wants(near(0))).toBe(false)
  })

  it('asks each node before it ceases to be good, the longest unheard first', () => {
    const table = new Table({ id: own })
    const [a, b] = [near(0), near(0)]
    table.answered(a, 0)
    table.answered(b, MINUTE)
    expect(table.stalest(12 * MINUTE)).toBeNull()
    expect(table.dueAt).toBe(13 * MINUTE)
    expect(table.stalest(13 * MINUTE)?.entry.id).toBe(a.id)
    table.answered(a, 13 * MINUTE)
    expect(table.stalest(13 * MINUTE)).toBeNull()
    expect(table.stalest(14 * MINUTE)?.entry.id).toBe(b.id)
    expect([table.good(16 * MINUTE), table.good(16 * MINUTE + 1)]).toEqual([2, 1])
  })
})

describe('tokens', () => {
  it('are good for their address and hash, whatever the port, for five to ten minutes', () => {
    const clock = new FakeClock()
    const tokens = new Tokens({ clock, random })
    const [from, other] = [at(1, 2, 3, 4), at(1, 2, 3, 5)]
    const hash = idFrom(random.bytes(20))
    const token = tokens.make(from, hash)
    const moved = `${from.slice(0, 4)}\x00\x05` as Endpoint
    expect(tokens.isGood(token, from, hash)).toBe(true)
    expect(tokens.isGood(token, moved, hash)).toBe(true)
    expect(tokens.isGood(token, other, hash)).toBe(false)
    expect(tokens.isGood(token, from, own)).toBe(false)
    expect(tokens.isGood('', from, hash)).toBe(false)
    clock.advance(9 * MINUTE)
    expect(tokens.isGood(token, from, hash)).toBe(true)
    clock.advance(MINUTE)
    expect(tokens.isGood(token, from, hash)).toBe(false)
    const late = tokens.make(from, hash)
    clock.advance(60 * MINUTE)
    expect(tokens.isGood(late, from, hash)).toBe(false)
  })
})

describe('sources', () => {
  const from = at(5, 5, 5, 5)

  it('more than five packets a second are ignored for five minutes', () => {
    const sources = new Sources()
    let served = 0
    for (let i = 0; i < 100; i++) if (sources.asked(from, 100, 10 * i) !== null) served++
    expect(served).toBe(50)
    expect(sources.asked(from, 100, 4 * MINUTE)).toBeNull()
    expect(sources.asked(at(5, 5, 5, 6), 100, 4 * MINUTE)).not.toBeNull()
    expect(sources.asked(from, 100, 6 * MINUTE)).not.toBeNull()
    for (let i = 0; i < 1000; i++) expect(sources.asked(at(6, 6, 6, 6), 100, 250 * i)).not.toBeNull()
  })

  it('an unproven address gets half as much again as came from it, a proven one what it asks', () => {
    const sources = new Sources()
    let [came, went] = [0, 0]
    for (let i = 0; i < 30; i++) {
      const allowance = sources.asked(from, 100, 1000 * i)
      came += 100
      went += allowance?.bytes ?? 0
      sources.sent(from, allowance?.bytes ?? 0, 1000 * i)
    }
    expect(went / came).toBeLessThanOrEqual(1.5)
    sources.proved(from, 30_000)
    expect(sources.asked(from, 100, 31_000)).toMatchObject({ proven: true, bytes: Infinity })
  })

  it('remembers so many', () => {
    const sources = new Sources({ most: 100 })
    for (let i = 0; i < 1000; i++) sources.asked(at(i >> 8, i & 255, 1, 1), 100, 0)
    expect(sources.size).toBe(100)
  })
})

describe('the peers of others', () => {
  const hashOf = (bits: number): NodeId => randomIdNear(own, bits, random)

  it('one peer for an address, with its last port, for half an hour', () => {
    const store = new PeerStore({ own: () => own }, { random })
    const hash = hashOf(3)
    store.add(hash, at(1, 1, 1, 1), false, 0)
    const other = `${at(1, 1, 1, 1).slice(0, 4)}\x00\x07` as Endpoint
    store.add(hash, other, true, 5 * MINUTE)
    expect(store.some(hash, 50, false, 6 * MINUTE)).toEqual([other])
    expect(store.some(hash, 50, true, 6 * MINUTE), 'a seed is left out').toEqual([])
    expect(store.some(hash, 50, false, 40 * MINUTE)).toEqual([])
    expect([store.hashes, store.peers]).toEqual([0, 0])
  })

  it('is bounded for a hash, in hashes and in peers, and far hashes go first', () => {
    const store = new PeerStore(
      { own: () => own, mostHashes: 20, mostOfHash: 10, mostPeers: 100 },
      { random },
    )
    const close = hashOf(100)
    store.add(close, at(9, 9, 9, 9), false, 0)
    for (let i = 0; i < 300; i++) store.add(close, at(30, i >> 8, i & 255, 1), false, 0)
    expect(store.peers).toBe(10)
    for (let i = 0; i < 500; i++) store.add(hashOf(i % 8), fresh(), false, 0)
    expect(store.hashes).toBeLessThanOrEqual(20)
    expect(store.peers).toBeLessThanOrEqual(100)
    expect(store.some(close, 50, false, 0)).toHaveLength(10)
  })

  it('samples are the same for a whole interval (BEP 51)', () => {
    const store = new PeerStore({ own: () => own }, { random })
    for (let i = 0; i < 60; i++) store.add(hashOf(i % 4), fresh(), false, 0)
    const first = store.samples(0)
    expect(first).toMatchObject({ num: 60, interval: 300 })
    expect(first.hashes).toHaveLength(20)
    expect(store.samples(299_000).hashes).toEqual(first.hashes)
    expect(store.samples(300_000).hashes).not.toEqual(first.hashes)
  })
})

describe('votes on our address', () => {
  it('count once for a network, and eight must agree', () => {
    const votes = new Votes()
    const [right, wrong] = [at(81, 2, 3, 4), at(99, 9, 9, 9)]
    for (let i = 0; i < 200; i++) expect(votes.add(at(66, 6, 6, i), wrong)).toBeNull()
    for (let i = 0; i < 7; i++) expect(votes.add(at(40 + i, 1, 1, 1), right)).toBeNull()
    expect(votes.add(at(50, 1, 1, 1), right)).toBe(hostOf(right))
    expect(votes.add(at(127, 0, 0, 1), right), 'who is near sees another address').toBeNull()
  })
})
