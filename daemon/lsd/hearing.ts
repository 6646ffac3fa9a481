/** How many datagrams of the local network are read: so many of one sender, and so many in all; the rest is dropped unread. */
import type { Millis } from '../../shared/units.js'

const WINDOW: Millis = 10_000
/** A client that starts with hundreds of torrents may send one datagram for each. */
const MOST_OF_ONE = 300
const MOST_OF_ALL = 1000

export class Hearing {
  readonly #now: () => Millis
  /** When the window under way began. */
  #since: Millis = -Infinity
  /** Datagrams read in it. */
  #all = 0
  /** Of these, by sender; at most MOST_OF_ALL, as each has sent one. */
  readonly #senders = new Map<string, number>()

  constructor(ports: { readonly now: () => Millis }) {
    this.#now = ports.now
  }

  mayRead(host: string): boolean {
    const now = this.#now()
    if (now - this.#since >= WINDOW) {
      this.#since = now
      this.#all = 0
      this.#senders.clear()
    }
    const own = this.#senders.get(host) ?? 0
    if (this.#all >= MOST_OF_ALL || own >= MOST_OF_ONE) return false
    this.#all++
    this.#senders.set(host, own + 1)
    return true
  }
}
