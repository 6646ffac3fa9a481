import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DiskFault, FileFound, Storage } from '../../daemon/ports/disk.js'
import type { HaveRound, Store } from '../../daemon/ports/store.js'
import { StoreFault } from '../../daemon/ports/store.js'
import { Content } from '../../daemon/swarm/content.js'
import { Recorder } from '../../daemon/swarm/recorder.js'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { Layout } from '../../shared/torrent/layout.js'
import type { FileIndex, PieceIndex, TorrentId } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'

const PIECE = 32_768
const EIO: DiskFault = { code: 'EIO', operation: 'sync', path: '/a' }

/** Two files of four and a half pieces and of three and a half: piece 4 lies in both. */
const FILES = [
  { path: 'a', length: PIECE * 4.5, pad: false },
  { path: 'b', length: PIECE * 3.5, pad: false },
]

/** A disk whose page cache loses what a failed sync covered, and a store that says what it was told. */
class Bench {
  readonly clock = new FakeClock()
  /** Everything that was asked, in order. */
  readonly log: string[] = []
  /** Pieces whose bytes are durable, and those that are in the page cache only. */
  readonly durable = new Set<PieceIndex>()
  readonly cached = new Set<PieceIndex>()
  readonly content: Content
  readonly recorder: Recorder
  readonly voided: PieceIndex[] = []
  readonly recorded: PieceIndex[] = []
  readonly finished: FileIndex[] = []
  trouble: (string | null)[] = []
  marks = 0
  /** Answers that are not given yet, oldest first. */
  readonly open: {
    readonly kind: 'sync' | 'commit' | 'mark' | 'finish' | 'survey'
    readonly answer: (fails: boolean) => void
  }[] = []
  /** Bits of the last commit. */
  committed = new Bitfield(8)
  lastRound: HaveRound | null = null

  constructor(
    private readonly init: { readonly marked?: boolean; readonly missing?: readonly FileIndex[] } = {},
  ) {
    const layout = new Layout(FILES, PIECE)
    this.content = new Content({
      layout,
      files: FILES,
      recorded: new Bitfield(layout.pieceCount),
      facts:
        init.marked === true
          ? FILES.map((_, file) => ({ file, size: 0, mtimeNs: '0', ino: '0', writing: true }))
          : [],
      wishes: [],
    })
    this.recorder = new Recorder(
      { torrent: 1 as TorrentId, content: this.content, checked: true, completedAt: null },
      {
        clock: this.clock,
        storage: this.storage() as Storage,
        store: this.store() as Store,
        listener: {
          recorded: (pieces, finished) => {
            this.recorded.push(...pieces)
            this.finished.push(...finished)
          },
          voided: (pieces) => void this.voided.push(...pieces),
          storeTrouble: (code) => void this.trouble.push(code),
          finishFailed: (fault) => void this.log.push(`finish failed ${fault.code}`),
          marked: () => {
            this.marks++
          },
        },
      },
    )
  }

  /** A piece is written and verified. */
  write(piece: PieceIndex): void {
    this.cached.add(piece)
    this.content.have.set(piece)
    this.recorder.add(piece)
  }

  async answer(fails = false): Promise<void> {
    this.open.shift()?.answer(fails)
    await settle()
  }

  /** Answers everything until nothing is asked any more. */
  async answerAll(): Promise<void> {
    for (let i = 0; i < 100 && this.open.length > 0; i++) await this.answer()
  }

  private ask<T>(kind: Bench['open'][number]['kind'], good: () => T, bad: () => T | Promise<T>): Promise<T> {
    this.log.push(kind)
    return new Promise((resolve) => {
      this.open.push({ kind, answer: (fails) => resolve(fails ? bad() : good()) })
    })
  }

  private found(file: FileIndex): FileFound {
    if (this.init.missing?.includes(file) === true) {
      return { file, name: 'missing', size: 0, mtimeNs: '0', ino: '0' }
    }
    return { file, name: 'part', size: FILES[file]?.length ?? 0, mtimeNs: '7', ino: '1' }
  }

