/** Checks, main side: a lane and threads of a few lines, driven by hand. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CheckCrew } from '../../daemon/disk/check-crew.js'
import { Digester } from '../../daemon/disk/digester.js'
import type { Answer, Ask, DigestAsk, LaneJobs } from '../../daemon/disk/jobs.js'
import { Verification } from '../../daemon/disk/verification.js'
import type { DiskFault } from '../../daemon/ports/disk.js'
import { FakeClock } from '../support/fake-clock.js'
import { KitTorrent } from '../support/storage-kit.js'

const CHUNK = 64 * 1024
const FAULT: DiskFault = { code: 'EIO', operation: 'read', path: '/d/a' }

type Load = { ask: Ask<LaneJobs, 'load'>; done: (answer: Answer<LaneJobs, 'load'>) => void }

/** One check of a torrent whose files are `disk`; jobs wait until `lane` or `thread` is called. */
class Bench {
  readonly clock = new FakeClock()
  readonly crew: CheckCrew
  readonly digesters: Digester[] = []
  readonly jobs: { worker: number; ask: DigestAsk; done: (verdicts: Uint8Array) => void }[] = []
  readonly loads: Load[] = []
  readonly told = new Map<number, boolean>()
  readonly order: number[] = []
  readonly ends: (DiskFault | null)[] = []
  /** Bytes of each load, in order. */
  readonly sizes: number[] = []
  out = 0
  mostOut = 0
  readonly check: Verification
  onPiece: () => void = () => undefined

  constructor(
    readonly torrent: KitTorrent,
    /** What lies on the disk: all files end to end, cut off where it ends. */
    readonly disk: Buffer,
    workers = 1,
    pieces: readonly number[] = torrent.pieces,
    doubtful: (piece: number) => boolean = () => false,
  ) {
    this.digesters = Array.from({ length: workers }, () => new Digester())
    this.crew = new CheckCrew(
      { workers, chunk: CHUNK, url: new URL('file:///none'), onBug: () => undefined },
      this.clock,
    )
    const { crew } = this
    const { clock } = this
    let turn = 0
    this.check = new Verification(
      {
        key: 1,
        name: 'x',
        pieces,
        layout: torrent.layout,
        digests: torrent.spec.digests,
        doubtful,
      },
      {
        crew: {
          chunk: CHUNK,
          get now() {
            return clock.now()
          },
          join: () => {
            crew.join()
          },
          leave: (name) => {
            crew.leave(name)
          },
          take: (lane, then) =>
            crew.take(lane, (memory) => {
              this.mostOut = Math.max(this.mostOut, ++this.out)
              then(memory)
            }),
          lose: (lane) => {
            this.out--
            crew.lose(lane)
          },
          found: (lane, memory) => {
            crew.found(lane, memory)
          },
          give: (memory) => {
            this.out--
            crew.give(memory)
          },
          choose: () => turn++ % workers,
          digest: (worker, ask, done) => void this.jobs.push({ worker, ask, done }),
        },
        lane: () => this,
        load: (ask, done) => void this.loads.push({ ask, done }),
        onPiece: (piece, good) => {
          expect(this.told.has(piece)).toBe(false)
          this.told.set(piece, good)
          this.onPiece()
        },
        onRewritten: () => undefined,
        done: (fault) => void this.ends.push(fault),
      },
    )
  }

  /** The lane does its next job, in `took` milliseconds. */
  lane(took = 0, fault: DiskFault | null = null): void {
    const load = this.loads.shift()
    if (load === undefined) throw new Error('nothing is read')
    const { parts, memory } = load.ask
    this.sizes.push(parts.reduce((sum, part) => sum + part.length, 0))
    const absent: number[] = []
    parts.forEach((part, index) => {
      this.order.push(part.piece)
      const start = part.piece * this.torrent.layout.pieceLength + part.offset
      const bytes = this.disk.subarray(start, start + part.length)
      if (bytes.length < part.length) absent.push(index)
      else bytes.copy(Buffer.from(memory, part.at, part.length))
    })
    this.clock.advance(took)
    load.done({ absent, rewritten: [], fault })
  }

  thread(worker = this.jobs[0]?.worker): void {
    const at = this.jobs.findIndex((job) => job.worker === worker)
    const [job] = this.jobs.splice(at, 1)
    if (at < 0 || job === undefined) throw new Error('nothing is hashed')
    job.done(this.digesters[job.worker]?.handlers.digest(job.ask) ?? new Uint8Array())
  }

  /** Everything to its end, threads and lane in an order drawn from `draws`. */
  run(draws: readonly number[] = []): void {
    for (let i = 0; i < 10_000 && this.loads.length + this.jobs.length > 0; i++) {
      expect(this.loads.length).toBeLessThanOrEqual(1)
      const pick = (draws[i % Math.max(1, draws.length)] ?? i) % (this.jobs.length + this.loads.length)
      if (pick < this.jobs.length) this.thread(this.jobs[pick]?.worker)
      else this.lane()
    }
  }
}

const torrentOf = (length: number, pieceLength: number): KitTorrent =>
  new KitTorrent({ dir: '/d', files: [{ path: 'a', length }], pieceLength })

