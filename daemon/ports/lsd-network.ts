import type { PeerAddress } from '../base/address.js'

/** What local discovery needs of the network; implemented by daemon/io/lsd-socket. */
export interface LsdNetwork {
  /** False: the scope in force is this machine alone, and no socket may be opened. */
  readonly allowed: boolean
  /** Joins both groups on every link there is now. `receive`: only what came from near. Never rejects. */
  open(receive: (packet: Buffer, from: PeerAddress) => void): Promise<LsdSockets>
}

export interface LsdSockets {
  /** Groups that were joined; none where the machine is in no network. */
  readonly families: readonly (4 | 6)[]
  /** To the group, on each link; never throws, and what cannot be sent is lost. */
  send(packet: Buffer, family: 4 | 6): void
  close(): void
}
