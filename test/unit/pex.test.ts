import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressKey, parseAddress, type PeerAddress } from '../../daemon/base/address.js'
import {
  decodePex,
  encodePex,
  FLAG_REACHABLE,
  FLAG_SECRET,
  FLAG_SEED,
  MOST_CONTACTS,
  type PexMessage,
} from '../../daemon/codec/pex.js'
import { Candidates } from '../../daemon/swarm/candidates.js'
import { Pex, PexIntake, PexLedger, type PexPeer } from '../../daemon/swarm/pex.js'
import { encode } from '../../shared/torrent/bencode.js'
import { FakeRandom } from '../support/fake-random.js'

function at(text: string): PeerAddress {
  const address = parseAddress(text)
  if (address === null) throw new Error(text)
  return address
}
const MINUTE = 60_000
const nth = (n: number): PeerAddress =>
  at(`8.${String(n >> 16)}.${String((n >> 8) & 255)}.${String(n & 255)}:6881`)
const read = (payload: Uint8Array): PexMessage => {
  const message = decodePex(payload)
  if (message === null) throw new Error('unreadable')
  return message
}

describe('the message', () => {
  it('goes there and back', () => {
    const message = {
      added: [
        { address: at('8.8.8.8:1'), flags: 0x12 },
        { address: at('1.2.3.4:65535'), flags: 0 },
        { address: at('[2001:db8::1]:6881'), flags: 2 },
      ],
      dropped: [at('9.9.9.9:9'), at('[2001:db8::2]:6881')],
    }
    expect(decodePex(encodePex(message))).toEqual(message)
  })

  it('has no empty fields', () => {
    const bytes = encodePex({ added: [{ address: at('1.2.3.4:5'), flags: 0x10 }], dropped: [] })
    expect(Buffer.from(bytes).toString('latin1')).toBe('d5:added6:\x01\x02\x03\x04\x00\x057:added.f1:\x10e')
  })

  it('is read as far as it can be meant', () => {
    const added = Buffer.from([1, 2, 3, 4, 0, 5, 6, 7, 8, 9, 0, 1, 99])
    expect(read(encode({ added, 'added.f': Buffer.from([7]) })).added).toEqual([
      { address: at('1.2.3.4:5'), flags: 7 },
      { address: at('6.7.8.9:1'), flags: 0 },
    ])
    expect(read(encode({ added: 5, added6: [], dropped: {}, 'added.f': 'x' }))).toEqual({
      added: [],
      dropped: [],
    })
    for (const bad of ['', 'x', 'd', 'le', 'i5e', '5:added', 'd5:added999:xe'])
      expect(decodePex(Buffer.from(bad))).toBeNull()
  })

  it('is read up to 50 of each kind and family', () => {
    const message = read(
      encode({
        added: Buffer.alloc(600, 8),
        added6: Buffer.alloc(1800, 0x20),
        dropped: Buffer.alloc(6 * 10_000, 8),
        dropped6: Buffer.alloc(1800, 0x20),
      }),
    )
    expect([message.added.length, message.dropped.length]).toEqual([100, 100])
    expect(message.added.filter(({ address }) => address.family === 4)).toHaveLength(MOST_CONTACTS)
  })
})

