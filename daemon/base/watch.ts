/**
 * What the main loop is at, and for how long: each entry of work stores its phase, and the end of a turn tells whether
 * that was a stall. The main thread tells it itself, at the end of the stall: nothing runs while the loop sleeps, and
 * one number is written for each entry. A stall without an end is told by another thread, which reads `shared`
 * (lookout.ts).
 */
import type { Millis } from '../../shared/units.js'

/** Where the loop may be, in the order of the numbers. */
const PHASES = ['other', 'peer', 'disk', 'store', 'timer', 'tracker', 'rpc'] as const
export type Phase = (typeof PHASES)[number]

/** A turn that takes longer is a stall. */
const STALL: Millis = 200

/** Numbers in `state`: when the turn under way began (0: none), its phase, the torrent at work (0: none). */
const BEGAN = 0
const PHASE = 1
const TORRENT = 2

/** Numbers in `turns`: their count, odd while one is under way; and whether somebody looks after it (0: nobody). */
const COUNT = 0
const LOOKED_AFTER = 1

/** Shared memory, for whoever is awake when a turn does not end. */
export class WatchShared {
  readonly state: Float64Array
  readonly turns: Int32Array

  /** Of this memory, which another thread has too, or of new memory. */
  constructor(readonly memory = new SharedArrayBuffer(3 * Float64Array.BYTES_PER_ELEMENT + 8)) {
    this.state = new Float64Array(memory, 0, 3)
    this.turns = new Int32Array(memory, 3 * Float64Array.BYTES_PER_ELEMENT, 2)
  }

  get turn(): number {
    return Atomics.load(this.turns, COUNT)
  }

  get torrent(): number {
    return this.state[TORRENT] ?? 0
  }

  get phase(): Phase {
    return PHASES[this.state[PHASE] ?? 0] ?? 'other'
  }

  /** A turn begins or ends. */
  turned(): void {
    Atomics.add(this.turns, COUNT, 1)
  }

  /** Whether somebody looks after it from now on; the answer is whether somebody did. */
  lookedAfter(wanted: boolean): boolean {
    return Atomics.exchange(this.turns, LOOKED_AFTER, wanted ? 1 : 0) === 1
  }

  get isLookedAfter(): boolean {
    return Atomics.load(this.turns, LOOKED_AFTER) === 1
  }
}

export interface Stall {
  /** Where most of the time went. */
  readonly phase: Phase
  /** Whose work took longest, 0 where that was nobody's. */
  readonly torrent: number
  readonly duration: Millis
}

export interface WatchView {
  readonly stalls: { readonly count: number; readonly longest: Millis; readonly phase: Phase | null }
  /** Faults of our own that were contained: each ended one connection, or blocked one torrent. */
  readonly faults: { readonly peers: number; readonly torrents: number }
}

export interface WatchInit {
  /** Called at each entry: where faults are put in to see that they are borne. */
  readonly faultPoint?: ((phase: Phase, torrent: number) => void) | null
}

export interface WatchPorts {
  /** Monotonic milliseconds. */
  readonly now: () => Millis
  /** Runs `fn` after the events that wait have had their turn: setImmediate. */
  readonly turn: (fn: () => void) => void
  readonly stalled: (stall: Stall) => void
}

export class Watch {
  readonly shared = new WatchShared()
  /** The same memory, at hand. */
  readonly state = this.shared.state
  readonly #faultPoint: ((phase: Phase, torrent: number) => void) | null
  readonly #ports: WatchPorts
  /** Milliseconds of this turn by phase. */
  readonly #spent = new Float64Array(PHASES.length)
  /** A turn is under way. */
  #turning = false
  /** When the work under way began. */
  #since: Millis = 0
  /** The longest piece of work of this turn, and whose it was. */
  #longest: Millis = 0
  #whose = 0
  #stalls: { count: number; longest: Millis; phase: Phase | null } = { count: 0, longest: 0, phase: null }
  #peers = 0
  #torrents = 0
  /** Wakes who looks after this loop; null before there is somebody. */
  #wake: (() => void) | null = null

  constructor(init: WatchInit, ports: WatchPorts) {
    this.#faultPoint = init.faultPoint ?? null
    this.#ports = ports
  }

  /** Work of this kind begins, for this torrent where it is for one. */
  enter(phase: Phase, torrent = 0): void {
    const now = this.#ports.now()
    if (this.#turning) this.#account(now)
    else this.#begin(now)
    this.#since = now
    this.state[PHASE] = PHASES.indexOf(phase)
    this.state[TORRENT] = torrent
    if (this.#faultPoint !== null) this.#faultPoint(phase, torrent)
  }

  /** Runs what it is given after the events that wait have had their turn, as work of this kind. */
  later(phase: Phase): (fn: () => void) => void {
    return (fn) => {
      this.#ports.turn(() => {
        this.enter(phase)
        fn()
      })
    }
  }

  /** From now on there is somebody to be woken when a turn begins after a long rest. */
  lookout(wake: () => void): void {
    this.#wake = wake
  }

  /** The torrent at work now, or 0. */
  get torrent(): number {
    return this.shared.torrent
  }

  get phase(): Phase {
    return this.shared.phase
  }

  /** A fault of our own was contained. */
  contained(in_: 'peer' | 'torrent'): void {
    if (in_ === 'peer') this.#peers++
    else this.#torrents++
  }

  read(): WatchView {
    return { stalls: { ...this.#stalls }, faults: { peers: this.#peers, torrents: this.#torrents } }
  }

  #begin(now: Millis): void {
    this.#turning = true
    this.#spent.fill(0)
    this.#longest = this.#whose = 0
    this.state[BEGAN] = now
    this.shared.turned()
    if (this.#wake !== null && !this.shared.isLookedAfter) {
      this.shared.lookedAfter(true)
      this.#wake()
    }
    this.#ports.turn(this.#end)
  }

  #account(now: Millis): void {
    const span = now - this.#since
    const phase = this.state[PHASE] ?? 0
    this.#spent[phase] = (this.#spent[phase] ?? 0) + span
    if (span <= this.#longest) return
    this.#longest = span
    this.#whose = this.torrent
  }

  readonly #end = (): void => {
    const now = this.#ports.now()
    const duration = now - (this.state[BEGAN] ?? now)
    this.#account(now)
    this.#turning = false
    this.state.fill(0)
    this.shared.turned()
    if (duration > STALL) this.#tell(duration)
  }

  #tell(duration: Millis): void {
    let worst = 0
    this.#spent.forEach((spent, phase) => {
      if (spent > (this.#spent[worst] ?? 0)) worst = phase
    })
    const phase = PHASES[worst] ?? 'other'
    const { count, longest } = this.#stalls
    this.#stalls = {
      count: count + 1,
      longest: Math.max(longest, duration),
      phase: duration > longest ? phase : this.#stalls.phase,
    }
    this.#ports.stalled({ phase, torrent: this.#whose, duration })
  }
}
