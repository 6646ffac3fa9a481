/** A thousand seeded power cuts in process; and the same with a broken order, which must be found out. */
import { expect, it } from 'vitest'
import type { Lies } from '../support/write-list.js'
import { runOf } from './write-list-runs.js'

const SEEDS = 1000
/** Enough for a broken order to show. */
const FEW = 15

async function runs(count: number, lies: Lies = {}): Promise<{ recorded: number; violations: string[] }> {
  let recorded = 0
  const violations: string[] = []
  for (let seed = 1; seed <= count; seed++) {
    const run = await runOf(seed, lies)
    recorded += run.recorded
    violations.push(...run.violations)
  }
  return { recorded, violations }
}

it('leaves no record without its bytes and loses no torrent, whatever of the unsynced is kept', async () => {
  const { recorded, violations } = await runs(SEEDS)
  expect(violations).toEqual([])
  // It is not content because nothing was ever recorded.
  expect(recorded).toBeGreaterThan(SEEDS)
}, 600_000)

it.each<[string, Lies]>([
  ['records before it syncs', { files: 'late' }],
  ['never syncs a file', { files: 'never' }],
  ['never syncs a folder', { folders: 'never' }],
])(
  'finds out a disk that %s',
  async (_, lies) => {
    const { violations } = await runs(FEW, lies)
    expect(violations.join('\n')).toMatch(/recorded and not on the disk/)
  },
  120_000,
)
