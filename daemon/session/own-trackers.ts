/** The trackers of one torrent, between its owner and the announcer. */
import type { Encryption } from '../../shared/settings.js'
import { swarmKeys, type Millis } from '../../shared/units.js'
import type { TrackerView } from '../../shared/views.js'
import type { PeerAddress } from '../base/address.js'
import type { Log } from '../base/log.js'
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import type { TorrentRow } from '../ports/store.js'
import type { Bulkhead } from '../swarm/bulkhead.js'
import type { Need, Tracker, TrackerAsks } from '../swarm/tracker-port.js'
import { Announcer, type AnnouncerListener, type AnnounceStats } from '../tracker/announcer.js'
import type { CountSource, NetworkNews, TrackerTransport } from '../tracker/transport.js'

export interface OwnTrackersInit {
  readonly row: TorrentRow
  readonly peerId: Uint8Array
  readonly key: number
  readonly port: () => number
  readonly encryption: () => Encryption
}

export interface OwnTrackersPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly transport: TrackerTransport & CountSource & NetworkNews
  readonly asks: TrackerAsks
  readonly bulkhead: Bulkhead
}

/** A class, not an object of closures: every torrent has one. */
export class OwnTrackers implements Tracker, AnnouncerListener {
  readonly #torrent: number
  readonly #asks: TrackerAsks
  readonly #log: Log
  readonly #announcer: Announcer

  constructor({ row, ...own }: OwnTrackersInit, ports: OwnTrackersPorts) {
    const { clock, random, bulkhead, transport } = ports
    this.#torrent = row.id
    this.#asks = ports.asks
    this.#log = ports.log
    this.#announcer = new Announcer(
      { swarmKeys: swarmKeys(row.hashes).slice(0, 1), trackers: row.trackers, ...own },
      {
        clock: bulkhead.clock(clock),
        random,
        transport: bulkhead.around('tracker', transport),
        listener: this,
      },
    )
  }

  start(): void {
    this.#announcer.start()
  }
  stop(cap: Millis, done: () => void): void {
    this.#announcer.stop(cap, done)
  }
  completed(): void {
    this.#announcer.complete()
  }
  need(level: Need): void {
    this.#announcer.setNeed(level)
  }
  announceNow(urgent?: boolean): void {
    this.#announcer.announceNow(urgent)
  }
  addTrackers(trackers: Parameters<Tracker['addTrackers']>[0]): void {
    this.#announcer.addTrackers(trackers)
  }
  removeTrackers(urls: readonly string[]): void {
    this.#announcer.removeTrackers(urls)
  }
  scrape(done: Parameters<Tracker['scrape']>[0]): void {
    this.#announcer.scrape(done)
  }
  views(): TrackerView[] {
    return this.#announcer.views()
  }

  // --- what the announcer asks and tells

  stats(): AnnounceStats {
    return this.#asks.stats()
  }
  peers(peers: readonly PeerAddress[]): void {
    this.#asks.found(peers)
  }
  changed(): void {
    this.#asks.changed()
  }
  said(tracker: string, failing: boolean, message: string | null): void {
    const fields = { torrent: this.#torrent, tracker, ...(message === null ? {} : { reason: message }) }
    if (failing) this.#log.warn(fields, 'a tracker fails')
    else if (message === null) this.#log.info(fields, 'a tracker answers again')
    else this.#log.info(fields, 'a tracker answers with a remark')
  }
}
