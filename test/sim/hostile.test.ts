/** Peers that break the rules, each against a whole daemon: how their connection ends, and that nothing is left of it. */
import { describe, expect, it } from 'vitest'
import * as raw from '../support/raw-peer.js'
import { makeSource, type Node, type Source, Swarm } from '../support/swarm-kit.js'

const PIECES = 20
const BLOCK = 16_384
const source = makeSource({ files: PIECES * 65_536 })

interface Scene {
  readonly swarm: Swarm
  readonly node: Node
  readonly source: Source
  /** A peer that has sent its handshake, unless the row says otherwise. */
  readonly peer: raw.RawPeer
}

interface Row {
  readonly name: string
  /** What the daemon is: it has everything, or nothing. */
  readonly node?: 'seed' | 'leecher'
  readonly peer?: raw.RawInit
  readonly act: (scene: Scene) => Promise<void> | void
  /** The reason the connection ends with; null: it stays. */
  readonly ends: string | null
}

async function scene(row: Row): Promise<Scene> {
  const swarm = new Swarm()
  const node = swarm.node()
  await node.add(source, { have: row.node !== 'leecher' })
  await swarm.until(() => node.torrent.isRunning)
  const peer = raw.rawPeer(swarm, node, source, '10.1.0.1', row.peer)
  await swarm.settle()
  return { swarm, node, source, peer }
}

/** Nothing of the peer is left, whatever it did. */
async function expectNothingLeft({ swarm, node, peer }: Scene): Promise<void> {
  peer.end.close('over')
  await swarm.settle()
  // One that flooded is not read for a while: that it has gone is seen after that.
  await swarm.run(120_000)
  expect(node.session.budget.used).toBe(0)
  await node.stop()
  expect(node.disk.slab.available).toBe(node.disk.slab.capacity)
  expect(node.disk.pinned).toBe(0)
  expect(node.clock.pending).toBe(0)
}

async function unchoke({ swarm, peer }: Scene): Promise<void> {
  peer.send(raw.HAVE_NONE, raw.INTERESTED)
  await swarm.settle()
  expect(peer.count(1)).toBe(1)
}

const many = (count: number, bytes: Buffer): Buffer => Buffer.concat(Array<Buffer>(count).fill(bytes))
const header = (length: number, id: number): Buffer => Buffer.concat([raw.int(length), Buffer.from([id])])
const FULL = Buffer.from([0xff, 0xff, 0xf0])

const HANDSHAKES: readonly Row[] = [
  {
    name: 'another protocol',
    peer: { greet: false },
    act: ({ peer }) => void peer.send(Buffer.from('GET / HTTP/1.1\r\n')),
    ends: 'not-bittorrent',
  },
  {
    name: 'a wrong length of the name',
    peer: { greet: false },
    act: ({ peer }) => void peer.send(Buffer.from([18])),
    ends: 'not-bittorrent',
  },
  {
    name: 'an unknown info hash',
    peer: { key: 'ab'.repeat(20) },
    act: () => undefined,
    ends: 'unknown-info-hash',
  },
  {
    name: 'silence',
    peer: { greet: false },
    act: ({ swarm }) => swarm.run(20_000),
    ends: 'handshake-timeout',
  },
  {
    name: 'a byte a second',
    peer: { greet: false },
    act: async ({ swarm, peer }) => {
      for (const byte of raw.greeting(source).subarray(0, 20)) {
        peer.send(Buffer.from([byte]))
        await swarm.run(1000)
      }
    },
    ends: 'handshake-timeout',
  },
  {
    name: 'an end in the middle',
    peer: { greet: false },
    act: ({ peer }) => {
      peer.send(raw.greeting(source).subarray(0, 50))
      peer.end.close('gone')
    },
    ends: 'closed-by-peer',
  },
]

