/** The figures to reach, and what became of each. Pure. */
import type { ClientId } from '../results.js'
import { type Board, bestOther, type FigureKey, median } from './board.js'
import { significant } from './format.js'

const OURS: ClientId = 'torrentino'

/** One condition: what was measured, and whether it holds; null where it was not measured. */
export interface Finding {
  readonly text: string
  readonly holds: boolean
}

export interface Goal {
  /** The name of a note about it: notes/goal-<id>.md. */
  readonly id: string
  readonly scenario: string
  readonly figure: string
  /** Every condition of the figure; null for what was not measured. */
  readonly judge: (boards: Boards) => readonly (Finding | null)[]
}

export interface Verdict {
  readonly id: string
  readonly scenario: string
  readonly figure: string
  readonly reached: string
  readonly verdict: 'reached' | 'not reached' | 'not measured' | 'partly measured'
}

export type Boards = ReadonlyMap<string, Board>

/** Ours over the best other, at most `limit`. */
function ratio(board: Board | undefined, key: FigureKey, name: string, limit: number): Finding | null {
  const own = median(board, OURS, key)
  const other = board === undefined ? null : bestOther(board.rows, OURS, key, 'least')
  if (own === null || other === null || other.median === 0) return null
  const share = own / other.median
  return {
    text: `${name} ${significant(share)} of ${other.client} (${significant(own)} to ${significant(other.median)})`,
    holds: share <= limit,
  }
}

/** Ours is better than every other. */
function first(
  board: Board | undefined,
  key: FigureKey,
  name: string,
  best: 'least' | 'most',
): Finding | null {
  const own = median(board, OURS, key)
  const other = board === undefined ? null : bestOther(board.rows, OURS, key, best)
  if (own === null || other === null) return null
  const holds = best === 'least' ? own < other.median : own > other.median
  const place = holds ? 'first' : 'not first'
  return {
    text: `${name} ${place} (${significant(own)}, ${other.client} ${significant(other.median)})`,
    holds,
  }
}

interface Bound {
  readonly key: FigureKey
  readonly name: string
  readonly unit: string
  /** What the value is multiplied by to be in that unit. */
  readonly scale?: number
  /** In that unit; `below` and `above` leave the limit itself out. */
  readonly below?: number
  readonly most?: number
  readonly least?: number
}

function bound(board: Board | undefined, { key, name, unit, scale = 1, ...limits }: Bound): Finding | null {
  const own = median(board, OURS, key)
  if (own === null) return null
  const value = own * scale
  const { below = Infinity, most = Infinity, least = -Infinity } = limits
  return {
    text: `${name} ${significant(value, 4)}${unit}`,
    holds: value < below && value <= most && value >= least,
  }
}

/** How many times longer than a single file a GiB of small ones takes. */
function smallAgainstSingle(boards: Boards): Finding | null {
  const single = median(boards.get('single'), OURS, 'rate')
  const small = median(boards.get('small'), OURS, 'rate')
  if (single === null || small === null || small === 0) return null
  const times = single / small
  return { text: `${significant(times)} times the single file's time a GiB`, holds: times <= 2 }
}

const P99 = { key: 'loopP99', name: 'main loop p99', unit: ' ms' }

