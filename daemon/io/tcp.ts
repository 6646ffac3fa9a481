/**
 * Peer connections over TCP. All sockets of the process read into one buffer (`onread`), parsed during the call: an
 * idle peer holds no receive buffer. For accepted sockets Node has no public option, so the server's handle is asked
 * for the raw connection where its shape is the known one (Node 20 to 26), and 'data' events do where it is not.
 */
import net from 'node:net'
import type { PeerAddress } from '../base/address.js'
import { makeAddress } from '../base/address.js'
import type { Transport, TransportHandler } from '../swarm/transport.js'

/** Read at once from one socket: larger reads are fewer system calls. */
const SCRATCH_BYTES = 1024 * 1024
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
/** Read at once from a socket that brings no payload: its messages cost more than their bytes. */
const small = scratch.subarray(0, 16 * 1024)
/** The same when others have brought much in this turn of the loop: fifty times the small is 50 ms of haves. */
const tiny = scratch.subarray(0, 2 * 1024)
/** Full reads without payload in a turn before the next ones are tiny. */
const MANY_SMALL = 8
/** Full reads without payload in this turn. */
let smallReads = 0

/** A read without payload filled its buffer: there is more. */
function countSmall(): void {
  if (smallReads++ > 0) return
  setImmediate(() => {
    smallReads = 0
  })
}

function bufferFor(transport: TcpTransport | null): Buffer {
  if (transport?.bulk === true) return scratch
  return smallReads > MANY_SMALL ? tiny : small
}

/** Where `onread` delivers to; the transport is known only after the socket. */
interface Reader {
  transport: TcpTransport | null
}

/** `onread` is documented for sockets that connect; the types know it there only. */
type SocketOptions = net.SocketConstructorOpts & { readonly onread: net.OnReadOpts }

function onread(reader: Reader): net.OnReadOpts {
  let buffer: Buffer = small
  return {
    buffer: () => (buffer = bufferFor(reader.transport)),
    callback: (count: number): boolean => {
      const { transport } = reader
      if (transport === null) return true
      const full = count === buffer.length
      transport.deliver(scratch.subarray(0, count))
      if (transport.bulk || !full) return true
      countSmall()
      // libuv would read on, up to 32 times: the others come first.
      return !transport.yield()
    },
  }
}

export class TcpTransport implements Transport {
  readonly address: PeerAddress
  readonly direction: 'in' | 'out'
  bulk = false
  readonly #socket: net.Socket
  #handler: TransportHandler | null = null
  /** Why we closed it; told when the socket has ended. */
  #reason: string | null = null
  #ended = false
  /** `pause` was called, and not `resume` since. */
  #paused = false

  constructor(socket: net.Socket, address: PeerAddress, direction: 'in' | 'out') {
    this.#socket = socket
    this.address = address
    this.direction = direction
    socket.setNoDelay(true)
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#reason ??= error.code ?? 'socket-error'
    })
    socket.on('close', () => {
      this.#end()
    })
    // A peer that has finished sending has nothing left to ask: half-open connections serve nobody.
    socket.on('end', () => {
      this.#reason ??= 'closed-by-peer'
      socket.destroy()
    })
  }

  get local(): string {
    return this.#socket.localAddress ?? ''
  }

  get unsent(): number {
    return this.#socket.writableLength
  }

  start(handler: TransportHandler): void {
    this.#handler = handler
    this.#socket.resume()
  }

  deliver(view: Buffer): void {
    if (!this.#ended) this.#handler?.data(view)
  }

  write(bytes: Uint8Array, taken?: () => void): void {
    if (this.#ended || this.#socket.destroyed) {
      taken?.()
      return
    }
    // The callback also comes, with an error, for what a dying socket still held.
    this.#socket.write(
      bytes,
      taken === undefined
        ? undefined
        : () => {
            taken()
          },
    )
  }

  /** Reads on when the others had their turn; false: it is not to read on. */
  yield(): boolean {
    if (this.#paused || this.#ended) return false
    setImmediate(() => {
      if (!this.#paused) this.resume()
    })
    return true
  }

  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    if (!this.#ended) this.#socket.resume()
  }

  close(reason: string): void {
    this.#reason ??= reason
    this.#socket.destroy()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#handler?.closed(this.#reason ?? 'closed-by-peer')
  }
}

/** Options of a socket that will be dialled, and the wrapper for it once it is connected. */
export function dialled(): {
  readonly options: SocketOptions
  readonly wrap: (socket: net.Socket, address: PeerAddress) => TcpTransport
} {
  const reader: Reader = { transport: null }
  return {
    options: { onread: onread(reader) },
    wrap: (socket, address) => {
      const transport = new TcpTransport(socket, address, 'out')
      reader.transport = transport
      return transport
    },
  }
}

/** What `net.Server` has inside: not public, so looked at before it is used. */
interface RawServer {
  _handle?: { onconnection?: (status: number, handle: RawHandle | undefined) => void } | null
}
interface RawHandle {
  close(): void
  readStart(): number
  getpeername(out: Record<string, unknown>): number
}

export interface ListenerInit {
  readonly host: string
  readonly port: number
  /** True: no room for one more, it is closed at once. */
  readonly full: () => boolean
}

export interface TcpListener {
  readonly host: string
  readonly port: number
  /** True where accepted sockets read into the shared buffer. */
  readonly shared: boolean
  close(): void
}

/** Listens; rejects with the system's error. `accept` gets a transport that is not started. */
export function listen(init: ListenerInit, accept: (transport: Transport) => void): Promise<TcpListener> {
  const admit = (socket: net.Socket, reader: Reader | null): void => {
    const address = remoteOf(socket)
    if (address === null || init.full()) {
      socket.destroy()
      return
    }
    const transport = new TcpTransport(socket, address, 'in')
    if (reader === null) {
      socket.pause()
      socket.on('data', (chunk: Buffer) => {
        transport.deliver(chunk)
      })
      socket.pause()
    } else reader.transport = transport
    accept(transport)
  }
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    admit(socket, null)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: init.host, port: init.port, exclusive: true, backlog: 511 }, () => {
      server.off('error', reject)
      server.on('error', () => undefined)
      const bound = server.address()
      const port = bound !== null && typeof bound === 'object' ? bound.port : init.port
      const shared = takeRaw(server, admit)
      resolve({ host: init.host, port, shared, close: () => void server.close() })
    })
  })
}

function takeRaw(server: net.Server, admit: (socket: net.Socket, reader: Reader) => void): boolean {
  const handle = (server as unknown as RawServer)._handle
  if (handle === undefined || handle === null || typeof handle.onconnection !== 'function') return false
  handle.onconnection = (status, raw) => {
    if (status !== 0 || raw === undefined) return
    const reader: Reader = { transport: null }
    const options = { handle: raw, readable: true, writable: true, onread: onread(reader) }
    admit(new net.Socket(options), reader)
  }
  return true
}

function remoteOf(socket: net.Socket): PeerAddress | null {
  const { remoteAddress: host, remotePort: port } = socket
  return host === undefined || port === undefined ? null : makeAddress(host, port)
}
