/** How a torrent comes to its peers: how urgently it looks for them, what becomes of those found, and the call. */
import type { PeerAddress } from '../base/address.js'
import { stackOf } from '../base/log.js'
import type { Cancel } from '../ports/clock.js'
import type { Candidates } from './candidates.js'
import type { Course } from './course.js'
import type { TorrentData } from './data.js'
import { dialPeer } from './dial.js'
import type { DhtGate } from './dht-port.js'
import type { Known } from './known.js'
import type { MetadataFetch } from './metadata-fetch.js'
import type { RunInit, TorrentMeans } from './torrent-ports.js'
import type { Found, Need, Tracker } from './tracker-port.js'

export interface SeekingPorts {
  readonly init: RunInit
  readonly means: TorrentMeans
  readonly course: Course
  readonly known: Known
  readonly data: TorrentData
  readonly candidates: Candidates
  readonly tracker: Tracker
  /** The fetch of its metadata, while that is under way. */
  fetch(): MetadataFetch | null
  /** It sleeps, and there is somebody worth waking for. */
  wake(): void
}

export class Seeking {
  readonly #ports: SeekingPorts
  /** What the tracker was last told. */
  #need: Need = 'some'

  constructor(ports: SeekingPorts) {
    this.#ports = ports
  }

  get connected(): number {
    return this.#ports.data.live?.connections.size ?? this.#ports.fetch()?.size ?? 0
  }

  /** Our handshakes in this swarm say that we have a DHT node. A private torrent has no part in the DHT (BEP 27). */
  get offersDht(): boolean {
    const { known, means } = this.#ports
    const dht: DhtGate | null = known.row.private ? null : means.dht
    return (dht?.port() ?? 0) > 0
  }

  /** A download without peers starves; one with a full house, and a seed with one, want nobody. */
  tellNeed(): void {
    const { course, tracker } = this.#ports
    const { connected } = this
    if (!course.isRunning && course.state.kind !== 'fetchingMetadata') return
    const full = connected >= this.#ports.init.maxPeers
    const starving = course.state.kind !== 'seeding' && connected === 0
    const need = full ? 'none' : starving ? 'urgent' : 'some'
    if (need === this.#need) return
    this.#need = need
    tracker.need(need)
  }

  found(peers: readonly PeerAddress[], source: 'tracker' | Found): void {
    const { candidates, course, data, tracker } = this.#ports
    for (const peer of peers) candidates.add(peer, source)
    this.#ports.fetch()?.dialMore()
    if (!course.isRunning) return
    if (data.live !== null) return data.live.connections.dialMore()
    // Asleep and complete: only somebody who lacks something is worth waking for.
    const lacking = tracker.views().some(({ leechers }) => leechers !== 0)
    if (lacking && data.empty && candidates.size > 0) this.#ports.wake()
  }

  /** Connects and shakes hands, for whichever part takes connections now. */
  dial(address: PeerAddress): Cancel {
    const { means, data, candidates, known } = this.#ports
    const connections = this.#ports.fetch() ?? data.live?.connections
    if (connections === undefined) return () => undefined
    const { key, peerId } = this.#ports.init
    const { clock, watch, dialer, log, secrecy } = means
    return dialPeer(
      { address, key, peerId, secret: candidates.secretOf(address) },
      {
        clock,
        watch,
        dialer,
        ...(secrecy === undefined ? {} : { secrecy }),
        dht: () => this.offersDht,
        ready: (link, greeting) => {
          candidates.noteSecret(address, link.encryption !== 'none')
          connections.attach(link, greeting, candidates.sourceOf(address))
        },
        failed: () => {
          connections.dialFailed(address)
        },
        broke: (error) => {
          const fields = { torrent: known.row.id, error: stackOf(error) }
          log.error(fields, 'a bug in the handling of a peer; its connection is closed')
          watch.contained('peer')
        },
      },
    )
  }
}
