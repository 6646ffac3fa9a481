/** Local discovery as the daemon has it: settings, scope, sockets that are only there while a torrent needs them. */
import { describe, expect, it } from 'vitest'
import type { PeerAddress, Scope } from '../../daemon/base/address.js'
import { writeLsd } from '../../daemon/codec/lsd.js'
import { createLsdNetwork } from '../../daemon/io/lsd-socket.js'
import type { TorrentRow } from '../../daemon/ports/store.js'
import { beside } from '../../daemon/session/beside.js'
import { LsdRoom } from '../../daemon/session/lsd.js'
import type { Tracker, TrackerAsks } from '../../daemon/swarm/tracker-port.js'
import type { Settings } from '../../shared/settings.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeLog } from '../support/fake-log.js'
import { FakeRandom } from '../support/fake-random.js'

const KEY = 'ab'.repeat(20) as SwarmKey
const FROM: PeerAddress = { host: '10.0.0.9', port: 6771, family: 4 }
const row = { hashes: { v1: KEY }, private: false } as unknown as TorrentRow

class World {
  readonly clock = new FakeClock()
  enabled = true
  families: (4 | 6)[] = [4, 6]
  /** Sockets that stand, and how often they were opened. */
  open = 0
  opened = 0
  readonly sent: string[] = []
  hear: (packet: Buffer, from: PeerAddress) => void = () => undefined
  readonly room: LsdRoom

  constructor(allowed = true) {
    this.room = new LsdRoom({
      clock: this.clock,
      random: new FakeRandom(3),
      log: new FakeLog(),
      listenPort: () => 6881,
      settings: () => ({ 'lsd.enabled': this.enabled }) as unknown as Settings,
      network: {
        allowed,
        open: async (receive) => {
          this.open++
          this.opened++
          this.hear = receive
          return {
            families: this.families,
            send: (packet) => this.sent.push(packet.toString()),
            close: () => this.open--,
          }
        },
      },
    })
  }

  torrent(asks: Partial<TrackerAsks> = {}): Tracker {
    const nothing = (): void => undefined
    const tracker: Tracker = {
      start: nothing,
      stop: (_cap, done) => done(),
      completed: nothing,
      need: nothing,
      announceNow: nothing,
      addTrackers: nothing,
      removeTrackers: nothing,
      scrape: nothing,
      views: () => [],
    }
    const given: TrackerAsks = {
      stats: () => ({ uploaded: 0, downloaded: 0, left: 5 }),
      found: nothing,
      isPrivate: () => false,
      changed: nothing,
      ...asks,
    }
    return beside(this.room, 'lsd', row, given, tracker)
  }

  async settle(): Promise<void> {
    await this.room.apply()
    this.clock.advance(1000)
  }
}

describe('sockets', () => {
  it('are there while a torrent runs, and nothing waits without one', async () => {
    const world = new World()
    await world.settle()
    expect([world.open, world.clock.pending]).toEqual([0, 0])
    const torrent = world.torrent()
    torrent.start()
    await world.settle()
    expect([world.open, world.sent.length]).toEqual([1, 2])
    torrent.stop(0, () => undefined)
    await world.settle()
    expect([world.open, world.clock.pending]).toEqual([0, 0])
    torrent.start()
    await world.settle()
    expect(world.open).toBe(1)
    await world.room.stop()
    expect([world.open, world.clock.pending]).toEqual([0, 0])
  })

  it('are never opened where the scope is this machine, and status says so', async () => {
    const allowed = (scope: Scope): boolean => createLsdNetwork({ scope, localHosts: [] }).allowed
    expect([allowed('loopback'), allowed('private'), allowed('internet')]).toEqual([false, true, true])
    const world = new World(allowed('loopback'))
    world.torrent().start()
    await world.settle()
    expect([world.opened, world.sent]).toEqual([0, []])
    expect(world.room.view()).toMatchObject({
      reason: 'net.scope is loopback: nothing may leave this machine.',
    })
  })

  it('follow lsd.enabled at once', async () => {
    const world = new World()
    world.torrent().start()
    await world.settle()
    expect(world.room.view()).toMatchObject({
      enabled: true,
      reason: null,
      torrents: 1,
      families: [4, 6],
      sent: 1,
    })
    world.enabled = false
    await world.settle()
    expect([world.open, world.clock.pending]).toEqual([0, 0])
    expect(world.room.view()).toMatchObject({ enabled: false, reason: 'lsd.enabled is false.' })
    world.enabled = true
    await world.settle()
    expect(world.open).toBe(1)
  })

  it('are opened anew on another network, and where there is none that is no fault', async () => {
    const world = new World()
    world.families = []
    world.torrent().start()
    await world.settle()
    expect([world.open, world.sent, world.room.view().reason]).toEqual([
      1,
      [],
      'this machine is in no network.',
    ])
    world.families = [4]
    await world.room.changed()
    await world.settle()
    expect([world.open, world.opened, world.sent.length]).toEqual([1, 2, 1])
  })
})

describe('a torrent', () => {
  it('hears of peers while it runs', async () => {
    const world = new World()
    const found: [PeerAddress, string | undefined][] = []
    const torrent = world.torrent({
      found: (peers, source) =>
        found.push(...peers.map((peer): [PeerAddress, typeof source] => [peer, source])),
    })
    torrent.start()
    await world.settle()
    const packet = writeLsd(4, { port: 51_413, keys: [KEY], cookie: '' })
    world.hear(packet, FROM)
    expect(found).toEqual([[{ ...FROM, port: 51_413 }, 'lsd']])
    torrent.stop(0, () => undefined)
    world.hear(writeLsd(4, { port: 2, keys: [KEY], cookie: '' }), FROM)
    expect(found).toHaveLength(1)
  })

  it('that is private is not announced and hears nothing, and goes when that becomes known (BEP 27)', async () => {
    const world = new World()
    const found: unknown[] = []
    let known = true
    const torrent = world.torrent({ isPrivate: () => known, found: (peers) => found.push(...peers) })
    torrent.start()
    await world.settle()
    expect([world.opened, world.room.view().torrents]).toEqual([0, 0])
    known = false
    torrent.start()
    await world.settle()
    expect(world.sent).toHaveLength(2)
    // The metadata came, and the torrent has not started again yet.
    known = true
    world.hear(writeLsd(4, { port: 2, keys: [KEY], cookie: '' }), FROM)
    world.clock.advance(3_600_000)
    expect([found, world.sent.length]).toEqual([[], 2])
    torrent.start()
    await world.settle()
    expect([world.open, world.room.view().torrents]).toEqual([0, 0])
  })
})
