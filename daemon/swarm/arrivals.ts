/** Connections that are there before the data are ready for them: of peers that woke it, and of its magnet link. */
import type { ConnectionBudget } from './connection-budget.js'
import type { Greeting, Link } from './link.js'
import type { Live } from './live.js'
import type { Handover } from './metadata-peer.js'

/** Links that wait while the torrent wakes. */
const MAX_WAITING = 32

export interface ArrivalsPorts {
  readonly budget: ConnectionBudget
  /** The first one waits: the data are to be loaded. */
  wake(): void
}

export class Arrivals {
  readonly #ports: ArrivalsPorts
  /** Inbound links that wait for the data to be loaded. */
  #waiting: { readonly link: Link; readonly greeting: Greeting }[] = []
  /** Connections over which the metadata came, with what their peers said meanwhile. */
  #handed: Handover[] = []

  constructor(ports: ArrivalsPorts) {
    this.#ports = ports
  }

  /** Somebody waits for the torrent to wake. */
  get any(): boolean {
    return this.#waiting.length > 0
  }

  wait(link: Link, greeting: Greeting): void {
    if (this.#waiting.length >= MAX_WAITING) return link.close('too-many-waiting')
    this.#waiting.push({ link, greeting })
    if (this.#waiting.length === 1) this.#ports.wake()
  }

  hand(given: Handover): void {
    this.#handed.push(given)
  }

  /** It has no part in the torrent that goes on. */
  refuse(given: Handover): void {
    this.#ports.budget.give()
    given.link.transport.close('stopped')
  }

  /** The torrent runs; null: without its data. */
  admit(live: Live | null): void {
    for (const { link, greeting } of this.#waiting.splice(0)) {
      if (live === null) link.close('not-running')
      else live.connections.attach(link, greeting, 'incoming')
    }
    for (const given of this.#handed.splice(0)) {
      if (live === null) this.refuse(given)
      else live.connections.adopt(given)
    }
  }

  close(): void {
    for (const { link } of this.#waiting.splice(0)) link.close('stopped')
    for (const given of this.#handed.splice(0)) this.refuse(given)
  }
}