  private storage(): Partial<Storage> {
    const files = [this.found(0), this.found(1)]
    return {
      sync: () => {
        // A sync covers what lies in the cache when it is asked and while it runs.
        return this.ask<{ files: FileFound[]; fault: DiskFault | null }>(
          'sync',
          () => {
            for (const piece of this.cached) this.durable.add(piece)
            this.cached.clear()
            return { files, fault: null }
          },
          () => {
            // The kernel forgets the error, and the pages with it.
            this.cached.clear()
            return { files: [], fault: EIO }
          },
        )
      },
      finish: (which) =>
        this.ask<{ files: FileFound[]; fault: DiskFault | null }>(
          'finish',
          () => ({ files: which.map((file) => this.found(file)), fault: null }),
          () => ({ files: [], fault: { ...EIO, operation: 'rename' } }),
        ),
      survey: () =>
        this.ask(
          'survey',
          () => files,
          () => files,
        ),
    }
  }

  private store(): Partial<Store> {
    const fault = (): Promise<undefined> => Promise.reject(new StoreFault('SQLITE_FULL', 'full'))
    return {
      markWriting: (_, files) =>
        this.ask<undefined>('mark', () => void this.log.push(`marked ${files.join()}`), fault),
      recordRound: (round) =>
        this.ask<undefined>(
          'commit',
          () => {
            this.lastRound = round
            for (const { bits } of round.chunks)
              this.committed = Bitfield.fromWire(bits, 8) ?? new Bitfield(8)
            this.committed.forEachSet((piece) => {
              if (!this.durable.has(piece))
                throw new Error(`piece ${String(piece)} is claimed and not on the disk`)
            })
            return undefined
          },
          fault,
        ),
    }
  }
}

async function settle(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
}

