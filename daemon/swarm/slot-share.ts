/**
 * Shares the slab among the torrents that download: each keeps a floor of slots, so that a fast one cannot starve the
 * others; the rest goes by measured rate, and what nobody has a right to goes only while half of the slab is free.
 */
import type { Rate } from '../../shared/units.js'
import type { Slab, Slot } from '../ports/disk.js'

/** Slots that every downloading torrent can count on. */
const FLOOR = 4
/** Links that wait for their first blocks hold back so much of the slab at most. */
const MOST_HUNGRY = 0.25

/** What a slot is asked for: the first blocks of a link; a link's share by its rate; more than that. */
export const CLAIM_FLOOR = 0
export const CLAIM_SHARE = 1
export const CLAIM_SPARE = 2
export type Claim = typeof CLAIM_FLOOR | typeof CLAIM_SHARE | typeof CLAIM_SPARE

/** What one torrent tells of its links. */
interface Demand {
  /** Sum of their rates. */
  readonly rate: Rate
  /** Sum of the blocks they would have on their way. */
  readonly blocks: number
  /** Links that wait for a slot and have nothing on its way. */
  readonly hungry: number
}

/** One torrent's access to the slab. */
export interface SlotSource {
  /** Null: none now; there will be a call when slots come free. */
  take(claim: Claim): Slot | null
  /** Whether `take` would give one; where not, there will be a call likewise. */
  offers(claim: Claim): boolean
  /** Gives back a slot that was not handed to the disk. */
  free(slot: Slot): void
  /** The disk has a slot now and frees it itself. */
  handed(): void
  /** Nothing can be taken at the moment, whatever for. */
  readonly exhausted: boolean
  /** The whole slab, in slots. */
  readonly capacity: number
  /** Slots that nobody holds. */
  readonly available: number
  /** Sums over all torrents. */
  readonly demand: Demand
  /** In place of what was told before. */
  tell(demand: Demand): void
  /** Ends the membership: nothing is reserved for it until it takes again. */
  leave(): void
}

const NOTHING: Demand = { rate: 0, blocks: 0, hungry: 0 }

export class SlotShare {
  readonly #slab: Slab
  /** Slots below their floor, summed over the members. */
  #reserved = 0
  /** Sum of what the members told. */
  #demand: Demand = NOTHING
  /** Who asked in vain, in the order of asking. */
  #waiting = new Set<() => void>()

  constructor(slab: Slab) {
    this.#slab = slab
    slab.onFree(() => {
      if (this.#waiting.size === 0) return
      const waiting = this.#waiting
      this.#waiting = new Set()
      for (const again of waiting) again()
    })
  }

  /** `again` is called when slots came free after a `take` in vain. The membership begins with the first `take`. */
  join(again: () => void): SlotSource {
    const slab = this.#slab
    const most = Math.floor(slab.capacity * MOST_HUNGRY)
    // Slots this member holds that were not handed on.
    let held = 0
    let member = false
    let told = NOTHING
    const enter = (): void => {
      if (!member) this.#reserved += Math.max(0, FLOOR - held)
      member = true
    }
    const lower = (): void => {
      held--
      if (held < FLOOR && member) this.#reserved++
    }
    const tell = (demand: Demand): void => {
      const sum = this.#demand
      this.#demand = {
        rate: sum.rate - told.rate + demand.rate,
        blocks: sum.blocks - told.blocks + demand.blocks,
        hungry: sum.hungry - told.hungry + demand.hungry,
      }
      told = demand
    }
    const demand = (): Demand => this.#demand
    const mayTake = (claim: Claim): boolean => {
      const free = slab.available
      if (held < FLOOR) return free > 0
      let kept = this.#reserved
      if (claim !== CLAIM_FLOOR) kept += Math.min(most, this.#demand.hungry)
      if (claim === CLAIM_SPARE) kept = Math.max(kept, slab.capacity / 2)
      return free > kept
    }
    return {
      take: (claim) => {
        enter()
        const slot = mayTake(claim) ? slab.take() : null
        if (slot === null) {
          this.#waiting.add(again)
          return null
        }
        if (held < FLOOR) this.#reserved--
        held++
        return slot
      },
      offers: (claim) => {
        const free = mayTake(claim)
        if (!free) this.#waiting.add(again)
        return free
      },
      free: (slot) => {
        lower()
        slab.free(slot)
      },
      handed: lower,
      get exhausted() {
        return !mayTake(CLAIM_FLOOR)
      },
      get capacity() {
        return slab.capacity
      },
      get available() {
        return slab.available
      },
      get demand() {
        return demand()
      },
      tell,
      leave: () => {
        tell(NOTHING)
        if (!member) return
        member = false
        this.#reserved -= Math.max(0, FLOOR - held)
        this.#waiting.delete(again)
      },
    }
  }
}
