/** The order in which the trackers of a torrent are tried (BEP 12). */
import type { Random } from '../ports/random.js'

export interface Tracker {
  readonly url: string
  /** 0-based; the position the user sees. */
  readonly tier: number
}

/** More trackers than this of one torrent are left out. */
const MOST_TRACKERS = 500

export class Tiers {
  /** Trackers of each tier in the order of trial; no URL is there twice. */
  private readonly tiers: Tracker[][] = []
  private readonly random: Random

  constructor(tiers: readonly (readonly string[])[], random: Random) {
    this.random = random
    this.add(tiers)
  }

  /** Appends tiers, shuffled inside; URLs that are known are left out. True where one was new. */
  add(tiers: readonly (readonly string[])[]): boolean {
    const known = new Set(this.order().map((tracker) => tracker.url))
    const before = known.size
    for (const urls of tiers) {
      const tier: Tracker[] = []
      for (const url of urls) {
        if (known.has(url) || known.size >= MOST_TRACKERS) continue
        known.add(url)
        tier.push({ url, tier: this.tiers.length })
      }
      if (tier.length > 0) this.tiers.push(shuffled(tier, this.random))
    }
    return known.size > before
  }

  /** Every tracker, first to be tried first. */
  order(): Tracker[] {
    return this.tiers.flat()
  }

  /** A tracker that answered goes to the front of its tier. */
  promote(tracker: Tracker): void {
    const tier = this.tiers[tracker.tier]
    const at = tier?.indexOf(tracker) ?? -1
    if (tier === undefined || at <= 0) return
    tier.splice(at, 1)
    tier.unshift(tracker)
  }
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const out: T[] = []
  for (const item of items) {
    const at = random.int(out.length + 1)
    const moved = out[at]
    if (moved === undefined) out.push(item)
    else {
      out.push(moved)
      out[at] = item
    }
  }
  return out
}
