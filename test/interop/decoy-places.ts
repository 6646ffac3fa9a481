/** Where the decoys stand, and what they tell. */
export const DECOY = {
  /** TCP: the torrent's own tracker, and another one. */
  tracker: 6969,
  stranger: 6970,
  /** UDP. */
  dht: 7000,
  /** Peers, each named by one of them. */
  trackerPeer: 7001,
  strangerPeer: 7002,
  dhtPeer: 7003,
  lsdPeer: 7004,
  pexPeer: 7005,
} as const

/** Somebody heard of a torrent. */
export interface Heard {
  readonly where: 'tracker' | 'stranger' | 'dht' | 'lsd' | 'peer' | 'extensions'
  readonly hash: string
  /** Of a peer: at which of them. */
  readonly port?: number
  /** The handshake says that there is a DHT node. */
  readonly dht?: boolean
  /** The extension handshake. */
  readonly text?: string
}
