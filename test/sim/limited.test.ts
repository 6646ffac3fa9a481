/** A download with a limit: metered where blocks are asked for, and given back what does not come. */
import { describe, expect, it } from 'vitest'
import { Limiter } from '../../daemon/base/limiter.js'
import { DownloadKit, KiB, MiB } from '../support/download-kit.js'

function payload(kits: readonly DownloadKit[], millis: number): number {
  const before = kits.reduce((sum, { received }) => sum + received, 0)
  kits[0]?.clock.advance(millis)
  return kits.reduce((sum, { received }) => sum + received, 0) - before
}

describe('a limited download', () => {
  it.each([
    [64 * KiB, [4]],
    [MiB, [4]],
    [10 * MiB, [4, 2, 20]],
    [50 * MiB, [100]],
    [50 * MiB, [20, 20, 20, 20, 0.1, 0.1]],
  ])('keeps to %d B/s over 10 s, within three in a hundred, with peers of %j MiB/s', (limit, rates) => {
    const kit = new DownloadKit({ total: 4096 * MiB, pieceLength: MiB, limit })
    for (const rate of rates) kit.join({ rate: rate * MiB, trip: 30 })
    kit.clock.advance(3000)
    const came = payload([kit], 10_000)
    expect(came).toBeGreaterThan(limit * 10 * 0.97)
    expect(came).toBeLessThan(limit * 10 * 1.03)
  })

  it('is shared by all torrents', () => {
    const one = new DownloadKit({ total: 1024 * MiB, pieceLength: MiB, limit: 8 * MiB })
    const two = new DownloadKit({ total: 1024 * MiB, pieceLength: MiB, beside: one })
    for (const kit of [one, two]) for (const rate of [10, 20]) kit.join({ rate: rate * MiB, trip: 30 })
    one.clock.advance(3000)
    const before = two.received
    const came = payload([one, two], 10_000)
    expect(Math.abs(came / (80 * MiB) - 1)).toBeLessThan(0.03)
    const part = (two.received - before) / came
    expect(part).toBeGreaterThan(0.35)
    expect(part).toBeLessThan(0.65)
  })

  it.each([MiB, 10 * MiB, 100 * MiB])('of its own %d B/s is kept within three in a hundred', (own) => {
    const house = new DownloadKit({ total: 4096 * MiB, pieceLength: MiB })
    const limiter = new Limiter({ rate: own }, { clock: house.clock, above: house.limiter })
    const kit = new DownloadKit({ total: 4096 * MiB, pieceLength: MiB, beside: house, limiter })
    for (const rate of [150, 20, 5]) kit.join({ rate: rate * MiB, trip: 30 })
    kit.clock.advance(3000)
    expect(Math.abs(payload([kit], 10_000) / (10 * own) - 1)).toBeLessThan(0.03)
  })

  it('leaves to the others what its own limit does not let it have', () => {
    const free = new DownloadKit({ total: 1024 * MiB, pieceLength: MiB, limit: 8 * MiB })
    const slow = [1, 2].map((own) => {
      const limiter = new Limiter({ rate: own * MiB }, { clock: free.clock, above: free.limiter })
      return new DownloadKit({ total: 1024 * MiB, pieceLength: MiB, beside: free, limiter })
    })
    const kits = [free, ...slow]
    for (const kit of kits) for (const rate of [10, 20]) kit.join({ rate: rate * MiB, trip: 30 })
    free.clock.advance(3000)
    const before = kits.map(({ received }) => received)
    const all = payload(kits, 10_000)
    const parts = kits.map(({ received }, at) => (received - (before[at] ?? 0)) / (10 * MiB))
    expect(Math.abs(all / (80 * MiB) - 1)).toBeLessThan(0.03)
    expect(parts[1]).toBeGreaterThan(0.9)
    expect(parts[1]).toBeLessThan(1.03)
    expect(parts[2]).toBeGreaterThan(1.7)
    expect(parts[2]).toBeLessThan(2.06)
  })

  it('loses nothing by peers that choke, leave or fall silent', () => {
    const limit = 4 * MiB
    const kit = new DownloadKit({ total: 1024 * MiB, pieceLength: MiB, limit })
    kit.join({ rate: 20 * MiB, trip: 50 })
    for (let i = 0; i < 40; i++) {
      const fickle = kit.join({ rate: i % 2 === 0 ? 0 : 5 * MiB, trip: 50 })
      kit.clock.advance(200)
      kit.leave(fickle)
      kit.clock.advance(50)
    }
    const came = payload([kit], 10_000)
    expect(Math.abs(came / (limit * 10) - 1)).toBeLessThan(0.03)
  })

  it('is not fed by what was asked for before there was a limit', () => {
    const limit = 100 * KiB
    const kit = new DownloadKit({ total: 1024 * MiB, pieceLength: MiB, limit: null })
    const silent = Array.from({ length: 40 }, () => kit.join({ rate: MiB, trip: 30 }))
    kit.clock.advance(2000)
    for (const peer of silent) peer.rate = 0
    kit.clock.advance(100)
    expect(silent.reduce((sum, { peer }) => sum + peer.outstanding, 0)).toBeGreaterThan(100)
    kit.limiter.setRate(limit)
    kit.join({ rate: 50 * MiB, trip: 10 })
    kit.clock.advance(1000)
    const before = kit.received
    for (const peer of silent) {
      kit.leave(peer)
      kit.clock.advance(250)
    }
    expect(kit.received - before).toBeLessThan(limit * 10 * 1.03)
  })

  it('goes on at once when the limit is lifted', () => {
    const kit = new DownloadKit({ total: 1024 * MiB, pieceLength: MiB, limit: 100 * KiB })
    kit.join({ rate: 50 * MiB, trip: 10 })
    kit.clock.advance(3000)
    kit.limiter.setRate(null)
    kit.clock.advance(500)
    expect(payload([kit], 2000)).toBeGreaterThan(95 * MiB)
  })
})