describe('a round', () => {
  it('syncs, then commits, then tells; and waits for its time', async () => {
    const bench = new Bench({ marked: true })
    bench.write(0)
    expect(bench.log).toEqual([])
    bench.clock.advance(3000)
    expect(bench.log).toEqual(['sync'])
    await bench.answer()
    expect(bench.log).toEqual(['sync', 'commit'])
    expect(bench.recorded).toEqual([])
    expect(bench.content.recorded.empty).toBe(true)
    await bench.answer()
    expect(bench.recorded).toEqual([0])
    expect(bench.committed.get(0)).toBe(true)
    expect(bench.lastRound).toMatchObject({ done: PIECE, completedAt: null, checked: true })
    expect(bench.lastRound?.files.map(({ writing }) => writing)).toEqual([true, true])
    expect(bench.clock.pending).toBe(0)
  })

  it('does not wait once 32 MiB are pending', () => {
    const clock = new FakeClock()
    const files = [{ path: 'a', length: 4 * 16_777_216, pad: false }]
    const layout = new Layout(files, 16_777_216)
    let syncs = 0
    const content = new Content({
      layout,
      files,
      recorded: new Bitfield(4),
      facts: [],
      wishes: [],
    })
    const recorder = new Recorder(
      { torrent: 1 as TorrentId, content, checked: true, completedAt: null },
      {
        clock,
        store: {} as Store,
        storage: {
          sync: () => {
            syncs++
            return new Promise(() => undefined)
          },
        } as unknown as Storage,
        listener: { recorded: none, voided: none, storeTrouble: none, finishFailed: none, marked: none },
      },
    )
    recorder.add(0)
    expect(syncs).toBe(0)
    recorder.add(1)
    expect(syncs).toBe(1)
    expect(clock.pending).toBe(0)
  })

  it('names a file when all of it is committed, and takes its mark off', async () => {
    const bench = new Bench({ marked: true })
    for (const piece of [0, 1, 2, 3, 4]) bench.write(piece)
    bench.clock.advance(3000)
    await bench.answer()
    expect(bench.log).not.toContain('finish')
    // Its facts wait for its name.
    await bench.answer()
    expect(bench.lastRound?.files.map(({ file }) => file)).toEqual([1])
    // Nothing is said to be complete before it lies there under its name.
    expect(bench.log.at(-1)).toBe('finish')
    expect(bench.recorded).toEqual([])
    await bench.answer()
    // Nor before the record says that it does.
    expect(bench.log.at(-1)).toBe('commit')
    expect(bench.recorded).toEqual([])
    await bench.answer()
    expect(bench.finished).toEqual([0])
    expect(bench.recorded).toEqual([0, 1, 2, 3, 4])
    await bench.answerAll()
    expect(bench.lastRound?.files).toMatchObject([{ file: 0, writing: false }])
    expect(bench.content.facts.get(0)?.writing).toBe(false)
  })

  it('sets the date of completion after sync, commit, names, and the commit of these', async () => {
    const bench = new Bench({ marked: true })
    for (let piece = 0; piece < 8; piece++) bench.write(piece)
    bench.clock.advance(3000)
    for (const kind of ['sync', 'commit', 'finish', 'commit']) {
      expect(bench.log.at(-1)).toBe(kind)
      expect(bench.recorder.completedAt).toBeNull()
      expect(bench.recorded).toEqual([])
      await bench.answer()
    }
    expect(bench.recorder.completedAt).toBe(bench.clock.wall())
    expect(bench.lastRound?.completedAt).toBe(bench.clock.wall())
    expect(bench.recorded).toHaveLength(8)
  })

  it('tells nothing while its names cannot be committed, and does it all again', async () => {
    const bench = new Bench({ marked: true })
    for (let piece = 0; piece < 8; piece++) bench.write(piece)
    bench.clock.advance(3000)
    for (let i = 0; i < 3; i++) await bench.answer()
    await bench.answer(true)
    expect([bench.recorded, bench.recorder.completedAt]).toEqual([[], null])
    bench.clock.advance(5000)
    await bench.answerAll()
    expect(bench.recorded).toHaveLength(8)
    expect(bench.recorder.completedAt).not.toBeNull()
  })

  it('is not complete where a file could not get its name', async () => {
    const bench = new Bench({ marked: true })
    for (let piece = 0; piece < 8; piece++) bench.write(piece)
    bench.clock.advance(3000)
    await bench.answer()
    await bench.answer()
    await bench.answer(true)
    await bench.answerAll()
    expect(bench.log).toContain('finish failed EIO')
    expect([bench.recorder.completedAt, bench.lastRound?.completedAt]).toEqual([null, null])
    // The next start names it.
    const ends: unknown[] = []
    bench.recorder.finish([0, 1], (fault, completes) => ends.push([fault, completes]))
    await bench.answerAll()
    expect(ends).toEqual([[null, true]])
    expect(bench.lastRound?.completedAt).toBe(bench.clock.wall())
  })
})

describe('a piece that cannot be read', () => {
  it('is taken back, durably', async () => {
    const bench = new Bench({ marked: true })
    for (const piece of [0, 1, 2]) bench.write(piece)
    bench.recorder.flush(none)
    await bench.answerAll()
    expect(bench.committed.count).toBe(3)
    bench.recorder.takeBack(1)
    expect([bench.content.have.get(1), bench.content.recorded.get(1)]).toEqual([false, false])
    await bench.answerAll()
    expect([0, 1, 2].map((piece) => bench.committed.get(piece))).toEqual([true, false, true])
  })

  it('is taken back after the round that commits it', async () => {
    const bench = new Bench({ marked: true })
    for (const piece of [0, 1, 2]) bench.write(piece)
    bench.recorder.flush(none)
    await bench.answer()
    expect(bench.open[0]?.kind).toBe('commit')
    bench.recorder.takeBack(1)
    await bench.answerAll()
    expect(bench.recorded).toEqual([0, 2])
    expect([0, 1, 2].map((piece) => bench.committed.get(piece))).toEqual([true, false, true])
    expect([0, 1, 2].map((piece) => bench.content.recorded.get(piece))).toEqual([true, false, true])
  })
})

