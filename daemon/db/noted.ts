/** What else the note of a saved copy tells of a torrent: its rank, goals, order and limits. */
import type { Rate, TorrentId } from '../../shared/units.js'
import type { SeedGoal, SeedGoals } from '../../shared/views.js'
import type { PieceOrder, TorrentLimits, TorrentRow } from '../ports/store.js'
import { setGoals, setRanks } from './goals.js'
import { setLimits } from './limits.js'
import type { Sql } from './sql.js'
import { setOrder } from './torrents.js'

/** Each only where it is not as usual. */
export interface Noted {
  readonly rank?: number
  readonly goals?: SeedGoals
  readonly order?: PieceOrder
  readonly limits?: TorrentLimits
}

/** As it is read: anybody can edit the file. */
type Read = Readonly<Partial<Record<keyof Noted, unknown>>>
type Fields = Readonly<Record<string, unknown>>

export function notedOf({ rank, goals, order, limits }: TorrentRow): Noted {
  return {
    ...(rank === null ? {} : { rank }),
    ...(goals === null ? {} : { goals }),
    ...(order.sequential || order.firstLast ? { order } : {}),
    ...(limits === null ? {} : { limits }),
  }
}

/** As far as it can be true. */
export function applyNoted(sql: Sql, torrent: TorrentId, { rank, goals, order, limits }: Read): void {
  if (typeof rank === 'number' && Number.isSafeInteger(rank)) setRanks(sql, [{ torrent, rank }])
  if (isFields(goals)) {
    const { ratio, time, idle } = goals
    setGoals(sql, torrent, { ratio: goalOf(ratio), time: secondsOf(time), idle: secondsOf(idle) })
  }
  if (isFields(order))
    setOrder(sql, torrent, {
      sequential: order['sequential'] === true,
      firstLast: order['firstLast'] === true,
    })
  if (isFields(limits)) setLimits(sql, [{ torrent, down: rateOf(limits['down']), up: rateOf(limits['up']) }])
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function goalOf(value: unknown): SeedGoal {
  return value === 'none' || (typeof value === 'number' && value > 0) ? value : 'default'
}

function secondsOf(value: unknown): SeedGoal {
  return typeof value === 'number' && !Number.isSafeInteger(value) ? 'default' : goalOf(value)
}

function rateOf(value: unknown): Rate | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : null
}
