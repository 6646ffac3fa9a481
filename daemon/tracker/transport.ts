import type { AnnounceRequest, AnnounceResult } from '../codec/announce.js'
import type { Cancel } from '../ports/clock.js'

/** The place of an announce among those that wait. */
export interface AnnounceTurn {
  /** It has to wait for its turn, or does so no more. */
  waits(yes: boolean): void
}

/** How an announce reaches a tracker: over HTTP or UDP, whatever the URL says. */
export interface TrackerTransport {
  /**
   * Sends one announce and calls `done` once, later, within a bounded time after its turn came; never after the
   * attempt was cancelled. An attempt of a `stopped` event goes before others that wait.
   */
  announce(
    url: string,
    request: AnnounceRequest,
    done: (result: AnnounceResult) => void,
    turn?: AnnounceTurn,
  ): Cancel
}
