/** What a torrent is given: its record, and what it shares with all others. */
import type { SwarmKey } from '../../shared/units.js'
import type { Secrecy } from './secrecy.js'
import type { Limiter } from '../base/limiter.js'
import type { Log } from '../base/log.js'
import type { Watch } from '../base/watch.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Random } from '../ports/random.js'
import type { Store, TorrentRow } from '../ports/store.js'
import type { Bulkhead } from './bulkhead.js'
import type { CheckGate } from './check.js'
import type { ConnectionBudget } from './connection-budget.js'
import type { DhtGate } from './dht-port.js'
import type { MetadataKeeper } from './metadata-phase.js'
import type { Place } from './place.js'
import type { Queue } from './queue.js'
import type { SlotShare } from './slot-share.js'
import type { Dialer } from './transport.js'
import type { UnchokeShare } from './unchoke-share.js'

export interface TorrentInit {
  readonly row: TorrentRow
  readonly peerId: Uint8Array
  readonly version: string
  readonly maxPeers: number
  /** The last run ended in order: a complete torrent need not be looked at before a peer asks. */
  readonly clean: boolean
  /** Why it was blocked, as the journal of an earlier run says, and nothing after it; not there: it was not. */
  readonly blocked?: string | undefined
}

/** What a run of it needs to know beside its record. */
export interface RunInit {
  readonly key: SwarmKey
  readonly peerId: Uint8Array
  readonly version: string
  readonly maxPeers: number
}

/** What every part of a torrent may use. */
export interface TorrentMeans {
  readonly watch: Watch
  /** Stands around every other port here that calls back; `slots` and the limits are put behind it with the data. */
  readonly bulkhead: Bulkhead
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly disk: Disk
  readonly slots: SlotShare
  readonly downLimit: Limiter
  readonly upLimit: Limiter
  readonly unchokes: UnchokeShare
  readonly store: Store
  readonly dialer: Dialer
  /** Not there: nobody is spoken to in secret. */
  readonly secrecy?: Secrecy | undefined
  readonly gate: CheckGate
  /** How many may go on at once. */
  readonly queue: Queue
  readonly place: Place
  readonly budget: ConnectionBudget
  readonly listenPort: () => number
  /** Null: there is none. A private torrent never uses it. */
  readonly dht: DhtGate | null
  /** Whether peers tell each other of peers (BEP 11); those of a private torrent never do. */
  readonly pex: () => boolean
  readonly keepMetadata: MetadataKeeper
}
