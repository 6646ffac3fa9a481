/**
 * The DHT as a whole: nodes that come one after another, then searches among the honest, the dead and the liars. A
 * network of 10,000 takes minutes: `npm run sim:dht`.
 */
import { describe, expect, it } from 'vitest'
import type { Contact, NodeId } from '../../daemon/codec/krpc.js'
import { commonPrefix, idFrom, randomIdNear } from '../../daemon/dht/id.js'
import { publish } from './network/chart.js'
import { DhtNet, type Lie } from './network/dht-net.js'

const NODES = Number(process.env['TORRENTINO_DHT_NODES'] ?? 500)
const SEARCHES = 60
const LIMIT = { timeout: 1_800_000 }

interface Seen {
  readonly name: string
  readonly hops: number
  readonly worstHops: number
  /** Of the eight nearest honest nodes, how many were found on average. */
  readonly right: number
  /** Searches that found the very nearest. */
  readonly first: number
  readonly questions: number
  readonly took: number
}

const rows: Seen[] = []

async function measure(name: string, net: DhtNet, target: () => NodeId, from = 8): Promise<Seen> {
  const seen = { hops: [] as number[], right: 0, first: 0, questions: [] as number[], took: [] as number[] }
  for (let i = 0; i < SEARCHES; i++) {
    const asker = net.any()!
    const key = target()
    const truth = net.nearest(key, from, asker)
    const result = await net.lookup(asker, key)
    const found = new Set(result.nearest.map(({ id }) => id))
    seen.hops.push(result.hops)
    seen.right += truth.filter(({ id }) => found.has(id)).length
    if (found.has(truth[0]!.id)) seen.first++
    seen.questions.push(result.asked)
    seen.took.push(result.took)
  }
  const row = {
    name,
    hops: median(seen.hops),
    worstHops: Math.max(...seen.hops),
    right: seen.right / SEARCHES,
    first: seen.first / SEARCHES,
    questions: median(seen.questions),
    took: median(seen.took),
  }
  rows.push(row)
  if (NODES > 1000) console.log(table())
  return row
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? NaN
}

async function grown(seed: number, count = NODES): Promise<DhtNet> {
  const net = new DhtNet({ seed })
  await net.grow(count, 40)
  await net.clock.run(net.clock.now() + 60_000)
  return net
}

function table(): string {
  const head = 'network                            hops median/most  right of 8  nearest found  questions  ms'
  const line = (row: Seen): string =>
    [
      row.name.padEnd(35),
      `${row.hops} / ${row.worstHops}`.padEnd(18),
      row.right.toFixed(2).padEnd(12),
      `${(100 * row.first).toFixed(0)} %`.padEnd(15),
      String(row.questions).padEnd(11),
      row.took.toFixed(0),
    ].join('')
  return [head, ...rows.map(line)].join('\n')
}

