/** Local-network privacy of macOS, as its refusals look from inside. */
import { expect, it } from 'vitest'
import { LocalDenial } from '../../daemon/io/local-denial.js'

const LOCAL = ['192.168.1.2', '192.168.1.3', '10.0.0.4']

function after(platform: string, ...ended: readonly (readonly [host: string, reason: string])[]): boolean {
  const local = new LocalDenial({ platform })
  for (const [host, reason] of ended) local.ended(host, reason)
  return local.denied
}
const refused = LOCAL.map((host) => [host, 'EHOSTUNREACH'] as const)

it('is told of three hosts there that were refused, and none that was reached since', () => {
  expect(after('darwin', ...refused)).toBe(true)
  expect(after('darwin', ...refused.slice(0, 2))).toBe(false)
  expect(after('darwin', ...Array.from({ length: 9 }, () => ['192.168.1.2', 'EHOSTUNREACH'] as const))).toBe(
    false,
  )
  for (const reached of ['', 'ECONNREFUSED', 'ECONNRESET'])
    expect(after('darwin', ...refused, ['192.168.1.9', reached])).toBe(false)
})

it('nothing else tells of it', () => {
  expect(after('linux', ...refused)).toBe(false)
  expect(after('darwin', ...LOCAL.map((host) => [host, 'timeout'] as const))).toBe(false)
  expect(
    after('darwin', ['1.1.1.1', 'EHOSTUNREACH'], ['1.1.1.2', 'EHOSTUNREACH'], ['1.1.1.3', 'EHOSTUNREACH']),
  ).toBe(false)
  expect(after('darwin', ...refused, ['192.168.1.9', 'timeout'], ['1.1.1.1', ''])).toBe(true)
})
