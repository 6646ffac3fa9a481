/** 10,000 torrents on one clock: how their announces are spread. */
import { describe, expect, it } from 'vitest'
import type { AnnounceResult } from '../../daemon/codec/announce.js'
import type { Clock } from '../../daemon/ports/clock.js'
import { Announcer } from '../../daemon/tracker/announcer.js'
import { Pace } from '../../daemon/tracker/pace.js'
import type { TrackerTransport } from '../../daemon/tracker/transport.js'
import { Bulkhead } from '../../daemon/swarm/bulkhead.js'
import { Wheel } from '../../daemon/tracker/wheel.js'
import type { SwarmKey, TorrentId } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'
import { ANSWER, type Attempt, FakeTrackerTransport } from '../support/fake-tracker-transport.js'
import { fakeWatch } from '../support/fake-watch.js'

const MINUTE = 60_000
const STATS = { uploaded: 0, downloaded: 0, left: 1 }

function announcerOn(wheel: Clock, transport: TrackerTransport, index: number): Announcer {
  return new Announcer(
    {
      swarmKeys: [index.toString(16).padStart(40, '0') as SwarmKey],
      trackers: [{ tier: 0, url: `http://t/announce?${String(index)}` }],
      peerId: Buffer.alloc(20, 1),
      port: () => 6881,
      key: 7,
    },
    {
      clock: wheel,
      random: new FakeRandom(index),
      transport,
      listener: { stats: () => STATS, peers: () => undefined, changed: () => undefined },
    },
  )
}

describe('10,000 torrents', () => {
  it('are announced within 8 minutes, 50 a second at most, on one timer, and none is overdue later', () => {
    const clock = new FakeClock()
    const wheel = new Wheel(clock)
    const times: number[] = []
    const open: ((result: AnnounceResult) => void)[] = []
    const pace = new Pace({
      clock: wheel,
      transport: {
        announce: (_url, _request, done) => {
          times.push(clock.now())
          open.push(done)
          return () => undefined
        },
      },
    })
    const answerAll = (): void => {
      for (const done of open.splice(0)) done({ ok: true, answer: ANSWER })
    }
    const announcers = Array.from({ length: 10_000 }, (_, index) => announcerOn(wheel, pace, index))
    for (const announcer of announcers) announcer.start()
    expect(announcers.at(-1)?.views()[0]).toMatchObject({ status: 'waiting', before: 9_949 })
    for (let second = 0; second < 8 * 60; second += 1) {
      answerAll()
      clock.advance(1_000)
      expect(clock.pending).toBe(1)
    }
    expect(times).toHaveLength(10_000)
    for (let second = 0; second < 62 * 60; second += 1) {
      answerAll()
      clock.advance(1_000)
      expect(clock.pending).toBe(1)
    }
    // Two more rounds in 70 minutes, each after 30.
    expect(times).toHaveLength(30_000)
    const crowded = times.filter((time, at) => time - (times[at - 50] ?? -Infinity) < 1_000)
    expect(crowded).toEqual([])
    const late = announcers.filter((each) => (each.views()[0]?.nextAnnounceAt ?? 0) < clock.wall())
    expect([late.length, pace.waiting]).toEqual([0, 0])
    for (const announcer of announcers) announcer.stop(5_000, () => undefined)
    clock.advance(5_000)
    expect([clock.pending, pace.waiting]).toEqual([0, 0])
  })
})

