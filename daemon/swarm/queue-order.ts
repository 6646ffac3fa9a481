/** The order of the queue: who comes before whom, and which ranks to write for another order. Pure. */
import type { TorrentId } from '../../shared/units.js'
import type { RankRow } from '../ports/store.js'

export interface Ranked {
  readonly id: TorrentId
  /** Null: after all that have one, by id. */
  readonly rank: number | null
}

/** Where to: an end, one step, or a place counted from 1. */
export type QueueStep = 'top' | 'bottom' | 'up' | 'down' | number

/** Between two ranks: room for as many as come between them later. */
const STEP = 1024

export function compareRanks(a: Ranked, b: Ranked): number {
  if (a.rank === b.rank) return a.id - b.id
  if (a.rank === null) return 1
  if (b.rank === null) return -1
  return a.rank - b.rank
}

/** `line` with the chosen ones elsewhere; among each other they keep their order. */
export function stepped<T>(line: readonly T[], chosen: ReadonlySet<T>, to: QueueStep): T[] {
  if (to === 'up') return nudged(line, chosen)
  if (to === 'down') return nudged(line.toReversed(), chosen).reverse()
  const moved = line.filter((each) => chosen.has(each))
  const rest = line.filter((each) => !chosen.has(each))
  const at = to === 'top' ? 0 : to === 'bottom' ? rest.length : Math.max(0, to - 1)
  return [...rest.slice(0, at), ...moved, ...rest.slice(at)]
}

/** Each of the chosen one place forward; those that stand at the head stay. */
function nudged<T>(line: readonly T[], chosen: ReadonlySet<T>): T[] {
  const after = [...line]
  for (let at = 1; at < after.length; at++) {
    const [before, each] = [after[at - 1], after[at]]
    if (before === undefined || each === undefined || !chosen.has(each) || chosen.has(before)) continue
    after[at - 1] = each
    after[at] = before
  }
  return after
}

/** `whole` with the chosen ones so that those of `line`, a part of it, stand as in `line`; all others stay. */
export function woven<T>(whole: readonly T[], line: readonly T[], chosen: ReadonlySet<T>): T[] {
  const before = new Map<T | null, T[]>()
  let group: T[] = []
  for (const each of line) {
    if (chosen.has(each)) group.push(each)
    else if (group.length > 0) {
      before.set(each, group)
      group = []
    }
  }
  const rest = whole.filter((each) => !chosen.has(each))
  return [...rest.flatMap((each) => [...(before.get(each) ?? []), each]), ...group]
}

/** The ranks to write so that all stand as in `order`; `moved` are those that stood elsewhere. Mostly only theirs. */
export function ranksFor(order: readonly Ranked[], moved: ReadonlySet<TorrentId>): RankRow[] {
  const ranked = order.slice(0, order.length - restingTail(order))
  const after = filled(ranked, moved) ?? ranked.map((_, at) => (at + 1) * STEP)
  return ranked.flatMap(({ id, rank }, at) => {
    const now = after[at] ?? null
    return now === rank ? [] : [{ torrent: id, rank: now }]
  })
}

/** How many at the end stand there without a rank. */
function restingTail(order: readonly Ranked[]): number {
  let tail = 0
  let next = Infinity
  for (const { id, rank } of order.toReversed()) {
    if (rank !== null || id > next) break
    next = id
    tail++
  }
  return tail
}

/** Ranks of all, those that did not move as they were; null: there is no room between two of them. */
function filled(ranked: readonly Ranked[], moved: ReadonlySet<TorrentId>): number[] | null {
  const ranks: number[] = []
  let gap = 0
  for (const { id, rank } of ranked) {
    if (rank === null || moved.has(id)) {
      gap++
      continue
    }
    if (!fill(ranks, gap, rank)) return null
    ranks.push(rank)
    gap = 0
  }
  return fill(ranks, gap, null) ? ranks : null
}

/** `count` ranks after the last one and before `high`. */
function fill(ranks: number[], count: number, high: number | null): boolean {
  const low = ranks.at(-1) ?? (high === null ? 0 : high - STEP * (count + 1))
  const step = high === null ? STEP : Math.floor((high - low) / (count + 1))
  if (step < 1) return false
  for (let at = 1; at <= count; at++) ranks.push(low + at * step)
  return true
}
