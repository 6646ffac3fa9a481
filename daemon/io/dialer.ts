/** The one place that opens TCP connections: scope, local address and time limit are decided here. */
import net from 'node:net'
import type { Millis } from '../../shared/units.js'
import { inScope } from '../base/address.js'
import type { PeerAddress, Scope } from '../base/address.js'
import { parseIp } from '../base/ip.js'
import type { Cancel, Clock } from '../ports/clock.js'

export interface NetInit {
  /** How far the daemon may reach. */
  readonly scope: Scope
  /**
   * Our addresses to connect and send from, at most one a family; empty: the system chooses. Where one is given, the
   * other family is not used at all, so that nothing leaves from an address nobody named.
   */
  readonly localHosts: readonly string[]
}

export interface DialOptions {
  readonly timeout: Millis
  /** Passed to `new net.Socket`, such as `onread`. */
  readonly socket?: net.SocketConstructorOpts
}

/** 'out-of-scope', 'no-local-address', 'timeout', or the system's code (ECONNREFUSED, ENETUNREACH, ...). */
export type DialFault = string

/** An attempt to reach that host has ended; '' where it succeeded. */
type Ended = (host: string, reason: DialFault) => void

export class SocketDialer {
  private readonly init: NetInit
  private readonly clock: Clock
  private readonly tell: Ended

  constructor(init: NetInit, ports: { readonly clock: Clock; readonly ended?: Ended }) {
    this.init = init
    this.clock = ports.clock
    this.tell = ports.ended ?? (() => undefined)
  }

  /** Whether the scope in force lets us talk to that address. */
  allows(address: { readonly host: string; readonly port?: number }): boolean {
    return inScope(address, this.init.scope)
  }

  /**
   * Connects to a literal address. `done` is called once, later, with a connected socket without listeners or with
   * null and a reason; after the returned Cancel it is not called, and the attempt has ended.
   */
  dial(
    address: PeerAddress,
    options: DialOptions,
    done: (socket: net.Socket | null, reason: DialFault) => void,
  ): Cancel {
    const local = localHostFor(this.init.localHosts, address.family)
    if (!this.allows(address)) return this.refuse('out-of-scope', done)
    if (local === null) return this.refuse('no-local-address', done)
    const socket = new net.Socket(options.socket)
    const timer = this.clock.after(options.timeout, () => {
      finish('timeout')
    })
    let ended = false
    const end = (): void => {
      ended = true
      timer()
      socket.removeListener('connect', connected)
      socket.removeListener('error', failed)
    }
    const finish = (reason: string): void => {
      if (ended) return
      end()
      destroyQuietly(socket)
      this.tell(address.host, reason)
      done(null, reason)
    }
    const failed = (error: NodeJS.ErrnoException): void => {
      finish(error.code ?? 'EIO')
    }
    const connected = (): void => {
      end()
      this.tell(address.host, '')
      done(socket, '')
    }
    socket.once('connect', connected)
    socket.once('error', failed)
    socket.connect({
      host: address.host,
      port: address.port,
      ...(local === undefined ? {} : { localAddress: local }),
    })
    return () => {
      if (ended) return
      end()
      destroyQuietly(socket)
    }
  }

  private refuse(reason: DialFault, done: (socket: null, reason: DialFault) => void): Cancel {
    return this.clock.after(0, () => {
      done(null, reason)
    })
  }
}

/** Undefined: any will do. Null: addresses are given, and none is of that family. */
export function localHostFor(localHosts: readonly string[], family: 4 | 6): string | null | undefined {
  if (localHosts.length === 0) return undefined
  return localHosts.find((host) => parseIp(host)?.family === family) ?? null
}

/** An error that comes after nobody listens any more would end the process. */
function destroyQuietly(socket: net.Socket): void {
  socket.on('error', () => undefined)
  socket.destroy()
}
