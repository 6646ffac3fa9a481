/** A tracker transport whose answers a test gives by hand. */
import type {
  AnnounceAnswer,
  AnnounceRequest,
  AnnounceResult,
  ScrapeResult,
} from '../../daemon/codec/announce.js'
import { fault } from '../../daemon/codec/announce.js'
import type { Cancel } from '../../daemon/ports/clock.js'
import type { SwarmKey } from '../../shared/units.js'
import type { ScrapeTransport, TrackerTransport } from '../../daemon/tracker/transport.js'

export interface Attempt {
  readonly url: string
  readonly request: AnnounceRequest
  cancelled: boolean
  answered: boolean
  readonly finish: (result: AnnounceResult) => void
}

export const ANSWER: AnnounceAnswer = {
  interval: 1_800_000,
  minInterval: null,
  seeds: 1,
  leechers: 2,
  downloads: null,
  peers: [],
  warning: null,
  trackerId: null,
}

export class FakeTrackerTransport implements TrackerTransport, ScrapeTransport {
  /** Every scrape so far, oldest first. */
  readonly scrapes: {
    readonly url: string
    readonly keys: readonly SwarmKey[]
    readonly finish: (result: ScrapeResult) => void
  }[] = []
  /** What `mostScraped` answers. */
  most = 74

  mostScraped(): number {
    return this.most
  }

  scrape(url: string, keys: readonly SwarmKey[], done: (result: ScrapeResult) => void): Cancel {
    this.scrapes.push({ url, keys, finish: done })
    return () => undefined
  }

  /** Every attempt so far, oldest first. */
  readonly attempts: Attempt[] = []

  announce(url: string, request: AnnounceRequest, done: (result: AnnounceResult) => void): Cancel {
    const attempt: Attempt = {
      url,
      request,
      cancelled: false,
      answered: false,
      finish: (result) => {
        if (attempt.cancelled || attempt.answered) throw new Error(`${url} is not waiting for an answer`)
        attempt.answered = true
        done(result)
      },
    }
    this.attempts.push(attempt)
    return () => {
      attempt.cancelled = true
    }
  }

  /** Attempts that wait for an answer. */
  get open(): Attempt[] {
    return this.attempts.filter((attempt) => !attempt.cancelled && !attempt.answered)
  }

  /** 'url event' of all attempts since the last call. */
  take(): string[] {
    const seen = this.attempts
      .slice(this.taken)
      .map(({ url, request }) => `${url} ${request.event ?? 'regular'}`)
    this.taken = this.attempts.length
    return seen
  }

  /** Answers the only open attempt. */
  answer(answer: Partial<AnnounceAnswer> = {}): void {
    this.only().finish({ ok: true, answer: { ...ANSWER, ...answer } })
  }

  fail(
    kind: 'refused' | 'bad-answer' | 'unreachable' | 'offline' = 'unreachable',
    retryIn: number | 'never' | null = null,
  ): void {
    this.only().finish(fault(kind, `It is ${kind}.`, retryIn))
  }

  private only(): Attempt {
    const [attempt, other] = this.open
    if (attempt === undefined || other !== undefined)
      throw new Error(`${String(this.open.length)} attempts are open`)
    return attempt
  }

  private taken = 0
}