async function begun(...args: ConstructorParameters<typeof Bench>): Promise<Bench> {
  const bench = new Bench(...args)
  await Promise.resolve()
  return bench
}

describe('doubtful pieces', () => {
  it('are asked to be written back, and are never read together with one that nobody doubts', async () => {
    const torrent = torrentOf(8 * 4096, 4096)
    const doubtful = (piece: number): boolean => piece >= 2 && piece < 5
    const bench = await begun(torrent, torrent.bytes, 1, torrent.pieces, doubtful)
    const asked: { readonly pieces: number[]; readonly rewrite: boolean }[] = []
    const lane = bench.lane.bind(bench)
    bench.lane = () => {
      const { parts, rewrite } = bench.loads[0]?.ask ?? { parts: [], rewrite: false }
      asked.push({ pieces: parts.map(({ piece }) => piece), rewrite })
      lane()
    }
    bench.run()
    expect(bench.ends).toEqual([null])
    expect(asked).toEqual([
      { pieces: [0, 1], rewrite: false },
      { pieces: [2, 3, 4], rewrite: true },
      { pieces: [5, 6, 7], rewrite: false },
    ])
  })
})

describe('a check', () => {
  it('finds exactly the pieces that are right, whatever is changed or missing, in any order of answers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 600_000 }),
        fc.constantFrom(16_384, 32_768, 65_536, 131_072, 262_144),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.nat(), { maxLength: 3 }),
        fc.double({ min: 0, max: 1.2, noNaN: true }),
        fc.array(fc.nat(20), { maxLength: 30 }),
        async (length, pieceLength, workers, changes, there, draws) => {
          const torrent = torrentOf(length, pieceLength)
          const disk = Buffer.from(torrent.bytes.subarray(0, Math.ceil(length * Math.min(1, there))))
          for (const change of disk.length > 0 ? changes : []) {
            const at = change % disk.length
            disk[at] = (disk[at] ?? 0) ^ 1
          }
          const bench = await begun(torrent, disk, workers)
          bench.run(draws)
          const right = torrent.pieces.filter((piece) =>
            disk
              .subarray(piece * pieceLength, piece * pieceLength + torrent.layout.pieceSize(piece))
              .equals(torrent.piece(piece)),
          )
          expect([...bench.told.keys()].sort((a, b) => a - b)).toEqual(torrent.pieces)
          expect(torrent.pieces.filter((piece) => bench.told.get(piece) === true)).toEqual(right)
          expect(bench.order).toEqual([...bench.order].sort((a, b) => a - b))
          expect(bench.ends).toEqual([null])
          expect(bench.out).toBe(0)
          expect(bench.mostOut).toBeLessThanOrEqual(workers + 1)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('reads on while it hashes, one chunk at a time, and no further than its buffers', async () => {
    const torrent = torrentOf(10 * CHUNK, CHUNK)
    const bench = await begun(torrent, torrent.bytes)
    expect(bench.loads.length).toBe(1)
    bench.lane()
    expect([bench.loads.length, bench.jobs.length]).toEqual([1, 1])
    bench.lane()
    // One is hashed, one waits for that: there is no third buffer.
    expect([bench.loads.length, bench.jobs.length]).toEqual([0, 2])
    bench.thread()
    expect([bench.loads.length, bench.jobs.length]).toEqual([1, 1])
    bench.run()
    expect(bench.told.size).toBe(10)
  })

  it('gives the parts of one piece to one thread, and different pieces to several', async () => {
    const torrent = torrentOf(12 * CHUNK, 3 * CHUNK)
    const bench = await begun(torrent, torrent.bytes, 3)
    const workers = new Map<number, Set<number>>()
    while (bench.told.size < 4) {
      for (const { worker, ask } of bench.jobs)
        for (const { piece } of ask.parts) workers.set(piece, (workers.get(piece) ?? new Set()).add(worker))
      if (bench.loads.length > 0) bench.lane()
      else bench.thread()
    }
    expect([...workers.values()].map((some) => some.size)).toEqual([1, 1, 1, 1])
    expect(new Set([...workers.values()].flatMap((some) => [...some])).size).toBe(3)
    expect([...bench.told.values()]).toEqual([true, true, true, true])
  })

  it('ends early when it is cancelled: nothing is told, nothing more is read', async () => {
    const torrent = torrentOf(10 * CHUNK, CHUNK)
    const bench = await begun(torrent, torrent.bytes)
    bench.lane()
    bench.thread()
    expect(bench.told.size).toBe(1)
    bench.check.cancel()
    bench.lane()
    expect(bench.loads.length + bench.jobs.length).toBe(0)
    expect([bench.told.size, bench.ends, bench.out]).toEqual([1, [null], 0])
  })

  it.each(['cancel', 'drop'] as const)('that is over (%s) waits for no lane that hangs', async (how) => {
    const torrent = torrentOf(10 * CHUNK, CHUNK)
    const bench = await begun(torrent, torrent.bytes)
    expect(bench.loads).toHaveLength(1)
    bench.check[how]()
    await Promise.resolve()
    expect([bench.ends, bench.out]).toEqual([how === 'cancel' ? [null] : [], 0])
    // The one buffer that the lane has is all that is left when the threads are let go.
    bench.clock.advance(5000)
    expect(bench.crew.bytes).toBe(CHUNK)
    bench.lane()
    expect([bench.crew.bytes, bench.told.size, bench.jobs.length]).toEqual([0, 0, 0])
  })

  it('may be cancelled by whoever hears of a piece', async () => {
    const torrent = torrentOf(8 * CHUNK, 16_384)
    const bench = await begun(torrent, torrent.bytes)
    bench.onPiece = () => {
      bench.check.cancel()
    }
    bench.run()
    expect([bench.told.size, bench.ends, bench.out]).toEqual([1, [null], 0])
  })

  it('tells nobody once its storage is closed, and gives every buffer back', async () => {
    const torrent = torrentOf(10 * CHUNK, CHUNK)
    const bench = await begun(torrent, torrent.bytes)
    bench.lane()
    bench.check.drop()
    bench.run()
    expect([bench.told.size, bench.ends, bench.out]).toEqual([0, [], 0])
  })

  it('ends with the fault of the disk, after what is being hashed', async () => {
    const torrent = torrentOf(10 * CHUNK, CHUNK)
    const bench = await begun(torrent, torrent.bytes)
    bench.lane()
    bench.lane(0, FAULT)
    expect(bench.ends).toEqual([])
    bench.thread()
    expect([bench.told.size, bench.ends, bench.out]).toEqual([1, [FAULT], 0])
    expect(bench.loads).toEqual([])
  })

  it('reads a slow volume in smaller chunks, and a fast one in whole ones again', async () => {
    const torrent = torrentOf(200 * 16_384, 8192)
    const bench = await begun(torrent, torrent.bytes)
    for (let i = 0; i < 5; i++) {
      bench.lane(150)
      bench.thread()
    }
    expect(bench.sizes).toEqual([CHUNK, CHUNK / 2, CHUNK / 4, CHUNK / 8, CHUNK / 8])
    for (let i = 0; i < 4; i++) {
      bench.lane(1)
      bench.thread()
    }
    expect(bench.sizes.slice(5)).toEqual([CHUNK / 8, CHUNK / 4, CHUNK / 2, CHUNK])
    bench.run()
    expect([...bench.told.values()].every((good) => good)).toBe(true)
  })

  it('of nothing ends at once', async () => {
    const torrent = torrentOf(CHUNK, CHUNK)
    const bench = await begun(torrent, torrent.bytes, 1, [])
    expect([bench.ends, bench.out]).toEqual([[null], 0])
  })
})

describe('the crew', () => {
  const make = (workers: number): { clock: FakeClock; crew: CheckCrew; got: SharedArrayBuffer[] } => {
    const clock = new FakeClock()
    const init = { workers, chunk: CHUNK, url: new URL('file:///none'), onBug: () => undefined }
    return { clock, crew: new CheckCrew(init, clock), got: [] }
  }

  it('has one buffer for each thread and one for each check, four of these at most', () => {
    const { crew, got } = make(2)
    const want = (): void => {
      crew.take({}, (memory) => got.push(memory))
    }
    crew.join()
    for (let i = 0; i < 20; i++) want()
    expect(got.length).toBe(3)
    for (let i = 0; i < 20; i++) crew.join()
    want()
    expect(got.length).toBe(6)
    expect(crew.bytes).toBe(6 * CHUNK)
    const [first] = got
    if (first === undefined) throw new Error('no buffer')
    crew.give(first)
    expect(got.length).toBe(7)
    expect(got[6]).toBe(first)
    expect(crew.bytes).toBe(6 * CHUNK)
  })

  it('gives a lane that hangs no second buffer, and the others all there are', () => {
    const { crew, got } = make(1)
    const [dead, sound] = [{}, {}]
    for (let n = 0; n < 10; n++) {
      crew.join()
      const unask = crew.take(dead, (memory) => got.push(memory))
      if (n === 0) crew.lose(dead)
      else unask()
      crew.leave('x')
    }
    expect([got.length, crew.bytes]).toEqual([1, CHUNK])
    crew.join()
    for (let n = 0; n < 2; n++) crew.take(sound, (memory) => got.push(memory))
    crew.take(dead, (memory) => got.push(memory))
    expect(got.length).toBe(3)
    crew.give(got[1] ?? new SharedArrayBuffer(0))
    expect(got.length).toBe(3)
    crew.found(dead, got[0] ?? new SharedArrayBuffer(0))
    expect(got.length).toBe(4)
  })

  it('lets its memory go a second after the last check, unless another begins', () => {
    const { clock, crew, got } = make(1)
    crew.join()
    crew.take({}, (memory) => got.push(memory))
    crew.give(got[0] ?? new SharedArrayBuffer(0))
    crew.leave('a')
    clock.advance(900)
    crew.join()
    clock.advance(60_000)
    expect(crew.bytes).toBe(CHUNK)
    crew.leave('b')
    clock.advance(1000)
    expect([crew.bytes, clock.pending]).toEqual([0, 0])
  })
})
