/**
 * Whether macOS keeps us from the local network. From version 15 on it asks the person, and an agent has nobody to be
 * asked: until then every connection there fails with EHOSTUNREACH at once, while the internet is reached.
 */
import { classOf } from '../base/address.js'

/** One host that is switched off says the same. */
const CERTAIN = 3

export class LocalDenial {
  readonly #guarded: boolean
  /** Hosts of the local network that were refused since one was reached. */
  readonly #refused = new Set<string>()

  constructor(init: { readonly platform: string }) {
    this.#guarded = init.platform === 'darwin'
  }

  get denied(): boolean {
    return this.#refused.size >= CERTAIN
  }

  /** An attempt to connect has ended; `reason` '' where it succeeded. */
  ended(host: string, reason: string): void {
    if (!this.#guarded || classOf(host) !== 'private') return
    if (reason === 'EHOSTUNREACH') {
      if (!this.denied) this.#refused.add(host)
    } else if (reason === '' || reason === 'ECONNREFUSED' || reason === 'ECONNRESET') this.#refused.clear()
  }
}
