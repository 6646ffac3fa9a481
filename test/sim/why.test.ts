/** "Why does it not go on": each cause made with real torrents on a virtual clock, and named first. */
import { describe, expect, it } from 'vitest'
import { makeAddress } from '../../daemon/base/address.js'
import { explain, type HouseFacts } from '../../daemon/session/why.js'
import type { Caller } from '../../shared/rpc/contract.js'
import type { WhyView } from '../../shared/views.js'
import { houseFacts } from '../support/house-facts.js'
import * as raw from '../support/raw-peer.js'
import { makeSource, type Node, Swarm } from '../support/swarm-kit.js'

const CALLER: Caller = { via: 'socket', name: 'test' }
/** Four pieces. */
const SOURCE = makeSource({ name: 'f', files: 250_000 })

const why = (node: Node, house: Partial<HouseFacts> = {}): WhyView =>
  explain(node.torrent.facts(), houseFacts(house))
const first = (view: WhyView): string =>
  `${String(view.causes[0]?.kind)}: ${String(view.causes[0]?.sentence)}`

async function leecher(): Promise<{ swarm: Swarm; node: Node }> {
  const swarm = new Swarm()
  const node = swarm.node()
  await node.add(SOURCE)
  await swarm.until(() => node.torrent.state.kind === 'downloading')
  return { swarm, node }
}

describe('a download', () => {
  it('of which no peer is known', async () => {
    const { node } = await leecher()
    expect(first(why(node))).toBe(
      'noPeers: No peer is known: the DHT named none so far; it is asked again by itself.',
    )
    expect(first(why(node, { dht: false }))).toBe(
      'noPeers: No peer is known: it has no tracker, and nothing else is asked.',
    )
    expect(why(node).summary).toBe('It does not go on.')
  })

  it('whose known peers do not answer', async () => {
    const { swarm, node } = await leecher()
    node.meet(...['10.9.9.1', '10.9.9.2', '10.9.9.3'].map((host) => ({ address: makeAddress(host, 7000)! })))
    await swarm.run(30_000)
    expect(first(why(node))).toBe(
      'noAnswer: 3 peers are known and none is connected: 3 did not answer, and are tried again later each time.',
    )
  })

  it('whom all choke', async () => {
    const { swarm, node } = await leecher()
    for (const host of ['10.9.0.1', '10.9.0.2']) raw.rawPeer(swarm, node, SOURCE, host).send(raw.HAVE_ALL)
    await swarm.run(3000)
    expect(first(why(node))).toBe(
      'allChoke: 2 peers have what is missing, and none lets us ask: each serves others just now, and our turn comes by itself.',
    )
  })

  it('of which nobody has what is missing, or a part of it', async () => {
    const { swarm, node } = await leecher()
    const peer = raw.rawPeer(swarm, node, SOURCE, '10.9.0.1').send(raw.HAVE_NONE, raw.UNCHOKE)
    await swarm.run(3000)
    expect(first(why(node))).toBe(
      'missingPieces: Nobody connected has any of the 4 missing pieces (0, 1, 2, 3); it goes on when somebody comes who has.',
    )
    peer.send(raw.have(1), raw.have(3))
    await swarm.run(1000)
    expect(why(node).causes).toEqual([
      {
        kind: 'missingPieces',
        stops: false,
        sentence: 'Nobody connected has 2 missing pieces (0, 2); the others come meanwhile.',
      },
    ])
  })

  it('that goes on has nothing wrong with it, and tells its rate', async () => {
    const { swarm, node } = await leecher()
    const peer = raw.rawPeer(swarm, node, SOURCE, '10.9.0.1')
    const answered: raw.Asked[] = []
    peer.on(() => {
      const next = peer.asked[answered.length]
      if (next === undefined || answered.length > 4) return
      answered.push(next)
      peer.send(peer.block(next))
    })
    peer.send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.run(2000)
    const { causes, summary } = why(node)
    expect(causes).toEqual([])
    expect(summary).toMatch(
      /^Nothing is wrong: it is downloading at [\d.]+ [KM]iB\/s from 1 peer, [\d.]+ KiB left, \d+s\.$/,
    )
    expect(why(node, { limits: { down: 1000, up: null }, rates: { down: 990, up: 0 } }).causes).toMatchObject(
      [{ kind: 'limit', stops: false }],
    )
  })

  it('that was paused, by whom and when', async () => {
    const { swarm, node } = await leecher()
    node.torrent.pause()
    await swarm.until(() => node.torrent.state.kind === 'paused')
    expect(first(why(node, { pausedBy: { caller: 'torrentinoctl', at: 1_000_000 - 125_000 } }))).toBe(
      'paused: It was paused by torrentinoctl, 2m 05s ago; "torrentinoctl resume 1" lets it go on.',
    )
    expect(first(why(node))).toBe('paused: It was paused; "torrentinoctl resume 1" lets it go on.')
  })

  it('whose volume is full', async () => {
    const { swarm, node } = await leecher()
    node.disk.fail({ operation: 'write', code: 'ENOSPC' })
    const peer = raw.rawPeer(swarm, node, SOURCE, '10.9.0.1')
    peer.on(({ id, payload }) => {
      if (id !== 6) return
      const [piece, begin, length] = [0, 4, 8].map((at) => payload.readUInt32BE(at))
      peer.send(peer.block({ piece: piece!, begin: begin!, length: length! }))
    })
    peer.send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.until(() => node.torrent.state.kind === 'blocked')
    expect(why(node).causes[0]).toMatchObject({ kind: 'space', stops: true })
    expect(why(node).torrent.error).toBe(why(node).causes[0]?.sentence)
  })
})

it('a magnet link waits for its metadata, and says for whom', async () => {
  const swarm = new Swarm()
  const node = swarm.node()
  await node.adder.add({ magnet: `magnet:?xt=urn:btih:${SOURCE.key}` }, CALLER)
  await swarm.settle()
  expect(why(node).causes.map(({ kind }) => kind)).toEqual(['metadata', 'noPeers'])
  raw.rawPeer(swarm, node, SOURCE, '10.9.0.1', { extensions: true })
  await swarm.run(1000)
  expect(first(why(node))).toBe(
    'metadata: It is a magnet link whose metadata are still to come, from one of 1 connected peers.',
  )
})

it('a seed has nothing wrong with it, and tells that nobody comes where nobody can', async () => {
  const swarm = new Swarm()
  const node = swarm.node()
  await node.add(SOURCE, { have: true })
  await swarm.until(() => node.torrent.state.kind === 'seeding')
  expect(why(node)).toMatchObject({
    causes: [],
    summary: 'Nothing is wrong: it is seeding, nobody wants anything of it just now.',
  })
  expect(why(node, { reached: false }).causes).toEqual([
    {
      kind: 'unreachable',
      stops: false,
      sentence:
        'Nobody has reached port 6881 for 1h 00m: where a router or a firewall is between, forward that port (TCP and UDP) to this machine.',
    },
  ])
})
