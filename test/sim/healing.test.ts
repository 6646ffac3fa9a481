/** A network that goes away and comes back, on a virtual clock: how long every torrent needs to be heard again. */
import { describe, expect, it } from 'vitest'
import { fault, type AnnounceResult } from '../../daemon/codec/announce.js'
import { Announcer } from '../../daemon/tracker/announcer.js'
import { Pace } from '../../daemon/tracker/pace.js'
import { Rally } from '../../daemon/tracker/rally.js'
import { Wheel } from '../../daemon/tracker/wheel.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'
import { ANSWER } from '../support/fake-tracker-transport.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** What becomes of an announce to a URL now. */
type World = (url: string) => 'answers' | 'refused' | 'unreachable' | 'offline'

function house(init: { readonly rally?: boolean } = {}) {
  const clock = new FakeClock()
  const wheel = new Wheel(clock)
  const asked: { readonly at: number; readonly url: string }[] = []
  const state = { world: (() => 'answers') as World, forgotten: 0 }
  const pace = new Pace({
    clock: wheel,
    transport: {
      announce: (url, _request, done) => {
        asked.push({ at: clock.now(), url })
        const what = state.world(url)
        const result: AnnounceResult =
          what === 'answers' ? { ok: true, answer: ANSWER } : fault(what, `It is ${what}.`)
        return clock.after(50, () => {
          done(result)
        })
      },
    },
  })
  const rally = new Rally({ clock: wheel, random: new FakeRandom(7), back: () => state.forgotten++ })
  const news =
    init.rally === false
      ? {}
      : { lost: rally.lost.bind(rally), heard: rally.heard.bind(rally), gone: rally.gone.bind(rally) }
  const transport = { announce: pace.announce.bind(pace), ...news }
  const torrent = (index: number, url: string): Announcer => {
    const announcer = new Announcer(
      {
        swarmKeys: [index.toString(16).padStart(40, '0') as SwarmKey],
        trackers: [{ tier: 0, url }],
        peerId: Buffer.alloc(20, 1),
        port: () => 6881,
        key: 7,
      },
      {
        clock: wheel,
        random: new FakeRandom(index),
        transport,
        listener: {
          stats: () => ({ uploaded: 0, downloaded: 0, left: 1 }),
          peers: () => undefined,
          changed: () => undefined,
        },
      },
    )
    announcer.start()
    return announcer
  }
  /** Milliseconds until all are heard again. */
  const heal = (torrents: readonly Announcer[]): number => {
    const from = clock.now()
    const silent = (): boolean => torrents.some((each) => each.views()[0]?.status !== 'working')
    while (silent() && clock.now() - from < 2 * HOUR) clock.advance(1000)
    return clock.now() - from
  }
  /** Announces since the last call. */
  let seen = 0
  const count = (url = ''): number => {
    const fresh = asked.slice(seen).filter((each) => each.url.startsWith(url))
    seen = asked.length
    return fresh.length
  }
  return { clock, state, asked, torrent, heal, count }
}

describe('one of those whose question did not leave this machine', () => {
  it('is asked again after a minute, then ever later, five minutes at last, and the next one each time', () => {
    const clock = new FakeClock()
    const rally = new Rally({ clock, random: new FakeRandom(1), back: () => undefined })
    const asked: string[] = []
    const retry = (name: string) => (delay: number, back: boolean) => {
      asked.push(`${name} at ${String(clock.now() / MINUTE)} in ${String(delay)}${back ? ', back' : ''}`)
    }
    const a = retry('a')
    rally.lost(a, true)
    rally.lost(retry('b'), true)
    rally.lost(retry('reached this far'), false)
    clock.advance(13 * MINUTE)
    expect(asked).toEqual(['a at 1 in 0', 'b at 3 in 0', 'a at 7 in 0', 'b at 12 in 0'])
    rally.gone(a)
    clock.advance(10 * MINUTE)
    expect(asked.slice(4)).toEqual(['b at 17 in 0', 'b at 22 in 0'])
  })
})

