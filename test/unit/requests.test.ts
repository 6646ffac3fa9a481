import { describe, expect, it } from 'vitest'
import { PipelineDepth } from '../../daemon/swarm/requests.js'
import { BLOCK_SIZE } from '../../shared/units.js'

interface Path {
  /** B/s */
  readonly rate: number
  /** Milliseconds there and back. */
  readonly trip: number
}

interface Outcome {
  readonly depth: number
  /** B/s in the last fifth of the run. */
  readonly rate: number
  /** Requests that were out for longer than their timeout. */
  readonly late: number
}

/** A peer that answers in order at a fixed rate, asked for as many blocks as the pipeline allows. */
function run(path: Path, millis: number, pipeline = new PipelineDepth(), from = 0): Outcome {
  const service = (BLOCK_SIZE * 1000) / path.rate
  const out: { readonly asked: number; readonly due: number }[] = []
  let busyUntil = from
  let now = from
  let recent = 0
  let late = 0
  while (now < from + millis) {
    while (out.length < pipeline.depth) {
      busyUntil = Math.max(busyUntil, now + path.trip / 2) + service
      out.push({ asked: now, due: busyUntil + path.trip / 2 })
    }
    const first = out.shift()
    if (first === undefined) break
    now = first.due
    if (now - first.asked > pipeline.blockTimeout) late++
    if (now > from + millis * 0.8) recent += BLOCK_SIZE
    pipeline.onBlock(now, now - first.asked)
  }
  return { depth: pipeline.depth, rate: (recent * 1000) / (millis / 5), late }
}

function generous(): PipelineDepth {
  const pipeline = new PipelineDepth()
  pipeline.setReqq(2000)
  return pipeline
}

describe('PipelineDepth', () => {
  it('starts with 16 and grows by one a block', () => {
    const pipeline = new PipelineDepth()
    expect(pipeline.depth).toBe(16)
    for (let i = 1; i <= 10; i++) pipeline.onBlock(i, 20)
    expect(pipeline.depth).toBe(26)
  })

  it('fills a long fast path within seconds', () => {
    // 125 MB/s x 100 ms are 763 blocks.
    const outcome = run({ rate: 125_000_000, trip: 100 }, 3000, generous())
    expect(outcome.rate).toBeGreaterThan(118_000_000)
    expect(outcome.depth).toBeGreaterThanOrEqual(763)
  })

  it('fills a short very fast path at once', () => {
    const outcome = run({ rate: 1_000_000_000, trip: 1 }, 250, generous())
    expect(outcome.rate).toBeGreaterThan(950_000_000)
  })

  it('holds no more than 512 blocks on a short path, however fast', () => {
    const pipeline = generous()
    let most = 0
    for (let i = 0; i < 100_000; i++) {
      pipeline.onBlock(i / 65.536, 0.5 + (i < 64 ? 0 : 7))
      most = Math.max(most, pipeline.depth)
    }
    expect(most).toBe(512)
  })

  it('tells the rate it measured, and none while snubbed', () => {
    const pipeline = generous()
    expect(pipeline.rate).toBe(0)
    run({ rate: 10_000_000, trip: 20 }, 3000, pipeline)
    expect(pipeline.rate).toBeGreaterThan(9_500_000)
    expect(pipeline.rate).toBeLessThan(10_500_000)
    pipeline.snub()
    expect(pipeline.rate).toBe(0)
  })

  it('fills a slow long path too', () => {
    const outcome = run({ rate: 2_000_000, trip: 600 }, 20_000, generous())
    expect(outcome.rate).toBeGreaterThan(1_900_000)
    // 2.4 s of it: enough to find out if there is more.
    expect(outcome.depth).toBeGreaterThan(280)
    expect(outcome.depth).toBeLessThan(310)
  })

  it('asks a slow peer for half a second, 2 blocks at least, and lets nothing time out', () => {
    for (const [rate, most] of [
      [20_000, 4],
      [100_000, 8],
      [500_000, 16],
    ] as const) {
      const outcome = run({ rate, trip: 80 }, 120_000, generous())
      expect(outcome.depth).toBeGreaterThanOrEqual(2)
      expect(outcome.depth).toBeLessThanOrEqual(most)
      expect(outcome.late).toBe(0)
    }
  })

  it('follows a peer that becomes faster, after the start', () => {
    const pipeline = generous()
    expect(run({ rate: 500_000, trip: 50 }, 20_000, pipeline).depth).toBe(16)
    const later = run({ rate: 50_000_000, trip: 50 }, 20_000, pipeline, 20_000)
    expect(later.rate).toBeGreaterThan(48_000_000)
  })

  it('keeps to what the peer takes, and to 250 where it does not say', () => {
    expect(run({ rate: 125_000_000, trip: 100 }, 3000).depth).toBe(250)
    const small = new PipelineDepth()
    small.setReqq(5)
    expect(small.depth).toBe(5)
    expect(run({ rate: 125_000_000, trip: 10 }, 3000, small).depth).toBe(5)
    const odd = new PipelineDepth()
    for (const [told, held] of [
      [0, 16],
      [-3, 1],
      [NaN, 16],
      [1e9, 16],
    ] as const) {
      odd.setReqq(told)
      expect(odd.depth).toBe(held)
    }
    const greedy = new PipelineDepth()
    greedy.setReqq(1e9)
    expect(run({ rate: 1_000_000_000, trip: 200 }, 5000, greedy).depth).toBe(2048)
  })

  it('asks a snubbing peer for one block, and goes on when it comes', () => {
    const pipeline = new PipelineDepth()
    run({ rate: 10_000_000, trip: 20 }, 2000, pipeline)
    pipeline.snub()
    expect([pipeline.depth, pipeline.snubbed]).toEqual([1, true])
    pipeline.onBlock(70_000, 60_000)
    expect(pipeline.snubbed).toBe(false)
    expect(pipeline.depth).toBe(3)
  })

  it('starts anew after a choke', () => {
    const pipeline = generous()
    run({ rate: 125_000_000, trip: 100 }, 3000, pipeline)
    pipeline.snub()
    pipeline.onChoke()
    expect(pipeline.depth).toBe(16)
  })

  it('waits 20 s for a first block, then by what the peer takes, within 5 s and 60 s', () => {
    const pipeline = new PipelineDepth()
    expect(pipeline.blockTimeout).toBe(20_000)
    pipeline.onBlock(0, 100)
    expect(pipeline.blockTimeout).toBe(5000)
    const steady = new PipelineDepth()
    for (let i = 0; i < 200; i++) steady.onBlock(i * 1000, 4000)
    expect(steady.blockTimeout).toBeGreaterThan(15_999)
    expect(steady.blockTimeout).toBeLessThan(16_100)
    for (let i = 0; i < 200; i++) steady.onBlock(200_000 + i * 1000, 50_000)
    expect(steady.blockTimeout).toBe(60_000)
  })
})
