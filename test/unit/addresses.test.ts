import { expect, it } from 'vitest'
import { Addresses } from '../../daemon/base/addresses.js'
import { networkAddresses } from '../../daemon/io/net.js'

const ADDRESSES = new Addresses('eth0 10.0.0.2, eth0 fe80::1, lo 127.0.0.1, lo ::1, tun 2001:db8::7')

it.each(['10.0.0.2', '::ffff:10.0.0.2', 'fe80::1%eth0', '2001:db8::7', '::1', '127.0.0.9', ''])(
  'a socket from %j is still ours',
  (local) => {
    expect(ADDRESSES.holds(local)).toBe(true)
  },
)

it.each(['10.0.0.20', '10.0.0.1', '::ffff:10.0.0.3', 'fe80::2', '2001:db8::'])(
  'a socket from %j is not',
  (local) => {
    expect(ADDRESSES.holds(local)).toBe(false)
  },
)

it('what the system says of this machine is read', () => {
  expect(new Addresses(networkAddresses()).holds('::ffff:127.0.0.1')).toBe(true)
  expect(networkAddresses()).toMatch(/^\S+ \S+(, \S+ \S+)*$/)
})
