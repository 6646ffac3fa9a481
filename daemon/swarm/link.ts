/**
 * A connection until it belongs to a torrent: the handshake (BEP 3), in both directions. What comes after it waits,
 * unread, until the torrent takes the transport over.
 */
import type { Millis, SwarmKey } from '../../shared/units.js'
import { HandshakeParser, handshakeBytes, type PeerFeatures } from '../codec/handshake.js'
import type { Watch } from '../base/watch.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Transport, TransportHandler } from './transport.js'

const HANDSHAKE_TIMEOUT: Millis = 15_000

/** What a handshake told. */
export interface Greeting {
  readonly key: SwarmKey
  readonly peerId: Buffer
  readonly features: PeerFeatures
}

/** Whoever takes a transport over after the handshake. */
export interface LinkHandler {
  data(view: Buffer): void
  transportClosed(reason: string): void
  /** One of the two threw: a fault of our own, which ends this connection. */
  broke(error: unknown): void
}

export interface LinkInit {
  readonly transport: Transport
  /** Our 20 bytes. */
  readonly peerId: Uint8Array
  /** The swarm we dialled for; null for a connection that was accepted. */
  readonly key: SwarmKey | null
}

export interface LinkPorts {
  readonly clock: Clock
  readonly watch: Watch
  /** Is this a swarm we serve now? Asked once, for an accepted connection. */
  readonly serves: (key: SwarmKey) => boolean
  /** Whether we offer a DHT node (BEP 5) in that swarm; not there: no. */
  readonly dht?: (key: SwarmKey) => boolean
  /** The handshake is whole. The torrent calls `take` now or later, or `close`. */
  readonly ready: (link: Link, greeting: Greeting) => void
  /** The connection ended before anyone took it. */
  readonly failed: (link: Link, reason: string) => void
  /** A fault of our own before anyone took it; `failed` follows. */
  readonly broke: (error: unknown) => void
}

export class Link implements TransportHandler {
  readonly transport: Transport
  readonly #init: LinkInit
  readonly #ports: LinkPorts
  readonly #parser = new HandshakeParser()
  /** Ours was sent. */
  #greeted = false
  /** 'greeting' until both handshakes are there, 'waiting' until taken, then 'taken' or 'closed' for good. */
  #phase: 'greeting' | 'waiting' | 'taken' | 'closed' = 'greeting'
  /** What came behind the handshake in the same chunk. */
  #rest: Buffer | null = null
  /** Who took the transport over, and for which torrent. */
  #handler: LinkHandler | null = null
  #torrent = 0
  readonly #timeout: Cancel

  constructor(init: LinkInit, ports: LinkPorts) {
    this.transport = init.transport
    this.#init = init
    this.#ports = ports
    this.#timeout = ports.clock.after(HANDSHAKE_TIMEOUT, () => {
      this.close('handshake-timeout')
    })
    this.transport.start(this)
    if (init.key !== null) this.#greet(init.key)
  }

  /** Closed before anyone took it. */
  get ended(): boolean {
    return this.#phase === 'closed'
  }

  /** All bytes of peers come through here: what is thrown on their way ends this connection, and no other. */
  data(view: Buffer): void {
    try {
      this.#ports.watch.enter('peer', this.#torrent)
      this.#data(view)
    } catch (error) {
      this.#broke(error)
    }
  }

  closed(reason: string): void {
    try {
      this.#ports.watch.enter('peer', this.#torrent)
      this.#closed(reason)
    } catch (error) {
      this.#broke(error)
    }
  }

  #broke(error: unknown): void {
    if (this.#phase === 'taken' || this.#handler !== null) return this.#handler?.broke(error)
    this.#ports.broke(error)
    this.close('bug')
  }

  #data(view: Buffer): void {
    if (this.#phase === 'taken') {
      this.#handler?.data(view)
    } else if (this.#phase === 'greeting') {
      this.#read(view)
    } else if (this.#phase === 'waiting') {
      // A transport may deliver what it had read when it was paused.
      this.#rest = Buffer.concat([this.#rest ?? Buffer.alloc(0), view])
    }
  }

  #closed(reason: string): void {
    const handler = this.#handler
    const taken = this.#phase === 'taken'
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#timeout()
    if (taken) handler?.transportClosed(reason)
    else this.#ports.failed(this, reason)
  }

  /** From now on the handler of that torrent gets the bytes, first those that waited. */
  take(handler: LinkHandler, torrent: number): void {
    if (this.#phase !== 'waiting') return
    this.#phase = 'taken'
    this.#torrent = torrent
    this.#handler = handler
    const rest = this.#rest
    this.#rest = null
    if (rest !== null && rest.length > 0) handler.data(rest)
    this.transport.resume()
  }

  /** Another handler gets the bytes from now on; whoever took the transport over calls this. */
  pass(handler: LinkHandler): void {
    if (this.#phase === 'taken') this.#handler = handler
  }

  /** The connection ended, before or after somebody took it. */
  get gone(): boolean {
    return this.#phase === 'closed'
  }

  close(reason: string): void {
    if (this.#phase === 'closed' || this.#phase === 'taken') return
    this.#phase = 'closed'
    this.#timeout()
    this.transport.close(reason)
    this.#ports.failed(this, reason)
  }

  #read(view: Buffer): void {
    const used = this.#parser.push(view)
    if (this.#parser.fault !== null) return this.close(this.#parser.fault)
    const { key, features, peerId } = this.#parser
    if (key === null || features === null) return
    if (!this.#greeted) {
      if (!this.#ports.serves(key)) return this.close('unknown-info-hash')
      this.#greet(key)
    } else if (this.#init.key !== null && key !== this.#init.key) {
      return this.close('another-info-hash')
    }
    if (peerId === null) return
    this.#timeout()
    this.#phase = 'waiting'
    this.transport.pause()
    if (used < view.length) this.#rest = Buffer.from(view.subarray(used))
    this.#ports.ready(this, { key, peerId, features })
  }

  #greet(key: SwarmKey): void {
    this.#greeted = true
    this.transport.write(handshakeBytes(key, this.#init.peerId, this.#ports.dht?.(key) === true))
  }
}