describe('a sync that fails', () => {
  it('voids what was written while it ran, too', async () => {
    const bench = new Bench({ marked: true })
    bench.write(0)
    bench.clock.advance(3000)
    bench.write(1)
    await bench.answer(true)
    expect(bench.voided.sort()).toEqual([0, 1])
    expect(bench.recorder.pending).toBe(0)
    // The next sync has nothing to complain of, and must find nothing to claim.
    bench.recorder.flush(none)
    await bench.answerAll()
    expect(bench.committed.empty).toBe(true)
  })

  it('answers whoever waits for the round', async () => {
    const bench = new Bench({ marked: true })
    bench.write(0)
    let done = false
    bench.recorder.flush(() => (done = true))
    await bench.answer(true)
    expect(done).toBe(true)
  })
})

describe('a store that fails', () => {
  it('keeps the pieces pending, says so, and tries again', async () => {
    const bench = new Bench({ marked: true })
    bench.write(0)
    bench.clock.advance(3000)
    await bench.answer()
    await bench.answer(true)
    expect(bench.trouble).toEqual(['SQLITE_FULL'])
    expect(bench.recorder.pending).toBe(1)
    bench.clock.advance(5000)
    await bench.answerAll()
    expect(bench.trouble).toEqual(['SQLITE_FULL', null])
    expect(bench.recorded).toEqual([0])
  })

  it('does not keep an end from coming', async () => {
    const bench = new Bench({ marked: true })
    bench.write(0)
    let done = false
    bench.recorder.close(() => (done = true))
    await bench.answer()
    await bench.answer(true)
    for (let i = 0; i < 5 && bench.open.length > 0; i++) await bench.answer(bench.open[0]?.kind === 'commit')
    expect(done).toBe(true)
    expect(bench.clock.pending).toBe(0)
  })

  it('asks for a mark again', async () => {
    const bench = new Bench()
    expect(bench.recorder.mayWrite(0)).toBe(false)
    await bench.answer(true)
    bench.clock.advance(5000)
    expect(bench.marks).toBe(1)
    expect(bench.recorder.mayWrite(0)).toBe(false)
    await bench.answer()
    expect(bench.marks).toBe(2)
    expect(bench.recorder.mayWrite(0)).toBe(true)
  })
})

describe('marks', () => {
  it('are committed before the first write to a file, once, for both files of a piece', async () => {
    const bench = new Bench()
    expect(bench.recorder.mayWrite(4)).toBe(false)
    expect(bench.recorder.mayWrite(4)).toBe(false)
    expect(bench.recorder.mayWrite(0)).toBe(false)
    expect(bench.log).toEqual(['mark'])
    await bench.answer()
    expect(bench.log).toEqual(['mark', 'marked 0,1'])
    expect([0, 4, 7].map((piece) => bench.recorder.mayWrite(piece))).toEqual([true, true, true])
  })

  it('come for many files with one commit, ahead only of files of which nothing is recorded', async () => {
    // Ten files of a piece each; piece 5 is recorded, file 7 is a pad, file 8 is not wanted.
    const files = Array.from({ length: 10 }, (_, at) => ({ path: String(at), length: PIECE, pad: at === 7 }))
    const layout = new Layout(files, PIECE)
    const recorded = new Bitfield(10)
    recorded.set(5)
    const content = new Content({ layout, files, recorded, facts: [], wishes: [{ file: 8, priority: 0 }] })
    const asked: FileIndex[][] = []
    const store: Partial<Store> = {
      markWriting: (_, some) => {
        asked.push([...some])
        return Promise.resolve()
      },
    }
    const recorder = new Recorder(
      { torrent: 1 as TorrentId, content, checked: true, completedAt: null },
      {
        clock: new FakeClock(),
        store: store as Store,
        storage: {} as Storage,
        listener: { recorded: none, voided: none, storeTrouble: none, finishFailed: none, marked: none },
      },
    )
    expect(recorder.mayWrite(3)).toBe(false)
    expect(asked).toEqual([[3, 4, 6, 9]])
    await settle()
    expect([3, 4, 6, 7, 9].map((piece) => recorder.mayWrite(piece))).toEqual([true, true, true, true, true])
    expect(asked).toHaveLength(1)
    // What is needed now is marked, whatever it is.
    expect(recorder.mayWrite(5)).toBe(false)
    expect(recorder.mayWrite(8)).toBe(false)
    expect(asked.slice(1)).toEqual([[5], [8]])
  })

  it('of files that were never made go off, too, and fit nothing that may lie there later', async () => {
    const bench = new Bench({ marked: true, missing: [0, 1] })
    bench.content.record(7)
    bench.recorder.close(none)
    await bench.answerAll()
    // Of b a piece is recorded: that it is missing is for the next start to find.
    expect(bench.lastRound?.files).toEqual([{ file: 0, size: 0, mtimeNs: '0', ino: '0', writing: false }])
  })

  it('go off at the end, with the facts of then', async () => {
    const bench = new Bench({ marked: true })
    let done = false
    bench.recorder.close(() => (done = true))
    await bench.answerAll()
    expect(bench.log).toEqual(['survey', 'commit'])
    expect(bench.lastRound?.files.map(({ writing }) => writing)).toEqual([false, false])
    expect(done).toBe(true)
  })
})

