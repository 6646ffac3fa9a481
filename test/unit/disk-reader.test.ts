import { describe, expect, it } from 'vitest'
import type { ReadBatch } from '../../daemon/disk/jobs.js'
import { Reader } from '../../daemon/disk/reader.js'
import type { LaneReads } from '../../daemon/disk/read-queue.js'
import type { DiskFault, Frame, ReadRun } from '../../daemon/ports/disk.js'
import { FakeClock } from '../support/fake-clock.js'

const fault: DiskFault = { code: 'EIO', operation: 'read', path: '/a' }
const FRAME = 262_352

interface Message {
  readonly batch: ReadBatch
  readonly done: (faults: readonly (DiskFault | null)[] | null) => void
}

/** A lane whose messages the test answers. */
class Lane implements LaneReads {
  readonly messages: Message[] = []
  /** Everything that was asked, in order. */
  readonly asked: number[] = []

  readRuns(batch: ReadBatch, done: Message['done']): void {
    if (batch.runs.length > 0) this.messages.push({ batch, done })
    else done(null)
    this.asked.push(...batch.runs.map(({ piece }) => piece))
  }

  answer(faults: readonly (DiskFault | null)[] | null = null): void {
    const message = this.messages.shift()
    if (message === undefined) throw new Error('the lane was asked nothing')
    message.done(faults)
  }
}

class Kit {
  readonly clock = new FakeClock()
  readonly lane = new Lane()
  readonly reader: Reader

  constructor(most = 16 * FRAME) {
    this.reader = new Reader({ most }, { now: () => this.clock.now(), turn: (fn) => void setImmediate(fn) })
  }

  /** What comes of it; asks for a whole extent. */
  want(piece: number, more: Partial<ReadRun> & { key?: number; lane?: Lane } = {}): Got {
    const { key = 1, lane = this.lane, ...rest } = more
    const got: Got = { frames: [], faults: [], cancel: () => undefined }
    const run = { piece, offset: 0, lengths: Array<number>(16).fill(16_384), shared: true, ...rest }
    got.cancel = this.reader.read(key, lane, run, (frame, why) => {
      if (frame !== null) got.frames.push(frame)
      if (why !== null) got.faults.push(why)
    })
    return got
  }
}

