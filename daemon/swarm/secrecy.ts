/** Who may and must be spoken to in secret (Message Stream Encryption), and a connection whose bytes are in RC4. */
import type { SwarmKey } from '../../shared/units.js'
import type { Encryption } from '../../shared/settings.js'
import type { PeerAddress } from '../base/address.js'
import type { Rc4 } from '../codec/rc4.js'
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import type { Transport, TransportHandler } from './transport.js'

/** Secret handshakes that strangers may make us work for: each costs a good tenth of a millisecond before it proves anything. */
const A_SECOND = 50

/** What a connection that we open or accept needs for a secret handshake. */
export interface Secrecy {
  readonly random: Random
  /** The setting, as it is now. */
  readonly mode: () => Encryption
  /** The swarm of a mark (`swarmMark`), or null where we do not serve it. */
  readonly swarmOf: (mark: string) => SwarmKey | null
  /** Whether one more stranger may be answered in secret now. */
  readonly admits: () => boolean
}

/** Fifty at once, and fifty a second from then on. */
export class SecretAllowance {
  readonly #clock: Clock
  /** Handshakes that may begin now; 0 to 50, counted on when asked. */
  #left = A_SECOND
  /** When `#left` was right. */
  #at: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#at = clock.now()
  }

  take(): boolean {
    const now = this.#clock.now()
    this.#left = Math.min(A_SECOND, this.#left + ((now - this.#at) / 1000) * A_SECOND)
    this.#at = now
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}

/** Encrypts what is written; what is read is decrypted where it arrives, in the link. */
export class CipherTransport implements Transport {
  readonly #inner: Transport
  readonly #send: Rc4

  constructor(inner: Transport, send: Rc4) {
    this.#inner = inner
    this.#send = send
  }

  get address(): PeerAddress {
    return this.#inner.address
  }
  get local(): string {
    return this.#inner.local
  }

  get direction(): 'in' | 'out' {
    return this.#inner.direction
  }
  get unsent(): number {
    return this.#inner.unsent
  }
  get bulk(): boolean {
    return this.#inner.bulk
  }
  set bulk(bulk: boolean) {
    this.#inner.bulk = bulk
  }

  start(handler: TransportHandler): void {
    this.#inner.start(handler)
  }

  /** The bytes given may be others' too, so a copy is encrypted. */
  write(bytes: Uint8Array, taken?: () => void): void {
    const own = Buffer.from(bytes)
    this.#send.apply(own)
    this.#inner.write(own, taken)
  }

  pause(): void {
    this.#inner.pause()
  }

  resume(): void {
    this.#inner.resume()
  }

  close(reason: string): void {
    this.#inner.close(reason)
  }
}