const MESSAGES: readonly Row[] = [
  {
    name: 'a length of 2^31',
    act: ({ peer }) => void peer.send(header(2 ** 31, 7)),
    ends: 'message-too-long',
  },
  {
    name: 'an unknown message of 2^31',
    act: ({ peer }) => void peer.send(header(2 ** 31, 99)),
    ends: 'message-too-long',
  },
  { name: 'a request of 12 bytes', act: ({ peer }) => void peer.send(header(12, 6)), ends: 'bad-length' },
  { name: 'a have without a number', act: ({ peer }) => void peer.send(header(1, 4)), ends: 'bad-length' },
  {
    name: 'an unknown message',
    act: ({ peer }) => void peer.send(raw.message(99, Buffer.alloc(100))),
    ends: null,
  },
  {
    name: 'have out of range',
    act: ({ peer }) => void peer.send(raw.have(PIECES)),
    ends: 'have-out-of-range',
  },
  {
    name: 'have 2^32 - 1',
    act: ({ peer }) => void peer.send(raw.have(2 ** 32 - 1)),
    ends: 'have-out-of-range',
  },
  {
    name: 'a short bitfield',
    act: ({ peer }) => void peer.send(raw.bitfield(FULL.subarray(1))),
    ends: 'bad-length',
  },
  {
    name: 'a long bitfield',
    act: ({ peer }) => void peer.send(raw.bitfield(Buffer.alloc(4))),
    ends: 'message-too-long',
  },
  {
    name: 'a bitfield with a spare bit',
    act: ({ peer }) => void peer.send(raw.bitfield(Buffer.from([0, 0, 0x08]))),
    ends: 'bitfield-malformed',
  },
  {
    name: 'a second bitfield',
    act: ({ peer }) => void peer.send(raw.bitfield(Buffer.alloc(3)), raw.bitfield(Buffer.alloc(3))),
    ends: null,
  },
  {
    name: 'a bitfield after a have',
    act: ({ peer }) => void peer.send(raw.have(1), raw.bitfield(FULL)),
    // It counts: two seeds have nothing to say to each other (aria2 sends one in place of many haves).
    ends: 'both-complete',
  },
  {
    name: 'have-all after a bitfield',
    act: ({ peer }) => void peer.send(raw.bitfield(Buffer.alloc(3)), raw.HAVE_ALL),
    ends: 'have-all-unexpected',
  },
  {
    name: 'have-all with a body',
    act: ({ peer }) => void peer.send(raw.message(14, Buffer.alloc(1))),
    ends: 'message-too-long',
  },
  {
    name: 'have-all without fast',
    peer: { fast: false },
    act: ({ peer }) => void peer.send(raw.HAVE_ALL),
    ends: 'have-all-unexpected',
  },
  {
    name: 'have-none without fast',
    peer: { fast: false },
    act: ({ peer }) => void peer.send(raw.HAVE_NONE),
    ends: 'have-none-unexpected',
  },
  {
    name: 'a reject without fast',
    peer: { fast: false },
    act: ({ peer }) => void peer.send(raw.message(16, raw.int(0), raw.int(0), raw.int(BLOCK))),
    ends: 'reject-unexpected',
  },
  {
    name: 'rejects of what was never asked',
    act: ({ peer }) => void peer.send(many(1000, raw.message(16, raw.int(0), raw.int(0), raw.int(BLOCK)))),
    ends: null,
  },
  {
    name: 'allowed-fast for pieces that are not',
    act: ({ peer }) => void peer.send(many(1000, raw.message(17, raw.int(2 ** 32 - 1)))),
    ends: null,
  },
  {
    name: 'an extension handshake that is none',
    peer: { extensions: true },
    act: ({ peer }) => void peer.send(raw.extended(0, 'nonsense')),
    ends: 'extension-handshake-malformed',
  },
  {
    name: 'an extension handshake a thousand deep',
    peer: { extensions: true },
    act: ({ peer }) => void peer.send(raw.extended(0, 'd1:m' + 'l'.repeat(1000) + 'e'.repeat(1001))),
    ends: 'extension-handshake-malformed',
  },
  {
    name: 'a negative reqq and a huge metadata size',
    peer: { extensions: true },
    act: ({ peer }) => void peer.send(raw.extended(0, 'd13:metadata_sizei2147483648e4:reqqi-5ee')),
    ends: null,
  },
  {
    name: 'an extension nobody knows',
    peer: { extensions: true },
    act: ({ peer }) => void peer.send(raw.extended(77, 'whatever')),
    ends: null,
  },
]

