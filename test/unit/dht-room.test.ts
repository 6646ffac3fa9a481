/** The DHT as the daemon has it: settings, torrents and the store, over sockets of the test's own. */
import { describe, expect, it } from 'vitest'
import type { PeerAddress } from '../../daemon/base/address.js'
import type { Endpoint } from '../../daemon/codec/krpc.js'
import { type Krpc, readKrpc } from '../../daemon/codec/krpc.js'
import { writeReply } from '../../daemon/codec/krpc-writer.js'
import { endpointOf, idFrom } from '../../daemon/dht/id.js'
import { DhtRoom } from '../../daemon/session/dht.js'
import { beside } from '../../daemon/session/beside.js'
import { readSaved, writeSaved } from '../../daemon/session/dht-saved.js'
import type { TorrentRow } from '../../daemon/ports/store.js'
import type { Tracker } from '../../daemon/swarm/tracker-port.js'
import { SETTINGS, type Settings } from '../../shared/settings.js'
import { readNodes } from '../../shared/torrent/metainfo-nodes.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeLog } from '../support/fake-log.js'
import { FakeRandom } from '../support/fake-random.js'

const KEY = 'ab'.repeat(20) as SwarmKey
const DOOR = '127.0.0.1:7001'

class World {
  readonly clock = new FakeClock()
  readonly meta = new Map<string, string>()
  readonly settings: Record<string, unknown> = {
    'dht.enabled': true,
    'dht.port': 0,
    'dht.bootstrap': DOOR,
    'dht.readOnly': false,
  }
  /** What was sent and read by nobody yet. */
  sent: { readonly message: Krpc; readonly to: PeerAddress }[] = []
  readonly opened: number[] = []
  open = 0
  receive: (packet: Buffer, from: PeerAddress) => void = () => undefined
  readonly room: DhtRoom

  constructor() {
    this.room = new DhtRoom({
      clock: this.clock,
      random: new FakeRandom(2),
      log: new FakeLog(),
      store: {
        getMeta: async (key) => this.meta.get(key) ?? null,
        setMeta: async (key, value) => void this.meta.set(key, value),
      },
      listenPort: () => 6881,
      settings: () => this.settings as unknown as Settings,
      network: {
        allows: ({ host }) => host.startsWith('127.'),
        resolve: async (host) => (/^[\d.]+$/.test(host) ? [{ host, family: 4 }] : []),
        open: async (port, receive) => {
          this.opened.push(port)
          this.open++
          this.receive = receive
          return {
            families: [4],
            port,
            error: null,
            send: (packet, to) => {
              const message = readKrpc(packet)
              if (message !== null) this.sent.push({ message, to })
            },
            close: () => {
              this.open--
            },
          }
        },
      },
    })
  }

  /** So many seconds, in which the node answers at once. */
  pass(seconds: number): string[] {
    const asked: string[] = []
    for (let second = 0; second < seconds; second++) {
      this.clock.advance(1000)
      asked.push(...this.answer(PEER))
    }
    return asked
  }

  /** One node at the door answers everything, and names one peer. */
  answer(peer: Endpoint): string[] {
    const asked: string[] = []
    for (let turn = 0; turn < 20 && this.sent.length > 0; turn++) {
      for (const { message, to } of this.sent.splice(0)) {
        if (message.kind !== 'query') continue
        asked.push(message.method)
        const { transaction, method } = message
        const said = { transaction, version: '', ip: endpointOf(to), most: 1024, nodes: [] }
        const id = idFrom(new Uint8Array(20).fill(9))
        const peers = method === 'get_peers' ? { token: 'tok', values: [peer] } : {}
        this.receive(writeReply({ ...said, id, ...peers }) ?? Buffer.alloc(0), to)
      }
    }
    return asked
  }
}

const PEER = endpointOf({ host: '127.0.0.5', port: 99, family: 4 })
const row = { hashes: { v1: KEY }, private: false } as unknown as TorrentRow

function tracker(): Tracker {
  const nothing = (): void => undefined
  return {
    start: nothing,
    stop: (_cap, done) => {
      done()
    },
    completed: nothing,
    need: nothing,
    announceNow: nothing,
    addTrackers: nothing,
    removeTrackers: nothing,
    scrape: nothing,
    views: () => [],
  }
}

async function started(): Promise<World> {
  const world = new World()
  await world.room.apply()
  await Promise.resolve()
  for (let i = 0; i < 5; i++) await Promise.resolve()
  return world
}