describe('the pace', () => {
  it('puts what a person asks for before 10,000 others, in the order of asking', () => {
    const clock = new FakeClock()
    const transport = new FakeTrackerTransport()
    const pace = new Pace({ clock, transport })
    const announcers = Array.from({ length: 10_000 }, (_, index) => announcerOn(clock, pace, index))
    for (const announcer of announcers) announcer.start()
    const [one, other] = [announcers[9_000], announcers[100]]
    one?.announceNow(true)
    one?.announceNow(true)
    other?.announceNow(false)
    expect([one?.views()[0]?.before, other?.views()[0]?.before]).toEqual([0, 51])
    other?.announceNow(true)
    expect([one?.views()[0]?.before, other?.views()[0]?.before]).toEqual([0, 1])
    expect(pace.waiting).toBe(9_950)
    transport.take()
    clock.advance(1_000)
    expect(transport.take().slice(0, 3)).toEqual([
      'http://t/announce?9000 started',
      'http://t/announce?100 started',
      'http://t/announce?50 started',
    ])
    expect(one?.views()[0]).toMatchObject({ status: 'announcing', before: null })
  })

  it('goes on with others where what waits for its turn throws in its torrent', () => {
    const clock = new FakeClock()
    const transport = new FakeTrackerTransport()
    const pace = new Pace({ clock, transport })
    const failed: unknown[] = []
    const bulkhead = new Bulkhead(
      { torrent: 1 as TorrentId },
      { watch: fakeWatch(), failed: (error) => failed.push(error) },
    )
    const guarded = bulkhead.around('tracker', pace)
    for (let index = 0; index < 50; index += 1) announcerOn(clock, pace, index).start()
    const planted = new Error('planted')
    const request = { ...(transport.attempts[0] as Attempt).request, event: null }
    const ignore = (): void => undefined
    guarded.announce('throws', request, ignore, (before) => {
      if (before === null) throw planted
    })
    pace.announce('other', request, ignore)
    transport.take()
    expect(() => {
      clock.advance(1_000)
    }).not.toThrow()
    expect([failed, transport.take()]).toEqual([[planted], ['throws regular', 'other regular']])
  })

  it('lets a goodbye go first of all, and asks once for one that was hurried', () => {
    const clock = new FakeClock()
    const transport = new FakeTrackerTransport()
    const pace = new Pace({ clock, transport })
    const leaving = announcerOn(clock, pace, 1)
    leaving.start()
    transport.answer()
    const announcers = Array.from({ length: 60 }, (_, index) => announcerOn(clock, pace, 100 + index))
    for (const announcer of announcers) announcer.start()
    announcers[55]?.announceNow(true)
    leaving.stop(5_000, () => undefined)
    transport.take()
    clock.advance(1_000)
    expect(transport.take().slice(0, 2)).toEqual([
      'http://t/announce?1 stopped',
      'http://t/announce?155 started',
    ])
    const times = transport.attempts.filter((each) => each.url.endsWith('?155'))
    expect([times.length, pace.waiting]).toEqual([1, 0])
  })

  it('lets events go before regular ones; a cancelled one is left out', () => {
    const clock = new FakeClock()
    const transport = new FakeTrackerTransport()
    const pace = new Pace({ clock, transport })
    const ask = (url: string, event: 'started' | null): (() => void) =>
      pace.announce(
        url,
        {
          swarmKey: '11'.repeat(20) as SwarmKey,
          peerId: Buffer.alloc(20),
          port: 1,
          ...STATS,
          event,
          numwant: 0,
          key: 1,
          trackerId: null,
        },
        () => undefined,
      )
    for (let index = 0; index < 50; index += 1) ask('first', null)
    transport.take()
    ask('regular', null)
    ask('cancelled', 'started')()
    ask('event', 'started')
    clock.advance(999)
    expect(transport.take()).toEqual([])
    clock.advance(1)
    expect(transport.take()).toEqual(['event started', 'regular regular'])
    expect(clock.pending).toBe(0)
  })
})

describe('the wheel', () => {
  it('runs each wait at its own moment, also days ahead, in order, and keeps no timer without one', () => {
    const clock = new FakeClock()
    const wheel = new Wheel(clock)
    const seen: string[] = []
    const delays = [0, 1, 999, 1_000, 30 * MINUTE, 35 * MINUTE, 34 * MINUTE + 8_500, 2_880 * MINUTE]
    for (const delay of [...delays].reverse()) {
      wheel.after(delay, () => seen.push(`${String(delay)} at ${String(clock.now())}`))
    }
    const cancel = wheel.after(500, () => seen.push('cancelled'))
    expect(clock.pending).toBe(1)
    cancel()
    cancel()
    clock.advance(2_881 * MINUTE)
    expect(seen).toEqual(
      [...delays].sort((a, b) => a - b).map((delay) => `${String(delay)} at ${String(delay)}`),
    )
    expect(clock.pending).toBe(0)
  })

  it('goes on after a wait that throws, and after a sleep of hours', () => {
    const clock = new FakeClock()
    const wheel = new Wheel(clock)
    const seen: string[] = []
    wheel.after(10, () => {
      throw new Error('planted')
    })
    wheel.after(10, () => seen.push('with it'))
    wheel.after(20 * MINUTE, () => seen.push('later'))
    expect(() => {
      clock.advance(10)
    }).toThrow('planted')
    clock.advance(300 * MINUTE)
    expect(seen).toEqual(['with it', 'later'])
    expect(clock.pending).toBe(0)
  })
})
