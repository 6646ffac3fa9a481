import { describe, expect, it } from 'vitest'
import type { PeerAddress } from '../../daemon/base/address.js'
import type { AnnounceRequest, AnnounceResult, ScrapeResult } from '../../daemon/codec/announce.js'
import type { IpAddress } from '../../daemon/base/ip.js'
import { NetTrackers } from '../../daemon/io/tracker-transport.js'
import { UdpAnnouncer } from '../../daemon/io/udp-announce.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'
import { packet } from '../support/fake-tracker.js'

const REQUEST: AnnounceRequest = {
  swarmKey: 'aa'.repeat(20) as SwarmKey,
  peerId: Buffer.alloc(20, 1),
  port: 6881,
  uploaded: 0,
  downloaded: 0,
  left: 0,
  event: null,
  numwant: 80,
  key: 1,
  trackerId: null,
}
const TO: PeerAddress = { host: '127.0.0.1', port: 6969, family: 4 }
const TO6: PeerAddress = { host: '::1', port: 6969, family: 6 }
const CONNECTION = Buffer.alloc(8, 7)

function lab() {
  const clock = new FakeClock()
  const sent: {
    at: number
    what: string
    packet: Buffer
    to: PeerAddress
    failed: (reason: string) => void
  }[] = []
  const udp = new UdpAnnouncer(
    {},
    {
      clock,
      random: new FakeRandom(1),
      send: (bytes, to, failed) => {
        const asked = Buffer.from(bytes)
        const what = ['connect', 'announce', 'scrape'][asked.readUInt32BE(8)] ?? '?'
        sent.push({ at: clock.now() / 1000, what, packet: asked, to, failed })
      },
    },
  )
  const results: AnnounceResult[] = []
  const last = () => sent[sent.length - 1]!
  return {
    clock,
    sent,
    udp,
    results,
    last,
    done: (result: AnnounceResult) => results.push(result),
    log: () => sent.map(({ at, what }) => `${at} ${what}`),
    connected: () => {
      udp.received(packet(0, last().packet.readUInt32BE(12), CONNECTION), last().to)
    },
    answered: (peers = Buffer.alloc(0), question = last()) => {
      udp.received(packet(1, question.packet.readUInt32BE(12), 1800, 0, 0, peers), question.to)
    },
  }
}

describe('scrapes', () => {
  const KEYS = ['aa'.repeat(20), 'bb'.repeat(20)] as SwarmKey[]

  it('share connection ids with announces, and tell what came of each key', () => {
    const { udp, last, done, log, connected, answered } = lab()
    const counted: ScrapeResult[] = []
    udp.announce(TO, '', REQUEST, done)
    connected()
    answered()
    udp.scrape(TO, KEYS, (result) => counted.push(result))
    expect(log()).toEqual(['0 connect', '0 announce', '0 scrape'])
    // An answer of another kind, of a stranger, and one that is too short for the second key.
    const transaction = last().packet.readUInt32BE(12)
    udp.received(packet(1, transaction, 1800, 0, 0), TO)
    udp.received(packet(2, transaction, 1, 2, 3), { ...TO, port: 1 })
    expect(counted).toEqual([])
    udp.received(packet(2, transaction, 1, 2, 3, 4), TO)
    const counts = new Map([[KEYS[0], { seeds: 1, downloads: 2, leechers: 3 }]])
    expect(counted).toEqual([{ ok: true, counts, again: null }])
    expect(udp.busy).toBe(0)
  })

  it('ask for a new connection id once where the tracker forgot the old one, and end', () => {
    const { clock, udp, last, done, log, connected, answered } = lab()
    const counted: ScrapeResult[] = []
    udp.announce(TO, '', REQUEST, done)
    connected()
    answered()
    udp.scrape(TO, KEYS, (result) => counted.push(result))
    udp.received(packet(3, last().packet.readUInt32BE(12), Buffer.from('who?')), TO)
    connected()
    udp.received(packet(3, last().packet.readUInt32BE(12), Buffer.from('who?')), TO)
    expect(log().slice(2)).toEqual(['0 scrape', '0 connect', '0 scrape'])
    expect(counted).toMatchObject([{ ok: false, fault: { kind: 'refused' } }])
    expect([udp.busy, clock.pending]).toEqual([0, 0])
  })
})

