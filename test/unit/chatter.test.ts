import { describe, expect, it } from 'vitest'
import { Chatter } from '../../daemon/swarm/chatter.js'
import { FakeClock } from '../support/fake-clock.js'
import { Peer } from '../../daemon/swarm/peer.js'
import { fakeLine } from '../support/fake-transport.js'
import * as raw from '../support/raw-peer.js'
import { owner } from '../support/upload-kit.js'

/** A peer with BEP 6 and what it is told of, by name. */
function room(): { clock: FakeClock; peer: Peer; told: string[]; reasons: string[]; wrote: () => number } {
  const clock = new FakeClock()
  const told: string[] = []
  const reasons: string[] = []
  const { out, into } = fakeLine(raw.hostAddress('10.0.0.1'), raw.hostAddress('10.0.0.2'))
  let wrote = 0
  into.start({
    data: (view) => {
      wrote += view.length
    },
    closed: () => undefined,
  })
  const peer = new Peer(
    {
      handle: 1,
      transport: out,
      peerId: Buffer.alloc(20, 1),
      pieceCount: 1000,
      fast: true,
      extensions: false,
      source: 'incoming',
      now: 0,
    },
    {
      owner: {
        ...owner,
        interestChanged: ({ peerInterested }) => void told.push(peerInterested ? 'wants' : 'wants-not'),
        choked: () => void told.push('choked'),
        unchoked: () => void told.push('unchoked'),
        requested: (one, piece, begin, length) => {
          one.refuse(piece, begin, length)
        },
        gained: () => void told.push('gained'),
        closed: (_, reason) => void reasons.push(reason),
      },
      now: () => clock.now(),
    },
  )
  return { clock, peer, told, reasons, wrote: () => wrote }
}

const many = (count: number, bytes: Buffer): Buffer => Buffer.concat(Array<Buffer>(count).fill(bytes))

describe('Chatter', () => {
  it('lets 20,000 points pass at once and 10,000 a second', () => {
    const chatter = new Chatter()
    chatter.add(20_000)
    expect(chatter.isOver(0)).toBe(false)
    chatter.add(5000)
    expect(chatter.isOver(0)).toBe(true)
    expect(chatter.isOver(499)).toBe(true)
    expect(chatter.isOver(500)).toBe(false)
    for (let second = 1; second < 100; second++) {
      chatter.add(10_000)
      expect(chatter.isOver(500 + second * 1000)).toBe(false)
    }
  })

  it('gives back no more than was spent', () => {
    const chatter = new Chatter()
    chatter.add(20_001)
    expect(chatter.isOver(3_600_000)).toBe(false)
    chatter.add(20_000)
    expect(chatter.isOver(3_600_000)).toBe(false)
    chatter.add(1)
    expect(chatter.isOver(3_600_000)).toBe(true)
  })

  it('counts a point for 512 bytes', () => {
    const chatter = new Chatter()
    chatter.addBytes(512 * 20_001)
    expect(chatter.isOver(0)).toBe(true)
  })
})

describe('a peer that floods', () => {
  it('is not read until its time has come, and let go when it does so again', async () => {
    const { clock, peer, reasons } = room()
    peer.data(many(20_000, raw.have(1)))
    expect(peer.lastHeard).toBe(0)
    peer.data(many(9000, raw.have(1)))
    clock.advance(500)
    peer.tick(clock.now())
    clock.advance(1000)
    peer.tick(clock.now())
    expect(reasons).toEqual([])
    peer.data(many(20_000, raw.have(1)))
    expect(reasons).toEqual(['floods'])
    await Promise.resolve()
  })

  it('is forgiven after a minute', () => {
    const { clock, peer, reasons } = room()
    peer.data(many(30_000, raw.have(1)))
    clock.advance(61_000)
    peer.tick(clock.now())
    peer.data(many(30_000, raw.have(1)))
    expect(reasons).toEqual([])
  })

  it('with changes of mind is told the first and the last of what came together', () => {
    const { peer, told } = room()
    peer.data(many(500, Buffer.concat([raw.INTERESTED, raw.NOT_INTERESTED])))
    expect(told).toEqual(['wants', 'wants-not'])
    told.length = 0
    peer.data(many(500, Buffer.concat([raw.UNCHOKE, raw.CHOKE, raw.UNCHOKE])))
    expect(told).toEqual(['unchoked'])
    told.length = 0
    peer.data(Buffer.concat([raw.CHOKE, raw.UNCHOKE, raw.INTERESTED]))
    expect(told).toEqual(['choked', 'unchoked', 'wants'])
  })

  it('is looked at once for all pieces that it gained together', () => {
    const { peer, told } = room()
    peer.data(Buffer.concat([raw.have(1), raw.have(2), raw.have(3)]))
    expect(told).toEqual(['gained'])
  })

  it('is answered no more than it reads, within 512 KiB', () => {
    const { peer } = room()
    peer.transport.pause()
    for (let i = 0; i < 100_000; i++) peer.sendReject(1, 0, 16_384)
    expect(peer.isClogged).toBe(true)
    expect(peer.transport.unsent).toBeLessThan(600_000)
  })

  it('gets the rejects of what came together with one write, and none where it is closed for them', () => {
    const { peer } = room()
    const writes: number[] = []
    peer.transport.write = (bytes) => void writes.push(bytes.length)
    peer.data(many(100, raw.request(1, 0, 16_384)))
    expect(writes).toEqual([1700])
    peer.data(many(201, raw.request(1, 0, 16_384)))
    expect(writes).toEqual([1700])
    expect(peer.closed).toBe(true)
  })
})
