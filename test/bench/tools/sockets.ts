/** Sockets that all read into one buffer of 1 MiB, accepted ones too (not public in Node: falls back to 'data'). */
import net from 'node:net'

const SCRATCH_BYTES = 1_048_576
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)

/** Gets what a socket read, valid during the call. */
export type Receive = (bytes: Buffer, length: number) => void

/** Where the read goes; set before the first turn of the loop after the socket was given out. */
export interface Receiver {
  receive: Receive | null
}

type SocketOptions = net.SocketConstructorOpts & { readonly onread: net.OnReadOpts }
interface RawHandle {
  readonly onconnection?: unknown
}
interface RawServer {
  _handle?: { onconnection?: (status: number, handle: RawHandle | undefined) => void } | null
}

function onread(receiver: Receiver): net.OnReadOpts {
  return {
    buffer: scratch,
    callback: (count: number): boolean => {
      receiver.receive?.(scratch, count)
      return true
    },
  }
}

export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** Reads `10.77.0.9:6881`. */
export function endpoint(text: string): Endpoint {
  const found = /^([0-9.]+):(\d{1,5})$/.exec(text)
  const port = Number(found?.[2])
  if (found?.[1] === undefined || port > 65_535) throw new Error(`'${text}' is no IP:PORT`)
  return { address: found[1], port }
}

/** Listens and answers with the port; rejects with the system's error. */
export function listen(
  at: Endpoint,
  accept: (socket: net.Socket, receiver: Receiver) => void,
): Promise<number> {
  const server = net.createServer((socket) => {
    const receiver: Receiver = { receive: null }
    socket.on('data', (chunk: Buffer) => receiver.receive?.(chunk, chunk.length))
    admit(socket, receiver)
  })
  const admit = (socket: net.Socket, receiver: Receiver): void => {
    prepare(socket)
    accept(socket, receiver)
  }
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: at.address, port: at.port, backlog: 511 }, () => {
      const handle = (server as unknown as RawServer)._handle
      if (typeof handle?.onconnection === 'function') {
        handle.onconnection = (status, raw) => {
          if (status !== 0 || raw === undefined) return
          const receiver: Receiver = { receive: null }
          const options = { handle: raw, readable: true, writable: true, onread: onread(receiver) }
          const socket = new net.Socket(options)
          admit(socket, receiver)
          socket.resume()
        }
      }
      const bound = server.address()
      resolve(bound !== null && typeof bound === 'object' ? bound.port : at.port)
    })
  })
}

export interface DialInit {
  readonly to: Endpoint
  /** The address to dial from; the system's choice where left out. */
  readonly local?: string
  /** A buffer of its own, and nothing is read by itself: the callback says how far (see `net.OnReadOpts`). */
  readonly onread?: net.OnReadOpts
}

export function dial(init: DialInit): { readonly socket: net.Socket; readonly receiver: Receiver } {
  const receiver: Receiver = { receive: null }
  const options: SocketOptions = { onread: init.onread ?? onread(receiver) }
  const socket = new net.Socket(options)
  prepare(socket)
  const { address: host, port } = init.to
  socket.connect(init.local === undefined ? { host, port } : { host, port, localAddress: init.local })
  return { socket, receiver }
}

function prepare(socket: net.Socket): void {
  socket.setNoDelay(true)
  socket.on('error', () => undefined)
  socket.on('end', () => socket.destroy())
}