interface Got {
  readonly frames: Frame[]
  readonly faults: DiskFault[]
  cancel: () => void
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const release = (...all: readonly Got[]): void => {
  for (const { frames } of all) for (const frame of frames.splice(0)) frame.release()
}

describe('a shared frame', () => {
  it('is read once for all who wait, and each holds the same bytes', async () => {
    const kit = new Kit()
    const all = Array.from({ length: 200 }, () => kit.want(3))
    await turn()
    expect(kit.lane.asked).toEqual([3])
    kit.lane.answer()
    const having = (): number => all.filter(({ frames }) => frames.length > 0).length
    // A turn of the loop is not spent on all of them.
    expect(having()).toBeLessThan(20)
    for (let turns = 0; turns < 100 && having() < all.length; turns++) await turn()
    expect(new Set(all.map(({ frames }) => frames[0]?.bytes.buffer)).size).toBe(1)
    expect(all[0]?.frames[0]?.bytes.length).toBe(FRAME)
    expect(kit.reader.pinnedBytes).toBe(FRAME)
    release(...all)
    expect(kit.reader.pinnedBytes).toBe(0)
  })

  it('is kept after its last holder, given to the next without a read and not inside the call', async () => {
    const kit = new Kit()
    const first = kit.want(3)
    await turn()
    kit.lane.answer()
    release(first)
    kit.clock.advance(59_000)
    kit.reader.trim()
    const second = kit.want(3)
    expect(second.frames).toEqual([])
    await turn()
    expect(second.frames.length).toBe(1)
    expect(kit.reader.pinnedBytes).toBe(FRAME)
    expect(kit.lane.asked).toEqual([3])
    release(second)
    expect(kit.reader.pinnedBytes).toBe(0)
  })

  it('is let go of a minute after its last use, with the memory of the lane', async () => {
    const kit = new Kit()
    const first = kit.want(3)
    await turn()
    kit.lane.answer()
    release(first)
    expect(kit.reader.bytes).toBe(FRAME)
    kit.clock.advance(60_000)
    const told: (readonly number[])[] = []
    const { readRuns } = kit.lane
    kit.lane.readRuns = (batch, done) => {
      told.push(batch.gone)
      readRuns.call(kit.lane, batch, done)
    }
    kit.reader.trim()
    expect(kit.reader.bytes).toBe(0)
    expect(told).toEqual([[1]])
    kit.want(3)
    await turn()
    expect(kit.lane.asked).toEqual([3, 3])
  })

  it.each([
    ['its storage was closed', (kit: Kit): void => kit.reader.close(1)],
    ['its storage was looked at anew', (kit: Kit): void => kit.reader.forget(1)],
    ['its piece is written again', (kit: Kit): void => kit.reader.forget(1, 3)],
  ])('is not given any more after %s; who holds it keeps it', async (_, forget) => {
    const kit = new Kit()
    const first = kit.want(3)
    const other = kit.want(3, { key: 2 })
    await turn()
    kit.lane.answer()
    release(other)
    forget(kit)
    expect(first.frames[0]?.bytes.length).toBe(FRAME)
    kit.want(3)
    kit.want(3, { key: 2 })
    await turn()
    expect(kit.lane.messages.map(({ batch }) => batch.runs.map(({ key }) => key))).toEqual([[1]])
    release(first)
    // The hit of the other storage, and what is read anew.
    expect(kit.reader.pinnedBytes).toBe(2 * FRAME)
  })

  it('that is being read when it is forgotten is given to those who wait, and then not kept', async () => {
    const kit = new Kit()
    const first = kit.want(3)
    await turn()
    kit.reader.forget(1, 3)
    const second = kit.want(3)
    await turn()
    kit.lane.answer()
    expect(first.frames.length).toBe(1)
    kit.lane.answer()
    expect(second.frames.length).toBe(1)
    release(first, second)
    kit.want(3)
    await turn()
    expect(kit.lane.asked).toEqual([3, 3])
  })

  it('gives way, the longest unused first, to what is wanted', async () => {
    const kit = new Kit(3 * FRAME)
    for (const piece of [1, 2, 3, 1, 4]) {
      const got = kit.want(piece)
      await turn()
      if (kit.lane.messages.length > 0) kit.lane.answer()
      kit.clock.advance(1)
      release(got)
    }
    expect(kit.reader.bytes).toBe(3 * FRAME)
    const held = [1, 3, 4].map((piece) => kit.want(piece))
    await turn()
    expect(kit.lane.asked).toEqual([1, 2, 3, 4])
    release(...held)
    kit.want(2)
    await turn()
    expect(kit.lane.asked).toEqual([1, 2, 3, 4, 2])
  })
})

describe('a run of its own', () => {
  it('is neither shared nor kept', async () => {
    const kit = new Kit()
    const both = [1, 1].map((piece) => kit.want(piece, { shared: false, offset: 7, lengths: [5, 9] }))
    await turn()
    expect(kit.lane.asked).toEqual([1, 1])
    kit.lane.answer()
    expect(both[0]?.frames[0]?.bytes.length).toBe(5 + 9 + 26)
    const [one, other] = both.map(({ frames }) => frames[0]?.bytes)
    one?.fill(1)
    other?.fill(2)
    expect(one?.every((byte) => byte === 1)).toBe(true)
    release(...both)
    kit.want(1, { shared: false, offset: 7, lengths: [5, 9] })
    await turn()
    expect(kit.lane.asked.length).toBe(3)
  })
})

describe('memory', () => {
  it('keeps the frame while the first of two lets go inside its callback', async () => {
    const kit = new Kit()
    const run = { piece: 1, offset: 0, lengths: Array<number>(16).fill(16_384), shared: true }
    kit.reader.read(1, kit.lane, run, (frame) => frame?.release())
    const second = kit.want(1)
    await turn()
    kit.lane.answer()
    expect(kit.reader.pinnedBytes).toBe(FRAME)
    release(second)
    expect(kit.reader.pinnedBytes).toBe(0)
  })

  it('is bounded: the next run starts when a frame is released', async () => {
    const kit = new Kit(2 * FRAME)
    const all = [1, 2, 3].map((piece) => kit.want(piece))
    await turn()
    expect(kit.lane.asked).toEqual([1, 2])
    expect(kit.reader.short).toBe(true)
    expect(kit.reader.queued).toBe(1)
    kit.lane.answer()
    expect(kit.lane.asked).toEqual([1, 2])
    release(...all)
    await turn()
    expect(kit.lane.asked).toEqual([1, 2, 3])
    expect([kit.reader.short, kit.reader.bytes]).toEqual([false, 2 * FRAME])
  })

  it('is given to one that alone passes the limit', async () => {
    const kit = new Kit(1000)
    kit.want(1)
    await turn()
    expect(kit.lane.asked).toEqual([1])
  })

  it('keeps a half free of the patient, and nobody behind them waits for that', async () => {
    const kit = new Kit(4 * FRAME)
    for (const piece of [1, 2, 3, 4]) kit.want(piece, { patient: true, reader: {} })
    kit.want(5, { reader: {} })
    kit.want(6, { reader: {} })
    await turn()
    expect(kit.lane.asked).toEqual([1, 2, 5, 6])
  })

  it('is used again: a thousand runs make no more buffers than are held at once', async () => {
    const kit = new Kit()
    const met = new Set<number>()
    for (let piece = 0; piece < 1000; piece++) {
      const got = kit.want(piece)
      await turn()
      for (const { id } of kit.lane.messages[0]?.batch.fresh ?? []) met.add(id)
      kit.lane.answer()
      release(got)
    }
    expect(met.size).toBe(16)
  })
})

describe('turns', () => {
  it('are taken by those for whom is read: nobody waits behind the heap of another', async () => {
    const kit = new Kit(64 * FRAME)
    const [busy, other] = [{}, {}]
    for (let piece = 0; piece < 20; piece++) kit.want(piece, { reader: busy })
    kit.want(100, { reader: other })
    kit.want(101, { reader: other })
    await turn()
    expect([...kit.lane.asked].sort((a, b) => a - b).slice(-2)).toEqual([100, 101])
    expect(kit.lane.asked.length).toBe(8)
  })

  it('put few messages under way, each in the order of the files', async () => {
    const kit = new Kit(64 * FRAME)
    for (const piece of [9, 3, 7, 1, 8, 2, 6, 4, 5]) kit.want(piece)
    await turn()
    expect(kit.lane.messages.map(({ batch }) => batch.runs.map(({ piece }) => piece))).toEqual([
      [1, 3, 7, 9],
      [2, 4, 6, 8],
    ])
    kit.lane.answer()
    expect(kit.lane.messages.length).toBe(2)
    expect(kit.lane.asked.at(-1)).toBe(5)
  })

  it('are short on a slow volume, and long again on a fast one', async () => {
    const kit = new Kit(64 * FRAME)
    const ask = async (took: number): Promise<number> => {
      kit.reader.forget(1)
      const all = Array.from({ length: 12 }, (_, piece) => kit.want(piece))
      await turn()
      const runs = kit.lane.messages[0]?.batch.runs.length ?? 0
      while (kit.lane.messages.length > 0) {
        kit.clock.advance(took)
        kit.lane.answer()
      }
      release(...all)
      return runs
    }
    expect(await ask(32)).toBe(4)
    expect(await ask(8)).toBe(1)
    expect(await ask(1)).toBe(1)
    expect(await ask(1)).toBe(4)
  })

  it('are those of whoever wants the same: nobody waits for the turn, or the patience, of another', async () => {
    const kit = new Kit(4 * FRAME)
    const slow = {}
    for (let piece = 0; piece < 10; piece++) kit.want(piece, { reader: slow, patient: true })
    const mine = kit.want(9, { reader: {} })
    await turn()
    expect([...kit.lane.asked].sort((a, b) => a - b)).toEqual([0, 1, 9])
    while (kit.lane.messages.length > 0) kit.lane.answer()
    expect(mine.frames.length).toBe(1)
  })

  it('of one lane do not wait for another', async () => {
    const kit = new Kit(64 * FRAME)
    const other = new Lane()
    for (let piece = 0; piece < 20; piece++) kit.want(piece)
    kit.want(1, { lane: other, key: 2 })
    await turn()
    expect(other.asked).toEqual([1])
  })
})

describe('reading ahead', () => {
  const AHEAD = { ahead: 3 * 262_144 }

  it('is done on a slow volume for one who reads on, in the same message', async () => {
    const kit = new Kit(64 * FRAME)
    const first = kit.want(1, AHEAD)
    await turn()
    expect(kit.lane.messages[0]?.batch.runs.length).toBe(1)
    kit.clock.advance(8)
    kit.lane.answer()
    // Slow now; the message that follows takes four extents though it would hold one.
    const second = kit.want(2, AHEAD)
    kit.want(9, { reader: {} })
    await turn()
    expect(kit.lane.messages[0]?.batch.runs.map(({ offset }) => offset / 262_144)).toEqual([0, 1, 2, 3])
    kit.clock.advance(8)
    kit.lane.answer()
    release(first, second)
    expect(kit.reader.pinnedBytes).toBe(FRAME)
    kit.lane.answer()
    const hit = kit.want(2, { offset: 262_144 })
    await turn()
    expect(hit.frames.length).toBe(1)
    expect(kit.lane.asked).toEqual([1, 2, 2, 2, 2, 9])
  })

  it('is not done on a fast volume, nor beyond what was said', async () => {
    const kit = new Kit(64 * FRAME)
    for (const [piece, took] of [
      [1, 1],
      [2, 8],
    ] as const) {
      kit.want(piece, AHEAD)
      await turn()
      kit.clock.advance(took)
      kit.lane.answer()
    }
    kit.want(3, { ahead: 262_144 + 5 })
    kit.want(4, { ahead: 0 })
    await turn()
    while (kit.lane.messages.length > 0) kit.lane.answer()
    expect(kit.lane.asked).toEqual([1, 2, 3, 3, 4])
  })

  it('takes no memory that is needed: what does not fit is not read, and what was read gives way', async () => {
    const kit = new Kit(5 * FRAME)
    const first = kit.want(1)
    await turn()
    kit.clock.advance(8)
    kit.lane.answer()
    release(first)
    const second = kit.want(2, AHEAD)
    await turn()
    // Half of the memory is two frames.
    expect(kit.lane.asked).toEqual([1, 2, 2, 2])
    kit.lane.answer()
    expect([kit.reader.queued, kit.reader.short]).toEqual([0, false])
    const held = [5, 6, 7, 8].map((piece) => kit.want(piece))
    await turn()
    while (kit.lane.messages.length > 0) kit.lane.answer()
    expect(held.map(({ frames }) => frames.length)).toEqual([1, 1, 1, 1])
    release(second, ...held)
    expect(kit.reader.pinnedBytes).toBe(0)
  })

  it('is not done while many others wait', async () => {
    const kit = new Kit(16 * FRAME)
    kit.want(0)
    await turn()
    kit.clock.advance(8)
    kit.lane.answer()
    for (let piece = 1; piece < 30; piece++) kit.want(piece, { ...AHEAD, reader: {} })
    await turn()
    while (kit.lane.messages.length > 0) kit.lane.answer()
    // The first ones still had room.
    expect(kit.lane.asked.filter((piece) => piece > 8)).toEqual([9, 10, 11, 12, 13, 14, 15])
  })
})

describe('what is not wanted any more', () => {
  it('is not read, unless another waits for it too', async () => {
    const kit = new Kit()
    const gone = kit.want(1)
    const shared = kit.want(2)
    const stays = kit.want(2)
    gone.cancel()
    shared.cancel()
    await turn()
    expect(kit.lane.asked).toEqual([2])
    kit.lane.answer()
    expect([gone.frames.length, shared.frames.length, stays.frames.length]).toEqual([0, 0, 1])
    release(stays)
    // One taken back before it was read can be wanted again.
    kit.want(1)
    await turn()
    expect(kit.lane.asked).toEqual([2, 1])
  })

  it('is kept when it was being read, and its frame is not held', async () => {
    const kit = new Kit()
    const gone = kit.want(1)
    await turn()
    gone.cancel()
    kit.lane.answer()
    expect(gone.frames).toEqual([])
    expect(kit.reader.pinnedBytes).toBe(0)
    const hit = kit.want(1)
    hit.cancel()
    await turn()
    expect(hit.frames).toEqual([])
    expect(kit.reader.pinnedBytes).toBe(0)
  })

  it('of a storage that was closed is told to nobody, and its memory is free when the lane answers', async () => {
    const kit = new Kit(2 * FRAME)
    const [lost, second, queued] = [kit.want(1), kit.want(2), kit.want(3)]
    await turn()
    const other = kit.want(9, { key: 2 })
    kit.reader.close(1)
    kit.lane.answer()
    await turn()
    expect([lost, second, queued].map(({ frames, faults }) => frames.length + faults.length)).toEqual([
      0, 0, 0,
    ])
    expect(kit.lane.asked).toEqual([1, 2, 9])
    kit.lane.answer()
    release(other)
    expect(kit.reader.pinnedBytes).toBe(0)
  })
})

describe('a fault', () => {
  it('is told to all who wait for its run and to nobody else; nothing of the storage is kept', async () => {
    const kit = new Kit()
    const kept = kit.want(7)
    await turn()
    kit.lane.answer()
    release(kept)
    const [bad, bad2, good] = [kit.want(1), kit.want(1), kit.want(2)]
    await turn()
    kit.lane.answer([fault, null])
    expect([bad.faults, bad2.faults, good.faults]).toEqual([[fault], [fault], []])
    release(good)
    expect(kit.reader.pinnedBytes).toBe(0)
    kit.want(7)
    kit.want(1)
    await turn()
    expect(kit.lane.messages[0]?.batch.runs.map(({ piece }) => piece)).toEqual([1, 7])
    expect(kit.reader.bytes).toBeLessThanOrEqual(16 * FRAME)
  })
})
