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
    kit.clock.advance(6000)
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

describe('the end of a download', () => {
  it('has no slow tail: seven of 100 MiB/s and one of 1 MiB/s', () => {
    const kit = new DownloadKit({ total: 2048 * MiB, pieceLength: MiB, slots: 192 })
    for (let i = 0; i < 7; i++) kit.join({ rate: (100 + i) * MiB, trip: 2 })
    const slow = kit.join({ rate: MiB, trip: 2, unsent: 262_144 })
    const pieces = kit.layout.pieceCount
    const most = kit.until(() => kit.done.length >= pieces * 0.99)
    const rest = kit.until(() => kit.complete)
    expect(rest / (most + rest)).toBeLessThan(0.03)
    expect(kit.wasted).toBeLessThan(kit.received * 0.005)
    expect(slow.sent).toBeGreaterThan(((most + rest) / 1000) * MiB * 0.8)
  })

  it.each([
    ['half a MiB/s to 50 MiB/s', [0.5, 1, 2, 4, 8, 16, 32, 50], 1024, 1],
    ['all alike', [8, 8, 8, 8, 8, 8], 512, 1],
    ['slow ones on large pieces', [0.02, 0.05, 0.1, 0.5, 1, 2, 20], 512, 4],
    ['one fast, twenty slow', [40, ...Array<number>(20).fill(0.05)], 512, 4],
  ])('wastes less than one in two hundred: %s', (_what, rates, total, piece) => {
    const kit = new DownloadKit({ total: total * MiB, pieceLength: piece * MiB, slots: 192 })
    rates.forEach((rate, i) => kit.join({ rate: rate * MiB, trip: 5 + 10 * i, unsent: 131_072 }))
    const took = kit.until(() => kit.complete)
    expect(kit.wasted).toBeLessThan(kit.received * 0.005)
    const sum = rates.reduce((all, rate) => all + rate, 0)
    expect(took).toBeLessThan(((total * 1000) / sum) * 1.1 + 500)
    expect(kit.slab.taken).toBe(0)
  })

  it('does not wait for one that falls silent', () => {
    const kit = new DownloadKit({ total: 64 * MiB, pieceLength: MiB })
    const dead = kit.join({ rate: 10 * MiB, trip: 10 })
    kit.join({ rate: 10 * MiB, trip: 10 })
    kit.until(() => kit.received > 60 * MiB)
    dead.rate = 0
    expect(kit.until(() => kit.complete)).toBeLessThan(1500)
  })

  it('asks at most two more for a block, and cancels at arrival', () => {
    const kit = new DownloadKit({ total: 4 * MiB, pieceLength: MiB })
    const peers = [64, 64, 64, 64, 64, 8].map((rate) => kit.join({ rate: rate * KiB, trip: 50 }))
    kit.until(() => kit.complete)
    const requests = peers.reduce((sum, { requests }) => sum + requests, 0)
    expect(requests).toBeLessThanOrEqual(3 * 256)
    expect(peers.reduce((sum, { cancels }) => sum + cancels, 0)).toBeGreaterThan(0)
    expect(kit.wasted).toBeLessThan(3 * peers.length * BLOCK_SIZE)
    for (const { peer } of peers) expect(peer.outstanding).toBe(0)
  })
})

/** How many peers were asked for blocks of each piece. */
function askedOf(peers: readonly { readonly pieces: readonly number[] }[]): Map<number, number> {
  const count = new Map<number, number>()
  for (const { pieces } of peers)
    for (const piece of new Set(pieces)) count.set(piece, (count.get(piece) ?? 0) + 1)
  return count
}

describe('a piece', () => {
  it('is fetched whole by a fast peer, and by no other', () => {
    const kit = new DownloadKit({ total: 4096 * MiB, pieceLength: 4 * MiB })
    const fast = [40, 50, 60].map((rate) => kit.join({ rate: rate * MiB, trip: 10 }))
    const slow = Array.from({ length: 20 }, () => kit.join({ rate: 50 * KiB, trip: 50 }))
    kit.clock.advance(2000)
    for (const peer of fast) peer.pieces.length = 0
    for (const peer of slow) peer.pieces.length = 0
    kit.clock.advance(5000)
    const all = [...askedOf([...fast, ...slow]).entries()]
    const alone = [...askedOf(fast).keys()].filter((piece) => all.some(([p, n]) => p === piece && n === 1))
    expect(alone.length).toBeGreaterThan(150)
    expect(alone.length / askedOf(fast).size).toBeGreaterThan(0.97)
  })

  it('is shared by slow peers, so that few are open', () => {
    const kit = new DownloadKit({ total: 4096 * MiB, pieceLength: 16 * MiB })
    const slow = Array.from({ length: 40 }, () => kit.join({ rate: 50 * KiB, trip: 50 }))
    kit.clock.advance(60_000)
    expect(askedOf(slow).size).toBeLessThan(15)
    expect(kit.done.length).toBeGreaterThan(4)
  })

  it('is followed by its neighbour where the peer is very fast, up to 4 MiB', () => {
    const kit = new DownloadKit({ total: 512 * MiB, pieceLength: MiB })
    const fast = kit.join({ rate: 100 * MiB, trip: 2 })
    const slow = kit.join({ rate: 4 * MiB, trip: 2 })
    kit.clock.advance(2000)
    const neighbours = (pieces: readonly number[]): number =>
      pieces.filter((piece, i) => piece === (pieces[i - 1] ?? -2) + 1).length / pieces.length
    expect(neighbours(fast.pieces)).toBeGreaterThan(0.5)
    expect(neighbours(slow.pieces)).toBeLessThan(0.2)
    const runs = fast.pieces.filter((piece, i) => piece !== (fast.pieces[i - 1] ?? -2) + 1)
    expect(runs.length).toBeGreaterThan(fast.pieces.length / 4 - 1)
  })

  it('that a peer left is finished before another is begun', () => {
    const kit = new DownloadKit({ total: 256 * MiB, pieceLength: 8 * MiB })
    const first = kit.join({ rate: 10 * MiB, trip: 20 })
    const second = kit.join({ rate: 12 * MiB, trip: 20 })
    kit.until(() => kit.done.length > 4)
    kit.clock.advance(200)
    const left = first.peer.piece
    kit.leave(first)
    second.pieces.length = 0
    kit.until(() => kit.done.length > 8)
    expect(second.pieces.slice(0, 2)).toContain(left)
  })

  it('that is given up is cancelled', () => {
    const kit = new DownloadKit({ total: 64 * MiB, pieceLength: 4 * MiB })
    const peer = kit.join({ rate: 10 * KiB, trip: 50 })
    kit.clock.advance(200)
    const asked = peer.requests
    expect(asked).toBeGreaterThan(1)
    kit.downloader.close()
    kit.clock.advance(200)
    expect(peer.cancels).toBe(asked)
    expect(peer.peer.outstanding).toBe(0)
    expect(kit.slab.taken).toBe(0)
  })
})

describe('memory', () => {
  it('is bounded by the path, not by the rate', () => {
    const kit = new DownloadKit({ total: 2048 * MiB, pieceLength: MiB, slots: 192, disk: 2 })
    kit.join({ rate: 1024 * MiB, trip: 1 })
    kit.clock.advance(1000)
    expect(kit.received).toBeGreaterThan(950 * MiB)
    // 512 blocks are 32 extents; the rest is on its way to the disk.
    expect(kit.slab.peak).toBeLessThan(64)
  })
})
