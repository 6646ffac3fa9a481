/** The short form of `npm run test:soak`. What it makes of samples is shown on made-up ones. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { useStage } from '../support/stage.js'
import { judge, notFlat, type Sample, soak } from './soak-run.js'

const MIB = 1024 * 1024
const stage = useStage()

describe('a soak', () => {
  // Memory and descriptors are read from /proc, peers come from many addresses of 127.0.0.0/8.
  it.skipIf(process.platform !== 'linux')(
    'of seconds opens nothing that it does not close, and its memory does not run away',
    async () => {
      const dir = join(stage.dir, 's')
      const figures = await soak({ dir, torrents: 30, warmUp: 6000, millis: 12_000, sampleEvery: 400 })
      expect(figures.fds[1]).toBeLessThanOrEqual(figures.fds[0] + 15)
      expect(figures.rssGrowth).toBeLessThan(48 * MIB)
      expect(figures.rss[1]).toBeLessThan(400 * MIB)
      for (const busy of ['peers', 'blocks', 'answers', 'downloads'] as const)
        expect(figures[busy], busy).toBeGreaterThan(10)
    },
    120_000,
  )

  const samples = (of: (n: number) => Partial<Sample>): Sample[] =>
    Array.from({ length: 90 }, (_, n) => ({ at: n * 6000, rss: 100 * MIB, fds: 50, p99: 5, ...of(n) }))
  const verdict = (of: (n: number) => Partial<Sample>): string[] =>
    notFlat({ ...judge(samples(of)), live: null, samples: 90, peers: 0, blocks: 0, answers: 0, downloads: 0 })

  it('sees a slope behind the steps of a garbage collector', () => {
    const saw = (n: number): number => 100 * MIB + (n % 7) * 3 * MIB
    expect(verdict((n) => ({ rss: saw(n) }))).toEqual([])
    expect(verdict((n) => ({ rss: saw(n) + n * 0.2 * MIB }))).toEqual([
      expect.stringMatching(/^RSS grows by 2/),
    ])
    expect(verdict((n) => ({ rss: n === 80 ? 900 * MIB : saw(n) }))).toEqual([])
  })

  it('sees a live heap that grows where RSS stands still', () => {
    const flat = { ...judge(samples(() => ({}))), samples: 90, peers: 0, blocks: 0, answers: 0, downloads: 0 }
    const live = (slope: number): { bytes: [number, number]; slope: number } => ({ bytes: [0, 0], slope })
    expect(notFlat({ ...flat, live: live(500) })).toEqual([])
    expect(notFlat({ ...flat, live: live(700) })).toEqual(['the live heap grows by 700 KiB/min'])
  })

  it('sees descriptors and delays that grow', () => {
    expect(verdict((n) => ({ fds: 50 + n }))).toEqual(['fds grow from 65 to 125'])
    expect(verdict((n) => ({ p99: n }))).toEqual(["the loop's p99 grows from 15 to 75 ms"])
    expect(verdict((n) => ({ p99: 60 + (n % 5), fds: 50 + (n % 9) }))).toEqual([])
  })
})
