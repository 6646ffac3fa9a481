/** Peers of very different rates beside each other, in virtual time: nobody starves, nobody is waited for. */
import { describe, expect, it } from 'vitest'
import { BLOCK_SIZE } from '../../shared/units.js'
import { DownloadKit, KiB, MiB } from '../support/download-kit.js'

/** What a peer sent a second, from now on. */
function rateOver(kit: DownloadKit, peer: { readonly sent: number }, millis: number): number {
  const before = peer.sent
  kit.clock.advance(millis)
  return ((peer.sent - before) * 1000) / millis
}

describe('one fast peer', () => {
  it.each([
    [16, 4],
    [40, 4],
    [56, 4],
    [16, 16],
    [40, 16],
    [56, 16],
  ])('keeps its rate beside %d slow ones on pieces of %d MiB, in 32 MiB', (slow, piece) => {
    const kit = new DownloadKit({ total: 4096 * MiB, pieceLength: piece * MiB })
    const slows = Array.from({ length: slow }, () => kit.join({ rate: 20 * KiB, trip: 80 }))
    kit.clock.advance(2000)
    const fast = kit.join({ rate: 100 * MiB, trip: 2 })
    kit.clock.advance(1000)
    expect(rateOver(kit, fast, 10_000)).toBeGreaterThan(90 * MiB)
    // And nobody pays for it: each slow one gives what it can.
    for (const each of slows) expect(each.sent).toBeGreaterThan(13_000 * 20 * 0.7)
    expect(kit.wasted).toBeLessThan(kit.received * 0.005)
  })

  it('keeps its rate beside 50 slow ones of another torrent that came first', () => {
    const other = new DownloadKit({ total: 1024 * MiB, pieceLength: 4 * MiB })
    for (let i = 0; i < 50; i++) other.join({ rate: 20 * KiB, trip: 80 })
    other.clock.advance(2000)
    const kit = new DownloadKit({ total: 4096 * MiB, pieceLength: 4 * MiB, beside: other })
    const fast = kit.join({ rate: 100 * MiB, trip: 2 })
    kit.clock.advance(1000)
    expect(rateOver(kit, fast, 5000)).toBeGreaterThan(90 * MiB)
    expect(
      rateOver(
        other,
        {
          get sent() {
            return other.received
          },
        },
        5000,
      ),
    ).toBeGreaterThan(50 * 20 * KiB * 0.9)
  })

  it('leaves the slow ones of another torrent their floor, though it came first', () => {
    const kit = new DownloadKit({ total: 4096 * MiB, pieceLength: 4 * MiB, slots: 64 })
    const fast = kit.join({ rate: 100 * MiB, trip: 400 })
    kit.clock.advance(5000)
    expect(kit.slab.available).toBeLessThan(20)
    const other = new DownloadKit({ total: 1024 * MiB, pieceLength: 4 * MiB, beside: kit })
    const slows = Array.from({ length: 10 }, () => other.join({ rate: 20 * KiB, trip: 80 }))
    kit.clock.advance(2000)
    const before = slows.map(({ sent }) => sent)
    kit.clock.advance(10_000)
    slows.forEach((slow, i) => {
      expect(slow.sent - (before[i] ?? 0)).toBeGreaterThan(10 * 20 * KiB * 0.9)
    })
    expect(fast.sent).toBeGreaterThan(100 * MiB)
  })
})

describe('every link', () => {
  it('has two blocks on their way however tight the slab is', () => {
    // Each of them has pieces of its own: none can take what lies in the slot of another.
    const kit = new DownloadKit({ total: 4096 * MiB, pieceLength: 4 * MiB, slots: 24, disk: 20 })
    const fast = kit.join({ rate: 100 * MiB, trip: 100 })
    kit.clock.advance(3000)
    const slows = Array.from({ length: 8 }, (_, i) =>
      kit.join({ rate: 20 * KiB, trip: 80, pieces: [900 + i] }),
    )
    kit.clock.advance(500)
    for (const slow of slows) expect(slow.requests).toBeGreaterThanOrEqual(2)
    const before = fast.sent
    kit.clock.advance(1000)
    expect(fast.sent).toBeGreaterThan(before)
  })

  it('goes on in the slots there are when no other is to be had', () => {
    const kit = new DownloadKit({ total: 64 * MiB, pieceLength: 4 * MiB, slots: 4, disk: 1 })
    const peers = Array.from({ length: 6 }, () => kit.join({ rate: MiB, trip: 20 }))
    kit.clock.advance(1000)
    const before = peers.map(({ sent }) => sent)
    kit.clock.advance(5000)
    peers.forEach((peer, i) => {
      expect(peer.sent - (before[i] ?? 0)).toBeGreaterThan(BLOCK_SIZE)
    })
    expect(kit.received).toBeGreaterThan(20 * MiB)
  })
})
