/** JSON-RPC 2.0 on a Unix socket, one JSON text a line, for the one user whom the socket's folder lets in. */
import { createServer, type Server, type Socket } from 'node:net'
import type { Feeds, Handlers } from '../../shared/rpc/contract.js'
import { LINE_CAP, LINE_CAP_BEFORE_HELLO } from '../../shared/rpc/framing.js'
import type { Clock } from '../ports/clock.js'
import { Connection, type ConnectionLimits } from './connection.js'
import { createMethods, type RpcLog, type RpcMethods } from './methods.js'
import { clearStale, listenPrivately, prepareFolder, type OpenTo, type ProcessUser } from './socket-file.js'

export interface RpcServerInit {
  readonly socketPath: string
  /** Its owner alone where it is not said. */
  readonly socketOpenTo?: OpenTo
  readonly version: string
  /** major.minor of the contract. */
  readonly contract: string
  /** We hold the lock of the home: a socket that refuses is a dead daemon's and may be removed. */
  readonly lockHeld: boolean
  readonly limits?: Partial<RpcLimits>
  /** Results are checked against the contract: in tests. */
  readonly checkResults?: boolean
}

export interface RpcLimits extends ConnectionLimits {
  readonly connections: number
}

export interface RpcServerPorts {
  readonly handlers: Handlers
  readonly feeds: Feeds
  readonly log: RpcLog
  readonly clock: Clock
  readonly user: ProcessUser
  /** Runs `fn` after the events that wait have had their turn: setImmediate. */
  turn(fn: () => void): void
  /** Something came from a client: work begins. */
  readonly onWork?: () => void
}

export interface RpcServer {
  /** Rejects with SocketPlaceError: another daemon answers there, or the place will not do. */
  listen(): Promise<void>
  /** Takes no more calls, lets those under way be answered (1 s at most), removes the socket. */
  close(): Promise<void>
}

const DEFAULT_LIMITS: RpcLimits = {
  connections: 64,
  lineBeforeHello: LINE_CAP_BEFORE_HELLO,
  line: LINE_CAP,
  heldByAll: 4 * LINE_CAP,
  helloWithin: 10_000,
}

export function createRpcServer(init: RpcServerInit, ports: RpcServerPorts): RpcServer {
  return new UnixRpcServer(init, ports)
}

class UnixRpcServer implements RpcServer {
  readonly #init: RpcServerInit
  readonly #ports: RpcServerPorts
  readonly #limits: RpcLimits
  readonly #methods: RpcMethods
  readonly #server: Server
  /** Open connections, those being refused left out; at most #limits.connections. */
  readonly #connections = new Set<Connection>()
  /** Connections that were told that there are too many and have not gone yet. */
  readonly #refused = new Set<Connection>()

  constructor(init: RpcServerInit, ports: RpcServerPorts) {
    this.#init = init
    this.#ports = ports
    this.#limits = { ...DEFAULT_LIMITS, ...init.limits }
    this.#methods = createMethods({ ...init, checkResults: init.checkResults === true }, ports)
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
  }

  async listen(): Promise<void> {
    const { socketPath, socketOpenTo = 'owner', lockHeld } = this.#init
    await prepareFolder(socketPath, this.#ports.user, socketOpenTo)
    await clearStale(socketPath, lockHeld, this.#ports.user)
    await listenPrivately(this.#server, socketPath, this.#ports.user, socketOpenTo)
    // Out of descriptors, mostly: the clients that wait are accepted when there are some again.
    this.#server.on('error', (err) => this.#ports.log.warn({ err }, 'the RPC socket cannot accept a client'))
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const connection of [...this.#connections, ...this.#refused]) connection.close()
    await closed
  }

  #accept(socket: Socket): void {
    const full = this.#connections.size >= this.#limits.connections
    // A flood of connections is not worth an answer each.
    if (full && this.#refused.size >= this.#limits.connections) return void socket.destroy()
    const group = full ? this.#refused : this.#connections
    const connection = new Connection(
      { socket, limits: this.#limits },
      {
        onWork: () => undefined,
        ...this.#ports,
        methods: this.#methods,
        heldByAll: () => this.#held(),
        onClose: (gone) => group.delete(gone),
      },
    )
    group.add(connection)
    if (!full) return
    const sentence = `torrentinod takes ${this.#limits.connections} connections and has them all; close one of them`
    connection.refuse('tooManyConnections', sentence)
  }

  #held(): number {
    let held = 0
    for (const connection of this.#connections) held += connection.held
    return held
  }
}
