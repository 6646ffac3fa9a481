/** Pieces that a peer may have while it is choked (BEP 6), through real torrents on a virtual clock. */
import { expect, it } from 'vitest'
import * as raw from '../support/raw-peer.js'
import { makeSource, type Node, type Source, Swarm } from '../support/swarm-kit.js'

const ALLOWED_FAST = 17
const UNCHOKE = 1
const REJECT = 16
const PIECE = 7
const BLOCK = 16_384

/** The first of two files lies there: 128 of 256 pieces. */
async function half(): Promise<{ swarm: Swarm; node: Node; source: Source }> {
  const swarm = new Swarm()
  const files = ['a', 'b'].map((path) => ({ path, length: 128 * BLOCK }))
  const source = makeSource({ name: 'two', pieceLength: BLOCK, files })
  const node = swarm.node()
  node.disk.fs.mkdirs('/data/two')
  node.disk.fs.writeFile('/data/two/a', source.contents[0] ?? Buffer.alloc(0))
  await node.add(source)
  await swarm.until(() => node.torrent.state.kind === 'downloading')
  return { swarm, node, source }
}

const granted = (peer: raw.RawPeer): number[] =>
  peer.messages.filter(({ id }) => id === ALLOWED_FAST).map(({ payload }) => payload.readUInt32BE(0))

it('are named by one that downloads, and sent while it chokes, until the peer has ten pieces', async () => {
  const { swarm, node, source } = await half()
  const peer = raw.rawPeer(swarm, node, source, '10.1.0.1').send(raw.HAVE_NONE)
  await swarm.run(1000)
  const [piece = -1, other = -1] = granted(peer)
  expect(granted(peer).every((each) => each < 128)).toBe(true)
  const refused = [...Array(128).keys()].find((each) => !granted(peer).includes(each)) ?? -1
  peer.send(raw.request(piece, 0, BLOCK), raw.request(refused, 0, BLOCK))
  await swarm.run(1000)
  expect(peer.count(UNCHOKE)).toBe(0)
  expect(
    peer.messages.filter(({ id }) => id === PIECE).map(({ payload }) => payload.readUInt32BE(0)),
  ).toEqual([piece])
  expect(peer.count(REJECT)).toBe(1)

  peer.send(...Array.from({ length: 10 }, (_, each) => raw.have(each)))
  await swarm.run(1000)
  peer.send(raw.request(other, 0, BLOCK))
  await swarm.run(1000)
  expect(peer.count(PIECE)).toBe(1)
  expect(peer.count(REJECT)).toBe(2)
})

it('are named by no seed: in a crowd every newcomer would take them past its slots', async () => {
  const swarm = new Swarm()
  const source = makeSource({ files: 4_000_000, pieceLength: BLOCK })
  const node = swarm.node()
  await node.add(source, { have: true })
  await swarm.until(() => node.torrent.state.kind === 'seeding')
  const peer = raw.rawPeer(swarm, node, source, '10.1.0.1').send(raw.HAVE_NONE)
  await swarm.run(1000)
  expect(peer.handshake).not.toBeNull()
  expect(granted(peer)).toEqual([])
})
