/**
 * How many peers may be unchoked at once, over all torrents: they share one uplink, and one that is cut into too many
 * parts brings no piece to an end anywhere.
 */
import type { Rate } from '../../shared/units.js'

const KIB = 1024
const MIB = 1024 * KIB
/** The fewest and the most where the uplink has a limit or is slow. */
const FEWEST = 4
const MOST = 100
/** Up to so many each is to have this much. */
const USUAL = 8
const USUAL_RATE: Rate = 16 * KIB
/** The most with those added who take at once whatever is sent. */
const MOST_EAGER = 200
/** Every torrent may unchoke so many, however many torrents there are: one that earned it, and one by lot. */
const FLOOR = 2

/** What the peers that are unchoked tell of the uplink. */
export interface Uplink {
  /** What is uploaded in all, or may be. */
  readonly rate: Rate
  /** Somebody waits for what it asked for. */
  readonly busy: boolean
  /** Peers that take at once whatever is sent; none where a limit is what holds uploads back. */
  readonly eager: number
}

/**
 * Slots for an uplink: 4 and one more for each MiB/s; 8 at least, or 4 where it has more to send than it can and is
 * slow. And for every peer that takes all we send its own and one more: where the line is never full, as in a LAN, all
 * who want are soon unchoked.
 */
export function autoSlots({ rate, busy, eager }: Uplink): number {
  const slow = busy && eager === 0 ? Math.max(FEWEST, Math.min(USUAL, Math.floor(rate / USUAL_RATE))) : USUAL
  const byRate = Math.min(MOST, Math.max(slow, FEWEST + Math.floor(rate / MIB)))
  return Math.min(MOST_EAGER, byRate + 2 * eager)
}

/** One torrent's part. */
export interface UnchokeSeat {
  /** Peers it may unchoke now. */
  readonly slots: number
  /** How many peers want something of it, and what its uploads show; in place of what was told before. */
  tell(wanting: number, uplink: Uplink): void
  leave(): void
}

interface Seat {
  wanting: number
  uplink: Uplink
}

const IDLE: Uplink = { rate: 0, busy: false, eager: 0 }

export class UnchokeShare {
  /** The limit of all uploads together, or null. */
  readonly #limit: () => Rate | null
  readonly #seats = new Set<Seat>()
  /** Calls of `tell` since `#level` was computed: once each has told, it is computed again. */
  #told = 0
  /** What each torrent may unchoke. */
  #level: number

  constructor(ports: { readonly limit: () => Rate | null }) {
    this.#limit = ports.limit
    this.#level = this.#total()
  }

  join(): UnchokeSeat {
    const seat: Seat = { wanting: 0, uplink: IDLE }
    this.#seats.add(seat)
    const level = (): number => this.#level
    return {
      get slots() {
        return level()
      },
      tell: (wanting, uplink) => {
        seat.wanting = wanting
        seat.uplink = uplink
        if (++this.#told >= this.#seats.size) this.#share()
      },
      leave: () => {
        this.#seats.delete(seat)
        this.#share()
      },
    }
  }

  #total(): number {
    const limit = this.#limit()
    const sum = { rate: 0, busy: false, eager: 0 }
    for (const { uplink } of this.#seats) {
      sum.rate += uplink.rate
      sum.busy ||= uplink.busy
      sum.eager += uplink.eager
    }
    return autoSlots(limit === null ? sum : { rate: limit, busy: sum.busy, eager: 0 })
  }

  /** The most that each may have so that all together have no more than there is; what one does not want, others get. */
  #share(): void {
    this.#told = 0
    let left = this.#total()
    const wanting = [...this.#seats].map((seat) => seat.wanting).filter((count) => count > 0)
    wanting.sort((a, b) => a - b)
    this.#level = left
    for (const [at, count] of wanting.entries()) {
      const each = Math.floor(left / (wanting.length - at))
      this.#level = Math.max(FLOOR, each)
      if (count > each) return
      left -= count
    }
    this.#level = Math.max(FLOOR, this.#level, left)
  }
}
