import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as a from '../../daemon/base/address.js'
import { ipBytes, parseIp } from '../../daemon/base/ip.js'

describe('parseIp', () => {
  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['::', '::'],
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0000:0001:0001:0001:0001:0001', '2001:db8:0:1:1:1:1:1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['::ffff:102:304', '1.2.3.4'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
  ])('%s is %s', (text, host) => {
    expect(parseIp(text)?.host).toBe(host)
  })

  it.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '0x7f.1',
    '1.2.3.4.5',
    'localhost',
    ':',
    ':::',
    '1::2::3',
    '12345::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1.2.3',
    '[::1',
    ' 1.2.3.4',
  ])('%j is no address', (text) => {
    expect(parseIp(text)).toBeNull()
  })

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const ip = parseIp(text)
        expect(ip).not.toBeNull()
        expect(parseIp(ip?.host ?? '')).toEqual(ip)
        expect(ipBytes(ip?.host ?? '')).toEqual(ipBytes(text))
      }),
    )
  })

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseIp(text)))
  })
})

describe('addresses', () => {
  it.each([
    ['1.2.3.4:80', { host: '1.2.3.4', port: 80, family: 4 }],
    ['[::1]:6881', { host: '::1', port: 6881, family: 6 }],
    ['[::ffff:1.2.3.4]:1', { host: '1.2.3.4', port: 1, family: 4 }],
    ['1.2.3.4:65536', null],
    ['::1:80', null],
    ['host:80', null],
    ['1.2.3.4', null],
    ['1.2.3.4:-1', null],
  ])('%s', (text, expected) => {
    expect(a.parseAddress(text)).toEqual(expected)
    if (expected !== null)
      expect(a.parseAddress(a.formatAddress(expected as a.PeerAddress))).toEqual(expected)
  })

  it('has one key for one address', () => {
    const mapped = a.makeAddress('::ffff:10.0.0.1', 9)
    const plain = a.makeAddress('10.0.0.1', 9)
    expect(mapped).not.toBeNull()
    expect(mapped && a.addressKey(mapped)).toBe(plain && a.addressKey(plain))
  })

  it('goes through compact bytes and back', () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6())
    fc.assert(
      fc.property(host, fc.nat({ max: 65_535 }), (text, port) => {
        const address = a.makeAddress(text, port)
        if (address === null) throw new Error('not an address')
        const bytes = a.toCompact(address)
        expect(bytes).toHaveLength(address.family === 4 ? 6 : 18)
        expect(a.readCompact(bytes, address.family === 4 ? 6 : 18)).toEqual([address])
      }),
    )
    expect(a.readCompact(Buffer.alloc(13, 1), 6)).toHaveLength(2)
  })
})

describe('scope', () => {
  it.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['10.77.0.1', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.1.1', 'private'],
    ['169.254.169.254', 'private'],
    ['100.64.0.1', 'private'],
    ['fe80::1', 'private'],
    ['fd00::1', 'private'],
    ['::ffff:10.0.0.1', 'private'],
    ['172.32.0.1', 'internet'],
    ['100.128.0.1', 'internet'],
    ['8.8.8.8', 'internet'],
    ['2001:4860::8888', 'internet'],
    ['64:ff9b::8.8.8.8', 'internet'],
    ['0.0.0.0', 'never'],
    ['0.1.2.3', 'never'],
    ['224.0.0.1', 'never'],
    ['255.255.255.255', 'never'],
    ['::', 'never'],
    ['ff02::1', 'never'],
    ['::127.0.0.1', 'never'],
    ['64:ff9b::7f00:1', 'never'],
    ['2002:7f00:1::', 'never'],
    ['localhost', 'never'],
  ])('%s is %s', (host, kind) => {
    expect(a.classOf(host)).toBe(kind)
  })

  it('includes the narrower ones in the wider', () => {
    const table = (scope: a.Scope): boolean[] =>
      ['127.0.0.1', '10.0.0.1', '8.8.8.8', '224.0.0.1'].map((host) => a.inScope({ host, port: 1 }, scope))
    expect(table('loopback')).toEqual([true, false, false, false])
    expect(table('private')).toEqual([true, true, false, false])
    expect(table('internet')).toEqual([true, true, true, false])
    expect(a.inScope({ host: '8.8.8.8', port: 0 }, 'internet')).toBe(false)
  })
})