describe('a torrent', () => {
  it('announces itself when it starts, every quarter of an hour, and sooner where it has nobody', async () => {
    const world = await started()
    const found: PeerAddress[] = []
    const asks = {
      stats: () => ({ uploaded: 0, downloaded: 0, left: 5 }),
      found: (peers: readonly PeerAddress[], source?: string) => {
        expect(source).toBe('dht')
        found.push(...peers)
      },
      isPrivate: () => false,
      changed: () => undefined,
    }
    const both = beside(world.room, 'dht', row, asks, tracker())
    world.answer(PEER)
    both.start()
    world.clock.advance(0)
    expect(world.answer(PEER)).toEqual(['get_peers', 'announce_peer'])
    expect(found).toEqual([{ host: '127.0.0.5', port: 99, family: 4 }])
    expect(world.pass(12 * 60)).not.toContain('get_peers')
    expect(world.pass(5 * 60)).toContain('announce_peer')
    both.need('urgent')
    expect(world.pass(61)).toContain('get_peers')
    both.stop(0, () => undefined)
    expect(world.pass(60 * 60)).not.toContain('get_peers')
  })

  it('that began while nobody was known announces itself once somebody is', async () => {
    const world = new World()
    world.settings['dht.bootstrap'] = ''
    await world.room.apply()
    const asks = {
      stats: () => ({ uploaded: 0, downloaded: 0, left: 5 }),
      found: () => undefined,
      isPrivate: () => false,
      changed: () => undefined,
    }
    const both = beside(world.room, 'dht', row, asks, tracker())
    both.start()
    expect(world.pass(1)).toEqual([])
    world.settings['dht.bootstrap'] = DOOR
    await world.room.apply()
    for (let i = 0; i < 5; i++) await Promise.resolve()
    expect(world.pass(17 * 60)).toContain('announce_peer')
    both.stop(0, () => undefined)
  })

  it('that is private never comes near it, and leaves when that becomes known (BEP 27)', async () => {
    const world = await started()
    const known = { private: true }
    const asks = {
      stats: () => ({ uploaded: 0, downloaded: 0, left: 5 }),
      found: () => undefined,
      isPrivate: () => known.private,
      changed: () => undefined,
    }
    const both = beside(world.room, 'dht', row, asks, tracker())
    world.answer(PEER)
    both.start()
    world.clock.advance(0)
    expect(world.answer(PEER)).not.toContain('get_peers')
    known.private = false
    both.start()
    world.clock.advance(0)
    expect(world.answer(PEER)).toContain('get_peers')
    known.private = true
    both.start()
    expect(world.pass(60 * 60)).not.toContain('get_peers')
  })
})

describe('settings', () => {
  it('turn it on and off, move it, and keep its nodes', async () => {
    const world = await started()
    world.answer(PEER)
    expect(world.room.gate.port()).toBe(6881)
    world.settings['dht.port'] = 7777
    await world.room.apply()
    expect(world.opened).toEqual([6881, 7777])
    expect(readSaved(world.meta.get('dht') ?? null)[0]?.nodes).toHaveLength(1)
    world.settings['dht.enabled'] = false
    await world.room.apply()
    expect([world.open, world.room.gate.port(), world.clock.pending]).toEqual([0, 0, 0])
    expect(() => world.room.lookup(KEY)).toThrow(/The DHT is off/)
  })

  it('make it a node that only asks, at once (BEP 43)', async () => {
    const world = await started()
    world.answer(PEER)
    const asked = async (): Promise<unknown> => {
      const looking = world.room.lookup(KEY)
      const [first] = world.sent
      world.answer(PEER)
      world.clock.advance(0)
      await looking
      return first?.message.kind === 'query' && first.message.readOnly
    }
    expect(await asked()).toBe(false)
    world.settings['dht.readOnly'] = true
    await world.room.apply()
    world.answer(PEER)
    expect(await asked()).toBe(true)
    await world.room.apply()
    expect(world.opened).toEqual([6881, 6881])
  })

  it('a lookup tells who is there, and announces nothing', async () => {
    const world = await started()
    world.answer(PEER)
    const looking = world.room.lookup(KEY)
    // Once for peers, once for how many they are.
    expect(world.answer(PEER)).toEqual(['get_peers', 'get_peers'])
    world.clock.advance(0)
    expect(await looking).toMatchObject({ peers: ['127.0.0.5:99'], searches: [{ family: 4, answered: 1 }] })
  })

  it('a lookup in silence ends', async () => {
    const world = await started()
    const looking = world.room.lookup(KEY)
    world.clock.advance(31_000)
    expect((await looking).peers).toEqual([])
  })

  it.each(['', DOOR, 'router.example.net:6881', '[2001:db8::1]:1, 127.0.0.1:65535'])(
    'dht.bootstrap takes %j',
    (list) => {
      expect(SETTINGS['dht.bootstrap'].check(list).ok).toBe(true)
    },
  )
  it.each(['x', 'x:0', 'x:65536', ':1', '[::1', '[x]:1', 'a b:1', 'http://x:1', '1.2.3.4:5,,', '-x:1'])(
    'dht.bootstrap refuses %j',
    (list) => {
      expect(SETTINGS['dht.bootstrap'].check(list).ok).toBe(false)
    },
  )
  it('dht.enabled is read from words', () => {
    const { read, check } = SETTINGS['dht.enabled']
    expect([read('on'), read('FALSE'), check(true)].map((one) => one.ok && one.value)).toEqual([
      true,
      false,
      true,
    ])
    expect([read('maybe'), check('true'), read('constructor')].map((one) => one.ok)).toEqual([
      false,
      false,
      false,
    ])
  })
})

describe('saved nodes', () => {
  it('come back as they were', () => {
    const id = idFrom(new Uint8Array(20).fill(200))
    const saved = [{ family: 4 as const, id, nodes: [{ id, at: PEER }] }]
    expect(readSaved(writeSaved(saved))).toEqual(saved)
  })
  it.each(['', 'x', '{}', '[1]', '[{"family":5}]', '[{"family":4,"id":"zz","nodes":""}]', 'null'])(
    'of %j there are none',
    (text) => {
      expect(readSaved(text)).toEqual([])
    },
  )
})

it('a .torrent names nodes, and what is wrong among them is passed over', () => {
  const torrent = Buffer.from('d5:nodesll9:127.0.0.1i7001eel0:i5eel1:xi0eei7el1:yi70000eel3:a.bi1eeee')
  expect(readNodes(torrent)).toEqual([
    { host: '127.0.0.1', port: 7001 },
    { host: 'a.b', port: 1 },
  ])
  expect(readNodes(Buffer.from('d5:nodesi1ee'))).toEqual([])
  expect(readNodes(Buffer.from('garbage'))).toEqual([])
})
