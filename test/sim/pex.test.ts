/** Peer exchange (BEP 11) and canonical priority (BEP 40) in whole daemons on one virtual clock. */
import { describe, expect, it } from 'vitest'
import { decodeExtensionHandshake } from '../../daemon/codec/extension.js'
import { decodePex, encodePex, type PexMessage } from '../../daemon/codec/pex.js'
import { peerPriority } from '../../daemon/swarm/priority.js'
import type { Caller } from '../../shared/rpc/contract.js'
import { encode } from '../../shared/torrent/bencode.js'
import * as raw from '../support/raw-peer.js'
import { makeSource, type Node, type Source, Swarm } from '../support/swarm-kit.js'

const CALLER: Caller = { via: 'socket', name: 'test' }
const MINUTE = 60_000
const OPEN = makeSource({ name: 'open', files: 300_000 })
const PRIVATE = makeSource({ name: 'closed', files: 300_000, private: true })
/** The id that raw peers name for messages of peer exchange. */
const THEIR_ID = 9

const told = (what: Record<string, unknown> = {}): Buffer =>
  raw.message(20, Buffer.from([0]), encode({ m: { ut_pex: THEIR_ID, ut_metadata: 3 }, p: 7000, ...what }))
/** Under the id that daemons name for it. */
const naming = (...hosts: readonly string[]): Buffer => {
  const added = hosts.map((host) => ({ address: raw.hostAddress(host), flags: 0 }))
  return raw.message(20, Buffer.from([2]), encodePex({ added, dropped: [] }))
}

/** What a raw peer was told of others. */
function exchanged(peer: raw.RawPeer): PexMessage[] {
  return peer.messages
    .filter(({ id, payload }) => id === 20 && payload[0] === THEIR_ID)
    .map(({ payload }) => decodePex(payload.subarray(1)))
    .filter((message) => message !== null)
}

/** The ids of each of its extension handshakes. */
function offers(peer: raw.RawPeer): ReadonlyMap<string, number>[] {
  return peer.messages
    .filter(({ id, payload }) => id === 20 && payload[0] === 0)
    .map(
      ({ payload }) => decodeExtensionHandshake(payload.subarray(1))?.messages ?? new Map<string, number>(),
    )
}
const offered = (peer: raw.RawPeer): ReadonlyMap<string, number> => offers(peer).at(-1) ?? new Map()

function rawPeer(swarm: Swarm, node: Node, source: Source, host: string): raw.RawPeer {
  return raw
    .rawPeer(swarm, node, source, host, { extensions: true })
    .send(told(), raw.HAVE_NONE, raw.INTERESTED)
}

/** Whoever dials there is counted. */
function decoy(swarm: Swarm, host: string): { dials: number } {
  const seen = { dials: 0 }
  swarm.network.listen(raw.hostAddress(host), (transport) => {
    seen.dials++
    transport.close('decoy')
  })
  return seen
}

async function crowd(source: Source, count: number): Promise<{ swarm: Swarm; nodes: Node[] }> {
  const swarm = new Swarm()
  const nodes = Array.from({ length: count }, () => swarm.node({ pex: true }))
  for (const node of nodes) await node.add(source)
  await swarm.until(() => nodes.every(({ torrent }) => torrent.isRunning))
  const [first, ...others] = nodes
  if (first === undefined) throw new Error('nobody')
  // The tracker tells everybody of one peer.
  for (const node of others) node.meet(first)
  return { swarm, nodes }
}

describe('a swarm whose tracker names one peer', () => {
  it('is connected by peer exchange within two minutes, and peers say where they were found', async () => {
    const { swarm, nodes } = await crowd(OPEN, 12)
    await swarm.run(1500)
    expect(nodes.map(({ torrent }) => torrent.connected)).toEqual([11, ...Array<number>(11).fill(1)])
    await swarm.run(2 * MINUTE)
    expect(nodes.map(({ torrent }) => torrent.connected)).toEqual(Array<number>(12).fill(11))
    const sources = nodes.flatMap(({ torrent }) => torrent.peers().map(({ source }) => source))
    expect(new Set(sources)).toEqual(new Set(['tracker', 'pex', 'incoming']))
    expect(sources.filter((source) => source === 'pex')).toHaveLength((11 * 10) / 2)
  })

  it('stays as it is where peer exchange is off', async () => {
    const { swarm, nodes } = await crowd(OPEN, 4)
    for (const node of nodes) node.pex = false
    await swarm.run(3 * MINUTE)
    expect(nodes.map(({ torrent }) => torrent.connected)).toEqual([3, 1, 1, 1])
  })

  it('stays as it is where the torrent is private', async () => {
    const { swarm, nodes } = await crowd(PRIVATE, 4)
    await swarm.run(3 * MINUTE)
    expect(nodes.map(({ torrent }) => torrent.connected)).toEqual([3, 1, 1, 1])
  })
})

