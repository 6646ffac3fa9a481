/** The order in which the trackers of a torrent are tried (BEP 12). */
import type { Random } from '../ports/random.js'

export interface Tracker {
  readonly url: string
  /** 0-based; the position the user sees. It stays what it is when other tiers come and go. */
  readonly tier: number
}

/** More trackers than this of one torrent are left out. */
export const MOST_TRACKERS = 500

export class Tiers {
  /** Trackers of each tier in the order of trial, by the number of the tier; none is empty, no URL is there twice. */
  private readonly tiers: Tracker[][] = []
  private readonly random: Random

  constructor(trackers: readonly Tracker[], random: Random) {
    this.random = random
    this.add(trackers)
  }

  /** Appends to their tiers, shuffled; URLs that are known are left out. Gives what is new. */
  add(trackers: readonly Tracker[]): Tracker[] {
    const known = new Set(this.order().map((tracker) => tracker.url))
    const fresh = new Map<number, Tracker[]>()
    for (const { url, tier } of trackers) {
      if (known.has(url) || known.size >= MOST_TRACKERS) continue
      known.add(url)
      fresh.set(tier, [...(fresh.get(tier) ?? []), { url, tier }])
    }
    const added: Tracker[] = []
    for (const [tier, more] of fresh) added.push(...this.append(tier, shuffled(more, this.random)))
    this.tiers.sort(([a], [b]) => (a?.tier ?? 0) - (b?.tier ?? 0))
    return added
  }

  /** Null where it is not there. */
  remove(url: string): Tracker | null {
    const at = this.tiers.findIndex((each) => each.some((tracker) => tracker.url === url))
    const tier = this.tiers[at]
    if (tier === undefined) return null
    const [removed] = tier.splice(
      tier.findIndex((tracker) => tracker.url === url),
      1,
    )
    if (tier.length === 0) this.tiers.splice(at, 1)
    return removed ?? null
  }

  /** Every tracker, first to be tried first. */
  order(): Tracker[] {
    return this.tiers.flat()
  }

  /** A tracker that answered goes to the front of its tier. */
  promote(tracker: Tracker): void {
    const tier = this.tierOf(tracker.tier)
    const at = tier?.indexOf(tracker) ?? -1
    if (tier === undefined || at <= 0) return
    tier.splice(at, 1)
    tier.unshift(tracker)
  }

  private append(number: number, trackers: Tracker[]): Tracker[] {
    const tier = this.tierOf(number)
    if (tier === undefined) this.tiers.push(trackers)
    else tier.push(...trackers)
    return trackers
  }

  private tierOf(number: number): Tracker[] | undefined {
    return this.tiers.find(([first]) => first?.tier === number)
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
