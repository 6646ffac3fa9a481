/**
 * How many blocks to have asked of one peer at once, and how long to wait for one: enough to fill the path, found
 * fast, without holding blocks hostage at a slow peer.
 */
import { BLOCK_SIZE, type Bytes, type Millis, type Rate } from '../../shared/units.js'

/** Requests at once before anything is known. */
const START = 16
const LEAST = 2
const MOST = 2048
/** What a peer takes that does not say (BEP 10 `reqq`; what libtorrent assumes). */
const DEFAULT_REQQ = 250
/** The queue lasts so long at the measured rate, or four times the way there and back where that is longer. */
const QUEUE: Millis = 500
const QUEUE_TRIPS = 4
const LONGEST_QUEUE: Millis = 3000
/** More than this only where so many are on the path at once: half a second of a very fast short one is memory wasted. */
const SHORT_PATH = 512
/** The start is over when the rate grew less than this in so many windows running. */
const GROWTH = 1.1
const FLAT_WINDOWS = 2
const SHORTEST_WINDOW: Millis = 50
const STEADY_WINDOW: Millis = 500
const LONGEST_WINDOW: Millis = 1000

const LEAST_TIMEOUT: Millis = 5000
const MOST_TIMEOUT: Millis = 60_000
/** Before the first block has come. */
const FIRST_TIMEOUT: Millis = 20_000

export class PipelineDepth {
  /** The most the peer takes. */
  #limit = DEFAULT_REQQ
  /** Requests at once by measurement; within LEAST and MOST, not cut to `#limit`. */
  #depth = START
  /** One more for each block that comes, while the rate grows. */
  #starting = true
  /** Asked and heard nothing for long: one request at a time, until a block comes. */
  #snubbed = false
  /** Payload since `#windowStart`, the first block of all left out. */
  #windowBytes: Bytes = 0
  /** When the window under way began; null before the first block. */
  #windowStart: Millis | null = null
  /** Rate of the best window of this start. */
  #bestRate: Rate = 0
  /** Windows running that brought no growth. */
  #flat = 0
  /** Smoothed rate over windows; 0 before the first, and while snubbed or choked. */
  #rate: Rate = 0
  /** Shortest time from a request to its block: the way there and back with the least waiting in queues. */
  #leastTrip: Millis = Infinity
  /** Smoothed time from a request to its block, and its smoothed deviation (RFC 6298); null before the first. */
  #mean: Millis | null = null
  #deviation: Millis = 0

  /** How many requests may be out now; at least 1. */
  get depth(): number {
    return this.#snubbed ? 1 : Math.min(this.#depth, this.#limit)
  }
  get snubbed(): boolean {
    return this.#snubbed
  }
  /** Payload as measured while the peer sent; 0 where nothing is known. It does not fall while nothing comes. */
  get rate(): Rate {
    return this.#snubbed ? 0 : this.#rate
  }
  /** A request older than this is given to another peer. */
  get blockTimeout(): Millis {
    if (this.#mean === null) return FIRST_TIMEOUT
    return Math.min(MOST_TIMEOUT, Math.max(LEAST_TIMEOUT, 4 * this.#mean + 4 * this.#deviation))
  }

  /** What a block takes from its request to its end, on average; 0 before the first. */
  get meanTrip(): Millis {
    return this.#mean ?? 0
  }

  /** The peer told how long a queue it takes (BEP 10 `reqq`). */
  setReqq(reqq: number): void {
    this.#limit = Math.max(1, Math.min(MOST, Math.floor(reqq) || DEFAULT_REQQ))
  }

  /** A block that was asked for came, `rtt` after its request. */
  onBlock(now: Millis, rtt: Millis, bytes: Bytes = BLOCK_SIZE): void {
    if (this.#snubbed) {
      this.#restart(LEAST)
      this.#snubbed = false
    }
    this.#time(Math.max(0, rtt))
    if (this.#starting && this.#depth < this.#most()) this.#depth++
    if (this.#windowStart === null) {
      this.#windowStart = now
      return
    }
    this.#windowBytes += bytes
    const elapsed = now - this.#windowStart
    const least = this.#starting ? SHORTEST_WINDOW : STEADY_WINDOW
    if (elapsed < Math.min(LONGEST_WINDOW, Math.max(least, this.#mean ?? 0))) return
    this.#measured((this.#windowBytes * 1000) / elapsed)
    this.#windowStart = now
    this.#windowBytes = 0
  }

  /** The peer choked us: what was learned of its rate may not hold at the next unchoke. */
  onChoke(): void {
    this.#restart(START)
    this.#snubbed = false
  }

  /** The peer let requests time out. */
  snub(): void {
    this.#snubbed = true
  }

  #restart(depth: number): void {
    this.#depth = depth
    this.#starting = true
    this.#windowStart = null
    this.#windowBytes = 0
    this.#bestRate = 0
    this.#flat = 0
    this.#rate = 0
  }

  #time(rtt: Millis): void {
    this.#leastTrip = Math.min(this.#leastTrip, rtt)
    if (this.#mean === null) {
      this.#mean = rtt
      this.#deviation = rtt / 2
      return
    }
    this.#deviation += (Math.abs(rtt - this.#mean) - this.#deviation) / 4
    this.#mean += (rtt - this.#mean) / 8
  }

  #measured(rate: Rate): void {
    this.#rate = this.#rate === 0 ? rate : (this.#rate + rate) / 2
    if (this.#starting) {
      this.#flat = rate < this.#bestRate * GROWTH ? this.#flat + 1 : 0
      this.#bestRate = Math.max(this.#bestRate, rate)
      if (this.#flat < FLAT_WINDOWS) return
      this.#starting = false
    }
    // The mean of the trips would not do here: it grows with the queue, and the queue with it.
    const queue = Math.min(LONGEST_QUEUE, Math.max(QUEUE, QUEUE_TRIPS * this.#leastTrip))
    const wanted = Math.ceil((this.#rate * queue) / 1000 / BLOCK_SIZE)
    this.#depth = Math.min(this.#most(), Math.max(LEAST, wanted))
  }

  /** What is on the path at the best rate, with room to find a better one. */
  #most(): number {
    const rate = Math.max(this.#bestRate, this.#rate)
    const path = Math.ceil((rate * QUEUE_TRIPS * this.#leastTrip) / 1000 / BLOCK_SIZE)
    return Math.min(MOST, Math.max(SHORT_PATH, path))
  }
}
