/** Message Stream Encryption: both sides against each other, however the bytes are cut; and strangers that talk nonsense. */
import { createCipheriv } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MseCalled, MseCaller, type MseEnd, type MsePorts } from '../../daemon/codec/mse.js'
import { publicKey, sharedSecret, swarmMark } from '../../daemon/codec/mse-keys.js'
import { Rc4 } from '../../daemon/codec/rc4.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeRandom } from '../support/fake-random.js'

const KEY = '0123456789abcdef0123456789abcdef01234567' as SwarmKey
const INITIAL = Buffer.from('the handshake of BitTorrent')

interface Side {
  readonly ports: MsePorts
  readonly sent: Buffer[]
  readonly ends: MseEnd[]
  readonly faults: string[]
}

function side(seed: number): Side {
  const sent: Buffer[] = []
  const ends: MseEnd[] = []
  const faults: string[] = []
  const ports: MsePorts = {
    random: new FakeRandom(seed),
    send: (bytes) => void sent.push(bytes),
    done: (end) => void ends.push(end),
    failed: (fault) => void faults.push(fault),
  }
  return { ports, sent, ends, faults }
}

/** Carries what the two say until both are silent, in parts of at most so many bytes. */
function carry(a: Side, caller: MseCaller, b: Side, called: MseCalled, sizes: readonly number[]): void {
  let turn = 0
  const give = (from: Side, to: { push(chunk: Uint8Array): void }): boolean => {
    const bytes = Buffer.concat(from.sent.splice(0))
    for (let at = 0; at < bytes.length;) {
      const size = sizes[turn++ % sizes.length] ?? 1
      to.push(bytes.subarray(at, at + size))
      at += size
    }
    return bytes.length > 0
  }
  for (let round = 0; round < 10; round++) {
    const moved = [give(a, called), give(b, caller)]
    if (!moved.includes(true)) return
  }
}

const known = (mark: string): SwarmKey | null => (mark === swarmMark(KEY) ? KEY : null)

describe('RC4', () => {
  it('throws the first 1024 bytes of the stream of RFC 6229 away', () => {
    const bytes = new Uint8Array(16)
    new Rc4(Uint8Array.from([1, 2, 3, 4, 5])).apply(bytes)
    // RFC 6229, key 0x0102030405, offset 1024.
    expect(Buffer.from(bytes).toString('hex')).toBe('30abbcc7c20b01609f23ee2d5f6bb7df')
  })
})

describe('Diffie-Hellman', () => {
  it('gives both the same secret, and takes no key that gives it away', () => {
    const [a, b] = [Buffer.alloc(20, 3), Buffer.alloc(20, 5)]
    expect(sharedSecret(a, publicKey(b))).toEqual(sharedSecret(b, publicKey(a)))
    for (const weak of [Buffer.alloc(96), Buffer.alloc(96, 255)]) expect(sharedSecret(a, weak)).toBeNull()
    expect(sharedSecret(a, Buffer.concat([Buffer.alloc(95), Buffer.from([1])]))).toBeNull()
  })
})

describe('the handshake', () => {
  it('agrees on a plain stream, with the swarm and the first message, whatever the pads and the parts', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 }),
        (seed, sizes) => {
          const [a, b] = [side(seed), side(seed + 1)]
          const called = new MseCalled({ swarmOf: known }, b.ports)
          const caller = new MseCaller({ key: KEY, initial: INITIAL }, a.ports)
          carry(a, caller, b, called, sizes)
          expect([a.faults, b.faults]).toEqual([[], []])
          expect(b.ends).toMatchObject([{ key: KEY, ciphers: null }])
          expect(b.ends[0]?.rest).toEqual(INITIAL)
          expect(a.ends).toMatchObject([{ key: KEY, ciphers: null }])
        },
      ),
      { numRuns: 60 },
    )
  })

  it('goes on in RC4 where nothing else is offered, and what comes at once with it is readable', () => {
    const [a, b] = [side(7), side(8)]
    const called = new MseCalled({ swarmOf: known }, b.ports)
    const caller = new MseCaller({ key: KEY, initial: INITIAL, rc4Only: true }, a.ports)
    carry(a, caller, b, called, [9])
    const [near, far] = [a.ends[0]?.ciphers, b.ends[0]?.ciphers]
    if (near == null || far == null) throw new Error('the stream is plain')
    expect(b.ends[0]?.rest).toEqual(INITIAL)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      const bytes = Buffer.from('some payload')
      from.send.apply(bytes)
      expect(bytes.toString()).not.toBe('some payload')
      to.receive.apply(bytes)
      expect(bytes.toString()).toBe('some payload')
    }
  })

  it('ends for a swarm that is not served', () => {
    const [a, b] = [side(1), side(2)]
    const called = new MseCalled({ swarmOf: () => null }, b.ports)
    carry(a, new MseCaller({ key: KEY, initial: INITIAL }, a.ports), b, called, [1000])
    expect(b.faults).toEqual(['mse-unknown-swarm'])
    expect(b.ends).toEqual([])
  })

  it('takes any bytes without a throw, ends within what it may hold, and says nothing more after the end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 997 }), (seed, size) => {
        const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed & 255), Buffer.alloc(16, seed >> 8))
        for (const calls of [true, false]) {
          const own = side(seed)
          const shake = calls
            ? new MseCaller({ key: KEY, initial: INITIAL }, own.ports)
            : new MseCalled({ swarmOf: known }, own.ports)
          for (let given = 0; given < 8000; given += size) shake.push(noise.update(Buffer.alloc(size)))
          expect(own.faults).toHaveLength(1)
          expect(own.ends).toEqual([])
        }
      }),
      { numRuns: 60 },
    )
  })
})