describe('what a peer tells', () => {
  const from = at('203.0.113.1:40000')
  const candidates = (): Candidates => new Candidates({}, { random: new FakeRandom(1) })
  const naming = (...peers: readonly PeerAddress[]): Uint8Array =>
    encodePex({ added: peers.map((address) => ({ address, flags: 0 })), dropped: [] })
  const drain = (list: Candidates, withoutSeeds = false): string[] => {
    const all: string[] = []
    for (let next = list.next(0, withoutSeeds); next !== null; next = list.next(0, withoutSeeds))
      all.push(addressKey(next))
    return all.sort()
  }

  it('are candidates, and seeds among them where it says so', () => {
    const list = candidates()
    const bytes = encodePex({
      added: [
        { address: nth(1), flags: FLAG_SEED },
        { address: nth(2), flags: FLAG_REACHABLE | FLAG_SECRET },
        { address: at('[2001:db8::9]:6881'), flags: 0 },
      ],
      dropped: [nth(2)],
    })
    expect(new PexIntake().read(bytes, from, 0, list)).toBeNull()
    expect(list.sourceOf(nth(1))).toBe('pex')
    expect([list.secretOf(nth(1)), list.secretOf(nth(2))]).toEqual([null, true])
    expect(drain(list, true)).toEqual(['8.0.0.2:6881', '[2001:db8::9]:6881'])
    expect(drain(list)).toEqual(['8.0.0.1:6881'])
  })

  it.each([
    ['far away', '203.0.113.1:40000', ['8.0.0.1:6881']],
    ['in the local network', '192.168.1.5:40000', ['10.0.0.1:6881', '8.0.0.1:6881']],
    ['on this machine', '127.0.0.1:40000', ['10.0.0.1:6881', '127.0.0.1:6881', '8.0.0.1:6881']],
  ])('lie no nearer than itself: a peer %s', (_name, teller, taken) => {
    const list = candidates()
    const named = [
      '8.0.0.1:6881',
      '10.0.0.1:6881',
      '127.0.0.1:6881',
      '0.0.0.0:6881',
      '224.0.0.1:6881',
      '255.255.255.255:6881',
      '9.0.0.1:0',
      '9.0.0.2:25',
      '[::]:6881',
      '[ff02::1]:6881',
    ]
    new PexIntake().read(naming(...named.map(at)), at(teller), 0, list)
    expect(drain(list)).toEqual(taken)
  })

  it('is one port of a host, but of its own', () => {
    const list = candidates()
    const many = [1, 2, 3].flatMap((n) => [
      at(`8.8.8.8:${String(7000 + n)}`),
      at(`203.0.113.1:${String(7000 + n)}`),
    ])
    new PexIntake().read(naming(...many), from, 0, list)
    expect(drain(list)).toEqual(['203.0.113.1:7001', '203.0.113.1:7002', '203.0.113.1:7003', '8.8.8.8:7001'])
  })

  it('counts once a minute; who says more is not listened to, and in the end let go', () => {
    const list = candidates()
    const intake = new PexIntake()
    const say = (n: number, now: number): string | null => intake.read(naming(nth(n)), from, now, list)
    // The first, and one that waited.
    expect([say(1, 0), say(2, 100), say(3, 200)]).toEqual([null, null, null])
    expect(list.size).toBe(2)
    for (let n = 4; n < 100; n++) expect(say(n, n * MINUTE)).toBeNull()
    expect(list.size).toBe(98)
    const reasons = Array.from({ length: 12 }, (_, n) => say(1000 + n, 100 * MINUTE))
    expect(reasons.indexOf('pex-floods')).toBe(11)
    expect(list.size).toBe(100)
  })

  it('is not even read when it comes too soon', () => {
    const intake = new PexIntake()
    const list = candidates()
    for (const _ of [1, 2]) intake.read(naming(nth(1)), from, 0, list)
    expect(intake.read(Buffer.from('nonsense'), from, 0, list)).toBeNull()
    expect(intake.read(Buffer.from('nonsense'), from, 2 * MINUTE, list)).toBe('pex-malformed')
  })

  it('has room for 200 of one network and half the list in all, however long it goes on', () => {
    const list = candidates()
    let n = 0
    const flood = (teller: PeerAddress): void => {
      const intake = new PexIntake()
      for (let minute = 0; minute < 100; minute++) {
        const payload = naming(...Array.from({ length: 50 }, () => nth(++n)))
        intake.read(payload, teller, minute * MINUTE, list)
      }
    }
    flood(from)
    expect(list.size).toBe(200)
    // Another port, another connection: the same quota.
    flood({ ...from, port: 5 })
    expect(list.size).toBe(200)
    flood(at('[2001:db8:0:7::1]:1'))
    flood(at('[2001:db8:0:7::2]:1'))
    expect(list.size).toBe(400)
    for (let teller = 2; teller < 18; teller++) flood(at(`203.0.113.${String(teller)}:1`))
    expect(n).toBeGreaterThanOrEqual(100_000)
    expect(list.size).toBe(1500)
    expect(list.add(nth(n + 1), 'tracker')).toBe(true)
  })

  it('has room again when what it named is forgotten, banned, or named by the user', () => {
    const list = candidates()
    const fill = (): number => {
      const before = list.size
      for (let n = 0; n < 300; n++) list.add(nth(n), 'pex', from)
      return list.size - before
    }
    expect(fill()).toBe(200)
    list.ban(nth(7))
    list.addSelf(nth(8))
    list.add(nth(9), 'user')
    expect(fill()).toBe(3)
    list.forgetForeign()
    expect(list.size).toBe(1)
    expect(fill()).toBe(200)
  })
})

// --- what peers are told

class Someone implements PexPeer {
  readonly pex = new PexLedger()
  readonly sent: { readonly now: number; readonly message: PexMessage }[] = []
  listening: PeerAddress | null = null
  uploadOnly = false
  encryption: 'none' | 'handshake' | 'rc4' = 'none'
  speaksPex = true
  connectedAt = 0
  readonly transport: PexPeer['transport']
  constructor(
    readonly handle: number,
    address: PeerAddress,
    direction: 'in' | 'out',
    readonly now: () => number,
  ) {
    this.transport = { address, direction }
    this.connectedAt = now()
  }
  sendPex(payload: Uint8Array): void {
    this.sent.push({ now: this.now(), message: read(payload) })
  }
  get known(): string[] {
    const known = new Set<string>()
    for (const { message } of this.sent) {
      for (const address of message.dropped) known.delete(addressKey(address))
      for (const { address } of message.added) known.add(addressKey(address))
    }
    return [...known].sort()
  }
}

class Room {
  now = 0
  readonly pex = new Pex()
  readonly peers = new Map<string, Someone>()
  private handles = 0
  join(text: string, direction: 'in' | 'out' = 'out', listens?: number): Someone {
    const peer = new Someone(++this.handles, at(text), direction, () => this.now)
    if (listens !== undefined) peer.listening = { ...peer.transport.address, port: listens }
    this.peers.set(text, peer)
    this.pex.moved()
    return peer
  }
  leave(text: string): void {
    this.peers.delete(text)
    this.pex.moved()
  }
  run(seconds: number): void {
    for (let n = 0; n < seconds; n++) {
      this.now += 1000
      this.pex.tick(this.now, () => this.peers.values())
    }
  }
}

