/** Counts without an announce: which address is asked, what is believed, and how torrents share requests. */
import { describe, expect, it } from 'vitest'
import { fault } from '../../daemon/codec/announce.js'
import { parseScrape, scrapeBase, scrapeUrl } from '../../daemon/codec/http-scrape.js'
import { Announcer } from '../../daemon/tracker/announcer.js'
import { Pace } from '../../daemon/tracker/pace.js'
import { Scrapes } from '../../daemon/tracker/scrapes.js'
import { Wheel } from '../../daemon/tracker/wheel.js'
import { encode } from '../../shared/torrent/bencode.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'
import { FakeTrackerTransport } from '../support/fake-tracker-transport.js'

const MINUTE = 60_000
const key = (index: number): SwarmKey => index.toString(16).padStart(40, '0') as SwarmKey
const KEY = Buffer.from('abcdefghijklmnopqrst').toString('hex') as SwarmKey

describe('the address of a scrape', () => {
  it.each([
    ['http://t.example/announce', 'http://t.example/scrape'],
    ['http://t.example/x/announce', 'http://t.example/x/scrape'],
    ['http://t.example/announce.php', 'http://t.example/scrape.php'],
    ['http://t.example/announce?x2%0644', 'http://t.example/scrape?x2%0644'],
    ['http://t.example/announce.php?x=4', 'http://t.example/scrape.php?x=4'],
    ['https://t.example:1/announce/KEY', 'https://t.example:1/scrape/KEY'],
    ['https://t.example/KEY/announce#x', 'https://t.example/KEY/scrape'],
    ['http://announce.example/announce', 'http://announce.example/scrape'],
    ['http://t.example/a', null],
    ['http://announce.example/a', null],
    ['http://t.example/a?/announce', null],
    ['http://t.example/x%064announce', null],
    ['udp', null],
  ])('of %s is %s', (url, expected) => {
    expect(scrapeBase(url)).toBe(expected)
  })

  it('has an info_hash for each', () => {
    expect(scrapeUrl('http://t/announce?a=b', [KEY, key(255)])).toBe(
      `http://t/scrape?a=b&info_hash=abcdefghijklmnopqrst&info_hash=${'%00'.repeat(19)}%FF`,
    )
    expect(scrapeUrl('http://t/a', [KEY])).toBeNull()
  })
})

describe('the answer', () => {
  it('is read for the keys that were asked for, and no others', () => {
    const files = {
      abcdefghijklmnopqrst: { complete: 1, incomplete: 2, downloaded: 3, name: 'x' },
      bbcdefghijklmnopqrst: { complete: 9 },
    }
    const body = encode({ files, flags: { min_request_interval: 900 } })
    expect(parseScrape(body, [KEY, key(1)])).toEqual({
      ok: true,
      counts: new Map([[KEY, { seeds: 1, leechers: 2, downloads: 3 }]]),
      again: 900_000,
    })
  })

  it('does not believe what cannot be', () => {
    const files = { abcdefghijklmnopqrst: { complete: -1, incomplete: 2 ** 40, downloaded: 'many' } }
    expect(parseScrape(encode({ files, flags: { min_request_interval: -5 } }), [KEY])).toEqual({
      ok: true,
      counts: new Map([[KEY, { seeds: null, leechers: null, downloads: null }]]),
      again: null,
    })
  })

  it.each([
    [encode({ 'failure reason': 'no\nscrapes' }), 'refused', 'The tracker refused: no scrapes'],
    [encode({ files: [] }), 'bad-answer', 'The tracker sent an answer that counts nothing.'],
    [encode({}), 'bad-answer', 'The tracker sent an answer that counts nothing.'],
    [Buffer.from('<html>'), 'bad-answer', /web page/],
    [Buffer.alloc(0), 'bad-answer', /empty/],
  ])('%# is a fault with a sentence', (body, kind, message) => {
    expect(parseScrape(body, [KEY])).toMatchObject({
      ok: false,
      fault: { kind, message: expect.stringMatching(message) as string },
    })
  })
})

function room() {
  const clock = new FakeClock()
  const transport = new FakeTrackerTransport()
  const wheel = new Wheel(clock)
  const pace = new Pace({ clock: wheel, transport })
  const scrapes = new Scrapes({ clock: wheel, pace, transport })
  const shared = { announce: pace.announce.bind(pace), counts: scrapes.counts.bind(scrapes) }
  const announcer = (index: number, ...urls: string[]): Announcer =>
    new Announcer(
      {
        swarmKeys: [key(index)],
        trackers: (urls.length === 0 ? ['http://t/announce'] : urls).map((url, tier) => ({ url, tier })),
        peerId: Buffer.alloc(20, 1),
        port: () => 6881,
        key: 7,
      },
      {
        clock: wheel,
        random: new FakeRandom(index),
        transport: shared,
        listener: {
          stats: () => ({ uploaded: 0, downloaded: 0, left: 1 }),
          peers: () => undefined,
          changed: () => undefined,
        },
      },
    )
  const answerScrapes = (seeds = 4): void => {
    for (const { keys, finish } of transport.scrapes.splice(0)) {
      const counts = new Map(keys.map((each) => [each, { seeds, leechers: 5, downloads: 6 }]))
      finish({ ok: true, counts, again: null })
    }
  }
  return { clock, transport, pace, announcer, answerScrapes }
}

