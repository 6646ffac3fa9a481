import { describe, expect, it } from 'vitest'
import { fault } from '../../daemon/codec/announce.js'
import { Announcer } from '../../daemon/tracker/announcer.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'
import { ANSWER, FakeTrackerTransport } from '../support/fake-tracker-transport.js'

const KEY = '11'.repeat(20) as SwarmKey
const KEY2 = '22'.repeat(20) as SwarmKey
const MINUTE = 60_000
const DAY = 86_400_000

function lab(tiers: string[][] = [['http://a/announce']], swarmKeys = [KEY], seed = 1) {
  const clock = new FakeClock()
  const transport = new FakeTrackerTransport()
  const stats = { uploaded: 1000, downloaded: 2000, left: 500 }
  const found: string[] = []
  const count = { changes: 0 }
  const said: string[] = []
  const announcer = new Announcer(
    {
      swarmKeys,
      trackers: tiers.flatMap((urls, tier) => urls.map((url) => ({ url, tier }))),
      peerId: Buffer.alloc(20, 1),
      port: () => 6881,
      key: 7,
    },
    {
      clock,
      random: new FakeRandom(seed),
      transport,
      listener: {
        stats: () => ({ ...stats }),
        peers: (peers, key) => found.push(...peers.map((peer) => `${key.slice(0, 2)} ${peer.host}`)),
        changed: () => (count.changes += 1),
        said: (tracker, failing, message) =>
          said.push(`${tracker} ${failing ? 'fails' : 'answers'}: ${message ?? 'all is well'}`),
      },
    },
  )
  return { clock, transport, stats, found, count, said, announcer }
}

describe('a session with one tracker', () => {
  it('goes started, regular, completed, stopped, and counts from the start', () => {
    const { clock, transport, stats, announcer } = lab()
    announcer.start()
    expect(transport.take()).toEqual(['http://a/announce started'])
    expect(transport.open[0]?.request).toEqual({
      swarmKey: KEY,
      peerId: Buffer.alloc(20, 1),
      port: 6881,
      uploaded: 0,
      downloaded: 0,
      left: 500,
      event: 'started',
      numwant: 80,
      key: 7,
      trackerId: null,
    })
    transport.answer({ trackerId: Buffer.from('id') })
    clock.advance(30 * MINUTE - 1)
    expect(transport.take()).toEqual([])
    Object.assign(stats, { uploaded: 1010, downloaded: 2400, left: 100 })
    clock.advance(1)
    expect(transport.take()).toEqual(['http://a/announce regular'])
    expect(transport.open[0]?.request).toMatchObject({
      uploaded: 10,
      downloaded: 400,
      left: 100,
      trackerId: Buffer.from('id'),
    })
    transport.answer()
    clock.advance(MINUTE)
    stats.left = 0
    announcer.complete()
    expect(transport.take()).toEqual(['http://a/announce completed'])
    transport.answer()
    announcer.complete()
    expect(transport.take()).toEqual([])
    let stopped = 0
    announcer.stop(5000, () => (stopped += 1))
    expect(transport.take()).toEqual(['http://a/announce stopped'])
    expect(transport.open[0]?.request.numwant).toBe(0)
    expect([stopped, announcer.busy]).toEqual([0, 1])
    transport.answer()
    expect([stopped, announcer.busy, clock.pending]).toEqual([1, 0, 0])
  })

  it('begins again with started, and new counts', () => {
    const { transport, stats, announcer } = lab()
    announcer.start()
    transport.answer()
    stats.uploaded = 5000
    announcer.stop(5000, () => undefined)
    transport.answer()
    transport.take()
    announcer.start()
    expect(transport.take()).toEqual(['http://a/announce started'])
    expect(transport.open[0]?.request.uploaded).toBe(0)
  })

  it('does nothing when it is started twice', () => {
    const { transport, announcer } = lab()
    announcer.start()
    announcer.start()
    transport.answer()
    announcer.start()
    expect(transport.take()).toEqual(['http://a/announce started'])
  })

  it('tells completed after started when both come together', () => {
    const { transport, stats, announcer } = lab()
    announcer.start()
    stats.left = 0
    announcer.complete()
    transport.take()
    transport.answer()
    expect(transport.take()).toEqual(['http://a/announce completed'])
  })

  it('tells no completed to a tracker that only ever knew us whole', () => {
    const { clock, transport, stats, announcer } = lab()
    announcer.start()
    transport.fail()
    stats.left = 0
    announcer.complete()
    clock.advance(MINUTE)
    expect(transport.take()).toEqual(['http://a/announce started', 'http://a/announce started'])
    transport.answer()
    expect(transport.take()).toEqual([])
  })

  it('does nothing without trackers', () => {
    const { clock, transport, announcer } = lab([])
    let stopped = 0
    announcer.start()
    announcer.complete()
    announcer.announceNow()
    clock.advance(DAY)
    announcer.stop(5000, () => (stopped += 1))
    expect([transport.attempts.length, stopped, clock.pending]).toEqual([0, 1, 0])
  })
})

