/**
 * The first word that the network is back. While it is away every torrent waits on its own, half an hour at last; as
 * soon as any tracker answers anybody, those that failed for want of a network are asked again within seconds. So that
 * somebody hears of it soon, one of those whose question did not leave this machine is tried every few minutes.
 */
import type { Millis } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import type { NetworkNews, Retry } from './transport.js'

/** After an answer so long ago the network may have been away; in less, nobody waits long. */
const QUIET: Millis = 30_000
/** Those that are asked again begin within this; beyond 50 a second they wait for their turn. */
const SPREAD: Millis = 10_000
const FIRST_PROBE: Millis = 60_000
const LONGEST_PROBE: Millis = 300_000

export interface RallyPorts {
  readonly clock: Clock
  readonly random: Random
  /** The network is back: what was known of it is forgotten. */
  readonly back: () => void
}

export class Rally implements NetworkNews {
  private readonly ports: RallyPorts
  /** Who reaches nobody, the longest first; true: the question did not leave this machine. */
  private readonly silent = new Map<Retry, boolean>()
  /** Moment on `clock.now` of the last answer to anybody; -Infinity before the first. */
  private heardAt: Millis = -Infinity
  /** Ends the wait for the next try of one; null where nobody is to be tried. */
  private probe: Cancel | null = null
  private wait: Millis = FIRST_PROBE

  constructor(ports: RallyPorts) {
    this.ports = ports
  }

  lost(retry: Retry, offline: boolean): void {
    this.silent.set(retry, offline)
    if (offline) this.arm()
  }

  heard(retry: Retry | null): void {
    if (retry !== null) this.silent.delete(retry)
    const now = this.ports.clock.now()
    const gap = now - this.heardAt
    this.heardAt = now
    this.wait = FIRST_PROBE
    if (gap < QUIET || this.silent.size === 0) return
    this.disarm()
    this.ports.back()
    const all = [...this.silent.keys()]
    this.silent.clear()
    for (const each of all) each(this.ports.random.int(SPREAD), true)
  }

  gone(retry: Retry): void {
    this.silent.delete(retry)
    if (this.silent.size === 0) this.disarm()
  }

  private arm(): void {
    this.probe ??= this.ports.clock.after(this.wait, () => {
      this.probe = null
      this.wait = Math.min(this.wait * 2, LONGEST_PROBE)
      this.tryOne()
    })
  }

  private disarm(): void {
    this.probe?.()
    this.probe = null
  }

  /** One at a time, each in its turn; where others are answered it is not the network. */
  private tryOne(): void {
    const [one] = [...this.silent].find(([, offline]) => offline) ?? []
    if (one === undefined) return
    this.silent.delete(one)
    this.silent.set(one, true)
    this.arm()
    if (this.ports.clock.now() - this.heardAt >= QUIET) one(0, false)
  }
}
