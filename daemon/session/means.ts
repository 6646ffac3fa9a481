/**
 * What a torrent is given, out of what all of them share. What calls back is put behind its bulkhead when it is asked
 * for, not before: a long list is mostly torrents at rest, and those ask for nothing.
 */
import type { Limiter } from '../base/limiter.js'
import type { Log } from '../base/log.js'
import type { Watch } from '../base/watch.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Random } from '../ports/random.js'
import type { Store } from '../ports/store.js'
import type { Bulkhead } from '../swarm/bulkhead.js'
import type { CheckGate } from '../swarm/check.js'
import type { ConnectionBudget } from '../swarm/connection-budget.js'
import type { DhtGate } from '../swarm/dht-port.js'
import type { MetadataKeeper } from '../swarm/metadata-phase.js'
import type { Place } from '../swarm/place.js'
import type { Queue } from '../swarm/queue.js'
import type { Secrecy } from '../swarm/secrecy.js'
import type { SlotShare } from '../swarm/slot-share.js'
import type { TorrentListener, TorrentPorts } from '../swarm/torrent.js'
import type { Dialer } from '../swarm/transport.js'
import type { UnchokeShare } from '../swarm/unchoke-share.js'

/** What all torrents share, as it is: nothing here is behind a bulkhead. */
export interface Shared extends Omit<TorrentPorts, 'bulkhead' | 'keepMetadata'> {
  readonly keepMetadata: MetadataKeeper
}

export class Means implements TorrentPorts {
  readonly bulkhead: Bulkhead
  readonly clock: Clock
  readonly #shared: Shared

  constructor(bulkhead: Bulkhead, shared: Shared) {
    this.bulkhead = bulkhead
    this.clock = bulkhead.clock(shared.clock)
    this.#shared = shared
  }

  get disk(): Disk {
    return this.bulkhead.disk(this.#shared.disk)
  }
  get store(): Store {
    return this.bulkhead.around('store', this.#shared.store)
  }
  get dialer(): Dialer {
    return this.bulkhead.around('peer', this.#shared.dialer)
  }
  get gate(): CheckGate {
    return this.bulkhead.around('disk', this.#shared.gate)
  }
  get place(): Place {
    return this.bulkhead.around('disk', this.#shared.place)
  }
  get keepMetadata(): MetadataKeeper {
    return this.bulkhead.around('store', { keep: this.#shared.keepMetadata }).keep
  }

  get queue(): Queue {
    return this.#shared.queue
  }
  get watch(): Watch {
    return this.#shared.watch
  }
  get random(): Random {
    return this.#shared.random
  }
  get log(): Log {
    return this.#shared.log
  }
  get slots(): SlotShare {
    return this.#shared.slots
  }
  get downLimit(): Limiter {
    return this.#shared.downLimit
  }
  get upLimit(): Limiter {
    return this.#shared.upLimit
  }
  get unchokes(): UnchokeShare {
    return this.#shared.unchokes
  }
  get secrecy(): Secrecy | undefined {
    return this.#shared.secrecy
  }
  get budget(): ConnectionBudget {
    return this.#shared.budget
  }
  get listenPort(): () => number {
    return this.#shared.listenPort
  }
  get dht(): DhtGate | null {
    return this.#shared.dht
  }
  get pex(): () => boolean {
    return this.#shared.pex
  }
  get tracker(): TorrentPorts['tracker'] {
    return this.#shared.tracker
  }
  get listener(): TorrentListener {
    return this.#shared.listener
  }
}
