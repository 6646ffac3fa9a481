import type { Millis, SwarmKey } from '../../shared/units.js'
import type { AnnounceRequest, AnnounceResult, ScrapeResult } from '../codec/announce.js'
import type { Cancel } from '../ports/clock.js'

/**
 * It has to wait for its turn: `before` counts those that go before it, whenever it is asked. Null: it waits no more.
 * A function and no object, so that a bulkhead guards it.
 */
export type Waits = (before: (() => number) | null) => void

/** How a scrape reaches a tracker, whatever the URL says. */
export interface ScrapeTransport {
  /** How many swarms one request may ask for; 0: such a tracker cannot be scraped. `url` is that of its announces. */
  mostScraped(url: string): number
  /** Asks for no more keys than that, and calls `done` once, later, within a bounded time; never after the Cancel. */
  scrape(url: string, keys: readonly SwarmKey[], done: (result: ScrapeResult) => void): Cancel
}

/** Where the counts of one swarm are asked for: with those of other torrents, in one request. */
export interface CountSource {
  /** Calls `done` once, later. Urgent: a person asked, so it waits for no others. */
  counts(url: string, key: SwarmKey, urgent: boolean, done: (result: ScrapeResult) => void): void
}

/** Asks again after a delay; back: since the network is, and not to see whether it is. */
export type Retry = (delay: Millis, back: boolean) => void

/** Whether the network is there, as all torrents together see it. */
export interface NetworkNews {
  /** Nobody could be reached; offline: the question did not even leave this machine. */
  lost(retry: Retry, offline: boolean): void
  /** A tracker answered; null: to one that was never lost. */
  heard(retry: Retry | null): void
  /** It asks no more. */
  gone(retry: Retry): void
}

/** How an announce reaches a tracker: over HTTP or UDP, whatever the URL says. */
export interface TrackerTransport {
  /**
   * Sends one announce and calls `done` once, later, within a bounded time after its turn came; never after the
   * attempt was cancelled. Of those that wait an attempt of a `stopped` event goes first, then what is urgent: a person
   * asked for it.
   */
  announce(
    url: string,
    request: AnnounceRequest,
    done: (result: AnnounceResult) => void,
    waits?: Waits,
    urgent?: boolean,
  ): Cancel
}
