/**
 * `npm run test:syscalls -- [--jobs N] [--only unlink,birth:pwrite64:30]`: `--only` takes calls, with a chapter before
 * them and an n behind them where it is to be less.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { canTrace } from '../support/strace.js'
import { inFolder } from './report.js'
import { chosen, type Row, syscallRuns } from './syscalls-run.js'

const { values } = parseArgs({ options: { jobs: { type: 'string' }, only: { type: 'string' } } })
// A run waits for its daemon a third of its time.
const jobs = Number(values.jobs ?? 2 * availableParallelism())
if (!Number.isInteger(jobs) || jobs < 1) throw new Error('--jobs takes a number from 1')

if (!canTrace) console.log('skipped: strace cannot trace here')
else {
  await inFolder(async (dir) => {
    const rows = await syscallRuns({ dir, jobs, only: chosen(values.only), say: (line) => console.log(line) })
    for (const line of table(rows)) console.log(line)
    return rows.every(({ falseClaims, notRecovered }) => falseClaims + notRecovered === 0) ? 0 : 1
  })
}

function table(rows: readonly Row[]): string[] {
  const heads = ['call', 'fault', 'runs', 'false claims', 'did not recover', 'ended by itself']
  const cells = rows.map(({ call, fault, runs, falseClaims, notRecovered, ended }) =>
    [call, fault, runs, falseClaims, notRecovered, ended].map(String),
  )
  const widths = heads.map((head, at) => Math.max(head.length, ...cells.map((row) => row[at]?.length ?? 0)))
  return [heads, ...cells].map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  '))
}
