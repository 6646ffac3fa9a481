import type { PeerAddress } from '../base/address.js'

/** The DHT as peers bring it about (BEP 5). A private torrent has none. */
export interface DhtGate {
  /** The UDP port of our node; 0: it is off. */
  port(): number
  /** A peer says that a node is there. */
  node(at: PeerAddress): void
}
