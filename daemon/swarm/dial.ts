import type { SwarmKey } from '../../shared/units.js'
import type { PeerAddress } from '../base/address.js'
import type { Watch } from '../base/watch.js'
import type { Cancel, Clock } from '../ports/clock.js'
import { type Greeting, Link } from './link.js'
import type { Dialer } from './transport.js'

export interface DialPorts {
  readonly clock: Clock
  readonly watch: Watch
  readonly dialer: Dialer
  /** Whether we offer a DHT node (BEP 5) in that swarm. */
  readonly dht: () => boolean
  /** Both handshakes are there. */
  readonly ready: (link: Link, greeting: Greeting) => void
  /** No connection, or no handshake. */
  readonly failed: () => void
  /** A fault of our own; `failed` follows. */
  readonly broke: (error: unknown) => void
}

/** Connects and shakes hands; one of the ports is called, unless the attempt is cancelled before. */
export function dialPeer(
  init: { readonly address: PeerAddress; readonly key: SwarmKey; readonly peerId: Uint8Array },
  ports: DialPorts,
): Cancel {
  const { key, peerId } = init
  const { clock, watch, dht, ready, failed, broke } = ports
  let link: Link | null = null
  const cancel = ports.dialer.dial(init.address, (transport) => {
    if (transport === null) return failed()
    link = new Link(
      { transport, peerId, key },
      { clock, watch, serves: () => true, dht, ready, failed, broke },
    )
  })
  return () => {
    cancel()
    link?.close('stopped')
  }
}