describe('UdpAnnouncer', () => {
  it('asks again after 15 seconds, and gives up after 30 more', () => {
    const { clock, udp, results, done, log } = lab()
    udp.announce(TO, '', REQUEST, done)
    clock.advance(44_999)
    expect([log(), results.length]).toEqual([['0 connect', '15 connect'], 0])
    clock.advance(1)
    expect(results).toMatchObject([{ ok: false, fault: { kind: 'unreachable' } }])
    expect([udp.busy, clock.pending]).toEqual([0, 0])
  })

  it('takes 90 seconds at the worst', () => {
    const { clock, udp, results, done, connected, log } = lab()
    udp.announce(TO, '', REQUEST, done)
    clock.advance(44_999)
    connected()
    clock.advance(44_999)
    expect([log(), results.length]).toEqual([
      ['0 connect', '15 connect', '44.999 announce', '59.999 announce'],
      0,
    ])
    clock.advance(1)
    expect(results).toHaveLength(1)
  })

  it('uses a connection id for a minute', () => {
    const { clock, udp, results, done, connected, answered, log } = lab()
    udp.announce(TO, '', REQUEST, done)
    connected()
    answered()
    clock.advance(59_999)
    udp.announce(TO, '', REQUEST, done)
    answered()
    clock.advance(1)
    udp.announce(TO, '', REQUEST, done)
    expect(log()).toEqual(['0 connect', '0 announce', '59.999 announce', '60 connect'])
    expect(results.map((result) => result.ok)).toEqual([true, true])
  })

  it('asks for a new connection id when the one it has runs out between two tries', () => {
    const { clock, udp, done, connected, answered, log } = lab()
    udp.announce(TO, '', REQUEST, done)
    connected()
    answered()
    clock.advance(50_000)
    udp.announce(TO, '', REQUEST, done)
    clock.advance(15_000)
    expect(log()).toEqual(['0 connect', '0 announce', '50 announce', '65 connect'])
  })

  it('keeps announces of many torrents to one tracker apart', () => {
    const { udp, results, sent, done, connected, answered } = lab()
    udp.announce(TO, '', REQUEST, done)
    connected()
    answered()
    for (let i = 0; i < 20; i += 1) udp.announce(TO, '', REQUEST, done)
    const ids = new Set(sent.slice(2).map((each) => each.packet.readUInt32BE(12)))
    expect(ids.size).toBe(20)
    for (const question of sent.slice(2).reverse()) answered(Buffer.alloc(0), question)
    expect(results).toHaveLength(21)
  })

  it('tells at once where the system will not send', () => {
    const { clock, udp, results, last, done } = lab()
    udp.announce(TO, '', REQUEST, done)
    last().failed('ENETUNREACH')
    expect(results).toMatchObject([{ fault: { message: 'The tracker could not be reached (ENETUNREACH).' } }])
    last().failed('ENETUNREACH')
    expect([results.length, clock.pending]).toEqual([1, 0])
  })
})

describe('NetTrackers over UDP', () => {
  function both(addresses: readonly IpAddress[]) {
    const made = lab()
    const trackers = new NetTrackers({
      clock: made.clock,
      http: { get: () => () => undefined },
      resolver: { resolve: async () => ({ addresses, reason: null }) },
      udp: made.udp,
      allows: () => true,
    })
    return { ...made, trackers }
  }
  const FAMILIES: readonly IpAddress[] = [
    { host: '::1', family: 6 },
    { host: '127.0.0.1', family: 4 },
    { host: '127.0.0.2', family: 4 },
  ]

  it('asks both families and makes one answer of two', async () => {
    const { clock, trackers, udp, sent, results, done, answered } = both(FAMILIES)
    trackers.announce('udp://t:6969/announce', REQUEST, done)
    await clock.advanceAsync(0)
    expect(sent.map((each) => each.to)).toEqual([TO, TO6])
    for (const each of [...sent]) udp.received(packet(0, each.packet.readUInt32BE(12), CONNECTION), each.to)
    answered(Buffer.from('0a0000010050', 'hex'), sent[2])
    expect(results).toEqual([])
    answered(Buffer.from('20010db8' + '00'.repeat(11) + '010050', 'hex'), sent[3])
    expect(
      results.flatMap((result) => (result.ok ? result.answer.peers.map((peer) => peer.host) : [])),
    ).toEqual(['10.0.0.1', '2001:db8::1'])
    expect(clock.pending).toBe(0)
  })

  it('waits two seconds for the second family', async () => {
    const { clock, trackers, udp, sent, results, done, answered } = both(FAMILIES)
    trackers.announce('udp://t:6969/announce', REQUEST, done)
    await clock.advanceAsync(0)
    const [four] = sent
    udp.received(packet(0, four!.packet.readUInt32BE(12), CONNECTION), TO)
    answered(Buffer.alloc(0), sent[2])
    clock.advance(1999)
    expect(results).toHaveLength(0)
    clock.advance(1)
    expect([results.length, udp.busy, clock.pending]).toEqual([1, 0, 0])
  })

  it('fails only where both fail', async () => {
    const { clock, trackers, results, done } = both(FAMILIES)
    trackers.announce('udp://t:6969', REQUEST, done)
    await clock.advanceAsync(45_000)
    expect(results).toMatchObject([{ ok: false, fault: { message: 'The tracker did not answer.' } }])
  })

  it('can be cancelled before the name is known', async () => {
    const { clock, trackers, sent, results, done } = both(FAMILIES)
    trackers.announce('udp://t:6969', REQUEST, done)()
    await clock.advanceAsync(60_000)
    expect([sent.length, results.length]).toEqual([0, 0])
  })
})
