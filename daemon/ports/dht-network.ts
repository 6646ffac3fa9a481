import type { PeerAddress } from '../base/address.js'
import type { IpAddress } from '../base/ip.js'

/** What the DHT needs of the network; implemented by daemon/io/dht-socket. */
export interface DhtNetwork {
  /** One socket for each family, on that port; 0: any. Where none stands, `families` is empty. Never rejects. */
  open(port: number, receive: (packet: Buffer, from: PeerAddress) => void): Promise<DhtSockets>
  /** The addresses of a name, or the literal itself; none where names may not be asked for in the scope in force. */
  resolve(host: string): Promise<readonly IpAddress[]>
  /** Whether the scope in force lets us talk to that address. */
  allows(address: PeerAddress): boolean
}

export interface DhtSockets {
  readonly families: readonly (4 | 6)[]
  /** 0: no socket stands. */
  readonly port: number
  /** The system's code of the first family that has no socket. */
  readonly error: string | null
  /** Never throws; what cannot be sent is lost. */
  send(packet: Buffer, to: PeerAddress): void
  close(): void
}
