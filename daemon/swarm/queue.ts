/**
 * How many torrents download, and seed, at once. Who has a place keeps it until the torrent is done, stops, or a person
 * changes the order; where a place becomes free, the first who waits gets it. One that hardly moves for long goes on,
 * but its place is given to another. Forced torrents go past all this: they take no place and wait for none.
 */
import type { Bytes, Millis, TorrentId } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'
import { compareRanks, type Ranked } from './queue-order.js'

export type QueueKind = 'download' | 'seed'

export interface QueueLimits {
  /** Null: as many as want to. */
  readonly download: number | null
  readonly seed: number | null
  /** One that moved less than SLOW for so long has no place; null: never. */
  readonly stalled: Millis | null
}

/** A torrent as the queue sees it. */
export interface QueueMember extends Ranked {
  readonly forced: boolean
  /** What it does, or would. */
  readonly kind: QueueKind
  /** Payload in the direction of its kind, ever. */
  readonly moved: Bytes
  /** It has a place now. */
  proceed(): void
  /** Its place is given to another: it stops, and asks again. */
  giveWay(): void
  /** It waits, and its place in the order may be another. */
  rankChanged(): void
}

export interface QueuePorts {
  readonly clock: Clock
  /** Every torrent, in any order. */
  readonly members: () => readonly QueueMember[]
}

/** Bytes a second: who moves less is stalled. */
const SLOW = 2048
/** Looks that are due within this part of the time are done together. */
const TOGETHER = 0.1

/** What one had moved at a moment. */
interface Mark {
  readonly at: Millis
  readonly moved: Bytes
}

/** Those of one kind. */
interface Line {
  readonly kind: QueueKind
  limit: number | null
  /** They go on; those without a place too: forced, or stalled. */
  readonly active: Set<QueueMember>
  readonly waiting: Set<QueueMember>
}

export class Queue {
  readonly #ports: QueuePorts
  readonly #lines: Readonly<Record<QueueKind, Line>>
  #stalledAfter: Millis | null
  /** They go on and count not. */
  readonly #stalled = new Set<QueueMember>()
  /** Of who is active, while somebody waits. */
  readonly #marks = new Map<QueueMember, Mark>()
  #timer: Cancel | null = null
  /** Batches under way: nobody with a limit is let in before they end. */
  #batches = 0
  /** The daemon ends: nobody is let in any more. */
  #closed = false
  /** Places in the order from 1, each kind for itself; null: to be looked up anew. */
  #places: ReadonlyMap<TorrentId, number> | null = null

  constructor(limits: QueueLimits, ports: QueuePorts) {
    this.#ports = ports
    const line = (kind: QueueKind): Line => ({
      kind,
      limit: limits[kind],
      active: new Set(),
      waiting: new Set(),
    })
    this.#lines = { download: line('download'), seed: line('seed') }
    this.#stalledAfter = limits.stalled
  }

  // --- what torrents say

  /** It wants to go on; false: it waits, and `proceed` is called when it may. */
  ask(member: QueueMember): boolean {
    const line = this.#lines[member.kind]
    if (line.active.has(member)) return true
    this.#out(member)
    if (!this.#hasRoom(line, member)) {
      line.waiting.add(member)
      // What it is may have become another since they were counted.
      this.#places = null
      this.#watch()
      return false
    }
    this.#admit(line, member)
    return true
  }

