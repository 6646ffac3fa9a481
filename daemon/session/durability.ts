/** What the user asked for while the database could not be written: kept here, and recorded as soon as it can be. */
import type { Millis, TorrentId } from '../../shared/units.js'
import type { Desired } from '../../shared/views.js'
import type { Log } from '../base/log.js'
import type { Cancel, Clock } from '../ports/clock.js'
import { type Store, StoreFault } from '../ports/store.js'
import { faultSentence } from '../swarm/lifecycle.js'
import { unlessSilent } from './within.js'

const FIRST_RETRY: Millis = 5000
const MOST_RETRY: Millis = 20_000

export interface DurabilityPorts {
  readonly clock: Clock
  readonly store: Pick<Store, 'setDesired'>
  readonly log: Log
}

export class Durability {
  readonly #ports: DurabilityPorts
  /** Intents that are in force and not recorded. */
  readonly #owed = new Map<TorrentId, Desired>()
  /** The next try; null while nothing is wrong. */
  #timer: Cancel | null = null
  /** Until the try after the next. */
  #delay: Millis = FIRST_RETRY
  #ended = false
  /** The last trouble that was logged; null: there was none since all was well. */
  #told: string | null = null
  /** Tries what else may be in trouble; answers whether all is well. */
  probe: () => Promise<boolean> = () => Promise.resolve(true)
  /** The database does not answer: nobody waits for it. */
  silent: () => boolean = () => false

  constructor(ports: DurabilityPorts) {
    this.#ports = ports
  }

  /** Null when the intent is recorded; else why it holds only in memory for now. */
  async intend(ids: readonly TorrentId[], desired: Desired): Promise<string | null> {
    const reason = await this.#record(ids, desired)
    if (reason === null) for (const id of ids) this.#owed.delete(id)
    else if (desired === 'running' || desired === 'forced' || desired === 'paused') {
      for (const id of ids) this.#owed.set(id, desired)
      this.begin()
    }
    return reason
  }

  /** Something could not be recorded: tried again until it can, ever less often. `why` is logged where it is news. */
  begin(why: string | null = null): void {
    if (why !== null && why !== this.#told) this.#ports.log.warn({}, why)
    this.#told = why ?? this.#told
    if (this.#timer !== null || this.#ended) return
    this.#timer = this.#ports.clock.after(this.#delay, () => {
      this.#timer = null
      this.#delay = Math.min(MOST_RETRY, this.#delay * 2)
      void this.#retry()
    })
  }

  /** A last try; nothing is tried after it. */
  async end(): Promise<void> {
    this.#ended = true
    this.#timer?.()
    await this.#pay()
  }

  async #retry(): Promise<void> {
    const paid = await this.#pay()
    const well = await this.probe().catch(() => false)
    if (!paid || !well) {
      this.begin()
      return
    }
    this.#delay = FIRST_RETRY
    this.#told = null
    this.#ports.log.info({}, 'the database can be written again')
  }

  async #pay(): Promise<boolean> {
    for (const desired of new Set(this.#owed.values())) {
      const ids = [...this.#owed].filter(([, wish]) => wish === desired).map(([id]) => id)
      if ((await this.intend(ids, desired)) !== null) return false
    }
    return true
  }

  async #record(ids: readonly TorrentId[], desired: Desired): Promise<string | null> {
    if (ids.length === 0) return null
    try {
      const { clock, store } = this.#ports
      // One that does not answer may record it all the same, in its turn: later tries come behind it.
      const recorded = await unlessSilent(clock, this.silent, store.setDesired(ids, desired))
      return recorded === null ? faultSentence({ kind: 'store', code: 'SILENT' }) : null
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      return faultSentence({ kind: 'store', code: error.code })
    }
  }
}
