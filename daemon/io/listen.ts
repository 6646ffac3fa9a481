/**
 * Our port for peers: the one asked for, or the next free one where it is taken, or none. While it is not the one asked
 * for, that one is tried again every few minutes, and at once when the network changes.
 */
import type { Millis } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Transport } from '../swarm/transport.js'
import { listen, type TcpListener } from './tcp.js'

/** Ports tried from the one asked for on. */
const TRIES = 20
/** Until the one asked for is tried again. */
const RETRY: Millis = 300_000

export interface PeerPortInit {
  /** Empty: every address of this machine. */
  readonly host: string
  readonly port: number
  readonly retry?: Millis
}

export interface PeerPortPorts {
  readonly clock: Clock
  /** No room for one more connection. */
  readonly full: () => boolean
  readonly accept: (transport: Transport) => void
  /** It is another port than before. */
  readonly moved: () => void
}

export class PeerPort {
  readonly #init: PeerPortInit
  readonly #ports: PeerPortPorts
  /** Null: we do not listen. */
  #listener: TcpListener | null = null
  #error: string | null = null
  /** The next try for the port asked for; null while we have it. */
  #retry: Cancel | null = null
  /** A try is under way. */
  #trying = false
  #closed = false

  constructor(init: PeerPortInit, ports: PeerPortPorts) {
    this.#init = init
    this.#ports = ports
  }

  get host(): string {
    return this.#init.host
  }
  /** 0: we do not listen. */
  get port(): number {
    return this.#listener?.port ?? 0
  }
  /** Why it is another port than asked for, or none; one sentence. */
  get error(): string | null {
    return this.#error
  }

  async open(): Promise<void> {
    const { port: wanted } = this.#init
    let reason = ''
    for (let port = wanted; port < Math.min(wanted + TRIES, 65_536); port++) {
      reason = await this.#take(port)
      if (reason !== 'EADDRINUSE') break
    }
    const { port } = this
    if (port === 0) {
      this.#error = `Peers cannot reach us: no port at ${String(wanted)} could be opened (${reason}); it is tried again every few minutes.`
    } else if (port !== wanted) {
      this.#error = `Port ${String(wanted)} is taken; this run listens on ${String(port)} until it is free.`
    }
    this.#arm()
  }

  /** The port asked for is tried again, where we do not have it. */
  async again(): Promise<void> {
    if (this.#trying || this.#closed || this.port === this.#init.port) return
    this.#trying = true
    const old = this.#listener
    const reason = await this.#take(this.#init.port)
    this.#trying = false
    if (reason !== '') {
      this.#arm()
      return
    }
    old?.close()
    this.#retry?.()
    this.#retry = null
    this.#error = null
    this.#ports.moved()
  }

  close(): void {
    this.#closed = true
    this.#retry?.()
    this.#listener?.close()
  }

  /** The system's code where it could not be had; '' where it was. */
  async #take(port: number): Promise<string> {
    const { full, accept } = this.#ports
    const host = this.#init.host === '' ? '::' : this.#init.host
    try {
      const listener = await listenAny({ host, port, full }, accept)
      if (this.#closed) listener.close()
      else this.#listener = listener
      return ''
    } catch (error) {
      return codeOf(error)
    }
  }

  #arm(): void {
    this.#retry?.()
    this.#retry = null
    if (this.#closed || this.port === this.#init.port) return
    this.#retry = this.#ports.clock.after(this.#init.retry ?? RETRY, () => void this.again())
  }
}

/** On a machine without IPv6, every address is every IPv4 address. */
async function listenAny(
  init: Parameters<typeof listen>[0],
  accept: (transport: Transport) => void,
): Promise<TcpListener> {
  try {
    return await listen(init, accept)
  } catch (error) {
    const noIpv6 = codeOf(error) === 'EAFNOSUPPORT' || codeOf(error) === 'EADDRNOTAVAIL'
    if (init.host !== '::' || !noIpv6) throw error
    return listen({ ...init, host: '0.0.0.0' }, accept)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
