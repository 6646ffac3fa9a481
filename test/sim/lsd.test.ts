/** Local discovery on a virtual network of two groups, in virtual time. */
import { describe, expect, it } from 'vitest'
import type { PeerAddress } from '../../daemon/base/address.js'
import { MOST_KEYS, readLsd, writeLsd } from '../../daemon/codec/lsd.js'
import { Lsd } from '../../daemon/lsd/lsd.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'

const MINUTE = 60_000
const keyOf = (at: number): SwarmKey => at.toString(16).padStart(40, '0') as SwarmKey

/** Whoever is a member of a group hears all that is sent there, the sender too. */
class Lan {
  readonly clock = new FakeClock()
  readonly hosts: Host[] = []
  /** Every datagram: when, by whom, to which group. */
  readonly log: { at: number; host: number; family: 4 | 6; packet: Buffer }[] = []

  host(families: (4 | 6)[] = [4, 6]): Host {
    const host = new Host(this, this.hosts.length + 1, families)
    this.hosts.push(host)
    return host
  }

  carry(from: Host, packet: Buffer, family: 4 | 6): void {
    this.log.push({ at: this.clock.now(), host: from.number, family, packet })
    for (const host of this.hosts) {
      if (host.families.includes(family)) host.lsd.receive(packet, from.address(family))
    }
  }
}

class Host {
  readonly number: number
  readonly families: readonly (4 | 6)[]
  readonly lsd: Lsd
  port = 6881
  /** What each torrent was told, as HOST:PORT. */
  readonly found = new Map<SwarmKey, string[]>()
  private = false

  constructor(lan: Lan, number: number, families: (4 | 6)[]) {
    this.number = number
    this.families = families
    const send = (packet: Buffer, family: 4 | 6): void => lan.carry(this, packet, family)
    const { clock } = lan
    this.lsd = new Lsd({ cookie: `host${String(number)}` }, { clock, listenPort: () => this.port, send })
    this.lsd.open(families)
  }

  address(family: 4 | 6): PeerAddress {
    return {
      host: family === 4 ? `10.0.0.${String(this.number)}` : `fd00::${String(this.number)}`,
      port: 6771,
      family,
    }
  }

  join(key: SwarmKey): ReturnType<Lsd['join']> {
    const found: string[] = []
    this.found.set(key, found)
    return this.lsd.join(key, {
      found: (peers) => found.push(...peers.map(({ host, port }) => `${host} ${String(port)}`)),
      isPrivate: () => this.private,
    })
  }
}

describe('hosts of one network', () => {
  it('find each other within a second of the second one starting, over both groups, and never themselves', () => {
    const lan = new Lan()
    const [one, two, six] = [lan.host(), lan.host([4]), lan.host([6])]
    two.port = 2000
    for (const host of [one, six]) host.join(keyOf(7))
    lan.clock.advance(5000)
    two.join(keyOf(7))
    two.join(keyOf(8))
    lan.clock.advance(1000)
    expect(one.found.get(keyOf(7))).toEqual(['fd00::3 6881', '10.0.0.2 2000'])
    expect(six.found.get(keyOf(7))).toEqual(['fd00::1 6881'])
    expect(two.found.get(keyOf(8))).toEqual([])
    // Those who were there first are heard at their next announce.
    lan.clock.advance(5 * MINUTE)
    expect(two.found.get(keyOf(7))).toEqual(['10.0.0.1 6881'])
  })

  it('a torrent that left, or turned out to be private, is neither told nor announced', () => {
    const lan = new Lan()
    const [one, two] = [lan.host(), lan.host()]
    const place = one.join(keyOf(1))
    lan.clock.advance(2 * MINUTE)
    place.leave()
    two.join(keyOf(1))
    lan.clock.advance(20 * MINUTE)
    expect(one.found.get(keyOf(1))).toEqual([])
    expect(lan.log.filter(({ host }) => host === 1)).toHaveLength(2)
    one.private = true
    one.join(keyOf(1))
    lan.clock.advance(20 * MINUTE)
    expect(one.found.get(keyOf(1))).toEqual([])
    expect(lan.log.filter(({ host }) => host === 1)).toHaveLength(2)
  })

  it('whoever cannot be reached announces nothing, and hears all the same', () => {
    const lan = new Lan()
    const [mute, two] = [lan.host([4]), lan.host([4])]
    mute.port = 0
    mute.join(keyOf(1))
    two.join(keyOf(1))
    lan.clock.advance(10 * MINUTE)
    expect(mute.found.get(keyOf(1))).not.toEqual([])
    expect(lan.log.some(({ host }) => host === 1)).toBe(false)
  })
})

