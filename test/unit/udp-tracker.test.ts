import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AnnounceRequest } from '../../daemon/codec/announce.js'
import { encodeAnnounce, encodeConnect, encodeScrape, parseUdpReply } from '../../daemon/codec/udp-tracker.js'
import type { SwarmKey } from '../../shared/units.js'

const REQUEST: AnnounceRequest = {
  swarmKey: 'aa'.repeat(20) as SwarmKey,
  peerId: Buffer.alloc(20, 0xbb),
  port: 0x1234,
  uploaded: 2 ** 40,
  downloaded: 2,
  left: 3,
  event: 'started',
  numwant: 80,
  key: 0xdeadbeef,
  trackerId: null,
}
const CONNECTION = Buffer.from('0102030405060708', 'hex')

describe('requests', () => {
  it('connects', () => {
    expect(encodeConnect(0xcafebabe).toString('hex')).toBe('000004172710198000000000cafebabe')
  })

  it('announces, by the table of BEP 15', () => {
    const hex = [
      '0102030405060708',
      '00000001',
      '0000002a',
      'aa'.repeat(20),
      'bb'.repeat(20),
      '0000000000000002',
      '0000000000000003',
      '0000010000000000',
      '00000002',
      '00000000',
      'deadbeef',
      '00000050',
      '1234',
    ]
    expect(encodeAnnounce(CONNECTION, 42, REQUEST).toString('hex')).toBe(hex.join(''))
  })

  it.each([
    [null, 0],
    ['completed', 1],
    ['started', 2],
    ['stopped', 3],
  ] as const)('numbers the event %s', (event, number) => {
    expect(encodeAnnounce(CONNECTION, 42, { ...REQUEST, event }).readUInt32BE(80)).toBe(number)
  })

  it('adds the path by BEP 41, in parts of 255 bytes', () => {
    const short = encodeAnnounce(CONNECTION, 1, REQUEST, '/dir?a=b&c=d')
    expect(short.subarray(98).toString('latin1')).toBe('\x02\x0c/dir?a=b&c=d')
    const long = encodeAnnounce(CONNECTION, 1, REQUEST, `/${'x'.repeat(299)}`)
    expect(long.length).toBe(98 + 2 + 255 + 2 + 45)
    expect(long[98 + 257 + 1]).toBe(45)
    expect(encodeAnnounce(CONNECTION, 1, REQUEST, '/')).toHaveLength(98)
  })

  it('scrapes at most 74', () => {
    const keys = Array.from({ length: 80 }, () => 'cc'.repeat(20) as SwarmKey)
    const packet = encodeScrape(CONNECTION, 7, keys)
    expect(packet).toHaveLength(16 + 20 * 74)
    expect(packet.readUInt32BE(8)).toBe(2)
    expect(packet.toString('hex', 16, 36)).toBe('cc'.repeat(20))
  })
})

const packet = (hex: string): Buffer => Buffer.from(hex, 'hex')

describe('parseUdpReply', () => {
  it('reads a connection id', () => {
    expect(parseUdpReply(packet('00000000' + '0000002a' + '0102030405060708'), 4)).toEqual({
      kind: 'connect',
      transaction: 42,
      connection: CONNECTION,
    })
  })

  const head = '00000001' + '0000002a' + '00000708' + '00000003' + '00000005'
  it('reads peers of 6 bytes over IPv4', () => {
    expect(parseUdpReply(packet(head + '0a0000011ae1' + '0a0000020000' + 'ff'), 4)).toEqual({
      kind: 'announce',
      transaction: 42,
      answer: {
        interval: 1_800_000,
        minInterval: null,
        seeds: 5,
        leechers: 3,
        downloads: null,
        peers: [{ host: '10.0.0.1', port: 6881, family: 4 }],
        warning: null,
        trackerId: null,
      },
    })
  })

  it('reads peers of 18 bytes over IPv6', () => {
    const reply = parseUdpReply(packet(head + '20010db8' + '00'.repeat(11) + '01' + '0050'), 6)
    expect(reply).toMatchObject({ answer: { peers: [{ host: '2001:db8::1', port: 80, family: 6 }] } })
  })

  it('reads scrapes and errors', () => {
    expect(parseUdpReply(packet('00000002' + '0000002a' + '000000010000000200000003' + 'ff'), 4)).toEqual({
      kind: 'scrape',
      transaction: 42,
      counts: [{ seeds: 1, downloads: 2, leechers: 3 }],
    })
    const error = Buffer.concat([packet('00000003' + '0000002a'), Buffer.from('no\u0007such torrent\0')])
    expect(parseUdpReply(error, 4)).toEqual({ kind: 'error', transaction: 42, message: 'no such torrent' })
  })

  it.each([
    '',
    '00000000',
    '00000000' + '0000002a' + '01020304050607',
    '00000001' + '0000002a' + '0000',
    '00000009' + '0000002a',
  ])('takes %j for no reply', (hex) => {
    expect(parseUdpReply(packet(hex), 4)).toBeNull()
  })

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat({ max: 3 }), (bytes, action) => {
        const buf = Buffer.from(bytes)
        if (buf.length >= 4) buf.writeUInt32BE(action, 0)
        parseUdpReply(buf, 4)
        parseUdpReply(buf, 6)
      }),
    )
  })
})
