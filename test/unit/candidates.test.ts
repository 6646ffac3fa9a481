import { describe, expect, it } from 'vitest'
import type { PeerAddress } from '../../daemon/base/address.js'
import { Candidates } from '../../daemon/swarm/candidates.js'
import { peerPriority } from '../../daemon/swarm/priority.js'
import { FakeRandom } from '../support/fake-random.js'

function peer(n: number, port = 20_000): PeerAddress {
  return { host: `203.0.${String(Math.floor(n / 250))}.${String((n % 250) + 1)}`, port, family: 4 }
}

function make(limit?: number, seed = 1): Candidates {
  return new Candidates(limit === undefined ? {} : { limit }, { random: new FakeRandom(seed) })
}

/** All that may be dialled now, in the order they are offered. */
function drain(candidates: Candidates, now: number): PeerAddress[] {
  const out: PeerAddress[] = []
  for (let address = candidates.next(now); address !== null; address = candidates.next(now)) out.push(address)
  return out
}

const HOUR = 3_600_000

describe('Candidates', () => {
  it('offers each peer once, in random order', () => {
    const candidates = make()
    const peers = Array.from({ length: 20 }, (_, i) => peer(i))
    expect(peers.map((one) => candidates.add(one, 'tracker'))).toEqual(peers.map(() => true))
    expect(candidates.add({ ...peer(3) }, 'incoming')).toBe(false)
    const offered = drain(candidates, 0)
    expect(new Set(offered)).toEqual(new Set(peers))
    expect(offered).not.toEqual(peers)
    expect(candidates.size).toBe(20)
    expect(candidates.next(HOUR)).toBeNull()
  })

  it('remembers how a peer takes calls, and nothing of one that is not known', () => {
    const candidates = make()
    candidates.add(peer(1), 'tracker')
    candidates.noteSecret(peer(2), true)
    expect([candidates.secretOf(peer(1)), candidates.secretOf(peer(2))]).toEqual([null, null])
    candidates.noteSecret(peer(1), true)
    candidates.failed(peer(1), 0)
    expect(candidates.secretOf(peer(1))).toBe(true)
    candidates.noteSecret(peer(1), false)
    expect(candidates.secretOf(peer(1))).toBe(false)
  })

  it('forgets whom no tracker named, and keeps the others (BEP 27)', () => {
    const candidates = make()
    const sources = ['tracker', 'dht', 'lsd', 'pex', 'user', 'magnet'] as const
    sources.forEach((source, n) => candidates.add(peer(n), source))
    candidates.forgetForeign()
    expect(new Set(drain(candidates, 0))).toEqual(new Set([peer(0), peer(4), peer(5)]))
  })

  it('leaves those who had everything alone while we have everything, and no longer', () => {
    const candidates = make()
    for (const n of [1, 2]) candidates.add(peer(n), 'tracker')
    drain(candidates, 0)
    for (const n of [1, 2]) candidates.closed(peer(n), 0, true)
    candidates.noteSeed(peer(1))
    expect(candidates.next(HOUR, true)).toEqual(peer(2))
    expect(candidates.next(HOUR, true)).toBeNull()
    expect(candidates.next(HOUR)).toEqual(peer(1))
  })

  it('takes the same host with another port for another peer', () => {
    const candidates = make()
    candidates.add(peer(1, 20_001), 'tracker')
    candidates.add(peer(1, 20_002), 'tracker')
    expect(drain(candidates, 0)).toHaveLength(2)
  })

  it.each([1, 2, 3, 7, 8, 20])(
    'pauses after failure %i: 30 s doubling to an hour, and up to a quarter more',
    (n) => {
      const pause = Math.min(HOUR, 30_000 * 2 ** (n - 1))
      const due = new Set<number>()
      for (let seed = 1; seed <= 20; seed++) {
        const candidates = make(10, seed)
        candidates.add(peer(1), 'tracker')
        for (let i = 0; i < n; i++) candidates.failed(peer(1), 5000)
        expect(candidates.next(5000 + pause - 1)).toBeNull()
        let quarter = 0
        while (quarter < 10 && candidates.next(5000 + pause * (1 + quarter / 40)) === null) quarter++
        due.add(quarter)
        if (quarter === 10) expect(candidates.next(5000 + pause * 1.25)).toEqual(peer(1))
      }
      expect(due.size).toBeGreaterThan(4)
    },
  )

  it("offers those that failed least first, and the user's before others", () => {
    const candidates = make()
    for (let i = 0; i < 5; i++) candidates.add(peer(i), 'tracker')
    const first = drain(candidates, 0)
    for (const one of first) candidates.failed(one, 0)
    candidates.add(peer(7), 'tracker')
    candidates.add(peer(8), 'user')
    candidates.add(peer(9), 'resume')
    const order = drain(candidates, 50_000)
    expect(order[0]).toEqual(peer(8))
    expect(new Set(order.slice(1, 3))).toEqual(new Set([peer(7), peer(9)]))
    expect(order).toHaveLength(8)
  })

  it('offers equals by canonical priority as soon as a peer told us our address (BEP 40)', () => {
    const candidates = make()
    const peers = Array.from({ length: 20 }, (_, i) => peer(i))
    for (const one of peers) candidates.add(one, 'tracker')
    candidates.add(peer(30), 'user')
    candidates.add(peer(31), 'tracker')
    candidates.failed(peer(31), 0)
    expect(candidates.priorityOf(peer(1))).toBeNull()
    candidates.heardOwn(peer(99), '198.51.100.1', 6881)
    const order = drain(candidates, 50_000)
    expect([order[0], order.at(-1)]).toEqual([peer(30), peer(31)])
    const own = { host: '198.51.100.1', port: 6881, family: 4 } as const
    const priorities = order.slice(1, -1).map((one) => peerPriority(own, one) ?? 0)
    expect(priorities).toEqual(priorities.toSorted((a, b) => b - a))
    expect(new Set(order.slice(1, -1))).toEqual(new Set(peers))
    expect(candidates.priorityOf(peer(1))).toBe(peerPriority(own, peer(1)))
  })

  it('offers a peer of another family neither first nor last for want of a priority', () => {
    const candidates = make()
    for (let i = 0; i < 20; i++) candidates.add(peer(i), 'tracker')
    candidates.add({ host: '2001:db8::1', port: 6881, family: 6 }, 'tracker')
    candidates.heardOwn(peer(99), '198.51.100.1', 6881)
    const at = drain(candidates, 0).findIndex(({ family }) => family === 6)
    expect([at > 0, at < 20]).toEqual([true, true])
  })

  it('does not offer a peer that is connected, and does after it left', () => {
    const candidates = make()
    candidates.add(peer(1), 'tracker')
    candidates.connected(peer(1))
    expect(candidates.next(0)).toBeNull()
    candidates.closed(peer(1), 1000, true)
    expect(candidates.next(30_999)).toBeNull()
    expect(candidates.next(38_501)).toEqual(peer(1))
    candidates.connected(peer(1))
    candidates.closed(peer(1), 40_000, false)
    candidates.connected(peer(2))
    candidates.closed(peer(2), 40_000, true)
    expect(candidates.size).toBe(1)
    expect(candidates.next(80_000)).toEqual(peer(1))
  })

  it('offers at once whom we left ourselves, and who was useful before, but not who failed', () => {
    const candidates = make()
    for (const n of [1, 2, 3, 4]) candidates.add(peer(n), 'tracker')
    drain(candidates, 0)
    candidates.connected(peer(1))
    candidates.closed(peer(2), 1000, true)
    candidates.failed(peer(3), 1000)
    candidates.releaseAll()
    const offered = drain(candidates, 1000)
    expect(offered).toHaveLength(3)
    expect(offered).toEqual(expect.arrayContaining([peer(1), peer(2), peer(4)]))
  })

  it('forgets the failures of a peer that was useful', () => {
    const candidates = make()
    candidates.add(peer(1), 'tracker')
    for (let i = 0; i < 6; i++) candidates.failed(peer(1), 0)
    candidates.closed(peer(1), 0, true)
    expect(candidates.next(37_501)).toEqual(peer(1))
    expect(candidates.worthKeeping(10)).toEqual([peer(1)])
    expect(candidates.worthKeeping(0)).toEqual([])
  })

  it('finds a peer that comes due, or is added, after it found nothing', () => {
    const candidates = make()
    candidates.add(peer(1), 'tracker')
    candidates.failed(peer(1), 0)
    expect(candidates.next(10)).toBeNull()
    candidates.add(peer(2), 'tracker')
    expect(candidates.next(11)).toEqual(peer(2))
    expect(candidates.next(12)).toBeNull()
    candidates.add(peer(1), 'user')
    expect(candidates.next(13)).toEqual(peer(1))
  })

  it('refuses ports and hosts where no peer is, unless the user names the port', () => {
    const candidates = make()
    for (const port of [0, -1, 65_536, 1.5, NaN, 22, 25, 53, 445]) {
      expect(candidates.add(peer(1, port), 'tracker')).toBe(false)
    }
    for (const host of ['0.0.0.0', '224.0.0.1', '255.255.255.255', 'example.org', '']) {
      expect(candidates.add({ host, port: 20_000, family: 4 }, 'user')).toBe(false)
    }
    expect(candidates.add({ host: '::', port: 20_000, family: 6 }, 'tracker')).toBe(false)
    expect(candidates.add({ host: '2001:db8::1', port: 20_000, family: 6 }, 'tracker')).toBe(true)
    expect(candidates.add(peer(1, 22), 'user')).toBe(true)
    expect(candidates.add(peer(1, 0), 'user')).toBe(false)
    expect(candidates.add(peer(1, 80), 'tracker')).toBe(true)
  })

  it('bans a host, whatever the port, but on this machine one port only', () => {
    const candidates = make()
    candidates.add(peer(1, 20_001), 'tracker')
    candidates.add(peer(1, 20_002), 'tracker')
    candidates.ban(peer(1, 40_000))
    expect(candidates.size).toBe(0)
    expect(candidates.isBanned(peer(1, 5))).toBe(true)
    expect(candidates.add(peer(1, 20_003), 'user')).toBe(false)
    const here = { host: '127.0.0.1', port: 20_001, family: 4 } as const
    candidates.ban(here)
    expect(candidates.isBanned(here)).toBe(true)
    expect(candidates.add({ ...here, port: 20_002 }, 'tracker')).toBe(true)
  })

  it('keeps a thousand bans, the newest', () => {
    const candidates = make()
    for (let i = 0; i <= 1000; i++) candidates.ban(peer(i))
    expect(candidates.isBanned(peer(0))).toBe(false)
    expect(candidates.isBanned(peer(1))).toBe(true)
    expect(candidates.isBanned(peer(1000))).toBe(true)
    candidates.add(peer(2000), 'tracker')
    candidates.ban(peer(2000))
    expect(candidates.size).toBe(0)
  })

  it('never offers our own address', () => {
    const candidates = make()
    candidates.add(peer(1), 'tracker')
    expect(candidates.next(0)).toEqual(peer(1))
    candidates.addSelf(peer(1))
    candidates.failed(peer(1), 0)
    expect(candidates.add(peer(1), 'user')).toBe(false)
    expect(candidates.next(HOUR)).toBeNull()
    expect(candidates.isBanned(peer(1))).toBe(false)
  })

  it('keeps to its limit: what failed goes for what is new, and a tracker does not displace the rest', () => {
    const candidates = make(10)
    for (let i = 0; i < 10; i++) candidates.add(peer(i), 'tracker')
    expect(candidates.add(peer(20), 'tracker')).toBe(false)
    candidates.failed(peer(4), 0)
    expect(candidates.add(peer(20), 'tracker')).toBe(true)
    expect(candidates.add(peer(4), 'tracker')).toBe(false)
    expect(candidates.add(peer(21), 'user')).toBe(true)
    expect(candidates.add(peer(22), 'incoming')).toBe(true)
    expect(candidates.size).toBe(10)
    for (const one of drain(candidates, 0)) candidates.connected(one)
    expect(candidates.add(peer(30), 'user')).toBe(false)
    expect(make().add(peer(1), 'tracker')).toBe(true)
  })

  it('holds 3000 by default', () => {
    const candidates = make()
    for (let i = 0; i < 3100; i++) candidates.add(peer(i), 'tracker')
    expect(candidates.size).toBe(3000)
  })
})