describe('intervals', () => {
  it.each([
    [0, MINUTE],
    [1000, MINUTE],
    [null, 30 * MINUTE],
    [10 * MINUTE, 10 * MINUTE],
    [2 ** 40 * 1000, DAY],
  ])('an interval of %s ms waits %s', (interval, expected) => {
    const { clock, transport, announcer } = lab()
    announcer.start()
    transport.answer({ interval })
    expect(clock.untilNext).toBe(expected)
  })

  it('honours a min interval above the interval', () => {
    const { clock, transport, announcer } = lab()
    announcer.start()
    transport.answer({ interval: 5 * MINUTE, minInterval: 20 * MINUTE })
    expect(clock.untilNext).toBe(20 * MINUTE)
  })

  it('asks again early, ever more slowly, while peers are wanted urgently', () => {
    const { clock, transport, announcer } = lab()
    announcer.setNeed('urgent')
    announcer.start()
    const waits: (number | null)[] = []
    for (let i = 0; i < 7; i += 1) {
      transport.answer()
      waits.push(clock.untilNext)
      clock.advance(clock.untilNext ?? 0)
    }
    expect(waits.map((wait) => (wait ?? 0) / MINUTE)).toEqual([1, 2, 4, 8, 16, 30, 30])
    transport.answer()
    announcer.setNeed('some')
    expect(clock.untilNext).toBe(30 * MINUTE)
  })

  it('asks early only after the min interval', () => {
    const { clock, transport, announcer } = lab()
    announcer.start()
    transport.answer({ minInterval: 15 * MINUTE })
    announcer.setNeed('urgent')
    expect(clock.untilNext).toBe(15 * MINUTE)
    announcer.announceNow()
    expect(clock.untilNext).toBe(15 * MINUTE)
  })

  it('asks for no peers where none are needed', () => {
    const { transport, announcer } = lab()
    announcer.setNeed('none')
    announcer.start()
    expect(transport.open[0]?.request.numwant).toBe(0)
  })

  it('announces now on request, not more often than every ten seconds', () => {
    const { clock, transport, announcer } = lab()
    announcer.start()
    announcer.announceNow()
    transport.answer()
    clock.advance(20_000)
    announcer.announceNow()
    clock.advance(0)
    expect(transport.take()).toEqual(['http://a/announce started', 'http://a/announce regular'])
    transport.answer()
    announcer.announceNow()
    expect(clock.untilNext).toBe(10_000)
  })
})