describe('torrents whose tracker does not count in its answers', () => {
  it('are scraped together, 74 at most in a request, all of them, in turn with announces', () => {
    const { clock, transport, announcer, answerScrapes } = room()
    const announcers = Array.from({ length: 200 }, (_, index) => announcer(index))
    for (const each of announcers) each.start()
    for (let second = 0; second < 5; second += 1) {
      for (const { finish } of transport.open)
        finish({ ok: true, answer: { ...emptyAnswer, interval: 30 * MINUTE } })
      clock.advance(1000)
    }
    const sizes: number[] = []
    for (let second = 0; second < 20; second += 1) {
      sizes.push(...transport.scrapes.map(({ keys }) => keys.length))
      answerScrapes()
      clock.advance(1000)
    }
    expect([sizes, clock.pending]).toEqual([[74, 74, 52], 1])
    for (const each of announcers)
      expect(each.views()[0]).toMatchObject({ seeds: 4, leechers: 5, downloads: 6, status: 'working' })
  })

  it('are not scraped where the answer counts, and seldom where it does not', () => {
    const { clock, transport, announcer, answerScrapes } = room()
    const [counting, silent] = [
      announcer(1, 'http://counts/announce'),
      announcer(2, 'http://silent/announce'),
    ]
    counting.start()
    silent.start()
    let scraped = 0
    for (let minute = 0; minute < 60; minute += 1) {
      for (const { url, finish } of transport.open)
        finish({
          ok: true,
          answer: { ...emptyAnswer, seeds: url.includes('counts') ? 1 : null, interval: MINUTE },
        })
      clock.advance(10_000)
      scraped += transport.scrapes.filter(({ url }) => url === 'http://silent/announce').length
      expect(transport.scrapes.filter(({ url }) => url === 'http://counts/announce')).toEqual([])
      answerScrapes()
      clock.advance(50_000)
    }
    expect(scraped).toBeGreaterThanOrEqual(3)
    expect(scraped).toBeLessThanOrEqual(4)
  })
})

const emptyAnswer = {
  interval: null,
  minInterval: null,
  seeds: null,
  leechers: null,
  downloads: null,
  peers: [],
  warning: null,
  trackerId: null,
}

describe('a scrape on demand', () => {
  it('asks every tracker at once, though nothing runs, and names those that do not tell', () => {
    const { clock, transport, announcer } = room()
    const one = announcer(1, 'http://a/announce', 'http://b/announce')
    const told: unknown[] = []
    one.scrape((failed) => told.push(failed))
    clock.advance(0)
    expect(transport.scrapes.map(({ url }) => url)).toEqual(['http://a/announce', 'http://b/announce'])
    const [first, second] = transport.scrapes
    first?.finish({
      ok: true,
      counts: new Map([[key(1), { seeds: 1, leechers: null, downloads: null }]]),
      again: null,
    })
    expect(told).toEqual([])
    second?.finish({ ok: true, counts: new Map(), again: null })
    expect(told).toEqual([
      [{ url: 'http://b/announce', message: 'The tracker counts nobody in this swarm.' }],
    ])
    expect(one.views()).toMatchObject([
      { seeds: 1, scrapedAt: clock.wall(), status: 'idle' },
      { seeds: null, scrapedAt: null },
    ])
    expect(transport.attempts).toEqual([])
  })

  it('again and again is answered, and asks no more often than every ten seconds, or as the tracker wishes', () => {
    const { clock, transport, announcer } = room()
    const one = announcer(1)
    const told: string[] = []
    const ask = (): void => {
      one.scrape((failed) => told.push(failed[0]?.message ?? 'ok'))
      clock.advance(0)
    }
    const counts = new Map([[key(1), { seeds: 1, leechers: 2, downloads: 3 }]])
    ask()
    ask()
    transport.scrapes[0]?.finish({ ok: true, counts, again: 60_000 })
    clock.advance(59_000)
    ask()
    clock.advance(1_000)
    ask()
    transport.scrapes[1]?.finish(fault('unreachable', 'It is gone.'))
    expect(transport.scrapes).toHaveLength(2)
    const again = (seconds: number): string =>
      `It was asked for its counts just now, and is asked again in ${String(seconds)}s at the earliest.`
    expect(told).toEqual([again(10), 'ok', again(1), 'It is gone.'])
  })

  it('of a tracker that cannot be scraped says so and sends nothing', () => {
    const { clock, transport, announcer } = room()
    transport.most = 0
    const told: string[] = []
    announcer(1).scrape((failed) => told.push(failed[0]?.message ?? 'ok'))
    clock.advance(0)
    expect([told, transport.scrapes]).toEqual([['This tracker cannot be asked for its counts alone.'], []])
    announcer(2, ...[]).scrape(() => undefined)
  })

  it('of one that does not answer tells all that wait for it, and goes before regular announces', () => {
    const { clock, transport, pace, announcer } = room()
    for (let index = 100; index < 200; index += 1)
      announcer(index, `http://other/announce?${String(index)}`).start()
    expect(pace.waiting).toBe(50)
    const told: string[] = []
    transport.most = 2
    for (let index = 0; index < 5; index += 1)
      announcer(index).scrape((failed) => told.push(failed[0]?.message ?? 'ok'))
    clock.advance(1000)
    expect(transport.scrapes).toHaveLength(1)
    transport.scrapes[0]?.finish(fault('unreachable', 'It is gone.'))
    expect(told).toEqual(Array(5).fill('It is gone.'))
    clock.advance(1000)
    expect(transport.scrapes).toHaveLength(1)
  })
})
