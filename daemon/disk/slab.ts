/** The slab: who holds which 256 KiB of shared memory. Main thread only; the bytes are shared with the workers. */
import { EXTENT_SIZE } from '../../shared/units.js'
import type { Slab, Slot } from '../ports/disk.js'

/** 64 slots: 16 MiB. */
const SLOTS_PER_SEGMENT = 64
/** Under a quarter free the slab is tight; it is easy again from a half on, so that the two do not alternate. */
const TIGHT_BELOW = 0.25
const EASY_FROM = 0.5

interface Segment {
  readonly memory: SharedArrayBuffer
  /** One for each slot of the segment, made once. */
  readonly views: readonly Buffer[]
  /** The holder of each slot, or null when it is free. */
  readonly held: (HeldSlot | null)[]
  /** Slots that are free now. */
  free: number
}

class HeldSlot implements Slot {
  /** `disk` once submitted: only the disk may free it then. */
  owner: 'caller' | 'disk' | 'nobody' = 'caller'
  released: (() => void) | null = null
  constructor(
    readonly index: number,
    readonly view: Buffer,
    readonly segment: Segment,
  ) {}
}

export class SharedSlab implements Slab {
  /** The limit in slots, at least 1. */
  readonly capacity: number
  /** Null where a segment was given back: indices of the others stay. */
  private readonly segments: (Segment | null)[] = []
  /** Slots held by callers or by the disk, 0..capacity. */
  private taken = 0
  /** Told once a turn at most. */
  private readonly listeners: (() => void)[] = []
  /** A microtask that tells the listeners is on its way. */
  private telling = false
  /** Under pressure: see TIGHT_BELOW. */
  private tightNow = false

  constructor(
    init: { readonly slots: number },
    /** Told when the pressure begins and ends. */
    private readonly onTight: (tight: boolean) => void = () => undefined,
  ) {
    if (!(init.slots >= 1)) throw new RangeError('a slab has at least one slot')
    this.capacity = Math.floor(init.slots)
  }

  get available(): number {
    return this.capacity - this.taken
  }

  take(): Slot | null {
    if (this.taken >= this.capacity) return null
    const number = this.segmentWithRoom()
    const segment = this.segments[number] ?? this.addSegment(number)
    const place = segment.held.indexOf(null)
    const view = segment.views[place]
    if (view === undefined) throw new Error('slab: a segment with room has no free slot')
    const slot = new HeldSlot(number * SLOTS_PER_SEGMENT + place, view, segment)
    segment.held[place] = slot
    segment.free -= 1
    this.taken += 1
    this.judge()
    return slot
  }

  free(slot: Slot): void {
    this.giveBack(slot, 'caller')
  }

  onFree(listener: () => void): void {
    this.listeners.push(listener)
  }

  /**
   * The caller gives a slot to the disk: from now on only `release` frees it. Answers the memory in which its view
   * lies at `view.byteOffset`.
   */
  handOver(slot: Slot): SharedArrayBuffer {
    if (!(slot instanceof HeldSlot) || slot.owner !== 'caller') {
      throw new Error(`slab: slot ${String(slot.index)} is not the caller's to hand over`)
    }
    slot.owner = 'disk'
    return slot.segment.memory
  }

  /** The disk is done with a slot. */
  release(slot: Slot): void {
    this.giveBack(slot, 'disk')
    slot.released?.()
  }

  /** Gives segments back in which no slot is held; answers the bytes still kept. */
  trim(): number {
    let kept = 0
    for (const [number, segment] of this.segments.entries()) {
      if (segment === null) continue
      if (segment.free === segment.held.length) this.segments[number] = null
      else kept += segment.memory.byteLength
    }
    return kept
  }

  private giveBack(slot: Slot, owner: 'caller' | 'disk'): void {
    if (!(slot instanceof HeldSlot) || slot.owner !== owner) {
      throw new Error(`slab: slot ${String(slot.index)} was freed twice or by someone else`)
    }
    slot.owner = 'nobody'
    slot.segment.held[slot.index % SLOTS_PER_SEGMENT] = null
    slot.segment.free += 1
    this.taken -= 1
    this.judge()
    this.tell()
  }

  /** The first with room, so that the later ones fall idle; else the place of the next. */
  private segmentWithRoom(): number {
    let gap = -1
    for (const [number, segment] of this.segments.entries()) {
      if (segment === null) gap = gap < 0 ? number : gap
      else if (segment.free > 0) return number
    }
    return gap < 0 ? this.segments.length : gap
  }

  private addSegment(number: number): Segment {
    const slots = Math.min(SLOTS_PER_SEGMENT, this.capacity - number * SLOTS_PER_SEGMENT)
    const memory = new SharedArrayBuffer(slots * EXTENT_SIZE)
    const views = Array.from({ length: slots }, (_, i) => Buffer.from(memory, i * EXTENT_SIZE, EXTENT_SIZE))
    const segment: Segment = { memory, views, held: new Array<null>(slots).fill(null), free: slots }
    this.segments[number] = segment
    return segment
  }

  private judge(): void {
    const share = this.available / this.capacity
    if (!this.tightNow && share < TIGHT_BELOW) this.tightNow = true
    else if (this.tightNow && share >= EASY_FROM) this.tightNow = false
    else return
    this.onTight(this.tightNow)
  }

  private tell(): void {
    if (this.telling) return
    this.telling = true
    queueMicrotask(() => {
      this.telling = false
      for (const listener of this.listeners) listener()
    })
  }
}
