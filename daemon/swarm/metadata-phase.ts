/** A torrent that is only a magnet link so far: its fetch, and the step to a torrent whose pieces are known. */
import { MagnetError, parseMagnet } from '../../shared/torrent/magnet.js'
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import type { Millis, SwarmKey, TorrentId } from '../../shared/units.js'
import type { PeerView } from '../../shared/views.js'
import { parseAddress, type PeerAddress } from '../base/address.js'
import type { Log } from '../base/log.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Store, TorrentRow } from '../ports/store.js'
import type { Candidates } from './candidates.js'
import type { ConnectionBudget } from './connection-budget.js'
import { MetadataFetch } from './metadata-fetch.js'
import type { Handover } from './metadata-peer.js'

/** What the torrent is from now on, or a sentence that says why it cannot be had. */
export type Kept =
  | { readonly row: TorrentRow; readonly meta: Metainfo }
  | { readonly refused: string; readonly meta?: undefined }

/** Records metadata that came from peers: judged like those of an added .torrent. Implemented by the session. */
export type MetadataKeeper = (id: TorrentId, info: Uint8Array) => Promise<Kept>

/** Where the store failed. */
const VERIFY_AGAIN: Millis = 5000

export interface MetadataPhaseInit {
  readonly id: TorrentId
  readonly key: SwarmKey
  readonly peerId: Uint8Array
  readonly version: string
  readonly maxPeers: number
}

export interface MetadataPhasePorts {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly candidates: Candidates
  readonly budget: ConnectionBudget
  readonly dial: (address: PeerAddress) => Cancel
  readonly listenPort: () => number
  readonly pex: () => boolean
  readonly keeper: MetadataKeeper
  readonly known: (row: TorrentRow, meta: Metainfo) => void
  readonly refused: (reason: string) => void
  /** See `MetadataFetchPorts`. */
  readonly peerBroke: () => void
  readonly broke: (error: unknown) => void
  readonly changed: () => void
}

export class MetadataPhase {
  readonly #init: MetadataPhaseInit
  readonly #ports: MetadataPhasePorts
  /** Runs between `begin` and `end`. */
  #fetch: MetadataFetch | null = null
  /** They are right, and could not be kept yet. */
  #info: Uint8Array | null = null

  constructor(init: MetadataPhaseInit, ports: MetadataPhasePorts) {
    this.#init = init
    this.#ports = ports
  }

  get fetch(): MetadataFetch | null {
    return this.#fetch
  }
  get size(): number {
    return this.#fetch?.size ?? 0
  }
  views(): PeerView[] {
    return this.#fetch?.views() ?? []
  }

  begin(): void {
    const { id, ...own } = this.#init
    const init = { ...own, torrent: id }
    const { clock, log, candidates, budget, dial, listenPort, pex, changed, peerBroke, broke } = this.#ports
    const fetch = new MetadataFetch(init, {
      clock,
      log,
      candidates,
      budget,
      dial,
      listenPort,
      pex,
      changed,
      peerBroke,
      broke,
      verify: (bytes, done) => {
        this.#verify(bytes, done, () => this.#fetch === fetch)
      },
      fetched: (info) => {
        this.#keep(info)
      },
    })
    this.#fetch = fetch
    if (this.#info !== null) this.#keep(this.#info)
    void this.#recall().then(() => {
      if (this.#fetch === fetch) fetch.dialMore()
    })
  }

  /** Ends every connection. */
  end(reason: string): void {
    this.#fetch?.close(reason)
    this.#fetch = null
  }

  /** The connections, for the torrent that goes on with them. */
  handOver(): Handover[] {
    const given = this.#fetch?.handOver() ?? []
    this.#fetch = null
    return given
  }

  /** A store that fails says nothing of the bytes, and so nothing of whoever sent them. */
  #verify(bytes: Uint8Array, done: (right: boolean) => void, isWanted: () => boolean): void {
    const { store, clock } = this.#ports
    store.verifyInfo(this.#init.id, bytes).then(done, () => {
      clock.after(VERIFY_AGAIN, () => {
        if (isWanted()) this.#verify(bytes, done, isWanted)
      })
    })
  }

  /** The peers that the link names. */
  async #recall(): Promise<void> {
    try {
      const { torrent } = await this.#ports.store.metainfo(this.#init.id)
      for (const text of parseMagnet(Buffer.from(torrent).toString()).peers) {
        const address = parseAddress(text)
        if (address !== null) this.#ports.candidates.add(address, 'magnet')
      }
    } catch (error) {
      if (error instanceof MagnetError) return
      this.#ports.log.warn({ error: String(error) }, 'a magnet link could not be read back')
    }
  }

  #keep(info: Uint8Array): void {
    this.#info = info
    this.#ports.keeper(this.#init.id, info).then(
      (kept) => {
        if (kept.meta === undefined) this.#ports.refused(kept.refused)
        else this.#ports.known(kept.row, kept.meta)
      },
      (error: unknown) => {
        this.#ports.log.error({ error: String(error) }, 'fetched metadata could not be kept')
        this.#ports.refused('The metadata could not be kept; see the log.')
      },
    )
  }
}
