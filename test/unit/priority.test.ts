import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAddress, type PeerAddress } from '../../daemon/base/address.js'
import { crc32c } from '../../daemon/base/crc32c.js'
import { OwnAddresses, peerPriority } from '../../daemon/swarm/priority.js'

function at(text: string): PeerAddress {
  const address = parseAddress(text)
  if (address === null) throw new Error(text)
  return address
}
const hex = (a: string, b: string): string | undefined => peerPriority(at(a), at(b))?.toString(16)
const sum = (text: string): string => crc32c(Buffer.from(text, 'hex')).toString(16)

describe('CRC-32C', () => {
  it('is that of RFC 3720', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32c([])).toBe(0)
  })
})

describe('canonical peer priority (BEP 40)', () => {
  it('is that of the examples of the BEP', () => {
    expect(hex('123.213.32.10:1', '98.76.54.32:2')).toBe('ec2d7224')
    expect(hex('123.213.32.10:1', '123.213.32.234:2')).toBe('99568189')
  })

  it.each([
    ['another /16', '1.2.255.255:1', '3.4.255.255:1', '0102555503045555'],
    ['the same /16', '1.2.3.255:1', '1.2.255.255:1', '010203550102ff55'],
    ['the same /24', '1.2.3.255:1', '1.2.3.254:1', '010203fe010203ff'],
    ['the same host: the ports', '1.2.3.4:258', '1.2.3.4:80', '00500102'],
    [
      'IPv6, another /48',
      '[2001:db8:1:ffff:ffff::ff]:1',
      '[2001:db8:2:ffff::ff]:1',
      '20010db80001555555550000000000552001 0db80002555500000000000000 55'.replaceAll(' ', ''),
    ],
    [
      'IPv6, the same /48',
      '[2001:db8:1:feff::]:1',
      '[2001:db8:1:ffff::]:1',
      '20010db80001fe550000000000000000' + '20010db80001ff550000000000000000',
    ],
    [
      'IPv6, the same /56',
      '[2001:db8:1:fffe:ffff::]:1',
      '[2001:db8:1:ffff:ffff::]:1',
      '20010db80001fffe5555000000000000' + '20010db80001ffff5555000000000000',
    ],
    [
      'IPv6, the same /64',
      '[2001:db8:1:1:ff00::]:1',
      '[2001:db8:1:1:feff::]:1',
      '20010db800010001fe55000000000000' + '20010db800010001ff00000000000000',
    ],
    ['the same IPv6 host', '[2001:db8::1]:1', '[2001:db8::1]:65535', '0001ffff'],
  ])('masks %s', (_name, a, b, bytes) => {
    expect(hex(a, b)).toBe(sum(bytes))
  })

  it('is none between IPv4 and IPv6', () => {
    expect(peerPriority(at('1.2.3.4:1'), at('[2001:db8::1]:1'))).toBeNull()
  })

  it('is the same from both ends', () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6())
    fc.assert(
      fc.property(host, host, fc.integer({ min: 1, max: 65_535 }), (a, b, port) => {
        const one = at(a.includes(':') ? `[${a}]:${String(port)}` : `${a}:${String(port)}`)
        const other = at(b.includes(':') ? `[${b}]:6881` : `${b}:6881`)
        expect(peerPriority(one, other)).toBe(peerPriority(other, one))
      }),
    )
  })
})

describe('our own addresses', () => {
  it('are what most peers of that distance and family say', () => {
    const own = new OwnAddresses()
    expect(own.towards(at('9.9.9.9:1'))).toBeNull()
    own.heard(at('8.0.0.1:1'), '198.51.100.1')
    own.heard(at('8.0.0.2:1'), '198.51.100.2')
    expect(own.towards(at('9.9.9.9:1'))).toBe('198.51.100.1')
    expect(own.version).toBe(1)
    own.heard(at('8.0.0.3:1'), '198.51.100.2')
    expect(own.towards(at('9.9.9.9:1'))).toBe('198.51.100.2')
    expect(own.version).toBe(2)
    // In the local network we have another one, and IPv6 is apart.
    expect(own.towards(at('192.168.1.7:1'))).toBeNull()
    own.heard(at('192.168.1.7:1'), '192.168.1.2')
    expect(own.towards(at('192.168.1.9:1'))).toBe('192.168.1.2')
    expect(own.towards(at('[2001:db8::1]:1'))).toBeNull()
  })

  it('one peer has one vote, and none on an address that it cannot see', () => {
    const own = new OwnAddresses()
    own.heard(at('8.0.0.1:1'), '198.51.100.1')
    own.heard(at('8.0.0.2:1'), '198.51.100.1')
    for (let n = 0; n < 10; n++) own.heard(at(`8.0.0.3:${String(n + 1)}`), '198.51.100.66')
    for (const host of ['10.0.0.1', '127.0.0.1', '0.0.0.0', '2001:db8::1'])
      for (let n = 4; n < 10; n++) own.heard(at(`8.0.0.${String(n)}:1`), host)
    expect(own.towards(at('9.9.9.9:1'))).toBe('198.51.100.1')
  })

  it('follow a change, and remember few voters', () => {
    const own = new OwnAddresses()
    for (let n = 0; n < 40; n++) own.heard(at(`8.0.${String(n)}.1:1`), '198.51.100.1')
    for (let n = 0; n < 17; n++) own.heard(at(`8.1.${String(n)}.1:1`), '198.51.100.2')
    expect(own.towards(at('9.9.9.9:1'))).toBe('198.51.100.2')
  })
})