describe('what a peer is told', () => {
  it('is who can be dialled, but not itself, with flags', () => {
    const room = new Room()
    const out = room.join('8.0.0.1:6881')
    const seed = room.join('8.0.0.2:6881')
    seed.uploadOnly = true
    seed.encryption = 'handshake'
    const into = room.join('8.0.0.3:40000', 'in', 7000)
    room.join('8.0.0.4:40000', 'in')
    room.join('[2001:db8::1]:6881')
    room.run(2)
    expect(out.sent).toEqual([
      {
        now: 2000,
        message: {
          added: [
            { address: at('8.0.0.2:6881'), flags: FLAG_REACHABLE | FLAG_SEED | FLAG_SECRET },
            { address: at('8.0.0.3:7000'), flags: 0 },
            { address: at('[2001:db8::1]:6881'), flags: FLAG_REACHABLE },
          ],
          dropped: [],
        },
      },
    ])
    expect(into.known).toEqual(['8.0.0.1:6881', '8.0.0.2:6881', '[2001:db8::1]:6881'])
  })

  it('is what changed, once a minute at most, and nothing where nothing did', () => {
    const room = new Room()
    const peer = room.join('8.0.0.1:6881')
    room.join('8.0.0.2:6881')
    room.run(10)
    room.join('8.0.0.3:6881')
    room.join('8.0.0.9:6881')
    room.leave('8.0.0.9:6881')
    room.leave('8.0.0.2:6881')
    room.run(200)
    expect(peer.sent.map(({ now }) => now)).toEqual([2000, 62_000])
    expect(peer.sent[1]?.message).toEqual({
      added: [{ address: at('8.0.0.3:6881'), flags: FLAG_REACHABLE }],
      dropped: [at('8.0.0.2:6881')],
    })
    // It comes and goes within a minute: nothing to say.
    room.join('8.0.0.4:6881')
    room.run(1)
    expect(peer.sent).toHaveLength(3)
    room.leave('8.0.0.4:6881')
    room.join('8.0.0.4:6881')
    room.run(300)
    expect(peer.sent).toHaveLength(3)
  })

  it('is nothing where it does not speak of it, or is alone', () => {
    const room = new Room()
    const mute = room.join('8.0.0.1:6881')
    mute.speaksPex = false
    const alone = room.join('8.0.0.2:40000', 'in')
    room.leave('8.0.0.1:6881')
    room.run(100)
    expect([mute.sent, alone.sent]).toEqual([[], []])
  })

  it('is never nearer to us than it is itself', () => {
    const room = new Room()
    const far = room.join('8.0.0.1:6881')
    const near = room.join('192.168.0.7:6881')
    const here = room.join('127.0.0.1:6881')
    room.run(2)
    expect(far.known).toEqual([])
    expect(near.known).toEqual(['8.0.0.1:6881'])
    expect(here.known).toEqual(['192.168.0.7:6881', '8.0.0.1:6881'])
  })

  it('in a large swarm comes in messages of 50, to 100 and not the same ones for all', () => {
    const room = new Room()
    const peers = Array.from({ length: 300 }, (_, n) => room.join(addressKey(nth(n + 1))))
    room.run(1000)
    for (const peer of peers) {
      expect(peer.known).toHaveLength(100)
      expect(peer.sent).toHaveLength(2)
      for (const { message } of peer.sent) expect(message.added.length).toBeLessThanOrEqual(50)
    }
    expect(new Set(peers.flatMap((peer) => peer.known)).size).toBe(300)
    for (let n = 0; n < 250; n++) room.leave(addressKey(nth(n + 1)))
    room.run(1000)
    for (const peer of room.peers.values()) expect(peer.known).toHaveLength(49)
  })

  it('adds up to who is connected, whatever happens, within the rules of every message', () => {
    const step = fc.record({ who: fc.nat(12), seconds: fc.nat(90) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const room = new Room()
        const watcher = room.join('9.9.9.9:40000', 'in', 9)
        for (const { who, seconds } of steps) {
          const name = addressKey(nth(who))
          if (room.peers.has(name)) room.leave(name)
          else room.join(name)
          room.run(seconds)
        }
        room.run(200)
        const connected = [...room.peers.keys()].filter((name) => name !== '9.9.9.9:40000')
        expect(watcher.known).toEqual(connected.sort())
        watcher.sent.reduce((before, { now, message: { added, dropped } }) => {
          expect(now - before).toBeGreaterThanOrEqual(MINUTE)
          const keys = [...added.map(({ address }) => address), ...dropped].map(addressKey)
          expect(keys.length).toBeGreaterThan(0)
          expect(new Set(keys).size).toBe(keys.length)
          return now
        }, -Infinity)
      }),
      { numRuns: 100 },
    )
  })
})
