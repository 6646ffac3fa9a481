import { describe, expect, it } from 'vitest'
import type { ReadAsk } from '../../daemon/disk/jobs.js'
import { Reader } from '../../daemon/disk/reader.js'
import type { DiskFault, Frame } from '../../daemon/ports/disk.js'

const fault: DiskFault = { code: 'EIO', operation: 'read', path: '/a' }

function kit(mostPinned = 1 << 20): {
  reader: Reader
  jobs: { ask: ReadAsk; done: (fault: DiskFault | null) => void }[]
  want: (piece: number, key?: number, lengths?: number[]) => (Frame | DiskFault | null)[]
} {
  const reader = new Reader({ mostPinned })
  const jobs: { ask: ReadAsk; done: (fault: DiskFault | null) => void }[] = []
  const want = (piece: number, key = 1, lengths = [16_384]): (Frame | DiskFault | null)[] => {
    const got: (Frame | DiskFault | null)[] = []
    reader.read(
      key,
      { piece, offset: 0, lengths },
      (ask, done) => jobs.push({ ask, done }),
      (frame, why) => got.push(frame ?? why),
    )
    return got
  }
  return { reader, jobs, want }
}

describe('the reader', () => {
  it('reads once for all who wait, and each holds the same bytes', () => {
    const { reader, jobs, want } = kit()
    const first = want(3)
    const second = want(3)
    expect(jobs).toHaveLength(1)
    new Uint8Array(jobs[0]?.ask.memory ?? new SharedArrayBuffer(0)).fill(9, 0, 100)
    jobs[0]?.done(null)
    const [a, b] = [first[0] as Frame, second[0] as Frame]
    expect(a.bytes.length).toBe(16_384 + 13)
    expect(a.bytes.buffer).toBe(b.bytes.buffer)
    a.release()
    expect(reader.pinnedBytes).toBeGreaterThan(0)
    b.release()
    expect(reader.pinnedBytes).toBe(0)
  })

  it('gives a pinned frame to a later asker, not inside the call, and reads again after the last release', async () => {
    const { reader, jobs, want } = kit()
    const first = want(3)
    jobs[0]?.done(null)
    const later = want(3)
    expect(later).toEqual([])
    ;(first[0] as Frame).release()
    await Promise.resolve()
    expect(jobs).toHaveLength(1)
    expect(reader.pinnedBytes).toBeGreaterThan(0)
    ;(later[0] as Frame).release()
    expect(reader.pinnedBytes).toBe(0)
    want(3)
    expect(jobs).toHaveLength(2)
  })

  it('keeps the memory while the first of two releases inside its callback', () => {
    const { reader, jobs } = kit()
    const run = { piece: 1, offset: 0, lengths: [5] }
    const got: Frame[] = []
    const job = (ask: ReadAsk, done: (fault: DiskFault | null) => void): void => {
      jobs.push({ ask, done })
    }
    reader.read(1, run, job, (frame) => frame?.release())
    reader.read(1, run, job, (frame) => {
      if (frame !== null) got.push(frame)
    })
    jobs[0]?.done(null)
    expect(reader.pinnedBytes).toBeGreaterThan(0)
    got[0]?.release()
    expect(reader.pinnedBytes).toBe(0)
  })

  it('bounds what is pinned: the next run starts when one is released', () => {
    const { reader, jobs, want } = kit(40_000)
    const first = want(1)
    want(2)
    want(3)
    expect(jobs).toHaveLength(2)
    expect(reader.queued).toBe(1)
    jobs[0]?.done(null)
    expect(jobs).toHaveLength(2)
    ;(first[0] as Frame).release()
    expect(jobs.map(({ ask }) => ask.piece)).toEqual([1, 2, 3])
  })

  it('reads one that alone passes the limit', () => {
    const { jobs, want } = kit(1000)
    want(1)
    expect(jobs).toHaveLength(1)
  })

  it('tells everybody who waits of a fault and keeps nothing', () => {
    const { reader, jobs, want } = kit()
    const both = [want(1), want(1)]
    jobs[0]?.done(fault)
    expect(both).toEqual([[fault], [fault]])
    expect(reader.pinnedBytes).toBe(0)
  })

  it('tells nobody of a storage that was closed, and frees its memory when the lane answers', () => {
    const { reader, jobs, want } = kit(20_000)
    const lost = want(1)
    const queued = want(2)
    const other = want(9, 2)
    reader.close(1)
    jobs[0]?.done(null)
    expect(lost).toEqual([])
    expect(queued).toEqual([])
    expect(jobs.map(({ ask }) => ask.key)).toEqual([1, 2])
    jobs[1]?.done(null)
    ;(other[0] as Frame).release()
    expect(reader.pinnedBytes).toBe(0)
  })
})
