/** A peer that we know under two addresses: what is dialled while it is connected, and after that. */
import { describe, expect, it } from 'vitest'
import type { PeerAddress } from '../../daemon/base/address.js'
import { Admission } from '../../daemon/swarm/admission.js'
import { Candidates } from '../../daemon/swarm/candidates.js'
import type { Greeting, Link } from '../../daemon/swarm/link.js'
import type { PeerTable } from '../../daemon/swarm/peer-table.js'
import type { Peer } from '../../daemon/swarm/peer.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'

const one: PeerAddress = { host: '198.51.100.1', port: 6881, family: 4 }
const two: PeerAddress = { host: '2001:db8::1', port: 6881, family: 6 }
const HOURS = 3 * 3_600_000

describe.each(['out', 'in'] as const)('a peer with two addresses, connected %s', (direction) => {
  it('is dialled at the other one later, and at the first one when it has gone', () => {
    const clock = new FakeClock()
    const candidates = new Candidates({}, { random: new FakeRandom(1) })
    const peer = {
      transport: { direction, address: one },
      listening: direction === 'in' ? one : null,
    } as unknown as Peer
    const peers = { byPeerId: () => peer } as unknown as PeerTable
    const ports = { clock, candidates, peers, listenPort: () => 6881, moved: () => undefined }
    const admission = new Admission({ peerId: Buffer.alloc(20), maxPeers: 80 }, ports)
    const next = (after: number): PeerAddress | null => {
      clock.advance(after)
      return candidates.next(clock.now(), false)
    }
    const refused = (): void => {
      admission.refused(
        'connected-already',
        two,
        { peerId: Buffer.alloc(20, 1) } as unknown as Greeting,
        true,
      )
    }
    candidates.add(one, 'tracker')
    candidates.connected(one)
    candidates.add(two, 'tracker')
    expect(next(0)).toEqual(two)
    refused()
    expect(next(0)).toBeNull()
    expect(next(HOURS)).toEqual(two)
    refused()
    // As `Connections` does at its end.
    candidates.closed(peer.listening ?? peer.transport.address, clock.now(), true)
    expect([next(HOURS), next(0)]).toEqual(expect.arrayContaining([one, two]))
  })
})

describe('a peer that comes again while a connection of it stands', () => {
  /** Whether the new one is taken, after so long without a byte of the old one, of which so much waits to be sent. */
  function taken(quiet: number, unsent: number, downloads = false): boolean {
    const clock = new FakeClock()
    let closed = ''
    const old = {
      transport: { direction: 'in', address: one, unsent },
      lastTaken: clock.now(),
      lastHeard: clock.now(),
      peerInterested: true,
      amChoking: !downloads,
      close: (reason: string) => (closed = reason),
    } as unknown as Peer
    const peers = { byPeerId: () => old, size: 1 } as unknown as PeerTable
    const candidates = new Candidates({}, { random: new FakeRandom(1) })
    const ports = { clock, candidates, peers, listenPort: () => 6881, moved: () => undefined }
    const admission = new Admission({ peerId: Buffer.alloc(20), maxPeers: 80 }, ports)
    clock.advance(quiet)
    const link = { transport: { direction: 'in', address: two }, ended: false } as unknown as Link
    const refusal = admission.refusal(link, { peerId: Buffer.alloc(20, 1) } as unknown as Greeting)
    expect(closed).toBe(refusal === null ? 'connected-twice' : '')
    return refusal === null
  }

  it('is taken where the old one moves nothing any more, as its address changed', () => {
    expect(taken(11_000, 5)).toBe(true)
    expect(taken(31_000, 0, true)).toBe(true)
  })

  it('is refused where the old one moves something, or has nothing to move', () => {
    expect(taken(9_000, 5)).toBe(false)
    expect(taken(29_000, 0, true)).toBe(false)
    expect(taken(HOURS, 0)).toBe(false)
  })
})
