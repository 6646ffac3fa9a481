/** Whose turn is next, and which cells are done. Pure. */
import type { Build, Cell, ClientId, Parameters, ScenarioInfo } from './results.js'

/** A client slower than this many times the best gets fewer rounds. */
const SLOW = 3
export const SLOW_ROUNDS = 3

function sameParameters(a: Parameters, b: Parameters): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

export function sameBuild(a: Build, b: Build): boolean {
  return a.commit === b.commit && a.dirty === b.dirty
}

/** Whether the cell is one of this scenario with these parameters, by this build. */
export function belongs(cell: Cell, scenario: ScenarioInfo, build: Build): boolean {
  return (
    cell.scenario === scenario.id &&
    sameBuild(cell.build, build) &&
    sameParameters(cell.parameters, scenario.parameters)
  )
}

/** The value by which the scenario ranks, or null for a cell without. */
export function valueOf(cell: Cell, scenario: Pick<ScenarioInfo, 'by'>): number | null {
  if (cell.outcome !== 'done') return null
  const { figures } = cell
  if (Object.hasOwn(figures.extra, scenario.by)) return figures.extra[scenario.by] ?? null
  const own = (figures as unknown as Record<string, unknown>)[scenario.by]
  return typeof own === 'number' ? own : null
}

export interface Turn {
  readonly client: ClientId
  /** From 1. */
  readonly round: number
}

/**
 * The next run, or null when all is done. Rounds go through all clients in turn. After its first run a client that
 * is slower than a third of the best gets 3 rounds, and one that failed twice gets no more.
 */
export function nextTurn(
  scenario: Pick<ScenarioInfo, 'by' | 'best'>,
  clients: readonly ClientId[],
  rounds: number,
  /** The cells of this scenario, parameters and build. */
  cells: readonly Cell[],
): Turn | null {
  const values = cells.map((cell) => valueOf(cell, scenario)).filter((value) => value !== null)
  const best = scenario.best === 'least' ? Math.min(...values) : Math.max(...values)
  for (let round = 1; round <= rounds; round++) {
    for (const client of clients) {
      const mine = cells.filter((cell) => cell.client === client)
      if (mine.some((cell) => cell.round === round)) continue
      if (mine.filter((cell) => cell.outcome === 'failed').length >= 2) continue
      const own = mine.map((cell) => valueOf(cell, scenario)).filter((value) => value !== null)
      const mean = own.reduce((sum, value) => sum + value, 0) / own.length
      const times = scenario.best === 'least' ? mean / best : best / mean
      if (round > SLOW_ROUNDS && times > SLOW) continue
      return { client, round }
    }
  }
  return null
}
