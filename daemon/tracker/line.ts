/** Announces that wait for their turn: who goes first, and how many go before one. */
import type { AnnounceEvent } from '../codec/announce.js'

/** The rank of a goodbye, which has seconds; of what a person asked for; of other events; of regular ones. */
const RANKS = 4

export class Line {
  /** Who waits, by rank; each first come, first served. A function stands for its announce. */
  private readonly ranks: readonly Set<() => void>[] = Array.from({ length: RANKS }, () => new Set())

  add(event: AnnounceEvent | null, urgent: boolean, begin: () => void): void {
    this.ranks[rankOf(event, urgent)]?.add(begin)
  }

  /** Whether it was there. */
  delete(begin: () => void): boolean {
    return this.ranks.some((rank) => rank.delete(begin))
  }

  /** Takes the next one out, or undefined where nobody waits. */
  shift(): (() => void) | undefined {
    for (const rank of this.ranks) {
      for (const begin of rank) {
        rank.delete(begin)
        return begin
      }
    }
    return undefined
  }

  get size(): number {
    return this.ranks.reduce((sum, rank) => sum + rank.size, 0)
  }

  /** How many go before it, as things are. Counts them: for views only. */
  before(begin: () => void): number {
    let count = 0
    for (const rank of this.ranks) {
      for (const each of rank) {
        if (each === begin) return count
        count += 1
      }
    }
    return count
  }
}

function rankOf(event: AnnounceEvent | null, urgent: boolean): number {
  if (event === 'stopped') return 0
  if (urgent) return 1
  return event === null ? 3 : 2
}