describe('peer exchange', () => {
  async function one(source: Source): Promise<{ swarm: Swarm; node: Node }> {
    const swarm = new Swarm()
    const node = swarm.node({ pex: true })
    await node.add(source)
    await swarm.until(() => node.torrent.isRunning)
    return { swarm, node }
  }

  it('tells a peer of those that listen, and of those that left', async () => {
    const { swarm, node } = await one(OPEN)
    const peer = rawPeer(swarm, node, OPEN, '10.1.0.1')
    const other = rawPeer(swarm, node, OPEN, '10.1.0.2')
    await swarm.run(3000)
    expect(offered(peer).get('ut_pex')).toBe(2)
    expect(exchanged(peer)).toEqual([
      { added: [{ address: raw.hostAddress('10.1.0.2', 7000), flags: 0 }], dropped: [] },
    ])
    expect(exchanged(other)).toHaveLength(1)
    other.end.close('over')
    await swarm.run(30_000)
    expect(exchanged(peer)).toHaveLength(1)
    await swarm.run(40_000)
    expect(exchanged(peer)[1]).toEqual({ added: [], dropped: [raw.hostAddress('10.1.0.2', 7000)] })
  })

  it('dials whom a peer names, and tells nobody that it is one of them before it is', async () => {
    const { swarm, node } = await one(OPEN)
    const there = decoy(swarm, '10.9.0.1')
    const peer = rawPeer(swarm, node, OPEN, '10.1.0.1')
    peer.send(naming('10.9.0.1'))
    await swarm.run(5000)
    expect(there.dials).toBe(1)
    expect(exchanged(peer)).toEqual([])
  })

  it('ends with what cannot be read, and with a flood', async () => {
    const { swarm, node } = await one(OPEN)
    const bad = rawPeer(swarm, node, OPEN, '10.1.0.1').send(raw.extended(2, 'x'))
    const flood = rawPeer(swarm, node, OPEN, '10.1.0.2')
    for (let n = 0; n < 20; n++) flood.send(naming('10.9.0.1'))
    await swarm.settle()
    expect([bad.ended, flood.ended]).toEqual(['closed-by-peer', 'closed-by-peer'])
    expect(node.reasons.toSorted()).toEqual(['pex-floods', 'pex-malformed'])
  })

  it('is turned off and on while peers are connected', async () => {
    const { swarm, node } = await one(OPEN)
    const there = decoy(swarm, '10.9.0.1')
    const peer = rawPeer(swarm, node, OPEN, '10.1.0.1')
    await swarm.run(3000)
    node.pex = false
    node.torrent.pexChanged()
    const other = rawPeer(swarm, node, OPEN, '10.1.0.2')
    peer.send(naming('10.9.0.1'))
    await swarm.run(2 * MINUTE)
    expect([offered(peer).get('ut_pex'), offered(other).get('ut_pex')]).toEqual([0, 0])
    expect([...exchanged(peer), ...exchanged(other)]).toEqual([])
    expect(there.dials).toBe(0)
    node.pex = true
    node.torrent.pexChanged()
    peer.send(naming('10.9.0.1'))
    await swarm.run(5000)
    expect(offered(peer).get('ut_pex')).toBe(2)
    expect(exchanged(peer)).toHaveLength(1)
    expect(there.dials).toBe(1)
  })

  it('is never part of a private torrent: not offered, not sent, not heard', async () => {
    const { swarm, node } = await one(PRIVATE)
    const there = decoy(swarm, '10.9.0.1')
    const peers = ['10.1.0.1', '10.1.0.2', '10.1.0.3'].map((host) => rawPeer(swarm, node, PRIVATE, host))
    for (let n = 0; n < 5; n++) {
      for (const peer of peers) peer.send(naming('10.9.0.1'))
      if (n === 2) node.torrent.pexChanged()
      await swarm.run(MINUTE)
    }
    expect(node.torrent.connected).toBe(3)
    for (const peer of peers) {
      expect(offers(peer).map((messages) => [...messages.keys()])).toEqual([['ut_metadata']])
      expect(exchanged(peer)).toEqual([])
    }
    expect(there.dials).toBe(0)
  })
})

