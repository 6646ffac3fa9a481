import { describe, expect, it } from 'vitest'
import { Choker, type ChokerPeer, ROUND_INTERVAL } from '../../daemon/swarm/choker.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'

const MIB = 1024 * 1024

interface PeerInit {
  /** B/s it gives while we unchoke it; a giver to everyone where `always`. */
  readonly gives?: number
  readonly always?: boolean
  /** B/s it takes while we unchoke it. */
  readonly takes?: number
  readonly interested?: boolean
  readonly snubbed?: boolean
  readonly uploadOnly?: boolean
}

/** A peer that gives and takes at a fixed rate, measured over the last 20 s. */
class SimPeer implements ChokerPeer {
  choked = true
  interested: boolean
  snubbed: boolean
  uploadOnly: boolean
  uploadedSinceUnchoke = 0
  /** Milliseconds unchoked in all, and how often. */
  unchokedTime = 0
  unchokes = 0
  /** Bytes of each of the last 20 seconds. */
  readonly #given: number[] = []

  constructor(
    readonly id: number,
    readonly connectedAt: number,
    readonly init: PeerInit,
  ) {
    this.interested = init.interested ?? true
    this.snubbed = init.snubbed ?? false
    this.uploadOnly = init.uploadOnly ?? false
  }

  get downRate(): number {
    return this.#given.reduce((sum, bytes) => sum + bytes, 0) / 20
  }
  get upRate(): number {
    return this.choked ? 0 : (this.init.takes ?? 0)
  }

  second(): void {
    const gives = this.init.always === true || !this.choked ? (this.init.gives ?? 0) : 0
    this.#given.push(gives)
    if (this.#given.length > 20) this.#given.shift()
    if (this.choked) return
    this.unchokedTime += 1000
    this.uploadedSinceUnchoke += this.init.takes ?? 0
  }

  unchoke(): void {
    if (this.choked) this.unchokes++
    this.choked = false
    this.uploadedSinceUnchoke = 0
  }
}

/** A torrent's peers and its choker on a clock that the test moves. */
class Sim {
  readonly clock = new FakeClock()
  readonly peers: SimPeer[] = []
  readonly choker: Choker<SimPeer>
  seeding = false
  /** The most peers that were unchoked at once. */
  most = 0

  #ids = 0

  constructor(
    readonly slots: number,
    seed = 1,
  ) {
    this.choker = new Choker({ pieceLength: MIB }, { random: new FakeRandom(seed) })
    this.clock.every(1000, () => this.peers.forEach((peer) => peer.second()))
    this.clock.every(ROUND_INTERVAL, () => this.round())
  }

