import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AnnounceRequest } from '../../daemon/codec/announce.js'
import { announceUrl, parseAnnounce, percentEncode } from '../../daemon/codec/http-tracker.js'
import type { SwarmKey } from '../../shared/units.js'
import { encode } from '../../shared/torrent/bencode.js'

const REQUEST: AnnounceRequest = {
  swarmKey: '00ff2041627e800d0a26253d3f232b2f5c7b7d90' as SwarmKey,
  peerId: Buffer.from('-TO0100-abcdefghijkl'),
  port: 6881,
  uploaded: 1,
  downloaded: 2,
  left: 3,
  event: 'started',
  numwant: 80,
  key: 0xabc,
  trackerId: null,
}

describe('announceUrl', () => {
  it('escapes every byte but letters and digits', () => {
    expect(percentEncode(Buffer.from(REQUEST.swarmKey, 'hex'))).toBe(
      '%00%FF%20Ab%7E%80%0D%0A%26%25%3D%3F%23%2B%2F%5C%7B%7D%90',
    )
  })

  it('has the parameters of BEP 3, 7 and 23', () => {
    expect(announceUrl('http://t.example/announce', REQUEST)).toBe(
      'http://t.example/announce?info_hash=%00%FF%20Ab%7E%80%0D%0A%26%25%3D%3F%23%2B%2F%5C%7B%7D%90' +
        '&peer_id=%2DTO0100%2Dabcdefghijkl&port=6881&uploaded=1&downloaded=2&left=3&compact=1&numwant=80' +
        '&key=00000abc&supportcrypto=0&event=started',
    )
  })

  it('says how far we speak in secret', () => {
    expect(announceUrl('http://t/a', REQUEST)).toMatch(/&supportcrypto=0&event/)
    expect(announceUrl('http://t/a', { ...REQUEST, crypto: 'supported' })).toMatch(/&supportcrypto=1&event/)
    expect(announceUrl('http://t/a', { ...REQUEST, crypto: 'required' })).toMatch(
      /&supportcrypto=1&requirecrypto=1&event/,
    )
  })

  it.each([
    ['http://t/a?passkey=x', 'http://t/a?passkey=x&info_hash='],
    ['http://t/a?', 'http://t/a?info_hash='],
    ['http://t/a?x=1&', 'http://t/a?x=1&info_hash='],
    ['http://t/a#part', 'http://t/a?info_hash='],
    ['http://t/a?x=1#part?', 'http://t/a?x=1&info_hash='],
    ['http://t/%7euser/a?x=%zz', 'http://t/%7euser/a?x=%zz&info_hash='],
  ])('goes on from %s', (url, start) => {
    expect(announceUrl(url, REQUEST).startsWith(start)).toBe(true)
  })

  it('leaves the event of a regular announce out and gives the tracker id back', () => {
    const url = announceUrl('http://t/a', {
      ...REQUEST,
      event: null,
      trackerId: Uint8Array.of(0x61, 0, 0x62),
    })
    expect(url).not.toContain('event=')
    expect(url.endsWith('&trackerid=a%00b')).toBe(true)
  })
})

const answer = (value: Parameters<typeof encode>[0]): ReturnType<typeof parseAnnounce> =>
  parseAnnounce(encode(value))