const REQUESTS: readonly Row[] = [
  ...(
    [
      ['out of range', PIECES, 0, BLOCK],
      ['of nothing', 0, 0, 0],
      ['above 128 KiB', 0, 0, 131_073],
      ['past the end of a piece', 0, 65_536 - BLOCK + 1, BLOCK],
    ] as const
  ).map(([what, piece, begin, length]): Row => ({
    name: `a request ${what} is rejected`,
    act: async (one) => {
      await unchoke(one)
      one.peer.send(raw.request(piece, begin, length))
      await one.swarm.settle()
      expect(one.peer.count(16)).toBe(1)
      expect(one.peer.count(7)).toBe(0)
    },
    ends: null,
  })),
  {
    name: 'a request for a piece not had is rejected',
    node: 'leecher',
    act: async ({ swarm, peer }) => {
      peer.send(raw.HAVE_NONE, raw.INTERESTED)
      await swarm.settle()
      peer.send(raw.request(0, 0, BLOCK))
      await swarm.settle()
      expect(peer.count(16)).toBe(1)
    },
    ends: null,
  },
  {
    name: '300 requests while choked',
    act: async ({ swarm, peer }) => {
      peer.send(raw.HAVE_NONE, many(300, raw.request(0, 0, 0)))
      await swarm.settle()
    },
    ends: null,
  },
  {
    name: '301 requests while choked',
    act: ({ peer }) => void peer.send(raw.HAVE_NONE, many(301, raw.request(0, 0, 0))),
    ends: 'too-many-bad-requests',
  },
  {
    name: '100,000 requests',
    act: async (one) => {
      await unchoke(one)
      one.peer.end.pause()
      one.peer.send(many(100_000, raw.request(1, 0, BLOCK)))
      await one.swarm.settle()
    },
    ends: 'too-many-bad-requests',
  },
  {
    name: '100,000 haves',
    act: ({ peer }) => void peer.send(many(100_000, raw.have(3))),
    ends: null,
  },
  {
    name: '100,000 cancels',
    act: async (one) => {
      await unchoke(one)
      one.peer.end.pause()
      // As many as may wait, spread over the torrent: one extent may be asked for 128 times.
      for (let piece = 1; piece < PIECES; piece++) one.peer.send(many(100, raw.request(piece, 0, BLOCK)))
      one.peer.send(many(100_000, raw.cancel(0, 0, BLOCK)))
      await one.swarm.settle()
    },
    ends: null,
  },
  {
    name: '100,000 changes of mind',
    act: async ({ swarm, node, peer }) => {
      for (let i = 2; i < 60; i++)
        raw.rawPeer(swarm, node, source, `10.1.0.${String(i)}`).send(raw.HAVE_NONE, raw.INTERESTED)
      await swarm.settle()
      peer.send(raw.HAVE_NONE, many(50_000, Buffer.concat([raw.INTERESTED, raw.NOT_INTERESTED])))
      await swarm.settle()
      for (const end of swarm.network.open('10.0.0.1')) if (end !== peer.end) end.cut()
      await swarm.settle()
      node.log.lines.length = 0
    },
    ends: null,
  },
  {
    name: '100,000 keep-alives',
    act: ({ peer }) => void peer.send(Buffer.alloc(400_000)),
    ends: null,
  },
  {
    name: 'silence for three minutes',
    act: ({ swarm }) => swarm.run(190_000),
    ends: 'silent',
  },
]