  add(init: PeerInit): SimPeer {
    const peer = new SimPeer(this.#ids++, this.clock.now(), init)
    this.peers.push(peer)
    const waits = peer.interested && !peer.uploadOnly
    const free = this.slots - this.taken
    if (waits && free > 0)
      for (const each of this.choker.fill(this.clock.now(), [peer], free, this.seeding)) each.unchoke()
    return peer
  }

  get taken(): number {
    return this.unchoked.filter((peer) => peer.interested).length
  }

  round(): void {
    const { choke, unchoke } = this.choker.round(this.clock.now(), this.peers, {
      seeding: this.seeding,
      slots: this.slots,
    })
    for (const peer of choke) peer.choked = true
    for (const peer of unchoke) peer.unchoke()
    this.most = Math.max(this.most, this.unchoked.length)
  }

  get unchoked(): SimPeer[] {
    return this.peers.filter((peer) => !peer.choked)
  }
}

const seeds = Array.from({ length: 10 }, (_, i) => i + 1)

describe('Choker while downloading', () => {
  it.each(seeds)('unchokes the two best givers within two rounds (seed %i)', (seed) => {
    const sim = new Sim(4, seed)
    for (let i = 0; i < 10; i++) sim.add({ gives: 1000 * (i + 1), always: true })
    const best = [sim.add({ gives: 90_000, always: true }), sim.add({ gives: 80_000, always: true })]
    expect(best.every((peer) => peer.choked)).toBe(true)
    sim.clock.advance(2 * ROUND_INTERVAL)
    expect(best.map((peer) => peer.choked)).toEqual([false, false])
    sim.clock.advance(600_000)
    expect(best.map((peer) => peer.unchokes)).toEqual([1, 1])
    expect(sim.most).toBe(4)
  })

  it.each(seeds)(
    'gives a free rider the optimistic slot at most, a quarter of the time (seed %i)',
    (seed) => {
      const sim = new Sim(4, seed)
      for (let i = 0; i < 10; i++) sim.add({ gives: 10_000 + 1000 * i })
      sim.clock.advance(60_000)
      const rider = sim.add({ gives: 0, takes: 50_000 })
      const riderAlone: boolean[] = []
      sim.clock.every(5000, () => {
        if (!rider.choked) riderAlone.push(sim.unchoked.filter((peer) => peer.downRate > 0).length >= 3)
      })
      sim.clock.advance(3_600_000)
      expect(rider.unchokedTime).toBeGreaterThan(0)
      expect(rider.unchokedTime / 3_600_000).toBeLessThanOrEqual(0.25)
      expect(riderAlone.every((others) => others)).toBe(true)
    },
  )

  it.each(seeds)('tries a newcomer within 90 s (seed %i)', (seed) => {
    const sim = new Sim(4, seed)
    for (let i = 0; i < 40; i++) sim.add({ gives: i < 3 ? 50_000 : 0, always: true })
    sim.clock.advance(1_800_000 + seed * 3700)
    const newcomer = sim.add({ gives: 0 })
    sim.clock.advance(90_000)
    expect(newcomer.unchokes).toBeGreaterThan(0)
  })

  it('draws newcomers three times as often as the others', () => {
    let newcomers = 0
    const runs = 400
    for (let seed = 1; seed <= runs; seed++) {
      const sim = new Sim(4, seed)
      for (let i = 0; i < 3; i++) sim.add({ gives: 50_000, always: true })
      for (let i = 0; i < 3; i++) sim.add({ gives: 0 })
      sim.clock.advance(415_000)
      const tried = sim.peers.map((peer) => peer.unchokes)
      const fresh = [sim.add({}), sim.add({})]
      // The draw at 430 s is one of those that favour nobody who waited.
      sim.clock.advance(20_000)
      if (fresh.some((peer) => peer.unchokes > 0)) newcomers++
      else expect(sim.peers.slice(3, 6).some((peer, i) => peer.unchokes > (tried[i + 3] ?? 0))).toBe(true)
    }
    // Six tickets of the two against two of the others: the one that holds the slot has none.
    expect(newcomers / runs).toBeGreaterThan(0.68)
    expect(newcomers / runs).toBeLessThan(0.82)
  })

  it('keeps somebody who waits from being starved by a flood of newcomers', () => {
    const sim = new Sim(4)
    for (let i = 0; i < 3; i++) sim.add({ gives: 50_000, always: true })
    const old = sim.add({ gives: 0 })
    sim.clock.every(10_000, () => {
      sim.add({ gives: 0 })
      if (sim.peers.length > 8) sim.peers.splice(4, 1)
    })
    sim.clock.advance(120_000)
    const before = old.unchokes
    sim.clock.advance(3_600_000)
    expect(old.unchokes).toBeGreaterThan(before)
  })

  it('changes nothing but the optimistic slot while rates stay as they are, and that every 30 s', () => {
    const sim = new Sim(4)
    for (let i = 0; i < 8; i++) sim.add({ gives: 10_000 * (i + 1), always: true })
    sim.clock.advance(60_000)
    const before = sim.peers.map((peer) => peer.unchokes)
    sim.clock.advance(300_000)
    const gained = sim.peers.map((peer, i) => peer.unchokes - (before[i] ?? 0))
    expect(gained.slice(5)).toEqual([0, 0, 0])
    expect(gained.reduce((sum, n) => sum + n, 0)).toBe(10)
  })

  it('gives no earned slot to a peer that snubs us', () => {
    const sim = new Sim(4)
    const snubbing = sim.add({ gives: 900_000, always: true, snubbed: true })
    for (let i = 0; i < 12; i++) sim.add({ gives: 1000 + i, always: true })
    sim.clock.advance(1_200_000)
    expect(snubbing.unchokedTime).toBeLessThan(300_000)
  })

  it('unchokes at once where a slot is free, and not where none is', () => {
    const sim = new Sim(2)
    expect(sim.add({ interested: false }).choked).toBe(true)
    expect(sim.add({ uploadOnly: true }).choked).toBe(true)
    expect(sim.add({}).choked).toBe(false)
    expect(sim.add({}).choked).toBe(false)
    expect(sim.add({}).choked).toBe(true)
  })

  it('chokes who lost interest and who became a seed, in the next round', () => {
    const sim = new Sim(4)
    const [a, b] = [sim.add({}), sim.add({})]
    a.interested = false
    b.uploadOnly = true
    sim.clock.advance(ROUND_INTERVAL)
    expect([a.choked, b.choked]).toEqual([true, true])
  })

  it('fills every slot while nobody gives anything yet', () => {
    const sim = new Sim(4)
    for (let i = 0; i < 6; i++) sim.add({ gives: 0 })
    sim.clock.advance(600_000)
    expect(sim.unchoked).toHaveLength(4)
    expect(sim.peers.every((peer) => peer.unchokedTime > 200_000)).toBe(true)
  })
})

describe('Choker while seeding', () => {
  it('serves everybody in turn, whatever they give', () => {
    const sim = new Sim(4)
    sim.seeding = true
    for (let i = 0; i < 12; i++) sim.add({ takes: 5 * MIB, gives: i === 0 ? 900_000 : 0 })
    sim.clock.advance(1_200_000)
    const times = sim.peers.map((peer) => peer.unchokedTime)
    expect(Math.min(...times)).toBeGreaterThan(350_000)
    expect(Math.max(...times)).toBeLessThan(450_000)
    expect(sim.unchoked).toHaveLength(4)
  })

  it('stays fair with one peer more than slots', () => {
    const sim = new Sim(4)
    sim.seeding = true
    for (let i = 0; i < 5; i++) sim.add({ takes: 5 * MIB })
    sim.clock.advance(1_200_000)
    for (const peer of sim.peers) {
      expect(peer.unchokedTime).toBeGreaterThan(900_000)
      expect(peer.unchokedTime).toBeLessThan(1_020_000)
    }
  })

  it('lets a slow peer finish its turn, and ends the turn of one that takes nothing', () => {
    const sim = new Sim(2)
    sim.seeding = true
    const slow = sim.add({ takes: 20_000 })
    const idle = sim.add({ takes: 0 })
    for (let i = 0; i < 3; i++) sim.add({ takes: 5 * MIB })
    sim.clock.advance(20_000)
    expect([slow.choked, idle.choked]).toEqual([false, false])
    sim.clock.advance(20_000)
    expect([slow.choked, idle.choked]).toEqual([false, true])
    sim.clock.advance(90_000)
    expect(slow.choked).toBe(true)
  })

  it('has no lots: two rounds after the end of a download the slots go by turns', () => {
    const sim = new Sim(4)
    for (let i = 0; i < 4; i++) sim.add({ gives: 50_000, takes: 5 * MIB, always: true })
    const others = Array.from({ length: 4 }, () => sim.add({ takes: 5 * MIB }))
    sim.clock.advance(100_000)
    sim.seeding = true
    sim.clock.advance(2 * ROUND_INTERVAL)
    expect(others.every((peer) => peer.unchokes > 0)).toBe(true)
  })
})
