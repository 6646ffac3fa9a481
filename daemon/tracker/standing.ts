/** How we stand with one tracker for one swarm key: what it knows of us, and when it may be asked again. */
import { formatDuration } from '../../shared/text.js'
import type { Millis } from '../../shared/units.js'
import type { AnnounceAnswer, AnnounceFault, ScrapeCounts } from '../codec/announce.js'
import type { Random } from '../ports/random.js'

/** Where the tracker names no interval. */
const DEFAULT_INTERVAL = 1_800_000
const SHORTEST_INTERVAL = 60_000
const LONGEST_INTERVAL = 86_400_000
/** First wait after a tracker that was not reached, doubled with each failure that follows. */
const FIRST_BACKOFF = 15_000
/** First wait after a tracker that refused: it did answer, and will hardly change its mind at once. */
const FIRST_REFUSAL = 60_000
/** Between two scrapes, where a person asks again and again. */
export const SCRAPE_REST = 10_000
/** Setbacks that are left: the next wait is eight minutes. */
const FORGIVEN = 5
const LONGEST_BACKOFF = 1_800_000

export class Standing {
  /** The tracker answered our `started`, and has not answered a `stopped` since. */
  started = false
  /** It knows us as incomplete and is to be told `completed`. */
  owesCompleted = false
  /** Failures since the last answer. */
  failures = 0
  /** Of these, those that count for the wait: what the network did wrong is forgiven when it is back. */
  setbacks = 0
  /** The last failure was that nothing came, or nothing could be sent. */
  cutOff = false
  /** And it was that nothing could be sent. */
  offline = false
  /** Moment on `clock.now` before which it is not asked; Infinity where it said never (BEP 31). */
  notBefore: Millis = 0
  /** Moment on `clock.now` of the last answer, or null. */
  answeredAt: Millis | null = null
  /** Moment on `clock.now` of the last failure, or null. */
  failedAt: Millis | null = null
  /** Moment on `clock.now` of the last announce that was sent, or null. */
  askedAt: Millis | null = null
  /** Milliseconds between regular announces, clamped to a minute and a day. */
  interval: Millis = DEFAULT_INTERVAL
  /** The tracker's `min interval`, at most `interval`; 0 where it names none. */
  minInterval: Millis = 0
  /** What it gave us to send back. */
  trackerId: Uint8Array | null = null
  /** An announce is on its way. */
  busy = false
  /** That announce waits for its turn: counts those that go before it. Null where it does not wait. */
  before: (() => number) | null = null
  /** The last error or warning in one line, or null. */
  message: string | null = null
  seeds: number | null = null
  leechers: number | null = null
  /** Moment on `clock.now` of the last counts that were asked for without an announce, or null. */
  scrapedAt: Millis | null = null
  /** Moment on `clock.now` before which they are not asked for again. */
  noScrapeBefore: Millis = 0
  /** How often the content was downloaded whole, as the tracker counts. */
  downloads: number | null = null
  /** Peers in the last answer, or null. */
  peers: number | null = null

  /** A new session: the tracker is to be told `started` again. */
  reset(): void {
    this.started = false
    this.owesCompleted = false
    this.busy = false
    this.before = null
    if (this.notBefore !== Infinity) this.notBefore = 0
  }

  answered(answer: AnnounceAnswer, now: Millis): void {
    const least = Math.min(answer.minInterval ?? 0, LONGEST_INTERVAL)
    const told = answer.interval ?? DEFAULT_INTERVAL
    this.failures = 0
    this.setbacks = 0
    this.cutOff = false
    this.notBefore = 0
    this.answeredAt = now
    this.interval = Math.min(Math.max(told, least, SHORTEST_INTERVAL), LONGEST_INTERVAL)
    const odd = told < SHORTEST_INTERVAL || told > LONGEST_INTERVAL
    this.minInterval = least
    this.trackerId = answer.trackerId ?? this.trackerId
    this.message = answer.warning ?? (odd ? oddInterval(told, this.interval) : null)
    this.seeds = answer.seeds ?? this.seeds
    this.leechers = answer.leechers ?? this.leechers
    this.downloads = answer.downloads ?? this.downloads
    this.peers = answer.peers.length
  }

  /** `again`: the tracker wants to be asked for counts no sooner than after this. */
  scraped(counts: ScrapeCounts, again: Millis | null, now: Millis): void {
    this.scrapedAt = now
    this.seeds = counts.seeds ?? this.seeds
    this.leechers = counts.leechers ?? this.leechers
    this.downloads = counts.downloads ?? this.downloads
    this.noScrapeBefore = now + Math.min(Math.max(again ?? 0, SCRAPE_REST), LONGEST_INTERVAL)
  }

  /** One that was cut off may be asked at `at`; back: the network is, so it waits less long if it fails again. */
  forgive(at: Millis, back: boolean): void {
    if (!this.cutOff || this.notBefore === Infinity) return
    this.notBefore = Math.min(this.notBefore, at)
    if (back) this.setbacks = Math.min(this.setbacks, FORGIVEN)
  }

  failed(fault: AnnounceFault, now: Millis, random: Random): void {
    this.failures += 1
    this.setbacks += 1
    this.offline = fault.kind === 'offline'
    this.cutOff = this.offline || fault.kind === 'unreachable'
    this.failedAt = now
    this.message = fault.message
    if (fault.retryIn === 'never') {
      this.notBefore = Infinity
      return
    }
    const first = this.cutOff ? FIRST_BACKOFF : FIRST_REFUSAL
    const doubled = Math.min(first * 2 ** Math.min(this.setbacks - 1, 12), LONGEST_BACKOFF)
    // A fifth to either side: torrents that failed together do not come back together.
    const wait = Math.round(doubled * (0.8 + 0.4 * random.float()))
    this.notBefore = now + Math.max(wait, Math.min(fault.retryIn ?? 0, LONGEST_INTERVAL))
  }
}

function oddInterval(told: Millis, kept: Millis): string {
  return `its interval of ${formatDuration(told / 1000)} is not kept to, it is asked every ${formatDuration(kept / 1000)}`
}
