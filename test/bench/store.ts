/** The JSON of the results: read at the start, rewritten whole after each cell. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { type Build, type Cell, type Results, SCHEMA, type ScenarioInfo } from './results.js'
import { belongs } from './schedule.js'

/** Null where there is none, or one of another schema. */
export function loadResults(file: string): Results | null {
  if (!existsSync(file)) return null
  const found = JSON.parse(readFileSync(file, 'utf8')) as Partial<Results>
  return found.schema === SCHEMA ? (found as Results) : null
}

/** Atomic: a run that is killed leaves the last whole one. */
export function saveResults(file: string, results: Results): void {
  mkdirSync(dirname(file), { recursive: true })
  const next = `${file}.new`
  const fd = openSync(next, 'w')
  writeSync(fd, `${JSON.stringify(results, null, 1)}\n`)
  fsyncSync(fd)
  closeSync(fd)
  renameSync(next, file)
}

/**
 * The cells to go on with: those of scenarios that do not run now stay, whatever built them; of those that do only
 * finished ones of this build and these parameters.
 */
export function kept(
  cells: readonly Cell[],
  running: readonly ScenarioInfo[],
  build: Build,
  resume: boolean,
): Cell[] {
  return cells.filter((cell) => {
    const scenario = running.find(({ id }) => id === cell.scenario)
    if (scenario === undefined) return true
    return resume && cell.outcome === 'done' && belongs(cell, scenario, build)
  })
}
