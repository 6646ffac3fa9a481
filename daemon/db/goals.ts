/** The order of the queue, and when seeding ends. Runs in the store's thread. */
import type { TorrentId } from '../../shared/units.js'
import type { SeedGoal, SeedGoals } from '../../shared/views.js'
import { StoreFault, type RankRow } from '../ports/store.js'
import type { Sql } from './sql.js'

export interface GoalColumns {
  readonly goal_ratio: number | null
  readonly goal_time: number | null
  readonly goal_idle: number | null
}

/** Stands for 'none'. */
const NONE = -1

export function toGoals({ goal_ratio, goal_time, goal_idle }: GoalColumns): SeedGoals | null {
  if (goal_ratio === null && goal_time === null && goal_idle === null) return null
  return { ratio: toGoal(goal_ratio), time: toGoal(goal_time), idle: toGoal(goal_idle) }
}

function toGoal(column: number | null): SeedGoal {
  if (column === null) return 'default'
  // What no person can have said, from an edited database: no goal does the least harm.
  return column > 0 && Number.isFinite(column) ? column : 'none'
}

function ofGoal(goal: SeedGoal | undefined): number | null {
  if (goal === undefined || goal === 'default') return null
  return goal === 'none' ? NONE : goal
}

export function setGoals(sql: Sql, id: TorrentId, goals: SeedGoals | null): void {
  refuseNobody(sql, id)
  sql.run(
    'UPDATE torrent SET goal_ratio = ?, goal_time = ?, goal_idle = ? WHERE id = ?',
    ofGoal(goals?.ratio),
    ofGoal(goals?.time),
    ofGoal(goals?.idle),
    id,
  )
}

export function setReached(sql: Sql, id: TorrentId, sentence: string): void {
  refuseNobody(sql, id)
  sql.run("UPDATE torrent SET desired = 'paused', reached = ? WHERE id = ?", sentence, id)
}

export function setRanks(sql: Sql, ranks: readonly RankRow[]): void {
  for (const { torrent, rank } of ranks)
    sql.run('UPDATE torrent SET queue_rank = ? WHERE id = ?', rank, torrent)
}

function refuseNobody(sql: Sql, id: TorrentId): void {
  if (sql.get('SELECT 1 FROM torrent WHERE id = ?', id) !== undefined) return
  throw new StoreFault('NOT_FOUND', `no torrent ${id} in the store`)
}
