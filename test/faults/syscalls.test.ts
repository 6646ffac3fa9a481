/** The short form of `npm run test:syscalls`: a few n of each call. */
import { expect, it } from 'vitest'
import { useStage } from '../support/stage.js'
import { canTrace } from '../support/strace.js'
import { syscallRuns } from './syscalls-run.js'

const stage = useStage()

/** A write of the first commits and one of the data, a sync of each, and the first of what there are few of. */
const CHOSEN = [
  { call: 'pwrite64', chapter: 'birth', n: 30 },
  { call: 'pwrite64', chapter: 'life', n: 5 },
  { call: 'fdatasync', chapter: 'life', n: 1 },
  { call: 'fsync', chapter: 'life', n: 2 },
  { call: 'link', chapter: 'life', n: 1 },
  { call: 'rename', chapter: 'life', n: 1 },
  { call: 'unlink', chapter: 'life', n: 1 },
  { call: 'mkdir', chapter: 'life', n: 1 },
] as const

it.skipIf(!canTrace)(
  'after any call that fails nothing is claimed falsely, and the same home comes back',
  async () => {
    const said: string[] = []
    const rows = await syscallRuns({
      dir: stage.dir,
      jobs: 2,
      only: CHOSEN,
      say: (line) => said.push(line),
    })
    expect(said).toEqual([])
    for (const { call, fault, runs } of rows.filter((row) => row.call !== 'ftruncate'))
      expect(runs, `${call} ${fault}`).toBeGreaterThanOrEqual(1)
    expect(rows.reduce((sum, { runs }) => sum + runs, 0)).toBe(3 * CHOSEN.length)
  },
  240_000,
)