describe('failures', () => {
  it('backs off with jitter, doubling to half an hour, and starts anew after an answer', () => {
    const { clock, transport, announcer } = lab()
    announcer.start()
    const waits: number[] = []
    for (let i = 0; i < 12; i += 1) {
      transport.fail()
      waits.push((clock.untilNext ?? 0) / 1000)
      clock.advance(clock.untilNext ?? 0)
    }
    waits.forEach((wait, i) => {
      const middle = Math.min(15 * 2 ** i, 1800)
      expect(wait).toBeGreaterThanOrEqual(0.8 * middle - 0.001)
      expect(wait).toBeLessThanOrEqual(1.2 * middle + 0.001)
    })
    expect(new Set(waits.slice(8)).size).toBeGreaterThan(1)
    transport.answer()
    clock.advance(30 * MINUTE)
    transport.fail()
    expect(clock.untilNext).toBeLessThanOrEqual(18_000)
  })

  it('waits longer after a refusal, and as long as the tracker says (BEP 31)', () => {
    const { clock, transport, announcer } = lab()
    announcer.start()
    transport.fail('refused')
    expect(clock.untilNext).toBeGreaterThanOrEqual(48_000)
    clock.advance(clock.untilNext ?? 0)
    transport.fail('refused', 90 * MINUTE)
    expect(clock.untilNext).toBe(90 * MINUTE)
    clock.advance(90 * MINUTE)
    transport.fail('refused', 'never')
    expect(clock.pending).toBe(0)
    announcer.announceNow()
    announcer.setNeed('urgent')
    clock.advance(7 * DAY)
    expect(transport.open).toEqual([])
  })

  it('forgets the back-off when asked to announce now', () => {
    const { clock, transport, announcer } = lab()
    announcer.start()
    for (let i = 0; i < 8; i += 1) {
      transport.fail()
      clock.advance(clock.untilNext ?? 0)
    }
    transport.fail()
    clock.advance(20_000)
    transport.take()
    announcer.announceNow()
    clock.advance(0)
    expect(transport.take()).toEqual(['http://a/announce started'])
  })

  it('keeps a failing completed until it is delivered', () => {
    const { clock, transport, stats, announcer } = lab()
    announcer.start()
    transport.answer()
    stats.left = 0
    announcer.complete()
    transport.fail()
    clock.advance(20_000)
    transport.fail()
    clock.advance(50_000)
    transport.answer()
    clock.advance(30 * MINUTE)
    expect(transport.take()).toEqual([
      'http://a/announce started',
      'http://a/announce completed',
      'http://a/announce completed',
      'http://a/announce completed',
      'http://a/announce regular',
    ])
  })
})

describe('tiers (BEP 12)', () => {
  it('shuffles inside a tier and never across', () => {
    const orders = new Set<string>()
    for (let seed = 1; seed < 40; seed += 1) {
      const { announcer } = lab([['http://a/', 'http://b/', 'http://c/'], ['http://z/']], [KEY], seed)
      const urls = announcer.views().map((view) => view.url)
      expect(urls.at(-1)).toBe('http://z/')
      orders.add(urls.join(' '))
    }
    expect(orders.size).toBe(6)
  })

  it('tries all of a tier before the next, and goes back to the first one', () => {
    const { clock, transport, announcer } = lab([['http://a/', 'http://b/'], ['http://c/'], ['http://d/']])
    const [first, second] = announcer.views().map((view) => view.url)
    announcer.start()
    transport.fail()
    transport.fail()
    transport.answer()
    expect(transport.take()).toEqual([
      `${String(first)} started`,
      `${String(second)} started`,
      'http://c/ started',
    ])
    clock.advance(30 * MINUTE)
    expect(transport.take()).toEqual([`${String(first)} started`])
    transport.fail()
    transport.answer()
    expect(transport.take()).toEqual([`${String(second)} started`])
  })

  it('moves the one that answers to the front of its tier', () => {
    const { clock, transport, announcer } = lab([['http://a/', 'http://b/', 'http://c/']])
    const [first, second, third] = announcer.views().map((view) => view.url)
    announcer.start()
    transport.fail()
    transport.fail()
    transport.answer()
    expect(announcer.views().map((view) => view.url)).toEqual([third, first, second])
    transport.take()
    clock.advance(30 * MINUTE)
    expect(transport.take()).toEqual([`${String(third)} regular`])
  })

  it('asks the tracker that is ripe first after all failed', () => {
    const { clock, transport, announcer } = lab([['http://a/'], ['http://b/']])
    announcer.start()
    transport.fail('unreachable', 10 * MINUTE)
    transport.fail()
    clock.advance(20_000)
    expect(transport.take()).toEqual(['http://a/ started', 'http://b/ started', 'http://b/ started'])
  })

  it('leaves out a URL that is there twice, and takes trackers at run time', () => {
    const { clock, transport, announcer } = lab([['http://a/', 'http://a/'], ['http://a/']])
    expect(announcer.views()).toHaveLength(1)
    announcer.start()
    transport.fail()
    const added = (...urls: string[]) => announcer.addTrackers(urls.map((url, at) => ({ url, tier: at + 1 })))
    added('http://a/', 'http://b/')
    expect(transport.take()).toEqual(['http://a/ started', 'http://b/ started'])
    transport.answer()
    announcer.addTrackers([{ url: 'http://c/', tier: 7 }])
    expect(announcer.views().map((view) => [view.tier, view.url])).toEqual([
      [0, 'http://a/'],
      [2, 'http://b/'],
      [7, 'http://c/'],
    ])
    expect(transport.take()).toEqual(['http://c/ started'])
    clock.advance(MINUTE)
    expect(transport.take()).toEqual([])
  })
})