describe('a resolver that fails for hours and then answers', () => {
  it.each([1, 40, 1000])('%i torrents are heard again within minutes', (many) => {
    const { clock, state, asked, torrent, heal } = house()
    const torrents = Array.from({ length: many }, (_, at) =>
      torrent(at, `http://t${String(at % 7)}/announce`),
    )
    clock.advance(MINUTE)
    state.world = () => 'offline'
    clock.advance(5 * HOUR)
    state.world = () => 'answers'
    const from = asked.length
    const took = heal(torrents)
    // Five minutes to the next try of anybody, ten seconds to spread, and 50 a second.
    expect(took).toBeLessThanOrEqual(5 * MINUTE + 11_000 + (many / 50) * 1000)
    const crowded = asked.slice(from).filter(({ at }, n, all) => at - (all[n - 50]?.at ?? -Infinity) < 1000)
    expect(crowded).toEqual([])
    if (many > 1) expect(state.forgotten).toBeGreaterThan(0)
  })

  it('without that it is the back-off that heals, up to half an hour later', () => {
    const { clock, state, torrent, heal } = house({ rally: false })
    const torrents = Array.from({ length: 40 }, (_, at) => torrent(at, 'http://t/announce'))
    clock.advance(MINUTE)
    state.world = () => 'offline'
    clock.advance(5 * HOUR + 7 * MINUTE)
    state.world = () => 'answers'
    expect(heal(torrents)).toBeGreaterThan(20 * MINUTE)
  })

  it('costs one try in five minutes more while nobody answers, and no timer of its own when all is well', () => {
    const { clock, state, torrent, heal, count } = house()
    const lone = [torrent(1, 'http://t/announce')]
    clock.advance(MINUTE)
    state.world = () => 'offline'
    clock.advance(2 * HOUR)
    count()
    clock.advance(2 * HOUR)
    expect(count()).toBeLessThanOrEqual(24 + 6)
    state.world = () => 'answers'
    heal(lone)
    expect(clock.pending).toBe(1)
    for (const each of lone) each.stop(1000, () => undefined)
    clock.advance(1000)
    expect(clock.pending).toBe(0)
  })
})

describe('a network that swallows everything', () => {
  it('is back for all as soon as one tracker answers anybody', () => {
    const { clock, state, torrent, heal } = house()
    const torrents = Array.from({ length: 60 }, (_, at) => torrent(at, `udp://t${String(at)}:1`))
    clock.advance(MINUTE)
    state.world = () => 'unreachable'
    clock.advance(5 * HOUR)
    state.world = () => 'answers'
    torrents[7]?.announceNow(true)
    expect(heal(torrents)).toBeLessThanOrEqual(20_000)
  })
})

describe('trackers that are dead while others live', () => {
  it('are asked hardly more often than they would be: it is not the network', () => {
    const runs = [true, false].map((rally) => {
      const { clock, state, torrent, count } = house({ rally })
      state.world = (url) => (url.startsWith('http://dead') ? 'unreachable' : 'answers')
      for (let at = 0; at < 20; at += 1) torrent(at, `http://dead${String(at)}/announce`)
      for (let at = 20; at < 40; at += 1) torrent(at, `http://live${String(at)}/announce`)
      clock.advance(2 * HOUR)
      count()
      clock.advance(10 * HOUR)
      return count('http://dead')
    })
    const [more = 0, plain = 0] = runs
    expect(plain).toBeGreaterThan(300)
    expect(more).toBeLessThanOrEqual(plain * 2.5)
  })

  it('that refuse are not asked again because the network is back', () => {
    const { clock, state, torrent, count } = house()
    state.world = (url) => (url.startsWith('http://no') ? 'refused' : 'offline')
    torrent(1, 'http://no/announce')
    torrent(2, 'http://t/announce')
    clock.advance(3 * HOUR)
    count()
    state.world = (url) => (url.startsWith('http://no') ? 'refused' : 'answers')
    clock.advance(6 * MINUTE)
    expect(count('http://no')).toBeLessThanOrEqual(1)
  })
})