describe('a magnet link', () => {
  async function link(source: Source): Promise<{ swarm: Swarm; seed: Node; leecher: Node }> {
    const swarm = new Swarm()
    const seed = swarm.node({ pex: true })
    const leecher = swarm.node({ pex: true })
    swarm.network.limit(seed.init.host, 200_000, swarm.clock)
    await seed.add(source, { have: true })
    await swarm.until(() => seed.torrent.isRunning)
    await leecher.adder.add({ magnet: `magnet:?xt=urn:btih:${source.key}` }, CALLER)
    await swarm.settle()
    return { swarm, seed, leecher }
  }

  it('finds who has its metadata by peer exchange', async () => {
    const { swarm, seed, leecher } = await link(OPEN)
    const knows = rawPeer(swarm, leecher, OPEN, '10.1.0.1')
    await swarm.settle()
    expect(offered(knows).get('ut_pex')).toBe(2)
    knows.send(naming(seed.init.host))
    await swarm.until(() => leecher.torrent.peers().some(({ source }) => source === 'pex'))
    await swarm.until(() => leecher.torrent.state.kind === 'seeding')
    expect(leecher.hasAll(OPEN)).toBe(true)
  })

  it('that turns out private forgets all that peers named, and takes the offer back', async () => {
    const { swarm, seed, leecher } = await link(PRIVATE)
    const knows = rawPeer(swarm, leecher, PRIVATE, '10.1.0.1')
    knows.send(naming('10.9.0.1', '10.1.0.9'))
    const there = decoy(swarm, '10.1.0.9')
    await swarm.run(2000)
    expect(there.dials).toBe(1)
    leecher.meet(seed)
    await swarm.until(() => !leecher.torrent.lacksMetadata)
    const late = decoy(swarm, '10.9.0.1')
    knows.send(naming('10.9.0.1', '10.1.0.9'))
    await swarm.run(10 * MINUTE)
    expect([late.dials, there.dials]).toEqual([0, 1])
    // When it had the metadata, and when it was complete, which says nothing new of it.
    expect(offers(knows).map((messages) => messages.get('ut_pex'))).toEqual([2, 0, undefined])
    expect(exchanged(knows)).toEqual([])
  })

  it('that turns out private lets go of a peer that another named', async () => {
    const { swarm, seed, leecher } = await link(PRIVATE)
    rawPeer(swarm, leecher, PRIVATE, '10.1.0.1').send(naming(seed.init.host))
    await swarm.until(() => leecher.torrent.peers().some(({ source }) => source === 'pex'))
    await swarm.until(() => !leecher.torrent.lacksMetadata)
    await swarm.run(5 * MINUTE)
    expect(leecher.torrent.peers().map(({ address }) => address)).not.toContain('10.0.0.1:6881')
  })
})

describe('a full torrent (BEP 40)', () => {
  const OWN = raw.hostAddress('10.0.0.1')
  const priority = (host: string): number => peerPriority(OWN, raw.hostAddress(host, 7000)) ?? 0
  const hosts = Array.from({ length: 12 }, (_, n) => `10.${String(n + 2)}.7.9`).toSorted(
    (a, b) => priority(a) - priority(b),
  )
  const sees = (swarm: Swarm, node: Node, host: string): raw.RawPeer =>
    raw
      .rawPeer(swarm, node, OPEN, host, { extensions: true })
      .send(told({ yourip: Uint8Array.of(10, 0, 0, 1) }), raw.HAVE_NONE, raw.INTERESTED)

  async function full(): Promise<{ swarm: Swarm; node: Node; peers: raw.RawPeer[] }> {
    const swarm = new Swarm()
    const node = swarm.node({ maxPeers: 4 })
    await node.add(OPEN, { have: true })
    await swarm.until(() => node.torrent.isRunning)
    const peers = hosts.slice(4, 8).map((host) => sees(swarm, node, host))
    await swarm.settle()
    expect(node.torrent.connected).toBe(4)
    return { swarm, node, peers }
  }

  it('lets the idle peer of least priority go for one of more, and for none of less', async () => {
    const { swarm, node, peers } = await full()
    await swarm.run(MINUTE + 1000)
    const lesser = sees(swarm, node, hosts[3] ?? '')
    await swarm.settle()
    expect(lesser.ended).not.toBeNull()
    expect(peers.map(({ ended }) => ended)).toEqual([null, null, null, null])
    const better = sees(swarm, node, hosts[11] ?? '')
    await swarm.settle()
    expect(better.ended).toBeNull()
    expect(peers.map(({ ended }) => ended !== null)).toEqual([true, false, false, false])
    expect(node.torrent.connected).toBe(4)
    expect(node.session.budget.used).toBe(4)
    expect(node.reasons).toContain('outranked')
  })

  it('keeps who came just now or takes something, whatever the priority', async () => {
    const { swarm, node, peers } = await full()
    const early = sees(swarm, node, hosts[10] ?? '')
    await swarm.settle()
    expect(early.ended).not.toBeNull()
    await swarm.run(MINUTE)
    const [least, second] = peers
    expect(least?.count(1)).toBe(1)
    least?.send(raw.request(0, 0, 16_384))
    await swarm.run(1000)
    expect(least?.count(7)).toBe(1)
    const better = sees(swarm, node, hosts[11] ?? '')
    await swarm.settle()
    expect([least?.ended, better.ended]).toEqual([null, null])
    expect(second?.ended).not.toBeNull()
  })

  it('refuses as ever where nobody told us our address', async () => {
    const swarm = new Swarm()
    const node = swarm.node({ maxPeers: 2 })
    await node.add(OPEN, { have: true })
    await swarm.until(() => node.torrent.isRunning)
    const peers = hosts.slice(0, 2).map((host) => rawPeer(swarm, node, OPEN, host))
    await swarm.run(2 * MINUTE)
    const third = rawPeer(swarm, node, OPEN, hosts[11] ?? '')
    await swarm.settle()
    expect(third.ended).not.toBeNull()
    expect(peers.map(({ ended }) => ended)).toEqual([null, null])
  })
})
