/**
 * Shares the slab among the torrents that download: each keeps a floor of slots, so that a fast one cannot starve the
 * others; beyond the floor who comes first is served.
 */
import type { Slab, Slot } from '../ports/disk.js'

/** Slots that every downloading torrent can count on. */
const FLOOR = 4

/** One torrent's access to the slab. */
export interface SlotSource {
  /** Null: none now; there will be a call when slots come free. */
  take(): Slot | null
  /** Gives back a slot that was not handed to the disk. */
  free(slot: Slot): void
  /** The disk has a slot now and frees it itself. */
  handed(): void
  /** Nothing can be taken at the moment. */
  readonly exhausted: boolean
  /** Ends the membership: nothing is reserved for it until it takes again. */
  leave(): void
}

export class SlotShare {
  readonly #slab: Slab
  /** Slots below their floor, summed over the members. */
  #reserved = 0
  /** Who asked in vain, in the order of asking. */
  #waiting = new Set<() => void>()

  constructor(slab: Slab) {
    this.#slab = slab
    slab.onFree(() => {
      const waiting = this.#waiting
      this.#waiting = new Set()
      for (const again of waiting) again()
    })
  }

  /** `again` is called when slots came free after a `take` in vain. The membership begins with the first `take`. */
  join(again: () => void): SlotSource {
    // Slots this member holds that were not handed on.
    let held = 0
    let member = false
    const enter = (): void => {
      if (!member) this.#reserved += Math.max(0, FLOOR - held)
      member = true
    }
    const lower = (): void => {
      held--
      if (held < FLOOR && member) this.#reserved++
    }
    const mayTake = (): boolean => this.#slab.available > (held < FLOOR ? 0 : this.#reserved)
    return {
      take: () => {
        enter()
        const slot = mayTake() ? this.#slab.take() : null
        if (slot === null) {
          this.#waiting.add(again)
          return null
        }
        if (held < FLOOR) this.#reserved--
        held++
        return slot
      },
      free: (slot) => {
        lower()
        this.#slab.free(slot)
      },
      handed: lower,
      get exhausted() {
        return !mayTake()
      },
      leave: () => {
        if (!member) return
        member = false
        this.#reserved -= Math.max(0, FLOOR - held)
        this.#waiting.delete(again)
      },
    }
  }
}
