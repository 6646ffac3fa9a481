/** Machines that sleep, and clocks that are set: nobody is believed dead too soon, and nobody runs all at once. */
import { describe, expect, it } from 'vitest'
import { spreadOf } from '../../daemon/session/spread.js'
import { Announcer } from '../../daemon/tracker/announcer.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'
import { ANSWER, FakeTrackerTransport } from '../support/fake-tracker-transport.js'
import { makeSource, Swarm } from '../support/swarm-kit.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

describe('after a sleep', () => {
  it('few torrents announce in seconds, and 10,000 within four minutes', () => {
    expect([0, 1, 200, 10_000, 100_000].map(spreadOf)).toEqual([10_000, 10_250, 60_000, 240_000, 240_000])
  })

  it('200 torrents announce, each once, spread over a minute', async () => {
    const swarm = new Swarm()
    const node = swarm.node()
    for (let n = 0; n < 200; n++) await node.add(makeSource({ name: `t${String(n)}`, files: 20_000 }))
    await swarm.run(1000)
    node.session.woke(HOUR)
    const announced = (): number =>
      [...node.trackers.values()].filter((tracker) => tracker.told.includes('now')).length
    const bySecond: number[] = []
    for (let second = 0; second < 61; second++) {
      const before = announced()
      await swarm.run(1000)
      bySecond.push(announced() - before)
    }
    expect(announced()).toBe(200)
    expect(Math.max(...bySecond)).toBeLessThanOrEqual(20)
    for (const { told } of node.trackers.values()) {
      expect(told.filter((what) => what === 'now')).toHaveLength(1)
    }
  }, 60_000)

  it('a peer that says nothing is let go after a long one, and kept after a short one', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 2_000_000 })
    const [seed, leecher] = [swarm.node(), swarm.node()]
    swarm.network.limit(seed.init.host, 20_000, swarm.clock)
    await seed.add(source, { have: true })
    await leecher.add(source)
    await swarm.run(1000)
    leecher.meet(seed)
    await swarm.until(() => leecher.torrent.view().peers === 1)
    // Its end of the line is there and takes what comes: nothing is ever said on it again.
    for (const end of swarm.network.open(seed.init.host)) end.other.pause()
    for (const end of swarm.network.open(seed.init.host)) end.pause()
    leecher.session.woke(60_000)
    await swarm.run(40_000)
    expect(leecher.torrent.view().peers).toBe(1)
    leecher.session.woke(HOUR)
    await swarm.run(40_000)
    expect(leecher.reasons).toContain('silent')
    expect(leecher.torrent.view().peers).toBe(0)
  })

  it('a peer that lives is kept', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 2_000_000 })
    const [seed, leecher] = [swarm.node(), swarm.node()]
    swarm.network.limit(seed.init.host, 20_000, swarm.clock)
    await seed.add(source, { have: true })
    await leecher.add(source)
    await swarm.run(1000)
    leecher.meet(seed)
    await swarm.until(() => leecher.torrent.view().peers === 1)
    leecher.session.woke(HOUR)
    await swarm.run(60_000)
    expect(leecher.torrent.view().peers).toBe(1)
    expect(leecher.reasons).toEqual([])
  })

  it('a connection from an address that is not ours any more ends at once, and the others stay', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 2_000_000 })
    const [one, two, leecher] = [swarm.node(), swarm.node(), swarm.node()]
    for (const seed of [one, two]) {
      swarm.network.limit(seed.init.host, 20_000, swarm.clock)
      await seed.add(source, { have: true })
    }
    await leecher.add(source)
    await swarm.run(1000)
    for (const seed of [one, two]) leecher.meet(seed)
    await swarm.until(() => leecher.torrent.view().peers === 2)
    const [first, second] = swarm.network.open(leecher.init.host)
    if (first === undefined || second === undefined) throw new Error('no two connections')
    first.local = '10.0.0.7'
    second.local = '::ffff:10.0.0.8'
    leecher.addresses = 'eth0 10.0.0.8, lo 127.0.0.1'
    leecher.session.woke(0)
    expect(leecher.reasons).toEqual(['network-changed'])
    expect([first.ended, second.ended]).toEqual([true, false])
    await swarm.run(5000)
    expect(leecher.torrent.view().peers).toBe(2)
  })

  it('announces that were slept over do not all come at once', () => {
    class Sleeper extends FakeClock {
      ahead = 0
      override now(): number {
        return super.now() + this.ahead
      }
    }
    const clock = new Sleeper()
    const transport = new FakeTrackerTransport()
    const random = new FakeRandom(1)
    for (let n = 0; n < 200; n++) {
      const announcer = new Announcer(
        {
          swarmKeys: [n.toString(16).padStart(40, '0') as SwarmKey],
          trackers: [{ tier: 0, url: 'http://t/announce' }],
          peerId: Buffer.alloc(20),
          port: () => 1,
          key: 1,
        },
        {
          clock,
          random,
          transport,
          listener: {
            stats: () => ({ uploaded: 0, downloaded: 0, left: 1 }),
            peers: () => undefined,
            changed: () => undefined,
          },
        },
      )
      announcer.start()
    }
    for (const attempt of transport.open) attempt.finish({ ok: true, answer: ANSWER })
    const before = transport.attempts.length
    clock.advance(29 * 60_000)
    clock.ahead += 8 * HOUR
    // Every timer of theirs fires now, far too late.
    clock.advance(60_000)
    const bySecond: number[] = []
    for (let second = 0; second < 61; second++) {
      const had = transport.attempts.length
      clock.advance(1000)
      bySecond.push(transport.attempts.length - had)
    }
    expect(transport.attempts.length - before).toBe(200)
    expect(Math.max(...bySecond)).toBeLessThanOrEqual(20)
  })
})

