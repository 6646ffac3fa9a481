/** What was measured, sorted for reading: one board a scenario, one row a client. Pure. */
import {
  CLIENTS,
  type Cell,
  type ClientId,
  costOf,
  type DoneCell,
  type Figures,
  rateOf,
  type Results,
  type ScenarioInfo,
  type Spread,
  spread,
  YARDSTICK,
} from '../results.js'

/** What is told of every client in every scenario, where it was measured. */
export const COMMON = [
  'wall',
  'rate',
  'cpu',
  'cost',
  'peakAnon',
  'peakRss',
  'wireOverhead',
  'wasted',
  'firstRequest',
  'firstPiece',
  'loopP99',
  'loopMax',
] as const

/** A key of Figures, `rate` (GiB/s), `cost` (CPU-s/GiB), or a key of the scenario's `extras`. */
export type FigureKey = string

export interface Row {
  readonly client: ClientId
  /** Rounds that came to figures. */
  readonly rounds: number
  /** One sentence for each kind of failure. */
  readonly failures: readonly string[]
  readonly figures: ReadonlyMap<FigureKey, Spread>
  /** The ranked median over that of the best other client; null where there is none, or no figure. */
  readonly toBestOther: number | null
}

export interface Board {
  readonly scenario: ScenarioInfo
  /** Best first; those without figures last. */
  readonly rows: readonly Row[]
  readonly leftOut: readonly { readonly client: ClientId; readonly reason: string }[]
}

export function valueOf(figures: Figures, key: FigureKey): number | null {
  switch (key) {
    case 'rate':
      return figures.wall > 0 ? rateOf(figures) : null
    case 'cost':
      return figures.payload > 0 ? costOf(figures) : null
    case 'wall':
    case 'cpu':
    case 'payload':
    case 'peakAnon':
    case 'peakRss':
    case 'wireOverhead':
    case 'wasted':
    case 'firstRequest':
    case 'firstPiece':
    case 'loopP99':
    case 'loopMax':
      return figures[key]
    default:
      return figures.extra[key] ?? null
  }
}

function sameParameters(cell: Cell, scenario: ScenarioInfo): boolean {
  const sorted = (all: object): string => JSON.stringify(Object.entries(all).sort())
  return sorted(cell.parameters) === sorted(scenario.parameters)
}

/** The cells of the newest build and version that this client ran the scenario with. */
function newest(cells: readonly Cell[]): Cell[] {
  const last = cells.at(-1)
  return cells.filter(
    ({ build, version }) =>
      build.commit === last?.build.commit && build.dirty === last.build.dirty && version === last.version,
  )
}

function figuresOf(cells: readonly DoneCell[], scenario: ScenarioInfo): Map<FigureKey, Spread> {
  const found = new Map<FigureKey, Spread>()
  for (const key of [...COMMON, ...Object.keys(scenario.extras), scenario.by]) {
    const values = cells.map(({ figures }) => valueOf(figures, key)).filter((value) => value !== null)
    const known = spread(values)
    if (known !== null) found.set(key, known)
  }
  return found
}

function failuresOf(cells: readonly Cell[]): string[] {
  const counts = new Map<string, number>()
  for (const cell of cells) {
    if (cell.outcome === 'failed') counts.set(cell.reason, (counts.get(cell.reason) ?? 0) + 1)
  }
  return [...counts].map(([reason, count]) => `${count} of ${cells.length} rounds failed: ${reason}`)
}

export function better(best: 'least' | 'most', a: number, b: number): number {
  return best === 'least' ? a - b : b - a
}

/** The best median of a figure among other clients than this one. */
export function bestOther(
  rows: readonly Pick<Row, 'client' | 'figures'>[],
  client: ClientId,
  key: FigureKey,
  best: 'least' | 'most',
): { readonly client: ClientId; readonly median: number } | null {
  const others = rows
    .filter((row) => row.client !== client && row.client !== YARDSTICK)
    .flatMap((row) => {
      const known = row.figures.get(key)
      return known === undefined ? [] : [{ client: row.client, median: known.median }]
    })
    .sort((a, b) => better(best, a.median, b.median))
  return others[0] ?? null
}

function board(results: Results, scenario: ScenarioInfo): Board {
  const mine = results.cells.filter((cell) => cell.scenario === scenario.id && sameParameters(cell, scenario))
  const rows = [...CLIENTS, YARDSTICK].flatMap((client) => {
    const cells = newest(mine.filter((cell) => cell.client === client))
    if (cells.length === 0) return []
    const done = cells.filter((cell) => cell.outcome === 'done')
    const figures = figuresOf(done, scenario)
    return [{ client, rounds: done.length, failures: failuresOf(cells), figures }]
  })
  const { by, best } = scenario
  const ranked = rows.map((row): Row => {
    const own = row.figures.get(by)
    const other = bestOther(rows, row.client, by, best)
    const toBestOther =
      own === undefined || other === null || other.median === 0 ? null : own.median / other.median
    return { ...row, toBestOther }
  })
  ranked.sort((a, b) => {
    const [left, right] = [a.figures.get(by), b.figures.get(by)]
    if (left === undefined || right === undefined)
      return Number(left === undefined) - Number(right === undefined)
    return better(best, left.median, right.median)
  })
  const leftOut = results.leftOut.filter((out) => out.scenario === scenario.id)
  return { scenario, rows: ranked, leftOut }
}

/** A board for each scenario that has a cell, in the order of the scenarios. */
export function boards(results: Results): Board[] {
  return results.scenarios
    .map((scenario) => board(results, scenario))
    .filter(({ rows, leftOut }) => rows.length > 0 || leftOut.length > 0)
}

/** The median of one figure of one client, or null. */
export function median(board: Board | undefined, client: ClientId, key: FigureKey): number | null {
  return board?.rows.find((row) => row.client === client)?.figures.get(key)?.median ?? null
}