export const GOALS: readonly Goal[] = [
  {
    id: 'must',
    scenario: 'one seeder, one leecher: what must hold',
    figure: 'first in wall and in CPU; pinned: wall ≤ 0.85, CPU ≤ 0.9 of the best other',
    judge: (boards) => [
      ratio(boards.get('single'), 'wall', 'wall', 0.85),
      ratio(boards.get('single'), 'cost', 'CPU', 0.9),
      first(boards.get('single-free'), 'wall', 'unpinned: wall', 'least'),
      first(boards.get('single-free'), 'cost', 'unpinned: CPU', 'least'),
    ],
  },
  {
    id: 'single-wall',
    scenario: 'one seeder, one leecher, pinned',
    figure: 'wall ≤ 0.75 of the best other',
    judge: (boards) => [ratio(boards.get('single'), 'wall', 'wall', 0.75)],
  },
  {
    id: 'single-free',
    scenario: 'one seeder, one leecher, both cores free',
    figure: 'wall ≤ 0.5 of the best other',
    judge: (boards) => [ratio(boards.get('single-free'), 'wall', 'wall', 0.5)],
  },
  {
    id: 'single-cpu',
    scenario: 'one seeder, one leecher',
    figure: 'CPU-s/GiB ≤ 0.75 of the lowest other',
    judge: (boards) => [ratio(boards.get('single'), 'cost', 'CPU-s/GiB', 0.75)],
  },
  {
    id: 'single-rss',
    scenario: 'one seeder, one leecher',
    figure: 'peak RSS < 150 MB',
    judge: (boards) => [
      bound(boards.get('single'), { key: 'peakRss', name: 'peak', unit: ' MB', scale: 1e-6, below: 150 }),
    ],
  },
  {
    id: 'seed',
    scenario: 'ours as seeder to the fastest leecher',
    figure: 'CPU-s/GiB ≤ 0.7 of the lowest other, throughput first',
    judge: (boards) => [
      ratio(boards.get('seed'), 'cost', 'CPU-s/GiB', 0.7),
      first(boards.get('seed'), 'rate', 'GiB/s', 'most'),
    ],
  },
  {
    id: 'eight',
    scenario: '8 seeders, one throttled to 1 MiB/s',
    figure: 'first; last 1 % under 3 % of the time',
    judge: (boards) => [
      first(boards.get('eight'), 'wall', 'wall', 'least'),
      bound(boards.get('eight'), { key: 'tail', name: 'last 1 % in', unit: ' %', scale: 100, below: 3 }),
    ],
  },
  {
    id: 'mesh',
    scenario: 'mesh: 1 limited seed, 6 of the same client',
    figure: 'mean and last finish first; seed upload ratio ≤ 1.3',
    judge: (boards) => [
      first(boards.get('mesh'), 'mean', 'mean', 'least'),
      first(boards.get('mesh'), 'last', 'last', 'least'),
      bound(boards.get('mesh'), { key: 'ratio', name: 'upload ratio', unit: '', most: 1.3 }),
    ],
  },
  {
    id: 'small',
    scenario: '20,000 files of 16-64 KiB',
    figure: 'within 2x of the single file, first',
    judge: (boards) => [smallAgainstSingle(boards), first(boards.get('small'), 'wall', 'wall', 'least')],
  },
  {
    id: 'recheck',
    scenario: 'recheck 4 GiB cached',
    figure: '≥ 1.0 GiB/s per worker, first',
    judge: (boards) => [
      bound(boards.get('recheck'), { key: 'perWorker', name: 'a worker', unit: ' GiB/s', least: 1 }),
      first(boards.get('recheck'), 'wall', 'wall', 'least'),
    ],
  },
  {
    id: 'crowd',
    scenario: '200 leechers on one hot file',
    figure: 'GiB/s per core first; min/max fairness ≥ 0.5; main loop p99 < 20 ms',
    judge: (boards) => [
      first(boards.get('crowd'), 'cost', 'CPU-s/GiB', 'least'),
      bound(boards.get('crowd'), { key: 'fairness', name: 'fairness', unit: '', least: 0.5 }),
      bound(boards.get('crowd'), { ...P99, below: 20 }),
    ],
  },
  {
    id: 'start',
    scenario: 'from the add call to the first verified 256 KiB piece',
    figure: '< 150 ms',
    judge: (boards) => [
      bound(boards.get('start'), { key: 'wall', name: 'took', unit: ' ms', scale: 1000, below: 150 }),
    ],
  },
  {
    id: 'slow-peers',
    scenario: '40 slow peers and one of 100 MiB/s',
    figure: 'the fast one keeps ≥ 90 MiB/s',
    judge: (boards) => [
      bound(boards.get('slow-peers'), { key: 'fastRate', name: 'it kept', unit: ' MiB/s', least: 90 }),
    ],
  },
  {
    id: 'cold',
    scenario: 'cold volume, 50 leechers',
    figure: 'main loop p99 < 10 ms; the torrent on the other volume keeps ≥ 90 % of its rate',
    judge: (boards) => [
      bound(boards.get('cold'), { ...P99, below: 10 }),
      bound(boards.get('cold'), { key: 'kept', name: 'it kept', unit: ' %', scale: 100, least: 90 }),
    ],
  },
  {
    id: 'idle',
    scenario: '10 seeding torrents, idle for 10 minutes',
    figure: 'CPU < 0.1 %, < 2 wake-ups a second, 0 bytes written',
    judge: (boards) => [
      bound(boards.get('idle'), { key: 'cpuShare', name: 'CPU', unit: ' %', scale: 100, below: 0.1 }),
      bound(boards.get('idle'), { key: 'wakeups', name: 'wake-ups', unit: '/s', below: 2 }),
      bound(boards.get('idle'), { key: 'written', name: 'wrote', unit: ' B', most: 0 }),
    ],
  },
  {
    id: 'loop',
    scenario: 'main loop delay at 1 leecher',
    figure: 'p99 < 10 ms',
    judge: (boards) => [
      bound(boards.get('single'), { ...P99, name: 'downloading: p99', below: 10 }),
      bound(boards.get('seed'), { ...P99, name: 'seeding: p99', below: 10 }),
    ],
  },
]

export function verdicts(all: readonly Board[]): Verdict[] {
  const byId = new Map(all.map((board) => [board.scenario.id, board]))
  return GOALS.map(({ id, scenario, figure, judge }) => {
    const findings = judge(byId)
    const found = findings.filter((finding) => finding !== null)
    const text = findings.map((finding) => finding?.text ?? 'not measured')
    const reached = found.length === 0 ? 'not measured' : [...new Set(text)].join('; ')
    return { id, scenario, figure, reached, verdict: verdict(findings.length, found) }
  })
}

/** One condition that fails is enough to say no; to say yes all have to be known. */
function verdict(asked: number, found: readonly Finding[]): Verdict['verdict'] {
  if (found.length === 0) return 'not measured'
  if (found.some(({ holds }) => !holds)) return 'not reached'
  return found.length < asked ? 'partly measured' : 'reached'
}