const BLOCKS: readonly Row[] = [
  {
    name: 'blocks nobody asked for',
    node: 'leecher',
    act: ({ peer }) => void peer.send(many(50, peer.block({ piece: 3, begin: 0, length: BLOCK }))),
    ends: null,
  },
  {
    name: 'a block of a piece that is not',
    node: 'leecher',
    act: ({ peer }) =>
      void peer.send(raw.message(7, raw.int(2 ** 32 - 1), raw.int(2 ** 32 - 1), Buffer.alloc(BLOCK))),
    ends: null,
  },
  {
    name: 'blocks of a wrong length and offset',
    node: 'leecher',
    act: async ({ swarm, node, peer }) => {
      peer.send(raw.HAVE_ALL, raw.UNCHOKE)
      await swarm.settle()
      for (const { piece, begin } of peer.asked.slice(0, 20)) {
        peer.send(raw.message(7, raw.int(piece), raw.int(begin), Buffer.alloc(BLOCK - 1)))
        peer.send(raw.message(7, raw.int(piece), raw.int(begin + 1), Buffer.alloc(BLOCK)))
        peer.send(raw.message(7, raw.int(piece), raw.int(begin), Buffer.alloc(131_072)))
      }
      await swarm.settle()
      expect(node.torrent.view().doneBytes).toBe(0)
      expect(node.disk.storages.at(-1)?.runs.size).toBe(0)
    },
    ends: null,
  },
  {
    name: 'an end in the middle of a block',
    node: 'leecher',
    act: async ({ swarm, peer }) => {
      peer.send(raw.HAVE_ALL, raw.UNCHOKE)
      await swarm.settle()
      const [first] = peer.asked
      if (first === undefined) throw new Error('nothing asked')
      peer.send(peer.block(first).subarray(0, 1000))
      await swarm.settle()
      peer.end.cut()
      await swarm.settle()
    },
    ends: 'cut',
  },
  {
    name: 'a lie in every block',
    node: 'leecher',
    act: async ({ swarm, node, peer }) => {
      lie(peer)
      peer.send(raw.HAVE_ALL, raw.UNCHOKE)
      await swarm.settle()
      const again = raw.rawPeer(swarm, node, source, '10.1.0.1', { peerId: 'another' })
      await swarm.settle()
      expect(again.end.ended || again.ended !== null).toBe(true)
      expect(node.reasons).toContain('banned')
    },
    ends: 'sent-bad-data',
  },
]

/** Answers every request with bytes that are not the right ones. */
function lie(peer: raw.RawPeer): void {
  answer(peer, (bytes) => bytes.fill(9))
}

function answer(peer: raw.RawPeer, change: (bytes: Buffer) => void = () => undefined): void {
  peer.on(({ id, payload }) => {
    if (id !== 6) return
    const asked = {
      piece: payload.readUInt32BE(0),
      begin: payload.readUInt32BE(4),
      length: payload.readUInt32BE(8),
    }
    peer.send(peer.block(asked, change))
  })
}

describe.each([
  ['a handshake', HANDSHAKES],
  ['a message', MESSAGES],
  ['a request', REQUESTS],
  ['a block', BLOCKS],
])('%s', (_, rows) => {
  it.each(rows.map((row) => [row.name, row.ends ?? 'stays', row] as const))(
    '%s: %s',
    async (_name, _ends, row) => {
      const one = await scene(row)
      await row.act(one)
      await one.swarm.settle()
      expect(one.node.reasons.slice(0, 1)).toEqual(row.ends === null ? [] : [row.ends])
      await expectNothingLeft(one)
    },
  )

  const small = rows.filter((row) => !row.name.startsWith('100,000'))
  it.each(small.map((row) => [row.name, row] as const))('%s, in small chunks', async (_name, row) => {
    const swarm = new Swarm({ chunk: rows === BLOCKS ? 1009 : 7 })
    const node = swarm.node()
    await node.add(source, { have: row.node !== 'leecher' })
    await swarm.until(() => node.torrent.isRunning)
    const peer = raw.rawPeer(swarm, node, source, '10.1.0.1', row.peer)
    await swarm.settle()
    await row.act({ swarm, node, source, peer })
    await swarm.settle()
    expect(node.reasons.slice(0, 1)).toEqual(row.ends === null ? [] : [row.ends])
  })
})

