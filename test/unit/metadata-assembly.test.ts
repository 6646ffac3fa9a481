import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { METADATA_BLOCK } from '../../daemon/codec/metadata.js'
import { MetadataAssembly } from '../../daemon/swarm/metadata-assembly.js'

const info = (size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, (_, at) => (at * 7 + at / 251) & 0xff))

class Bench {
  readonly right: Uint8Array[] = []
  readonly lied: object[] = []
  readonly assembly: MetadataAssembly
  /** Verdicts that wait. */
  readonly waiting: (() => void)[] = []

  constructor(truth: Buffer) {
    this.assembly = new MetadataAssembly({
      verify: (bytes, done) => {
        this.waiting.push(() => {
          done(truth.equals(bytes))
        })
      },
      right: (bytes) => {
        this.right.push(bytes)
      },
      lied: (peer) => {
        this.lied.push(peer)
        this.assembly.left(peer)
      },
      changed: () => undefined,
    })
  }

  judge(): void {
    for (const verdict of this.waiting.splice(0)) verdict()
  }

  /** The peer answers everything it is asked for, out of `has`. */
  serve(peer: object, has: Buffer, now = 0): void {
    for (let block = this.assembly.next(peer, now); block !== null; block = this.assembly.next(peer, now)) {
      const data = has.subarray(block * METADATA_BLOCK, (block + 1) * METADATA_BLOCK)
      this.assembly.received(peer, block, has.length, data, now)
    }
    this.judge()
  }
}

const truth = info(3 * METADATA_BLOCK + 100)
const lie = Buffer.from(truth.map((byte, at) => (at === 5 ? byte ^ 1 : byte)))

describe('the metadata', () => {
  it('come from one peer', () => {
    const bench = new Bench(truth)
    const peer = {}
    expect(bench.assembly.offers(peer, truth.length)).toBe(true)
    bench.serve(peer, truth)
    expect(bench.right).toEqual([truth])
  })

  it('come from several at once, each block asked of one', () => {
    const bench = new Bench(truth)
    const [a, b] = [{}, {}]
    for (const peer of [a, b]) bench.assembly.offers(peer, truth.length)
    expect([bench.assembly.next(a, 0), bench.assembly.next(b, 0), bench.assembly.next(a, 0)]).toEqual([
      0, 1, 2,
    ])
  })

  it('of an impossible size, or of another size than before, are refused', () => {
    const { assembly } = new Bench(truth)
    const peer = {}
    for (const size of [0, -1, 10_000_001, 2 ** 31]) expect(assembly.offers({}, size)).toBe(false)
    expect(assembly.offers(peer, 100)).toBe(true)
    expect(assembly.offers(peer, 101)).toBe(false)
  })

  it('from a lone liar make it known at once', () => {
    const bench = new Bench(truth)
    const peer = {}
    bench.assembly.offers(peer, lie.length)
    bench.serve(peer, lie)
    expect(bench.lied).toEqual([peer])
    expect(bench.right).toEqual([])
  })

  it('mixed by a liar are fetched from each alone, which tells who it is', () => {
    const bench = new Bench(truth)
    const [honest, liar] = [{}, {}]
    for (const peer of [honest, liar]) bench.assembly.offers(peer, truth.length)
    const first = bench.assembly.next(liar, 0)
    bench.assembly.received(liar, first ?? -1, truth.length, lie.subarray(0, METADATA_BLOCK), 0)
    bench.serve(honest, truth)
    expect(bench.lied).toEqual([])
    bench.serve(liar, lie)
    expect(bench.lied).toEqual([liar])
    bench.serve(honest, truth)
    expect(bench.right).toEqual([truth])
  })

  it('are asked of somebody else after ten seconds', () => {
    const bench = new Bench(info(100))
    const [slow, other] = [{}, {}]
    for (const peer of [slow, other]) bench.assembly.offers(peer, 100)
    expect(bench.assembly.next(slow, 0)).toBe(0)
    expect(bench.assembly.expire(9_999)).toEqual([])
    expect(bench.assembly.expire(10_000)).toEqual([slow])
    expect(bench.assembly.next(other, 10_000)).toBe(0)
    expect(bench.assembly.received(slow, 0, 100, info(100), 10_000)).toBe('bad')
  })

  it('are not asked for thirty seconds of one that has none', () => {
    const { assembly } = new Bench(truth)
    const peer = {}
    assembly.offers(peer, truth.length)
    assembly.rejected(peer, assembly.next(peer, 0) ?? -1, 0)
    expect(assembly.next(peer, 29_999)).toBeNull()
    expect(assembly.next(peer, 30_000)).toBe(0)
  })

  it('that nobody asked for, or of a wrong length or total, are bad', () => {
    const { assembly } = new Bench(truth)
    const peer = {}
    assembly.offers(peer, truth.length)
    const block = truth.subarray(0, METADATA_BLOCK)
    expect(assembly.received(peer, 0, truth.length, block, 0)).toBe('bad')
    for (const [total, data] of [
      [truth.length + 1, block],
      [truth.length, block.subarray(1)],
    ] as const) {
      expect(assembly.next(peer, 0)).toBe(0)
      expect(assembly.received(peer, 0, total, data, 0)).toBe('bad')
    }
  })

  it('of many claimed sizes take four attempts at most', () => {
    const { assembly } = new Bench(truth)
    const asked = Array.from({ length: 10 }, (_, at) => {
      const peer = {}
      assembly.offers(peer, 1000 + at)
      return assembly.next(peer, 0)
    })
    expect(asked.filter((block) => block !== null)).toHaveLength(4)
  })

  it('come out right whatever liars, silence and order there are, while one honest peer stays', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('lie', 'silent', 'reject'), { maxLength: 6 }),
        fc.infiniteStream(fc.nat(99)),
        (kinds, draw) => {
          const bench = new Bench(truth)
          const peers = ['honest', ...kinds].map((kind) => ({ kind }))
          for (const peer of peers) bench.assembly.offers(peer, truth.length)
          for (let now = 0; now < 2_000_000 && bench.right.length === 0; now += 5000) {
            for (const peer of [...peers].sort(() => (draw.next().value ?? 0) - 50)) {
              if (bench.lied.includes(peer)) continue
              const block = bench.assembly.next(peer, now)
              if (block === null || peer.kind === 'silent') continue
              const has = peer.kind === 'lie' ? lie : truth
              const data = has.subarray(block * METADATA_BLOCK, (block + 1) * METADATA_BLOCK)
              if (peer.kind === 'reject') bench.assembly.rejected(peer, block, now)
              else bench.assembly.received(peer, block, truth.length, data, now)
            }
            bench.judge()
            bench.assembly.expire(now)
          }
          expect(bench.right.map((bytes) => truth.equals(bytes))).toEqual([true])
          expect(bench.lied.every((peer) => peers.find((known) => known === peer)?.kind === 'lie')).toBe(true)
        },
      ),
      { numRuns: 100 },
    )
  })
})
