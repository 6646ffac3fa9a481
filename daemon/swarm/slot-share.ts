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
/** With so much of the slab before the disk, more of a torrent would only wait and push the rest out of the caches. */
const MOST_WITH_DISK = 0.25
/** Who waits is called when so much of the slab came free: a few requests at a time are a call of the system each. */
const BATCH = 1 / 16

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
  handed(slot: Slot): void
  /** The slab is used up: nothing could be taken at the moment, whatever for. */
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

/** One torrent's part in it. */
interface Member {
  /** Called when slots came free after a `take` in vain. */
  readonly again: () => void
  /** Slots it holds that were not handed on. */
  held: number
  /** Slots that it handed to the disk and that the disk has not freed. */
  withDisk: number
  /** Between its first `take` and its end: a floor is reserved for it. */
  active: boolean
  told: Demand
}

export class SlotShare {
  readonly #slab: Slab
  /** Slots below their floor, summed over the members. */
  #reserved = 0
  /** Slots with the disk from which on a member gets none. */
  readonly #mostWithDisk: number
  readonly #batch: number
  /** Sum of what the members told. */
  #demand: Demand = NOTHING
  /** Who asked in vain, in the order of asking. */
  readonly #waiting = new Set<Member>()

  constructor(slab: Slab) {
    this.#slab = slab
    this.#mostWithDisk = Math.max(1, Math.floor(slab.capacity * MOST_WITH_DISK))
    this.#batch = Math.max(1, Math.floor(slab.capacity * BATCH))
    slab.onFree(() => {
      const some = [...this.#waiting].filter((member) => this.#isWorthACall(member))
      for (const member of some) this.#waiting.delete(member)
      for (const { again } of some) again()
    })
  }

  /** `again` is called when slots came free after a `take` in vain. The membership begins with the first `take`. */
  join(again: () => void): SlotSource {
    const slab = this.#slab
    const member: Member = { again, held: 0, withDisk: 0, active: false, told: NOTHING }
    const released = (): void => {
      member.withDisk--
    }
    const demand = (): Demand => this.#demand
    const exhausted = (): boolean => !this.#hasRoom(member, CLAIM_FLOOR)
    return {
      take: (claim) => {
        this.#enter(member)
        const slot = this.#mayTake(member, claim) ? slab.take() : null
        if (slot === null) {
          this.#waiting.add(member)
          return null
        }
        if (member.held < FLOOR) this.#reserved--
        member.held++
        return slot
      },
      offers: (claim) => {
        const free = this.#mayTake(member, claim)
        if (!free) this.#waiting.add(member)
        return free
      },
      free: (slot) => {
        this.#lower(member)
        slab.free(slot)
      },
      handed: (slot) => {
        this.#lower(member)
        member.withDisk++
        slot.released = released
      },
      get exhausted() {
        return exhausted()
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
      tell: (told) => {
        this.#tell(member, told)
      },
      leave: () => {
        this.#tell(member, NOTHING)
        if (!member.active) return
        member.active = false
        this.#reserved -= Math.max(0, FLOOR - member.held)
        this.#waiting.delete(member)
      },
    }
  }

  #enter(member: Member): void {
    if (!member.active) this.#reserved += Math.max(0, FLOOR - member.held)
    member.active = true
  }

  #lower(member: Member): void {
    member.held--
    if (member.held < FLOOR && member.active) this.#reserved++
  }

  #tell(member: Member, demand: Demand): void {
    const sum = this.#demand
    const { told } = member
    this.#demand = {
      rate: sum.rate - told.rate + demand.rate,
      blocks: sum.blocks - told.blocks + demand.blocks,
      hungry: sum.hungry - told.hungry + demand.hungry,
    }
    member.told = demand
  }

  #mayTake(member: Member, claim: Claim): boolean {
    return member.withDisk < this.#mostWithDisk && this.#hasRoom(member, claim)
  }

  #hasRoom({ held, withDisk, active }: Member, claim: Claim): boolean {
    const { capacity, available: free } = this.#slab
    if (held + withDisk < FLOOR) return free > 0
    // What waits for a disk that hangs must not be made up for with the floor of others.
    if (held < FLOOR) return free > this.#reserved - (active ? FLOOR - held : 0)
    let kept = this.#reserved
    if (claim !== CLAIM_FLOOR) kept += Math.min(Math.floor(capacity * MOST_HUNGRY), this.#demand.hungry)
    if (claim === CLAIM_SPARE) kept = Math.max(kept, capacity / 2)
    return free > kept
  }

  /** It has next to nothing, or there is room for more than a few requests. */
  #isWorthACall({ held, withDisk }: Member): boolean {
    if (held + withDisk < FLOOR) return true
    if (withDisk > this.#mostWithDisk - this.#batch) return false
    return this.#demand.hungry > 0 || this.#slab.available >= this.#batch
  }
}