describe('the pace', () => {
  it.each([1, 5, MOST_KEYS, 100, 500])(
    'with %i torrents: a message a minute at most, each in its turn',
    (count) => {
      const lan = new Lan()
      const host = lan.host()
      for (let at = 0; at < count; at++) host.join(keyOf(at))
      const hours = 2
      lan.clock.advance(hours * 60 * MINUTE)
      for (const family of [4, 6] as const) {
        const times = lan.log.filter((each) => each.family === family).map(({ at }) => at)
        const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0))
        expect(Math.min(...gaps)).toBeGreaterThanOrEqual(MINUTE)
        expect(times[0]).toBeLessThan(1000)
      }
      const told = new Map<string, number>()
      for (const { packet, family } of lan.log) {
        if (family !== 4) continue
        expect(packet.length).toBeLessThanOrEqual(1400)
        for (const key of readLsd(packet)?.keys ?? []) told.set(key, (told.get(key) ?? 0) + 1)
      }
      expect(told.size).toBe(count)
      // Every five minutes, or as often as there is room for.
      const fair = Math.min((hours * 60) / 5, (hours * 60 * MOST_KEYS) / count)
      for (const times of told.values()) expect(times).toBeGreaterThanOrEqual(Math.floor(fair) - 1)
      if (count <= MOST_KEYS) for (const times of told.values()) expect(times).toBeLessThanOrEqual(fair + 1)
    },
  )

  it('a torrent that is new goes before those that were told before', () => {
    const lan = new Lan()
    const host = lan.host([4])
    for (let at = 0; at < 1000; at++) host.join(keyOf(at))
    lan.clock.advance(50 * MINUTE)
    const before = lan.log.length
    host.join(keyOf(5000))
    lan.clock.advance(MINUTE)
    expect(readLsd(lan.log[before]?.packet ?? Buffer.alloc(0))?.keys).toContain(keyOf(5000))
  })

  it('one timer, however many torrents; none when they have left or the groups are closed', () => {
    const lan = new Lan()
    const host = lan.host()
    const places = Array.from({ length: 50 }, (_, at) => host.join(keyOf(at)))
    expect(lan.clock.pending).toBe(1)
    host.lsd.open([])
    expect(lan.clock.pending).toBe(0)
    host.lsd.open([4])
    expect(lan.clock.pending).toBe(1)
    for (const place of places) place.leave()
    expect(lan.clock.pending).toBe(0)
  })
})

describe('a flood', () => {
  it('of one sender is dropped after 300 in ten seconds, and others are still heard', () => {
    const lan = new Lan()
    const host = lan.host([4])
    host.join(keyOf(1))
    for (let at = 0; at < 100_000; at++) {
      const packet = writeLsd(4, { port: 1 + (at % 60_000), keys: [keyOf(at % 10)], cookie: '' })
      host.lsd.receive(packet, { host: '10.0.0.66', port: 6771, family: 4 })
    }
    expect(host.lsd.counts.heard).toBe(300)
    host.lsd.receive(writeLsd(4, { port: 9, keys: [keyOf(1)], cookie: '' }), {
      host: '10.0.0.67',
      port: 6771,
      family: 4,
    })
    expect(host.lsd.counts.heard).toBe(301)
    expect(host.found.get(keyOf(1))).toContain('10.0.0.67 9')
  })

  it('in the names of many: a thousand are read, and a torrent takes fifty of them', () => {
    const lan = new Lan()
    const host = lan.host([4])
    host.join(keyOf(1))
    const flood = (): void => {
      for (let at = 0; at < 50_000; at++) {
        const from = `10.1.${String(at >> 8)}.${String(at & 255)}`
        const packet = writeLsd(4, { port: 9, keys: [keyOf(1)], cookie: '' })
        host.lsd.receive(packet, { host: from, port: 6771, family: 4 })
      }
    }
    flood()
    expect([host.lsd.counts.heard, host.found.get(keyOf(1))?.length]).toEqual([1000, 50])
    lan.clock.advance(10_000)
    flood()
    // The announce between the two opens the door for as many again, and not for more.
    expect([host.lsd.counts.heard, host.found.get(keyOf(1))?.length]).toEqual([2000, 100])
  })
})
