import type { Encryption } from '../../shared/settings.js'
import type { SwarmKey } from '../../shared/units.js'
import type { PeerAddress } from '../base/address.js'
import type { Watch } from '../base/watch.js'
import type { Cancel, Clock } from '../ports/clock.js'
import { type Greeting, Link } from './link.js'
import type { Secrecy } from './secrecy.js'
import type { Dialer } from './transport.js'

export interface DialPorts {
  readonly clock: Clock
  readonly watch: Watch
  readonly dialer: Dialer
  /** Not there: nobody is called in secret. */
  readonly secrecy?: Secrecy
  /** Whether we offer a DHT node (BEP 5) in that swarm. */
  readonly dht: () => boolean
  /** Both handshakes are there. */
  readonly ready: (link: Link, greeting: Greeting) => void
  /** No connection, or no handshake. */
  readonly failed: () => void
  /** A fault of our own; `failed` follows. */
  readonly broke: (error: unknown) => void
}

/** How an attempt ends that may go better in secret: the other side hung up on what it read. */
const CUT: ReadonlySet<string> = new Set(['closed-by-peer', 'ECONNRESET', 'EPIPE'])
/** And one in secret that may go better plainly. */
const NOT_IN_SECRET: ReadonlySet<string> = new Set([
  ...CUT,
  'handshake-timeout',
  'mse-no-mark',
  'mse-bad-key',
])

/** Whether each attempt is made in secret, one after the other. */
const ATTEMPTS: Readonly<Record<Encryption, readonly boolean[]>> = {
  off: [false],
  allowed: [false, true],
  preferred: [true, false],
  required: [true],
}

/** What worked before comes first. */
function ordered(attempts: readonly boolean[], known: boolean | null): readonly boolean[] {
  return known === null ? attempts : [...attempts].sort((a, b) => Number(b === known) - Number(a === known))
}

/**
 * Connects and shakes hands; one of the ports is called, unless the attempt is cancelled before. A second call, in
 * secret or plainly, is part of the same attempt: one part of the budget, and one failure.
 */
export function dialPeer(
  init: {
    readonly address: PeerAddress
    readonly key: SwarmKey
    readonly peerId: Uint8Array
    /** Whether it is known to take a call in secret, or a plain one; such a call is the first where both may be made. */
    readonly secret?: boolean | null
  },
  ports: DialPorts,
): Cancel {
  const { key, peerId } = init
  const { dialer, ready, failed, ...linkPorts } = ports
  const attempts = ordered(ATTEMPTS[ports.secrecy?.mode() ?? 'off'], init.secret ?? null)
  let link: Link | null = null
  // Handed over, or given up: what becomes of the connection then is no reason to call again.
  let over = false
  let cancel: Cancel = () => undefined
  const attempt = (at: number): void => {
    const secret = attempts[at] === true
    const again = (reason: string): void => {
      const worth = !over && at + 1 < attempts.length && (secret ? NOT_IN_SECRET : CUT).has(reason)
      if (worth) attempt(at + 1)
      else failed()
    }
    cancel = dialer.dial(init.address, (transport) => {
      if (transport === null) return failed()
      link = new Link(
        { transport, peerId, key, secret },
        {
          ...linkPorts,
          serves: () => true,
          ready: (greeted, greeting) => {
            over = true
            ready(greeted, greeting)
          },
          failed: (_, reason) => {
            again(reason)
          },
        },
      )
    })
  }
  attempt(0)
  return () => {
    over = true
    cancel()
    link?.close('stopped')
  }
}
