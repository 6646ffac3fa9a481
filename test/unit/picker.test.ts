import { describe, expect, it } from 'vitest'
import { Picker } from '../../daemon/swarm/picker.js'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { FakeRandom } from '../support/fake-random.js'

function bits(size: number, pieces: readonly number[]): Bitfield {
  const field = new Bitfield(size)
  for (const piece of pieces) field.set(piece)
  return field
}

function full(size: number): Bitfield {
  const field = new Bitfield(size)
  field.setAll()
  return field
}

/** A picker past its random start: the first four pieces are done. */
function started(pieceCount: number, seed = 1): Picker {
  const picker = new Picker({ pieceCount }, { random: new FakeRandom(seed) })
  for (let piece = 0; piece < 4; piece++) picker.setDone(piece)
  return picker
}

function range(from: number, end: number): number[] {
  return Array.from({ length: end - from }, (_, i) => from + i)
}

describe('Picker', () => {
  it('offers the rarest piece the peer has', () => {
    const picker = started(20)
    const peer = full(20)
    picker.addPeer(bits(20, range(0, 20)))
    picker.addPeer(bits(20, range(0, 10)))
    picker.addPeer(bits(20, [11, 12, 13, 14, 15, 16, 18, 19]))
    expect([10, 17]).toContain(picker.pick(peer))
    picker.open(10)
    expect(picker.pick(peer)).toBe(17)
    picker.open(17)
    expect(picker.availability(picker.pick(peer))).toBe(2)
    expect(picker.pick(bits(20, [2, 17, 5]))).toBe(5)
  })

  it('follows a HAVE and a peer that leaves', () => {
    const picker = started(6)
    const a = bits(6, [4, 5])
    picker.addPeer(a)
    picker.have(4)
    expect(picker.pick(a)).toBe(5)
    picker.have(5)
    picker.have(5)
    expect(picker.pick(a)).toBe(4)
    picker.removePeer(a)
    expect([picker.availability(4), picker.availability(5)]).toEqual([1, 2])
  })

  it('offers nothing that is done, unwanted, open, or that the peer lacks', () => {
    const picker = started(8)
    picker.addSeed()
    picker.setWanted(4, false)
    picker.open(5)
    picker.setDone(6)
    expect(picker.pick(full(8), { isSeed: true })).toBe(7)
    expect(picker.pick(bits(8, [0, 4, 5, 6]))).toBe(-1)
    picker.open(7)
    expect(picker.pick(full(8))).toBe(-1)
    picker.close(5)
    expect(picker.pick(full(8))).toBe(5)
    picker.setWanted(4, true)
    picker.open(5)
    expect(picker.pick(full(8))).toBe(4)
  })

  it('counts wanted pieces that are missing, and takes a lost one back', () => {
    const picker = new Picker({ pieceCount: 10 }, { random: new FakeRandom() })
    expect(picker.wantedMissing).toBe(10)
    picker.setWanted(3, false)
    picker.open(4)
    expect(picker.wantedMissing).toBe(9)
    picker.setDone(4)
    picker.setDone(3)
    expect(picker.wantedMissing).toBe(8)
    expect(picker.isOpen(4)).toBe(false)
    picker.setMissing(4)
    expect(picker.wantedMissing).toBe(9)
    expect(picker.isNeeded(4)).toBe(true)
    expect(picker.isNeeded(3)).toBe(false)
    expect(picker.countNeeded(bits(10, [3, 4, 5]))).toBe(2)
  })

  it('begins with random pieces, then turns to the rarest', () => {
    const seen = new Set<number>()
    let rarestFirst = 0
    for (let seed = 1; seed <= 60; seed++) {
      const picker = new Picker({ pieceCount: 30 }, { random: new FakeRandom(seed) })
      picker.addPeer(full(30))
      picker.addPeer(bits(30, range(1, 30)))
      for (let n = 0; n < 4; n++) {
        const piece = picker.pick(full(30))
        seen.add(piece)
        if (n === 0 && piece === 0) rarestFirst++
        picker.open(piece)
      }
      const fifth = picker.pick(full(30))
      if (!picker.isOpen(0)) expect(fifth).toBe(0)
    }
    expect(seen.size).toBeGreaterThan(20)
    expect(rarestFirst).toBeLessThan(15)
  })

  it('breaks ties at random', () => {
    const picked = new Set<number>()
    for (let seed = 1; seed <= 40; seed++) {
      const picker = started(40, seed)
      picker.addPeer(full(40))
      picked.add(picker.pick(full(40)))
    }
    expect(picked.size).toBeGreaterThan(10)
    expect([...picked].every((piece) => piece >= 4)).toBe(true)
  })

  it('finds the one piece of a poor peer among many that are as rare', () => {
    const picker = started(5000)
    picker.addPeer(full(5000))
    for (const piece of [4, 777, 4999]) {
      const poor = bits(5000, [piece])
      picker.addPeer(poor)
      expect(picker.pick(poor, { limit: 8 })).toBe(piece)
      expect(picker.pick(poor)).toBe(piece)
    }
  })

  it('asks about no more pieces than the limit, however they are spread', () => {
    const picker = started(1000)
    for (let n = 1; n < 20; n++) picker.addPeer(bits(1000, range(n * 50, 1000)))
    const poor = bits(1000, [1, 2, 3])
    let asked = 0
    const watched = {
      bytes: poor.bytes,
      count: poor.count,
      forEachSet: poor.forEachSet.bind(poor),
      get: (piece: number) => {
        asked++
        return poor.get(piece)
      },
    }
    expect(picker.pick(watched, { limit: 120 })).toBe(-1)
    expect(asked).toBe(120)
  })

  it('takes the rarest even where the limit ends the walk', () => {
    const picker = started(4000)
    picker.addPeer(bits(4000, range(0, 2000)))
    picker.addPeer(bits(4000, range(2000, 4000)))
    const peer = bits(4000, range(2000, 4000))
    for (const piece of range(2000, 4000)) if (piece !== 3333) picker.have(piece)
    picker.have(3333)
    for (const piece of range(2000, 4000)) if (piece !== 3333) picker.have(piece)
    expect(picker.pick(peer, { limit: 16 })).toBe(3333)
  })

  it('calls a count below zero and an unknown piece a bug', () => {
    const picker = started(6)
    expect(() => picker.removePeer(bits(6, [4]))).toThrow(RangeError)
    expect(() => picker.have(6)).toThrow(RangeError)
    expect(() => picker.open(6)).toThrow(RangeError)
    expect(() => picker.removeSeed()).toThrow(RangeError)
  })
})
