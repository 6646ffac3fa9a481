import type { AnnounceRequest, AnnounceResult } from '../codec/announce.js'
import type { Cancel } from '../ports/clock.js'

/**
 * It has to wait for its turn: `before` counts those that go before it, whenever it is asked. Null: it waits no more.
 * A function and no object, so that a bulkhead guards it.
 */
export type Waits = (before: (() => number) | null) => void

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