describe('what is said for the log', () => {
  it('is said when it begins, when it is another thing, and when it ends', () => {
    const { clock, transport, said, announcer } = lab([['http://a/0123456789abcdef/announce']])
    announcer.start()
    transport.fail()
    clock.advance(MINUTE)
    transport.fail()
    clock.advance(2 * MINUTE)
    transport.fail('refused')
    clock.advance(10 * MINUTE)
    transport.answer({ interval: 0 })
    clock.advance(MINUTE)
    transport.answer({ interval: 0 })
    clock.advance(MINUTE)
    transport.answer({ interval: 2 ** 50 })
    clock.advance(DAY)
    transport.answer()
    expect(said.map((each) => each.replace('http://a/***/announce ', ''))).toEqual([
      'fails: It is unreachable.',
      'fails: It is refused.',
      'answers: its interval of 0s is not kept to, it is asked every 1m 00s',
      'answers: its interval of 13031248d 22h is not kept to, it is asked every 1d 0h',
      'answers: all is well',
    ])
  })
})

describe('trackers that come and go', () => {
  const added = (...urls: string[]): { url: string; tier: number }[] =>
    urls.map((url, at) => ({ url, tier: 10 + at }))

  it('asks each added one at once, and the others when it was their time', () => {
    const { clock, transport, announcer } = lab([['http://a/']])
    announcer.start()
    transport.answer()
    clock.advance(20 * MINUTE)
    transport.take()
    announcer.addTrackers(added('http://b/', 'http://c/'))
    expect(transport.take()).toEqual(['http://b/ started'])
    transport.fail()
    expect(transport.take()).toEqual(['http://c/ started'])
    transport.answer()
    expect(transport.take()).toEqual([])
    expect(announcer.views().map(({ status }) => status)).toEqual(['working', 'failing', 'working'])
    clock.advance(10 * MINUTE - 1)
    expect(transport.take()).toEqual([])
    clock.advance(1)
    expect(transport.take()).toEqual(['http://a/ regular'])
  })

  it('asks one that is added while another is asked after that one, and only once', () => {
    const { clock, transport, announcer } = lab([['http://a/']])
    announcer.start()
    announcer.addTrackers(added('http://b/'))
    expect(transport.take()).toEqual(['http://a/ started'])
    transport.answer()
    expect(transport.take()).toEqual(['http://b/ started'])
    transport.answer()
    clock.advance(MINUTE)
    expect(transport.take()).toEqual([])
    announcer.addTrackers(added('http://c/'))
    transport.fail()
    expect(transport.take()).toEqual(['http://c/ started'])
    clock.advance(MINUTE)
    expect(transport.take()).toEqual([])
  })

  it('tells an added one that the download was completed meanwhile', () => {
    const { transport, stats, announcer } = lab([['http://a/']])
    announcer.start()
    transport.answer()
    transport.take()
    announcer.addTrackers(added('http://b/'))
    stats.left = 0
    announcer.complete()
    transport.answer()
    expect(transport.take()).toEqual(['http://b/ started', 'http://b/ completed'])
    transport.answer()
    expect(transport.take()).toEqual(['http://a/ completed'])
    transport.answer()
    expect(transport.open).toEqual([])
  })

  it('asks nobody that is added while nothing runs', () => {
    const { transport, announcer } = lab([['http://a/']])
    announcer.addTrackers(added('http://b/'))
    expect(transport.take()).toEqual([])
    announcer.start()
    transport.answer()
    expect(transport.take()).toEqual(['http://a/ started'])
  })

  it('tells a removed one stopped, once, and goes on with the others at once', () => {
    const { clock, transport, announcer } = lab([['http://a/'], ['http://b/']])
    announcer.start()
    transport.answer({ trackerId: Buffer.from('id') })
    transport.take()
    announcer.removeTrackers(['http://a/', 'http://nobody/'])
    expect(transport.take()).toEqual(['http://a/ stopped', 'http://b/ started'])
    expect(transport.open[0]?.request.trackerId).toEqual(Buffer.from('id'))
    expect(announcer.busy).toBe(2)
    const [stopped, started] = transport.open
    stopped?.finish(fault('unreachable', 'It is gone.'))
    started?.finish({ ok: true, answer: ANSWER })
    expect(announcer.views().map(({ url, tier }) => `${url} ${String(tier)}`)).toEqual(['http://b/ 1'])
    clock.advance(DAY)
    announcer.stop(5000, () => undefined)
    expect(transport.take().filter((each) => each.startsWith('http://a/'))).toEqual([])
  })

  it('tells a removed one nothing that was never told anything', () => {
    const { clock, transport, announcer } = lab([['http://a/'], ['http://b/']])
    announcer.start()
    transport.fail()
    transport.answer()
    transport.take()
    announcer.removeTrackers(['http://a/'])
    clock.advance(29 * MINUTE)
    expect(transport.take()).toEqual([])
    clock.advance(MINUTE)
    expect(transport.take()).toEqual(['http://b/ regular'])
  })

  it('waits for the time of another one that answered already', () => {
    const { clock, transport, announcer } = lab([['http://a/']])
    announcer.start()
    transport.answer()
    clock.advance(MINUTE)
    announcer.addTrackers(added('http://b/'))
    transport.answer()
    clock.advance(MINUTE)
    transport.take()
    announcer.removeTrackers(['http://a/'])
    transport.answer()
    expect(transport.take()).toEqual(['http://a/ stopped'])
    clock.advance(29 * MINUTE - 1)
    expect(transport.take()).toEqual([])
    clock.advance(1)
    expect(transport.take()).toEqual(['http://b/ regular'])
  })

  it('gives up the attempt at a removed one and tries the next', () => {
    const { transport, announcer } = lab([['http://a/'], ['http://b/']])
    announcer.start()
    announcer.removeTrackers(['http://a/'])
    expect(transport.take()).toEqual(['http://a/ started', 'http://b/ started'])
    expect(transport.open.map(({ url }) => url)).toEqual(['http://b/'])
  })

  it('asks nobody when the last one is removed, and the next that is added', () => {
    const { clock, transport, announcer } = lab([['http://a/']])
    announcer.start()
    transport.answer()
    announcer.removeTrackers(['http://a/'])
    transport.answer()
    transport.take()
    clock.advance(DAY)
    expect([transport.take(), clock.pending]).toEqual([[], 0])
    announcer.addTrackers([{ url: 'http://a/', tier: 0 }])
    expect(transport.take()).toEqual(['http://a/ started'])
  })

  it('an end waits for the word to a removed one, as long as for the others', () => {
    const { clock, transport, announcer } = lab([['http://a/']])
    announcer.start()
    transport.answer()
    announcer.removeTrackers(['http://a/'])
    let stopped = 0
    announcer.stop(5000, () => (stopped += 1))
    expect(stopped).toBe(0)
    transport.answer()
    expect([stopped, clock.pending]).toEqual([1, 0])
    announcer.start()
    expect(transport.take()).toEqual(['http://a/ started', 'http://a/ stopped'])
  })
})

