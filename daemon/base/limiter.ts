/**
 * How fast payload may move in one direction: a token bucket that all torrents share, or one torrent's own below that.
 * Sans I/O; a timer runs only while somebody waits.
 */
import { BLOCK_SIZE, type Bytes, type Millis, type Rate } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'

/** Unused allowance is kept for so long: what may come at once after a rest. */
const BURST: Millis = 100
/** A timer that comes late loses nothing up to this. */
const LATEST: Millis = 250
/** Whoever waits is served no more often than this: at high rates one wake-up serves many blocks. */
const TICK: Millis = 10

export interface LimiterInit {
  /** Null: unlimited. */
  readonly rate: Rate | null
}

export interface LimiterPorts {
  readonly clock: Clock
  /** What passes here has to pass there too. */
  readonly above?: Limiter
}

export class Limiter {
  readonly #clock: Clock
  readonly #above: Limiter | null
  /** Above 0, or null where nothing is limited here. */
  #rate: Rate | null
  /** What may move now; below 0 by less than one unit where the last one was not fully covered. */
  #tokens: Bytes
  /** When `#tokens` was last brought up to date. */
  #at: Millis
  /** Who got less than they wanted, the longest waiting first; each is called once and leaves. */
  readonly #waiting = new Set<() => void>()
  /** The most that the one being served gets; null while nobody is being served. */
  #share: Bytes | null = null
  /** Set exactly while somebody waits and nobody is being served. */
  #timer: Cancel | null = null

  constructor(init: LimiterInit, ports: LimiterPorts) {
    this.#clock = ports.clock
    this.#above = ports.above ?? null
    this.#rate = init.rate
    this.#at = ports.clock.now()
    this.#tokens = burst(init.rate)
  }

  /** Bytes a second, the least of its own and those above; null where nothing is limited. */
  get rate(): Rate | null {
    const above = this.#above?.rate ?? null
    return this.#rate === null || above === null ? (this.#rate ?? above) : Math.min(this.#rate, above)
  }

  /** Works at once, for those who wait too. Throws RangeError unless `rate` is above 0 or null. */
  setRate(rate: Rate | null): void {
    if (rate !== null && !(rate > 0)) throw new RangeError('a rate is above 0, or null for none')
    if (rate === this.#rate) return
    this.#refill()
    this.#rate = rate
    this.#tokens = Math.min(this.#tokens, burst(rate))
    this.#at = this.#clock.now()
    this.#arm()
  }

  /**
   * How many of `wanted` bytes may move now; they count as moved, see `give`. Whole multiples of `unit`, or all that
   * is wanted. Fewer than wanted: `again` is called once when some may move, in the order of those who wait. One that
   * waits already (the same function) keeps its place.
   */
  take(wanted: Bytes, again: () => void, unit: Bytes = BLOCK_SIZE): Bytes {
    const own = this.#take(wanted, again, unit)
    if (this.#above === null || own === 0) return own
    const granted = this.#above.take(own, again, unit)
    this.#give(own - granted)
    return granted
  }

  #take(wanted: Bytes, again: () => void, unit: Bytes): Bytes {
    if (this.#rate === null || wanted <= 0) return Math.max(0, wanted)
    const granted = this.#grant(wanted, Math.min(unit, wanted))
    if (granted < wanted) {
      this.#waiting.add(again)
      if (this.#share === null && this.#timer === null) this.#arm()
    }
    return granted
  }

  /**
   * Back what was taken and did not move. Only what was taken while there was a limit: of what went past there is
   * nothing to give. It never makes for more at once than a rest does.
   */
  give(bytes: Bytes): void {
    this.#give(bytes)
    this.#above?.give(bytes)
  }

  #give(bytes: Bytes): void {
    if (this.#rate === null || bytes <= 0) return
    const owed = this.#tokens <= 0
    this.#refill()
    this.#tokens = Math.max(this.#tokens, Math.min(this.#most(this.#rate), this.#tokens + bytes))
    if (owed && this.#tokens > 0 && this.#share === null) this.#arm()
  }

  #grant(wanted: Bytes, unit: Bytes): Bytes {
    // Nobody overtakes those who wait, but whose turn it is above: it would lose that one.
    if (!this.#serves && this.#waiting.size > 0) return 0
    this.#refill()
    if (this.#tokens <= 0) return 0
    // The first unit may be owed in part: a bucket that never holds a whole one would let none through.
    const most = Math.min(this.#tokens, this.#share ?? Infinity)
    const granted = Math.min(wanted, Math.max(unit, Math.floor(most / unit) * unit))
    this.#tokens -= granted
    return granted
  }

  /** Somebody has a turn, here or above. */
  get #serves(): boolean {
    const above = this.#above
    return this.#share !== null || (above !== null && above.#serves)
  }

  #refill(): void {
    const now = this.#clock.now()
    const elapsed = now - this.#at
    if (elapsed <= 0 || this.#rate === null) return
    this.#at = now
    const most = this.#most(this.#rate)
    // Where nobody waits any more it may stand above the bound; time adds nothing there.
    if (this.#tokens < most) this.#tokens = Math.min(most, this.#tokens + (this.#rate * elapsed) / 1000)
  }

  /** What may be saved up. */
  #most(rate: Rate): Bytes {
    const kept = this.#waiting.size > 0 || this.#share !== null ? LATEST : BURST
    return (rate * kept) / 1000
  }

  /** Sets the timer to when the first of those who wait may move something. */
  #arm(): void {
    this.#timer?.()
    this.#timer = null
    if (this.#waiting.size === 0) return
    const rate = this.#rate
    const covered = rate === null ? 0 : Math.ceil((Math.max(0, 1 - this.#tokens) * 1000) / rate)
    this.#timer = this.#clock.after(rate === null ? 0 : Math.max(TICK, covered), () => {
      this.#timer = null
      this.#serve()
    })
  }

  /** Everybody gets an equal part, then whoever wants more gets what is left; nobody is asked a third time. */
  #serve(): void {
    this.#refill()
    const rounds = this.#rate === null ? 1 : 2
    for (let round = 0; round < rounds; round++) {
      let left = this.#waiting.size
      const part = round === 0 ? Math.max(0, this.#tokens) / Math.max(1, left) : Infinity
      for (const again of this.#waiting) {
        if (left-- === 0 || (this.#rate !== null && this.#tokens <= 0)) break
        this.#waiting.delete(again)
        this.#share = part
        try {
          again()
        } finally {
          this.#share = null
        }
      }
    }
    this.#arm()
  }
}

function burst(rate: Rate | null): Bytes {
  return rate === null ? 0 : (rate * BURST) / 1000
}