  /** It goes on no more. */
  leave(member: QueueMember): void {
    if (this.#out(member)) this.#settle()
  }

  /** A download became a seed, or the other way round; false: it has no place as such. */
  turned(member: QueueMember): boolean {
    if (this.#lines[member.kind].active.has(member)) return true
    if (!this.#out(member)) return true
    const line = this.#lines[member.kind]
    const admitted = this.#hasRoom(line, member)
    if (admitted) this.#admit(line, member)
    this.#reordered()
    this.#settle()
    return admitted
  }

  /** It was forced, or is so no more. */
  wished(member: QueueMember): void {
    for (const { waiting } of this.#all()) {
      if (!member.forced || !waiting.delete(member)) continue
      this.#admit(this.#lines[member.kind], member)
      member.proceed()
    }
    this.#settle()
  }

  /** Something of it changed, payload maybe: one that moves again counts again. */
  stirred(member: QueueMember): void {
    const mark = this.#marks.get(member)
    if (this.#stalledAfter === null || mark === undefined || !this.#stalled.has(member)) return
    if (member.moved - mark.moved < this.#least(this.#stalledAfter)) return
    this.#stalled.delete(member)
    this.#mark(member)
    this.#settle()
  }

  // --- what people say

  apply(limits: QueueLimits): void {
    this.#lines.download.limit = limits.download
    this.#lines.seed.limit = limits.seed
    this.#stalledAfter = limits.stalled
    if (limits.stalled === null) this.#stalled.clear()
    this.#settle()
  }

  /** Nobody is let in or sent away before `step` is over: the order of its calls is not the order of the queue. */
  batch(step: () => void): void {
    this.#batches++
    try {
      step()
    } finally {
      this.#batches--
      this.#settle()
    }
  }

  /** The order is another: places are given anew. Not to those that stalled: they go on. */
  rearranged(): void {
    this.#reordered()
    this.batch(() => {
      for (const line of this.#all()) {
        const { limit } = line
        if (limit === null) continue
        const counted = this.#counted(line)
        const first = new Set([...counted, ...line.waiting].sort(compareRanks).slice(0, limit))
        for (const member of counted) if (!first.has(member)) this.#sendAway(member)
      }
    })
  }

  /** It gets no place any more, if it waits for one; `proceed` puts it back. */
  withdraw(member: QueueMember): void {
    for (const { waiting } of this.#all()) waiting.delete(member)
  }

  /** A torrent is gone. */
  reordered(): void {
    this.#reordered()
  }

  close(): void {
    this.#closed = true
    this.#timer?.()
    this.#timer = null
  }

  // --- what is shown

  /** From 1, among all torrents of its kind, paused ones too. */
  place(member: QueueMember): number {
    if (this.#places?.has(member.id) !== true) this.#places = this.#count()
    return this.#places.get(member.id) ?? 0
  }

  limit(kind: QueueKind): number | null {
    return this.#lines[kind].limit
  }

  /** See `QueueLimits`. */
  get stalledAfter(): Millis | null {
    return this.#stalledAfter
  }

  /** It goes on without a place, since it hardly moves. */
  isStalled(member: QueueMember): boolean {
    return this.#stalled.has(member)
  }

  // --- places

  #all(): readonly Line[] {
    return [this.#lines.download, this.#lines.seed]
  }

  #counted({ active }: Line): QueueMember[] {
    return [...active].filter((member) => !member.forced && !this.#stalled.has(member))
  }

  #hasRoom(line: Line, member: QueueMember): boolean {
    if (line.limit === null || member.forced) return true
    return this.#batches === 0 && !this.#closed && this.#counted(line).length < line.limit
  }

  #admit(line: Line, member: QueueMember): void {
    line.waiting.delete(member)
    line.active.add(member)
    if (this.#timer !== null) this.#mark(member)
  }

  #out(member: QueueMember): boolean {
    this.#stalled.delete(member)
    this.#marks.delete(member)
    const { download, seed } = this.#lines
    const was = [download.active, download.waiting, seed.active, seed.waiting].map((set) =>
      set.delete(member),
    )
    return was.includes(true)
  }

  #sendAway(member: QueueMember): void {
    this.#out(member)
    member.giveWay()
  }

  #settle(): void {
    if (this.#batches > 0 || this.#closed) return
    for (const line of this.#all()) this.#settleLine(line)
    this.#watch()
  }

  #settleLine(line: Line): void {
    const { limit, waiting } = line
    if (limit !== null) {
      const counted = this.#counted(line)
      if (counted.length > limit)
        for (const member of counted.sort(compareRanks).slice(limit)) this.#sendAway(member)
    }
    if (waiting.size === 0) return
    const free = limit === null ? Infinity : limit - this.#counted(line).length
    if (free <= 0) return
    const next = [...waiting].sort(compareRanks).slice(0, free)
    for (const member of next) this.#admit(line, member)
    // Meanwhile another may have brought it to an end.
    for (const member of next) if (line.active.has(member)) member.proceed()
  }

  // --- who stalled

  #least(after: Millis): Bytes {
    return (SLOW * after) / 1000
  }

  #mark(member: QueueMember): void {
    this.#marks.set(member, { at: this.#ports.clock.now(), moved: member.moved })
  }

  /** Who counts is looked at while somebody waits for a place, and not otherwise. */
  #watch(): void {
    const after = this.#stalledAfter
    const watched = this.#watched()
    if (after === null || watched.length === 0 || this.#closed) {
      this.#timer?.()
      this.#timer = null
      for (const member of this.#marks.keys()) if (!this.#stalled.has(member)) this.#marks.delete(member)
      return
    }
    if (this.#timer !== null) return
    let due = Infinity
    for (const { active } of watched)
      for (const member of active) {
        if (!this.#marks.has(member)) this.#mark(member)
        due = Math.min(due, (this.#marks.get(member)?.at ?? 0) + after)
      }
    const { clock } = this.#ports
    const wait = Math.min(after, Math.max(0, due - clock.now()))
    this.#timer = clock.after(wait, () => {
      this.#timer = null
      this.#look(after)
    })
  }

  #watched(): readonly Line[] {
    return this.#all().filter(({ limit, waiting }) => limit !== null && waiting.size > 0)
  }

  #look(after: Millis): void {
    const now = this.#ports.clock.now()
    for (const { active } of this.#watched())
      for (const member of active) {
        const mark = this.#marks.get(member)
        if (mark === undefined || now - mark.at < after * (1 - TOGETHER)) continue
        const moves = member.moved - mark.moved >= this.#least(now - mark.at)
        if (moves) this.#stalled.delete(member)
        else if (!member.forced) this.#stalled.add(member)
        this.#mark(member)
      }
    this.#settle()
  }

  // --- the order

  #reordered(): void {
    this.#places = null
    for (const { waiting } of this.#all()) for (const member of waiting) member.rankChanged()
  }

  #count(): ReadonlyMap<TorrentId, number> {
    const places = new Map<TorrentId, number>()
    const last = { download: 0, seed: 0 }
    for (const { id, kind } of [...this.#ports.members()].sort(compareRanks))
      places.set(id, (last[kind] += 1))
    return places
  }
}