describe('stop', () => {
  it('tells only the trackers that were told started, side by side', () => {
    const { clock, transport, announcer } = lab([['http://a/'], ['http://b/'], ['http://c/']])
    announcer.start()
    transport.fail()
    transport.answer()
    clock.advance(30 * MINUTE)
    transport.answer()
    transport.take()
    let stopped = 0
    announcer.stop(5000, () => (stopped += 1))
    expect(transport.take()).toEqual(['http://a/ stopped', 'http://b/ stopped'])
    transport.open[0]?.finish({ ok: true, answer: ANSWER })
    expect(stopped).toBe(0)
    clock.advance(4999)
    expect(stopped).toBe(0)
    clock.advance(1)
    expect([stopped, transport.open.length, announcer.busy, clock.pending]).toEqual([1, 0, 0, 0])
  })

  it('ends at once where nobody was told, and cancels what is on its way', () => {
    const { clock, transport, announcer } = lab()
    announcer.start()
    let stopped = 0
    announcer.stop(5000, () => (stopped += 1))
    expect([stopped, transport.open.length, clock.pending]).toEqual([1, 0, 0])
    announcer.stop(5000, () => (stopped += 1))
    expect(stopped).toBe(2)
  })

  it('is cut short by a new start, which tells started', () => {
    const { transport, announcer } = lab()
    announcer.start()
    transport.answer()
    let stopped = 0
    announcer.stop(5000, () => (stopped += 1))
    transport.take()
    announcer.start()
    expect([stopped, transport.take()]).toEqual([1, ['http://a/announce started']])
    expect(transport.open).toHaveLength(1)
  })
})

