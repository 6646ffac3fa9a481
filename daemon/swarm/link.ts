/**
 * A connection until it belongs to a torrent: the handshake (BEP 3), in both directions. What comes after it waits,
 * unread, until the torrent takes the transport over.
 */
import type { Millis, SwarmKey } from '../../shared/units.js'
import type { PeerView } from '../../shared/views.js'
import { HandshakeParser, handshakeBytes, type PeerFeatures } from '../codec/handshake.js'
import { MseCalled, MseCaller, type MseEnd, type MsePorts } from '../codec/mse.js'
import type { Rc4 } from '../codec/rc4.js'
import type { Watch } from '../base/watch.js'
import type { Cancel, Clock } from '../ports/clock.js'
import { CipherTransport, type Secrecy } from './secrecy.js'
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
  /** We open it with a secret handshake (MSE); for one that we dialled. */
  readonly secret?: boolean
}

export interface LinkPorts {
  readonly clock: Clock
  readonly watch: Watch
  /** Is this a swarm we serve now? Asked once, for an accepted connection. */
  readonly serves: (key: SwarmKey) => boolean
  /** Whether we offer a DHT node (BEP 5) in that swarm; not there: no. */
  readonly dht?: (key: SwarmKey) => boolean
  /** Secret handshakes; not there: none are made. */
  readonly secrecy?: Secrecy
  /** The handshake is whole. The torrent calls `take` now or later, or `close`. */
  readonly ready: (link: Link, greeting: Greeting) => void
  /** The connection ended before anyone took it. */
  readonly failed: (link: Link, reason: string) => void
  /** A fault of our own before anyone took it; `failed` follows. */
  readonly broke: (error: unknown) => void
}

export class Link implements TransportHandler {
  readonly #init: LinkInit
  readonly #ports: LinkPorts
  /** Encrypts what is written, where that was agreed on. */
  #transport: Transport
  #parser = new HandshakeParser()
  /** The swarm that is meant; null until a peer that called has named it in secret. */
  #key: SwarmKey | null
  /** The secret handshake, while it lasts. */
  #mse: MseCaller | MseCalled | null = null
  /** What comes is encrypted with it; null: it is not. */
  #cipher: Rc4 | null = null
  /** What of the connection is encrypted. */
  #encryption: PeerView['encryption'] = 'none'
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
    this.#transport = init.transport
    this.#key = init.key
    this.#init = init
    this.#ports = ports
    this.#timeout = ports.clock.after(HANDSHAKE_TIMEOUT, () => {
      this.close('handshake-timeout')
    })
    this.transport.start(this)
    if (init.key !== null) this.#call(init.key)
  }

  /** Where to write; after a secret handshake that led to RC4, another one than was given. */
  get transport(): Transport {
    return this.#transport
  }
  get encryption(): PeerView['encryption'] {
    return this.#encryption
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
    if (this.#cipher !== null) this.#cipher.apply(view)
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
    if (this.#mse !== null) return this.#mse.push(view)
    const used = this.#parser.push(view)
    if (this.#parser.fault !== null) return this.#notPlain(view.subarray(used), this.#parser.fault)
    const { key, features, peerId } = this.#parser
    if (key === null || features === null || !this.#answer(key) || peerId === null) return
    this.#timeout()
    this.#phase = 'waiting'
    this.transport.pause()
    if (used < view.length) this.#rest = Buffer.from(view.subarray(used))
    this.#ports.ready(this, { key, peerId, features })
  }

  /** Greets a peer that has named its swarm; false: it is not to be talked to, and was closed. */
  #answer(key: SwarmKey): boolean {
    let fault: string | null = null
    if (this.#key !== null && key !== this.#key) fault = 'another-info-hash'
    else if (!this.#greeted && this.#encryption === 'none' && this.#ports.secrecy?.mode() === 'required')
      fault = 'not-encrypted'
    else if (!this.#greeted && !this.#ports.serves(key)) fault = 'unknown-info-hash'
    if (fault === null && !this.#greeted) this.#greet(key)
    if (fault !== null) this.close(fault)
    return fault === null
  }

  #greeting(key: SwarmKey): Buffer {
    this.#greeted = true
    return handshakeBytes(key, this.#init.peerId, this.#ports.dht?.(key) === true)
  }

  #greet(key: SwarmKey): void {
    this.#transport.write(this.#greeting(key))
  }

  // --- in secret

  #call(key: SwarmKey): void {
    const { secrecy } = this.#ports
    if (this.#init.secret !== true || secrecy === undefined) return this.#greet(key)
    try {
      this.#mse = new MseCaller({ key, initial: this.#greeting(key) }, this.#msePorts(secrecy))
    } catch (error) {
      // Where the system's cryptography refuses such keys, this connection ends and no more.
      this.#broke(error)
    }
  }

  /** Not BitTorrent as it is: from one that called us it may be the beginning of a secret handshake. */
  #notPlain(rest: Buffer, fault: string): void {
    const { secrecy } = this.#ports
    const heard = this.#key === null && secrecy !== undefined && secrecy.mode() !== 'off'
    if (!heard) return this.close(fault)
    if (!secrecy.admits()) return this.close('too-many-handshakes')
    this.#mse = new MseCalled({ swarmOf: secrecy.swarmOf }, this.#msePorts(secrecy))
    this.#mse.push(Buffer.concat([this.#parser.taken, rest]))
  }

  #msePorts({ random }: Secrecy): MsePorts {
    return {
      random,
      send: (bytes) => {
        this.#transport.write(bytes)
      },
      done: (end) => {
        this.#hidden(end)
      },
      failed: (fault) => {
        this.close(fault)
      },
    }
  }

  /** What came behind the secret handshake is read as if it had come plainly. */
  #hidden({ key, rest, ciphers }: MseEnd): void {
    if (this.#phase !== 'greeting') return
    this.#mse = null
    this.#key = key
    this.#parser = new HandshakeParser()
    this.#encryption = ciphers === null ? 'handshake' : 'rc4'
    if (ciphers !== null) {
      this.#cipher = ciphers.receive
      this.#transport = new CipherTransport(this.#transport, ciphers.send)
    }
    if (rest.length > 0) this.#read(rest)
  }
}
