import type { PeerAddress } from '../base/address.js'

/** Bytes to and from one peer, over TCP (uTP and ciphers stack here later). */
export interface Transport {
  readonly address: PeerAddress
  readonly direction: 'in' | 'out'
  /** Our own address at its end, as the system writes it; '' where that is not known. */
  readonly local: string
  /** Bytes given to `write` that the kernel has not taken. */
  readonly unsent: number
  /** Payload is coming: much is read at once. Everybody else is heard in small parts, so that nobody is in the way. */
  bulk: boolean
  /** Delivers bytes and the end to `handler`; before it nothing is read. */
  start(handler: TransportHandler): void
  /** Queues bytes; they must not change until `taken` is called (also called when the connection ends). */
  write(bytes: Uint8Array, taken?: () => void): void
  /** Stops and resumes reading. */
  pause(): void
  resume(): void
  /** Ends the connection; `closed` follows once. */
  close(reason: string): void
}

export interface TransportHandler {
  /** `view` is valid during the call only. */
  data(view: Buffer): void
  closed(reason: string): void
}

/** Opens connections; the one place that does is daemon/io/dialer. */
export interface Dialer {
  /** Answers once: with a transport, or with null and a reason. The result ends the attempt. */
  dial(address: PeerAddress, done: (transport: Transport | null, reason: string) => void): () => void
}
