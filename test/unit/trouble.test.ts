/** Since when trouble is there, and when it is looked at again. */
import { describe, expect, it } from 'vitest'
import { faultOfDisk, retryDelay, Trouble } from '../../daemon/swarm/trouble.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('a fault of our own', () => {
  it('is tried again after a minute, after twice as long each time, and every hour at last', () => {
    const trouble = new Trouble()
    const waits = Array.from({ length: 9 }, (_, nth) => retryDelay(trouble.bug(new Error('x'), nth * HOUR)))
    expect(waits.map((wait) => wait / MINUTE)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
  })

  it('after four hours without one is the first again, and says itself in one short line', () => {
    const trouble = new Trouble()
    for (let nth = 0; nth < 5; nth++) trouble.bug(new Error('x'), 0)
    const by = trouble.bug(new Error(`odd${'!'.repeat(1000)}\nat line 1`), 4 * HOUR + 1)
    expect(by).toMatchObject({ kind: 'bug', retry: MINUTE })
    expect(by.kind === 'bug' && by.error.length).toBe(200)
  })
})

describe('trouble', () => {
  it('that comes back within a minute is the old one, whatever room is missing then', () => {
    const trouble = new Trouble()
    const space = (missing: number) => ({ kind: 'space', dir: '/d', missing }) as const
    expect([
      trouble.since(space(1), 0),
      trouble.since(space(2), 50_000),
      trouble.since(space(3), 109_999),
    ]).toEqual([0, 0, 0])
    expect(trouble.since(space(3), 200_000)).toBe(200_000)
    expect(trouble.since({ kind: 'folder', dir: '/d' }, 200_001)).toBe(200_001)
  })

  it.each([
    ['ENOSPC', { kind: 'space', dir: '/d', missing: null }, 5000],
    ['EDQUOT', { kind: 'space', dir: '/d', missing: null }, 5000],
    ['ENODEV', { kind: 'volume', dir: '/d' }, 5000],
    ['EIO', { kind: 'disk' }, 15_000],
    ['EROFS', { kind: 'disk' }, 15_000],
    ['EACCES', { kind: 'disk' }, 15_000],
    ['ESTALE', { kind: 'disk' }, 1000],
    ['ENOENT', { kind: 'disk' }, 1000],
    ['EMFILE', { kind: 'disk' }, 1000],
    ['ENFILE', { kind: 'disk' }, 1000],
  ] as const)('%s of the disk is %j, and is looked at again after %i ms', (code, by, wait) => {
    const found = faultOfDisk({ code, operation: 'write', path: '/d/a' }, '/d')
    expect(found).toMatchObject(by)
    expect(retryDelay(found)).toBe(wait)
  })
})