describe('parseAnnounce', () => {
  it('reads a whole answer', () => {
    const result = answer({
      interval: 1800,
      'min interval': 300,
      complete: 5,
      incomplete: 6,
      downloaded: 7,
      'tracker id': Uint8Array.of(1, 2),
      'warning message': 'slow\ndown',
      peers: Uint8Array.of(10, 0, 0, 1, 0x1a, 0xe1, 10, 0, 0, 2, 0, 0),
      peers6: Uint8Array.from([...new Uint8Array(15), 1, 0, 80]),
    })
    expect(result).toEqual({
      ok: true,
      answer: {
        interval: 1_800_000,
        minInterval: 300_000,
        seeds: 5,
        leechers: 6,
        downloads: 7,
        peers: [
          { host: '10.0.0.1', port: 6881, family: 4 },
          { host: '::1', port: 80, family: 6 },
        ],
        warning: 'slow down',
        trackerId: Uint8Array.of(1, 2),
      },
    })
  })

  it('says of an interval below 0 that it cannot be', () => {
    const result = answer({ interval: -1 })
    expect(result).toMatchObject({
      ok: true,
      answer: { interval: null, warning: 'its interval of -1 s cannot be' },
    })
  })

  it('reads peers as dictionaries, leaving out names and bad ports', () => {
    const result = answer({
      interval: 60,
      peers: [
        { ip: '10.0.0.1', port: 1, 'peer id': new Uint8Array(20) },
        { ip: '::1', port: 2 },
        { ip: 'peer.example', port: 3 },
        { ip: '10.0.0.2', port: 0 },
        { ip: '10.0.0.3', port: 65_536 },
        { port: 5 },
        7,
      ],
    })
    expect(result.ok && result.answer.peers.map((peer) => `${peer.host} ${String(peer.port)}`)).toEqual([
      '10.0.0.1 1',
      '::1 2',
    ])
  })

  it.each([
    ['interval -1', { interval: -1 }, null],
    ['interval 0', { interval: 0 }, 0],
    ['interval 2^40', { interval: 2 ** 40 }, 2 ** 40 * 1000],
    ['interval as text', { interval: '1800' }, null],
    ['nothing', {}, null],
  ])('takes %s', (_name, value, interval) => {
    expect(answer(value)).toMatchObject({ ok: true, answer: { interval, peers: [] } })
  })

  it('takes a cut peer list, and a line break after the answer', () => {
    expect(answer({ peers: new Uint8Array(7).fill(1) })).toMatchObject({
      answer: { peers: [{ host: '1.1.1.1' }] },
    })
    expect(parseAnnounce(Buffer.from('d8:intervali60ee\r\n'))).toMatchObject({ ok: true })
  })

  it('bounds the peers', () => {
    const result = answer({ peers: new Uint8Array(6 * 100_000).fill(1) })
    expect(result.ok && result.answer.peers.length).toBe(2_000)
  })

  it.each([
    [{ 'failure reason': 'unregistered torrent' }, 'The tracker refused: unregistered torrent', null],
    [{ 'failure reason': 'a\u001b[2Jb\nc' }, 'The tracker refused: a [2Jb c', null],
    [{ 'failure reason': '' }, 'The tracker refused without a reason.', null],
    [{ 'failure reason': 'x', 'retry in': 5 }, 'The tracker refused: x', 300_000],
    [{ 'failure reason': 'x', 'retry in': '5' }, 'The tracker refused: x', 300_000],
    [{ 'failure reason': 'x', 'retry in': 'never' }, 'The tracker refused: x', 'never'],
    [{ 'failure reason': 'x', 'retry in': -5 }, 'The tracker refused: x', null],
  ])('tells the failure of %j', (value, message, retryIn) => {
    expect(answer(value)).toEqual({ ok: false, fault: { kind: 'refused', message, retryIn } })
  })

  it('cuts a long reason', () => {
    const result = answer({ 'failure reason': 'x'.repeat(10_000) })
    expect(!result.ok && result.fault.message.length).toBeLessThan(250)
  })

  it.each([
    ['', 'The tracker sent an empty answer.'],
    ['\n <!DOCTYPE html>', 'The tracker answered with a web page; its address may be wrong or out of date.'],
    ['i5e', 'The tracker sent an answer that is not a tracker answer.'],
    ['d8:interval', 'The tracker sent an answer that is not a tracker answer.'],
  ])('tells what %j is', (body, message) => {
    expect(parseAnnounce(Buffer.from(body))).toEqual({
      ok: false,
      fault: { kind: 'bad-answer', message, retryIn: null },
    })
  })

  it('never throws', () => {
    const dict = fc
      .uint8Array({ maxLength: 100 })
      .map((bytes) => Buffer.concat([Buffer.from('d5:peers'), bytes]))
    fc.assert(fc.property(fc.oneof(fc.uint8Array(), dict), (bytes) => void parseAnnounce(bytes)))
  })
})
