/** How much each file is wanted, as it is stored, and in what order pieces are fetched. */
import type { FileIndex } from '../../shared/units.js'
import type { Priority } from '../../shared/views.js'
import type { FileWishRow, PieceOrder } from '../ports/store.js'

/** As `FileWishRow.priority` has them; a number that is none of these counts as normal. */
const CODES: Readonly<Record<Priority, number>> = { skip: 0, normal: 1, high: 2, low: 3 }
/** Ranks of the picker; a file that is skipped has none. */
const RANKS: Readonly<Record<Priority, number>> = { skip: -1, low: 0, normal: 1, high: 2 }

/** Before every file's other pieces. */
export const FIRST_RANK = 3

/** What the user wants of a torrent. */
export interface Choice {
  /** Files that are not wanted as usual. */
  readonly wishes: readonly FileWishRow[]
  readonly order: PieceOrder
}

/** The rarest first, as a swarm likes it best. */
export const USUAL_ORDER: PieceOrder = { sequential: false, firstLast: false }

export function priorityOf(code: number): Priority {
  if (code === CODES.skip) return 'skip'
  return code === CODES.high ? 'high' : code === CODES.low ? 'low' : 'normal'
}

/** Of files that all have a priority, the wishes for those that have another than the usual one. */
export function wishesOf(priorities: ReadonlyMap<FileIndex, Priority>): FileWishRow[] {
  return [...priorities].flatMap(([file, priority]) =>
    priority === 'normal' ? [] : [{ file, priority: CODES[priority] }],
  )
}

/** Of each file, by index; -1: it is not wanted. */
export function ranksOf(files: number, wishes: readonly FileWishRow[]): Int8Array {
  const ranks = new Int8Array(files).fill(RANKS.normal)
  for (const { file, priority } of wishes) ranks[file] = RANKS[priorityOf(priority)]
  return ranks
}

/** The other way round. */
export function priorityOfRank(rank: number): Priority {
  if (rank < 0) return 'skip'
  return rank === RANKS.low ? 'low' : rank === RANKS.high ? 'high' : 'normal'
}