describe('a download among liars', () => {
  it('ends right; who lied in every block is banned, the good one is not', async () => {
    const swarm = new Swarm()
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    const liar = raw.rawPeer(swarm, node, source, '10.1.0.1')
    lie(liar)
    const good = raw.rawPeer(swarm, node, source, '10.1.0.2')
    answer(good)
    liar.send(raw.HAVE_ALL, raw.UNCHOKE)
    good.send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.until(() => node.torrent.state.kind === 'seeding', 300_000)
    await swarm.settle()
    expect(node.hasAll(source)).toBe(true)
    expect(node.reasons[0]).toBe('sent-bad-data')
    expect(node.reasons.slice(1)).not.toContain('sent-bad-data')
  })

  it('ends right where one of three lies now and then', async () => {
    const swarm = new Swarm({ seed: 7 })
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    let turn = 0
    const peers = [1, 2, 3].map((i) => raw.rawPeer(swarm, node, source, `10.1.0.${String(i)}`))
    for (const peer of peers) {
      answer(peer, (bytes) => {
        if (peer === peers[0] && turn++ % 5 === 0) bytes.fill(3)
      })
      peer.send(raw.extended(0, 'd4:reqqi3ee'), raw.HAVE_ALL, raw.UNCHOKE)
    }
    await swarm.until(() => node.torrent.state.kind === 'seeding', 600_000)
    await swarm.settle()
    expect(node.hasAll(source)).toBe(true)
    expect(peers.slice(1).map((peer) => peer.ended)).not.toContain('sent-bad-data')
  })

  it.each([1, 2, 3, 4, 5])('bans the one among ten honest, and nobody else (seed %d)', async (seed) => {
    const swarm = new Swarm({ seed })
    const large = makeSource({ files: 12 * 262_144, pieceLength: 262_144 })
    const node = swarm.node()
    await node.add(large)
    await swarm.settle()
    const peers = Array.from({ length: 11 }, (_, i) => {
      const host = `10.1.0.${String(i + 1)}`
      swarm.network.limit(host, 30_000 + 1000 * i, swarm.clock)
      return raw.rawPeer(swarm, node, large, host, { extensions: true })
    })
    let turn = 0
    peers.forEach((peer, i) => {
      // One byte, now and then: in a piece that several share it cannot be told at once who it was.
      answer(peer, (bytes) => {
        if (i === seed && turn++ % 7 === 0) bytes[100] = (bytes[100] ?? 0) ^ 1
      })
      peer.send(raw.extended(0, 'd4:reqqi4ee'), raw.HAVE_ALL, raw.UNCHOKE)
    })
    await swarm.until(() => node.torrent.state.kind === 'seeding', 600_000)
    await swarm.settle()
    expect(node.hasAll(large)).toBe(true)
    expect(node.reasons.filter((reason) => reason === 'sent-bad-data')).toEqual(['sent-bad-data'])
    expect(peers[seed]?.end.reason ?? peers[seed]?.ended).not.toBeNull()
    const honest = peers.filter((_, i) => i !== seed)
    expect(honest.map(({ ended }) => ended)).not.toContain('sent-bad-data')
  })

  it.each([1, 2])('bans a liar that is gone before the verdict (%d of all blocks wrong)', async (wrong) => {
    const swarm = new Swarm()
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    const good = raw.rawPeer(swarm, node, source, '10.1.0.2')
    answer(good)
    let turn = 0
    // It sends what it is asked for at once, and leaves in the same moment; then it comes again.
    const visit = async (): Promise<boolean> => {
      const peer = raw.rawPeer(swarm, node, source, '10.1.0.1')
      if (peer.end.ended) return false
      peer.send(raw.HAVE_ALL, raw.UNCHOKE)
      await swarm.settle()
      if (peer.ended !== null) return false
      node.disk.hold('write')
      for (const asked of peer.asked) {
        peer.send(peer.block(asked, (bytes) => (turn++ % wrong === 0 ? bytes.fill(9) : undefined)))
      }
      await swarm.settle()
      peer.end.close('gone')
      await swarm.settle()
      node.disk.letGo('write')
      await swarm.run(1000)
      return true
    }
    let visits = 0
    while (visits < 10 && (await visit())) visits++
    expect(visits).toBeGreaterThan(0)
    if (wrong === 1) expect(visits).toBeLessThan(3)
    good.send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.until(() => node.torrent.state.kind === 'seeding', 600_000)
    await swarm.settle()
    expect(node.hasAll(source)).toBe(true)
    expect(good.ended).not.toBe('sent-bad-data')
    const again = raw.rawPeer(swarm, node, source, '10.1.0.1', { peerId: 'another' })
    await swarm.settle()
    expect(again.end.ended || again.ended !== null).toBe(true)
    expect(node.reasons).toContain('banned')
  })

  it('earns nothing with bytes nobody asked for', async () => {
    const swarm = new Swarm()
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    const peer = raw.rawPeer(swarm, node, source, '10.1.0.1').send(raw.HAVE_NONE)
    await swarm.settle()
    for (let n = 0; n < 50; n++) peer.send(peer.block({ piece: 3, begin: 0, length: BLOCK }))
    await swarm.settle()
    expect(node.torrent.peers()).toMatchObject([{ downloaded: 50 * BLOCK, downRate: 0 }])
    expect(node.torrent.wasted).toBe(50 * BLOCK)
  })

  it('never overwrites a piece it has', async () => {
    const swarm = new Swarm()
    const node = swarm.node()
    await node.add(source, { have: true })
    await swarm.until(() => node.torrent.isRunning)
    const peer = raw.rawPeer(swarm, node, source, '10.1.0.1').send(raw.HAVE_NONE, raw.UNCHOKE)
    await swarm.settle()
    for (let begin = 0; begin < 65_536; begin += BLOCK) {
      peer.send(peer.block({ piece: 0, begin, length: BLOCK }, (bytes) => bytes.fill(9)))
    }
    await swarm.run(5000)
    expect(node.torrent.wasted).toBe(65_536)
    expect(node.hasAll(source)).toBe(true)
    expect(node.torrent.state.kind).toBe('seeding')
  })

  it('keeps the first copy of a block in the endgame', async () => {
    const small = makeSource({ files: 65_536 })
    const swarm = new Swarm()
    const node = swarm.node()
    await node.add(small)
    await swarm.settle()
    const slow = raw.rawPeer(swarm, node, small, '10.1.0.1').send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.settle()
    await swarm.run(1500)
    const racer = raw.rawPeer(swarm, node, small, '10.1.0.2').send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.run(1500)
    expect(racer.asked.length).toBeGreaterThan(0)
    // The right copies first, then wrong ones of the same blocks.
    for (const asked of slow.asked) slow.send(slow.block(asked))
    for (const asked of racer.asked) racer.send(racer.block(asked, (bytes) => bytes.fill(1)))
    await swarm.until(() => node.torrent.state.kind === 'seeding')
    await swarm.settle()
    expect(node.hasAll(small)).toBe(true)
    expect(node.reasons).not.toContain('sent-bad-data')
    expect(node.disk.slab.available).toBe(node.disk.slab.capacity)
  })
})
