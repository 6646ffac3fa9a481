/** Runs scenarios cell by cell and keeps the JSON up to date. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientKind } from './clients/client.js'
import type { Options } from './options.js'
import {
  type Build,
  type Cell,
  type Figures,
  costOf,
  GIB,
  type LeftOut,
  type Machine,
  rateOf,
  type Results,
  SCHEMA,
  YARDSTICK,
} from './results.js'
import type { Scenario } from './scenarios/scenario.js'
import { belongs, nextTurn, type Turn } from './schedule.js'
import { Stage } from './stage.js'
import { kept, loadResults, saveResults } from './store.js'
import type { World } from './world.js'

export interface RunInit {
  readonly options: Options
  readonly out: string
  readonly build: Build
  readonly machine: Machine
  readonly command: string
  readonly kinds: readonly ClientKind[]
  readonly scenarios: readonly Scenario[]
}

/** Runs what is not done yet and answers all results. */
export async function runAll(init: RunInit, world: World): Promise<Results> {
  const { scenarios, build, options, kinds } = init
  const infos = scenarios.map(({ info }) => info)
  const before = loadResults(init.out)
  let results: Results = {
    schema: SCHEMA,
    machine: init.machine,
    build,
    command: init.command,
    updated: new Date().toISOString(),
    clients: merged(
      before?.clients ?? [],
      kinds.map(({ info }) => info),
      ({ id }) => id,
    ),
    scenarios: merged(before?.scenarios ?? [], infos, ({ id }) => id),
    leftOut: merged(
      before?.leftOut ?? [],
      scenarios.flatMap((each) => leftOut(each, kinds)),
      keyOf,
    ),
    cells: kept(before?.cells ?? [], infos, build, options.resume),
  }
  const minutes = options.minutes ?? (options.quick ? 2.5 : 60)
  const deadline = performance.now() + minutes * 60_000
  for (const [at, scenario] of scenarios.entries()) {
    const wanted = new Set(scenarios.slice(at).flatMap(({ contents }) => contents))
    world.forget((name) => wanted.has(name))
    const clients = kinds.filter((kind) => reasonAgainst(scenario, kind) === null)
    const rounds = options.rounds ?? (options.quick ? 1 : scenario.rounds)
    const turn = (): Turn | null => {
      const mine = results.cells.filter((cell) => belongs(cell, scenario.info, build))
      return nextTurn(
        scenario.info,
        clients.map(({ info }) => info.id),
        rounds,
        mine,
      )
    }
    if (turn() === null) continue
    say(`${scenario.info.id}: ${scenario.info.title}`)
    const prepared = scenario.prepare(world)
    for (let next = turn(); next !== null; next = turn()) {
      if (performance.now() > deadline) {
        say('the time is up: the same command goes on from here')
        return results
      }
      const { client, round } = next
      const kind = clients.find(({ info }) => info.id === client)
      if (kind === undefined) break
      const head = {
        build,
        scenario: scenario.info.id,
        parameters: scenario.info.parameters,
        client,
        version: kind.info.version,
        round,
        at: new Date().toISOString(),
      }
      const reserve = world.reserve(scenario.writes)
      const end = await attempt(scenario, new Stage(world, kind, scenario.pinned), prepared)
      reserve.end()
      const cell: Cell =
        'figures' in end ? { ...head, outcome: 'done', ...end } : { ...head, outcome: 'failed', ...end }
      say(`  ${client} ${round}: ${told(cell)}`)
      results = { ...results, updated: new Date().toISOString(), cells: [...results.cells, cell] }
      saveResults(init.out, results)
    }
  }
  saveResults(init.out, results)
  return results
}

async function attempt(
  scenario: Scenario,
  stage: Stage,
  prepared: unknown,
): Promise<{ readonly figures: Figures } | { readonly reason: string }> {
  const over = new AbortController()
  const run = scenario.run(stage, prepared)
  // When time runs out its programs are stopped, and what it waits for never comes.
  run.catch(() => undefined)
  try {
    const late = sleep(scenario.timeout * 1000, null, { signal: over.signal })
    late.catch(() => undefined)
    const figures = await Promise.race([run, late])
    if (figures === null) return { reason: `not done in ${Math.round(scenario.timeout)} s` }
    return { figures }
  } catch (error) {
    return { reason: error instanceof Error ? error.message.slice(0, 600) : String(error) }
  } finally {
    over.abort()
    await stage.close()
  }
}

function reasonAgainst(scenario: Scenario, { info }: ClientKind): string | null {
  if (info.id === YARDSTICK && scenario.info.group !== 'single') return 'it has one peer and one file'
  return info.absent ?? scenario.without?.(info.id) ?? null
}

function leftOut(scenario: Scenario, kinds: readonly ClientKind[]): LeftOut[] {
  return kinds.flatMap((kind) => {
    const reason = reasonAgainst(scenario, kind)
    return reason === null ? [] : [{ scenario: scenario.info.id, client: kind.info.id, reason }]
  })
}

const keyOf = (each: LeftOut): string => `${each.scenario} ${each.client}`

/** The old ones with the new ones in their places, and then the rest of the new. */
function merged<T>(old: readonly T[], fresh: readonly T[], key: (each: T) => string): T[] {
  const byKey = new Map([...old, ...fresh].map((each) => [key(each), each]))
  return [...byKey.values()]
}

function told(cell: Cell): string {
  if (cell.outcome === 'failed') return `failed: ${cell.reason}`
  const { figures } = cell
  const { wall, cpu, payload, peakRss, extra } = figures
  const rest = Object.entries(extra).map(
    ([key, value]) => `${key} ${value === null ? '-' : value.toFixed(3)}`,
  )
  const rate =
    payload < GIB / 100
      ? []
      : [`${rateOf(figures).toFixed(2)} GiB/s`, `${costOf(figures).toFixed(2)} CPU-s/GiB`]
  const memory = peakRss === null ? [] : [`${Math.round(peakRss / 1e6)} MB`]
  return [`${wall.toFixed(2)} s`, `${cpu.toFixed(2)} CPU-s`, ...rate, ...memory, ...rest].join(', ')
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
