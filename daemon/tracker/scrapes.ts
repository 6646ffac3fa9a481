/**
 * The counts of swarms, asked of trackers for many torrents at once (BEP 15, 48). What is wanted of one tracker is
 * gathered for some seconds and sent in as few requests as it takes, each in its turn among the announces; nothing is
 * left out, however many there are.
 */
import type { Millis, SwarmKey } from '../../shared/units.js'
import { fault, type ScrapeResult } from '../codec/announce.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Pace } from './pace.js'
import type { CountSource, ScrapeTransport } from './transport.js'

/** Others may come so long, where nobody waits for the answer. */
const GATHER: Millis = 5_000

type Done = (result: ScrapeResult) => void

/** What is wanted of one tracker. */
interface Site {
  /** Who wants to know, by swarm, the first to ask first. */
  readonly wanted: Map<SwarmKey, Done[]>
  /** A person waits for one of them. */
  urgent: boolean
  /** Ends the wait for others, or the request that is on its way. */
  stop: Cancel | null
  /** A request is on its way: what comes meanwhile waits for its end. */
  asking: boolean
}

export interface ScrapesPorts {
  readonly clock: Clock
  readonly pace: Pick<Pace, 'turn'>
  readonly transport: ScrapeTransport
}

export class Scrapes implements CountSource {
  private readonly ports: ScrapesPorts
  /** By the URL of the announces; a tracker of which nothing is wanted is not there. */
  private readonly sites = new Map<string, Site>()

  constructor(ports: ScrapesPorts) {
    this.ports = ports
  }

  counts(url: string, key: SwarmKey, urgent: boolean, done: Done): void {
    const site: Site = this.sites.get(url) ?? {
      wanted: new Map<SwarmKey, Done[]>(),
      urgent: false,
      stop: null,
      asking: false,
    }
    this.sites.set(url, site)
    site.wanted.set(key, [...(site.wanted.get(key) ?? []), done])
    const hurried = urgent && !site.urgent
    site.urgent ||= urgent
    if (!site.asking && (site.stop === null || hurried)) this.arm(url, site)
  }

  private arm(url: string, site: Site): void {
    site.stop?.()
    site.stop = this.ports.clock.after(site.urgent ? 0 : GATHER, () => {
      this.ask(url, site)
    })
  }

  private ask(url: string, site: Site): void {
    const { pace, transport } = this.ports
    const most = transport.mostScraped(url)
    const asked = [...site.wanted].slice(0, most === 0 ? Infinity : most)
    for (const [key] of asked) site.wanted.delete(key)
    const { urgent } = site
    site.urgent = false
    if (most === 0) {
      this.finish(
        url,
        site,
        asked,
        fault('refused', 'This tracker cannot be asked for its counts alone.', 'never'),
      )
      return
    }
    site.asking = true
    const keys = asked.map(([key]) => key)
    site.stop = pace.turn(null, urgent, () =>
      transport.scrape(url, keys, (result) => {
        this.finish(url, site, asked, result)
      }),
    )
  }

  /** What is wanted beyond one request, or since, goes on at once. */
  private finish(url: string, site: Site, asked: readonly [SwarmKey, Done[]][], result: ScrapeResult): void {
    site.asking = false
    site.stop = null
    const ended = [...asked]
    if (!result.ok && (result.fault.kind === 'unreachable' || result.fault.kind === 'offline')) {
      // It does not answer the others either: they are told now, and not one request after the other.
      ended.push(...site.wanted)
      site.wanted.clear()
    }
    if (site.wanted.size === 0) this.sites.delete(url)
    else {
      site.stop = this.ports.clock.after(0, () => {
        this.ask(url, site)
      })
    }
    for (const [, waiting] of ended) for (const done of waiting) done(result)
  }
}
