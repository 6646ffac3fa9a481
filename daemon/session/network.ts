/** The network as the session needs it; daemon/io has it. */
import type { PeerAddress } from '../base/address.js'
import type { Dialer, Transport } from '../swarm/transport.js'
import type { ScrapeTransport, TrackerTransport } from '../tracker/transport.js'

/** The port at which peers reach us. */
export interface PeerListener {
  readonly host: string
  /** 0: we do not listen. */
  readonly port: number
  /** Why it is another port than asked for, or none; one sentence. */
  readonly error: string | null
  open(): Promise<void>
  /** Tries for the port asked for again, where we do not have it. */
  again(): Promise<void>
  close(): void
}

export interface SessionNetwork {
  readonly peers: Dialer
  readonly trackers: TrackerTransport & ScrapeTransport
  /** Whether the scope in force lets us talk to that address. */
  allows(address: PeerAddress): boolean
  /** The system keeps us from the local network. */
  localDenied(): boolean
  listen(
    init: { readonly host: string; readonly port: number },
    ports: {
      /** No room for one more connection. */
      readonly full: () => boolean
      readonly accept: (transport: Transport) => void
      /** It is another port than before. */
      readonly moved: () => void
    },
  ): PeerListener
  /** The machine has other addresses, or slept: what was known of the network is asked anew. */
  changed(): void
}