describe('another network', () => {
  it('is seen within a minute, and torrents and peers are kept while others are asked for', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 3_000_000 })
    const [seed, leecher] = [swarm.node(), swarm.node()]
    swarm.network.limit(seed.init.host, 10_000, swarm.clock)
    await seed.add(source, { have: true })
    await leecher.add(source)
    await swarm.run(1000)
    await leecher.restart()
    await swarm.run(1000)
    leecher.meet(seed)
    await swarm.until(() => leecher.torrent.view().peers === 1)
    await swarm.run(70_000)
    expect(leecher.tracker.told).not.toContain('now')
    leecher.addresses = 'eth0 10.0.0.9'
    await swarm.run(75_000)
    expect(leecher.tracker.told.filter((what) => what === 'now')).toHaveLength(1)
    expect(leecher.torrent.view()).toMatchObject({ state: 'downloading', peers: 1 })
  })
})

describe('a clock that is set', () => {
  it.each([
    ['a day on', (now: number) => DAY + 0 * now],
    ['a day back', (now: number) => -DAY + 0 * now],
    ['to 1970', (now: number) => -now],
  ])('%s changes no duration, no rate and no ratio', async (_, by) => {
    const swarm = new Swarm()
    const source = makeSource({ files: 1_000_000 })
    const [seed, leecher] = [swarm.node(), swarm.node()]
    swarm.network.limit(seed.init.host, 100_000, swarm.clock)
    await seed.add(source, { have: true })
    await leecher.add(source)
    await swarm.run(1000)
    leecher.meet(seed)
    await swarm.until(() => leecher.torrent.view().progress > 0.3)
    const before = leecher.torrent.view()
    swarm.clock.jump(by(swarm.clock.wall()))
    const after = leecher.torrent.view()
    expect(after).toEqual(before)
    const views = []
    while (leecher.torrent.state.kind !== 'seeding') {
      await swarm.run(500)
      views.push(leecher.torrent.view(), seed.torrent.view())
    }
    for (const { eta, ratio, downRate, upRate } of views) {
      expect(Math.min(eta ?? 0, ratio ?? 0, downRate, upRate)).toBeGreaterThanOrEqual(0)
    }
    expect(leecher.hasAll(source)).toBe(true)
    expect(swarm.clock.now()).toBeLessThan(60_000)
  })
})