describe('what it reports', () => {
  it('hands on the peers of each swarm key', () => {
    const { transport, found, announcer } = lab([['http://a/']], [KEY, KEY2])
    announcer.start()
    expect(transport.take()).toEqual(['http://a/ started', 'http://a/ started'])
    const peers = [{ host: '10.0.0.1', port: 1, family: 4 as const }]
    for (const attempt of transport.open) attempt.finish({ ok: true, answer: { ...ANSWER, peers } })
    expect(found).toEqual(['11 10.0.0.1', '22 10.0.0.1'])
    let stopped = 0
    announcer.stop(5000, () => (stopped += 1))
    for (const attempt of transport.open) attempt.finish({ ok: true, answer: ANSWER })
    expect(stopped).toBe(1)
  })

  it('shows each tracker, without its passkey', () => {
    const url = 'http://t.example/announce?passkey=0123456789abcdef0123456789abcdef'
    const { clock, transport, count, announcer } = lab([[url], ['http://b/']])
    expect(announcer.views()).toEqual([
      {
        tier: 0,
        url: expect.not.stringContaining('0123456789abcdef') as string,
        status: 'idle',
        message: null,
        failures: 0,
        lastAnswerAt: null,
        lastFailureAt: null,
        nextAnnounceAt: null,
        seeds: null,
        leechers: null,
        scrapedAt: null,
        downloads: null,
        peers: null,
        before: null,
      },
      expect.objectContaining({ tier: 1, url: 'http://b/', status: 'idle' }),
    ])
    announcer.start()
    expect(announcer.views()[0]?.status).toBe('announcing')
    transport.fail('refused', 10 * MINUTE)
    clock.advance(1000)
    const peers = [{ host: '10.0.0.1', port: 1, family: 4 as const }]
    transport.answer({ warning: 'slow down', downloads: 9, peers })
    const wall = clock.wall()
    expect(announcer.views()).toMatchObject([
      {
        status: 'failing',
        message: 'It is refused.',
        failures: 1,
        lastAnswerAt: null,
        lastFailureAt: wall - 1000,
        nextAnnounceAt: wall + 30 * MINUTE,
      },
      {
        status: 'working',
        message: 'slow down',
        lastAnswerAt: wall,
        nextAnnounceAt: wall + 30 * MINUTE,
        seeds: 1,
        leechers: 2,
        downloads: 9,
        peers: 1,
      },
    ])
    expect(count.changes).toBeGreaterThanOrEqual(3)
  })
})
