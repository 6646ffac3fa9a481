import { describe, expect, it } from 'vitest'
import { autoSlots, UnchokeShare } from '../../daemon/swarm/unchoke-share.js'

const KIB = 1024
const MIB = 1024 * KIB

describe('autoSlots', () => {
  const slots = (rate: number, busy: boolean, eager: number): number => autoSlots({ rate, busy, eager })

  it('grows by one for each MiB/s, between 8 and 100', () => {
    const rates = [0, MIB, 4 * MIB, 5 * MIB, 50 * MIB, 5000 * MIB]
    expect(rates.map((rate) => slots(rate, false, 0))).toEqual([8, 8, 8, 9, 54, 100])
  })

  it('cuts a slow uplink that has more to send into 4 parts at least, of 16 KiB/s where there are more', () => {
    const rates = [0, 64 * KIB, 100 * KIB, 128 * KIB, 300 * KIB]
    expect(rates.map((rate) => slots(rate, true, 0))).toEqual([4, 4, 6, 8, 8])
    expect(slots(0, true, 1)).toBe(10)
  })

  it('grows by two for each that takes all it gets, up to 200', () => {
    expect([1, 10, 96, 150].map((eager) => slots(0, true, eager))).toEqual([10, 28, 200, 200])
    expect(slots(50 * MIB, true, 3)).toBe(60)
  })
})

describe('UnchokeShare', () => {
  function told(limit: number | null, torrents: readonly (readonly [number, number])[]): number[] {
    const share = new UnchokeShare({ limit: () => limit })
    const seats = torrents.map(() => share.join())
    torrents.forEach(([wanting, rate], at) => seats[at]?.tell(wanting, { rate, busy: true, eager: 0 }))
    return seats.map((seat) => seat.slots)
  }

  it('gives one torrent all there is, others or not that nobody wants anything of', () => {
    expect(told(20 * MIB, [[50, 0]])).toEqual([24])
    expect(
      told(20 * MIB, [
        [50, 0],
        [0, 0],
        [0, 0],
      ])[0],
    ).toBe(24)
  })

  it('shares among torrents, and what one does not want others get', () => {
    expect(
      told(20 * MIB, [
        [50, 0],
        [50, 0],
      ]),
    ).toEqual([12, 12])
    // Two and the rest of 24 between two.
    expect(
      told(20 * MIB, [
        [50, 0],
        [2, 0],
        [50, 0],
      ])[0],
    ).toBe(11)
  })

  it('leaves every torrent two, however many there are', () => {
    expect(
      told(
        MIB,
        Array.from({ length: 50 }, () => [10, 0] as const),
      )[0],
    ).toBe(2)
  })

  it('goes by what all together upload where there is no limit, and by the limit where there is one', () => {
    expect(
      told(null, [
        [200, 20 * MIB],
        [200, 20 * MIB],
      ]),
    ).toEqual([22, 22])
    expect(
      told(2 * MIB, [
        [200, 20 * MIB],
        [200, 20 * MIB],
      ]),
    ).toEqual([4, 4])
  })

  it('adds the eager, but not where a limit holds them back: nothing is ever full then', () => {
    for (const [limit, slots] of [
      [null, 28],
      [MIB, 8],
    ] as const) {
      const seat = new UnchokeShare({ limit: () => limit }).join()
      seat.tell(50, { rate: 0, busy: true, eager: 10 })
      expect(seat.slots).toBe(slots)
    }
  })

  it('forgets a torrent that leaves', () => {
    const share = new UnchokeShare({ limit: () => 20 * MIB })
    const [one, two] = [share.join(), share.join()]
    for (const seat of [one, two]) seat.tell(50, { rate: 0, busy: true, eager: 0 })
    expect(one.slots).toBe(12)
    two.leave()
    expect(one.slots).toBe(24)
  })
})
