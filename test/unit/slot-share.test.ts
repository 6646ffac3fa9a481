import { describe, expect, it } from 'vitest'
import type { Slot } from '../../daemon/ports/disk.js'
import {
  CLAIM_FLOOR,
  CLAIM_SHARE,
  CLAIM_SPARE,
  SlotShare,
  type SlotSource,
} from '../../daemon/swarm/slot-share.js'
import { CountedSlab } from '../support/download-kit.js'
import { FakeClock } from '../support/fake-clock.js'

function share(slots: number): { clock: FakeClock; slab: CountedSlab; share: SlotShare } {
  const clock = new FakeClock()
  const slab = new CountedSlab(slots, clock)
  return { clock, slab, share: new SlotShare(slab) }
}

describe('SlotShare', () => {
  it('keeps four slots for every torrent that downloads', () => {
    const { share: shares, slab } = share(12)
    const greedy = shares.join(() => undefined)
    const modest = shares.join(() => undefined)
    expect(modest.take(CLAIM_FLOOR)).not.toBeNull()
    let taken = 0
    while (greedy.take(CLAIM_SHARE) !== null) taken++
    expect(taken).toBe(8)
    for (let i = 0; i < 3; i++) expect(modest.take(CLAIM_SPARE)).not.toBeNull()
    expect(slab.available).toBe(0)
    expect(greedy.take(CLAIM_FLOOR)).toBeNull()
  })

  it('gives nobody more than its right once half is taken', () => {
    const { share: shares, slab } = share(100)
    const one = shares.join(() => undefined)
    while (one.take(CLAIM_SPARE) !== null);
    expect(slab.taken).toBe(50)
    while (one.take(CLAIM_SHARE) !== null);
    expect(slab.taken).toBe(100)
  })

  it('leaves something for links that have nothing yet, a quarter at most', () => {
    const { share: shares, slab } = share(100)
    const one = shares.join(() => undefined)
    const two = shares.join(() => undefined)
    two.tell({ rate: 0, blocks: 0, hungry: 7 })
    while (one.take(CLAIM_SHARE) !== null);
    expect(slab.available).toBe(7)
    two.tell({ rate: 0, blocks: 0, hungry: 80 })
    const [slot] = [one.take(CLAIM_FLOOR)]
    expect(slot).not.toBeNull()
    for (let i = 0; i < 30; i++) slab.free()
    while (one.take(CLAIM_SHARE) !== null);
    expect(slab.available).toBe(25)
    two.leave()
    expect(one.take(CLAIM_SHARE)).not.toBeNull()
    expect(one.demand).toEqual({ rate: 0, blocks: 0, hungry: 0 })
  })

  it('calls whoever asked in vain, once', () => {
    const { clock, share: shares, slab } = share(5)
    let calls = 0
    const one = shares.join(() => {
      calls++
    })
    const slots = [1, 2, 3, 4, 5].map(() => one.take(CLAIM_FLOOR))
    expect(one.exhausted).toBe(true)
    slab.free()
    clock.advance(1)
    expect(calls).toBe(0)
    const again = one.take(CLAIM_FLOOR)
    expect(again).not.toBeNull()
    expect(one.take(CLAIM_FLOOR)).toBeNull()
    for (const slot of slots.slice(0, 2)) if (slot !== null) one.free(slot)
    clock.advance(1)
    slab.free()
    clock.advance(1)
    expect(calls).toBe(1)
  })

  /** Takes so many and hands them to the disk. */
  const hand = (one: SlotSource, count: number): Slot[] =>
    Array.from({ length: count }, () => {
      const slot = one.take(CLAIM_SHARE)
      if (slot === null) throw new Error('no slot')
      one.handed(slot)
      return slot
    })

  it('gives a torrent nothing while a quarter of the slab waits for its disk, and others what they had', () => {
    const { clock, share: shares, slab } = share(128)
    let calls = 0
    const one = shares.join(() => {
      calls++
    })
    const other = shares.join(() => undefined)
    const slots = hand(one, 32)
    for (const claim of [CLAIM_FLOOR, CLAIM_SHARE, CLAIM_SPARE] as const) expect(one.take(claim)).toBeNull()
    expect(one.offers(CLAIM_SHARE)).toBe(false)
    // There is room in the slab: what is begun is not given up.
    expect(one.exhausted).toBe(false)
    expect(other.take(CLAIM_SPARE)).not.toBeNull()

    for (const slot of slots.slice(0, 7)) slab.free(slot)
    clock.advance(1)
    expect(calls).toBe(0)
    for (const slot of slots.slice(7, 8)) slab.free(slot)
    clock.advance(1)
    expect(calls).toBe(1)
    expect(hand(one, 8)).toHaveLength(8)
    expect(one.take(CLAIM_SHARE)).toBeNull()
  })

  it('leaves torrents of other disks their four slots however many wait for a disk that hangs', () => {
    const { share: shares, slab } = share(128)
    const begun = (): SlotSource => {
      const source = shares.join(() => undefined)
      const first = source.take(CLAIM_FLOOR)
      if (first !== null) source.free(first)
      return source
    }
    const sound = begun()
    for (const hangs of [1, 2, 3, 4, 5, 6, 7, 8].map(begun)) {
      for (let slot = hangs.take(CLAIM_SHARE); slot !== null; slot = hangs.take(CLAIM_SHARE))
        hangs.handed(slot)
    }
    const late = shares.join(() => undefined)
    // Again and again, as its disk frees what it gets.
    for (let round = 0; round < 50; round++) for (const slot of hand(sound, 4)) slab.free(slot)
    expect(hand(late, 4)).toHaveLength(4)
  })

  it('calls one that has next to nothing at once, others when there is room for a few', () => {
    const { clock, share: shares, slab } = share(64)
    const calls: string[] = []
    const much = shares.join(() => calls.push('much'))
    const little = shares.join(() => calls.push('little'))
    const slots = hand(much, 10)
    while (much.take(CLAIM_FLOOR) !== null);
    expect(little.take(CLAIM_FLOOR)).toBeNull()
    for (const slot of slots.slice(0, 1)) slab.free(slot)
    clock.advance(1)
    expect(calls).toEqual(['little'])
    for (const slot of slots.slice(1, 4)) slab.free(slot)
    clock.advance(1)
    expect(calls).toEqual(['little', 'much'])
  })
})