describe('a network', () => {
  it(
    'of honest nodes, of which a fifth then dies at once: searches reach the right eight',
    LIMIT,
    async () => {
      const net = await grown(1)
      const key = (): NodeId => idFrom(net.random.bytes(20))
      const whole = await measure(`${NODES} nodes`, net, key)
      expect(whole.hops).toBeLessThanOrEqual(6)
      expect(whole.right).toBeGreaterThanOrEqual(7.9)
      for (let i = 0; i < NODES / 5; i++) net.kill(net.any()!)
      const dead = await measure('a fifth of them dead', net, key)
      expect(dead.hops).toBeLessThanOrEqual(6)
      expect(dead.right).toBeGreaterThanOrEqual(7.5)
      // The dead are found out: nobody tells of them any more.
      await net.clock.run(net.clock.now() + 20 * 60_000)
      const later = await measure('20 minutes later', net, key)
      expect(later.right).toBeGreaterThanOrEqual(7.8)
      expect(later.took).toBeLessThan(dead.took)
    },
  )

  it('with 10 % liars in league and 20 % dead: searches reach the right eight', LIMIT, async () => {
    const net = new DhtNet({ seed: 2 })
    const liars: Contact[] = []
    // Ids that are nearest to whatever is asked for, at addresses of their own, at nobody's and at honest nodes'.
    const lie: Lie = (target, random) =>
      Array.from({ length: 8 }, (_, i) => ({
        id: randomIdNear(target, 30 + random.int(100), random),
        at:
          i % 3 === 0
            ? net.freshEndpoint()
            : i % 3 === 1
              ? liars[random.int(liars.length)]!.at
              : net.any()!.contact.at,
      }))
    for (let i = 0; i < 10; i++) {
      await net.grow(NODES / 10, 40)
      for (let j = 0; j < NODES / 100; j++) liars.push(net.addLiar(lie))
      for (const { at } of liars) for (let k = 0; k < 4; k++) net.any()!.dht.tryNode(at)
    }
    await net.clock.run(net.clock.now() + 60_000)
    for (let i = 0; i < NODES / 5; i++) net.kill(net.any()!)
    const row = await measure('10 % liars, 20 % dead', net, () => idFrom(net.random.bytes(20)))
    expect(row.hops).toBeLessThanOrEqual(6)
    expect(row.right).toBeGreaterThanOrEqual(6.5)
    expect(row.first).toBeGreaterThanOrEqual(0.9)
  })

  it(
    'with 1,000 sybils of one /24 around a key: the honest nodes are found all the same',
    LIMIT,
    async () => {
      const net = await grown(3)
      const key = idFrom(net.random.bytes(20))
      const sybils: Contact[] = []
      const lie: Lie = () => sybils.slice(0, 8)
      for (let i = 0; i < 1000; i++) {
        const at = net.freshEndpoint([66, 6, 6])
        sybils.push(net.addLiar(lie, { at, id: randomIdNear(key, 40 + net.random.int(60), net.random) }))
      }
      expect(commonPrefix(key, sybils[0]!.id)).toBeGreaterThan(30)
      // They make themselves known to everybody.
      for (const node of net.honest)
        for (let i = 0; i < 5; i++) node.dht.tryNode(sybils[net.random.int(1000)]!.at)
      await net.clock.run(net.clock.now() + 60_000)
      const row = await measure('1,000 sybils of one /24', net, () => key)
      expect(row.right).toBeGreaterThanOrEqual(7.5)
      expect(row.first).toBe(1)
      publish('dht', table())
    },
  )
})

describe('a network at rest', () => {
  it(
    'wakes each of its nodes less than twice a second, and keeps its tables',
    { timeout: 120_000 },
    async () => {
      const net = await grown(4, 100)
      await net.clock.run(net.clock.now() + 30 * 60_000)
      const events = net.clock.events
      await net.clock.run(net.clock.now() + 30 * 60_000)
      const aSecond = (net.clock.events - events) / (30 * 60) / 100
      expect(aSecond).toBeLessThan(2)
      for (const node of net.honest) {
        const [family] = node.dht.status.families
        expect(family!.good).toBeGreaterThanOrEqual(20)
      }
    },
  )

  it('peers that announce themselves are found by others', { timeout: 120_000 }, async () => {
    const net = await grown(5, 100)
    const hash = idFrom(net.random.bytes(20))
    const [seeder, leecher] = [net.any()!, net.any()!]
    let taken = 0
    seeder.dht.peersOf(
      hash,
      { peers: () => undefined, done: (result) => (taken = result.announcedTo) },
      { announce: { port: 51_413, seed: true } },
    )
    await net.clock.run(net.clock.now() + 10_000)
    expect(taken).toBe(8)
    const found: string[] = []
    leecher.dht.peersOf(hash, { peers: (peers) => found.push(...peers) })
    await net.clock.run(net.clock.now() + 10_000)
    expect(found).toEqual([`${seeder.contact.at.slice(0, 4)}\xc8\xd5`])
  })
})