describe('the end', () => {
  it('commits what waits first', async () => {
    const bench = new Bench({ marked: true })
    bench.write(2)
    let done = false
    bench.recorder.close(() => (done = true))
    await bench.answerAll()
    expect(bench.log).toEqual(['sync', 'commit', 'survey', 'commit'])
    expect(bench.committed.get(2)).toBe(true)
    expect(done).toBe(true)
    expect(bench.clock.pending).toBe(0)
  })

  it('lets a round under way end, and makes one more for what came meanwhile', async () => {
    const bench = new Bench({ marked: true })
    bench.write(0)
    bench.clock.advance(3000)
    bench.write(1)
    let done = false
    bench.recorder.close(() => (done = true))
    await bench.answerAll()
    expect(bench.log).toEqual(['sync', 'commit', 'sync', 'commit', 'survey', 'commit'])
    expect(done).toBe(true)
  })

  it('comes at once after everything was abandoned', () => {
    const bench = new Bench({ marked: true })
    bench.write(0)
    let waited = false
    bench.recorder.abandon()
    bench.recorder.flush(() => (waited = true))
    expect(waited).toBe(true)
    expect(bench.open).toEqual([])
    expect(bench.clock.pending).toBe(0)
  })
})

describe('whatever comes in whatever order', () => {
  it('no bit is committed whose bytes were not synced', async () => {
    type Step =
      { readonly kind: 'write'; readonly piece: number } | { readonly kind: 'answer' | 'fail' | 'wait' }
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), piece: fc.integer({ min: 0, max: 7 }) }),
      fc.record({
        kind: fc.constantFrom('answer' as const, 'answer' as const, 'fail' as const, 'wait' as const),
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const bench = new Bench({ marked: true })
        for (const one of steps) {
          if (one.kind === 'write') {
            if (!bench.content.have.get(one.piece)) bench.write(one.piece)
          } else if (one.kind === 'wait') bench.clock.advance(5000)
          else await bench.answer(one.kind === 'fail')
          for (const piece of bench.voided.splice(0)) bench.content.lose(piece)
        }
        let done = false
        bench.recorder.close(() => (done = true))
        await bench.answerAll()
        expect(done).toBe(true)
        bench.committed.forEachSet((piece) => {
          expect(bench.durable.has(piece)).toBe(true)
        })
        expect(bench.recorder.pending).toBe(0)
      }),
      { numRuns: 300 },
    )
  })
})

function none(): void {
  return undefined
}
