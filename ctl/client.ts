/** A typed client of the contract. It loads types only: the schemas stay with the daemon. */
import { connect, type Socket } from 'node:net'
import { JSONRPCClient, JSONRPCErrorException, JSONRPCServer, JSONRPCServerAndClient } from 'json-rpc-2.0'
import type { Method, Notification, NotificationParams, Params, Result } from '../shared/rpc/contract.js'
import { CONTRACT_VERSION } from '../shared/rpc/contract-version.js'
import { LineSplitter } from '../shared/rpc/framing.js'
import { EXIT, Failure, RemoteError } from './exit.js'

/** Bytes of one answer: the files of the largest torrents, and room to spare. */
const ANSWER_CAP = 512 * 1024 * 1024

/** Milliseconds that a daemon may take to greet. */
const HELLO_WITHIN = 10_000

export class Client {
  readonly #socket: Socket
  readonly #lines = new LineSplitter(ANSWER_CAP)
  readonly #rpc: JSONRPCServerAndClient
  /** What the daemon said before it hung up, where that belongs to no call; null otherwise. */
  #refusal: RemoteError | null = null
  /** Settles when the connection is gone. */
  readonly gone: Promise<void>

  private constructor(socket: Socket) {
    this.#socket = socket
    const sender = new JSONRPCClient((message: object) => {
      if (socket.destroyed) throw new Error('the connection is closed')
      socket.write(JSON.stringify(message) + '\n')
    })
    // What fails in a listener of ours is thrown by the listener; nothing is written to the terminal from here.
    this.#rpc = new JSONRPCServerAndClient(new JSONRPCServer({ errorListener: () => undefined }), sender)
    this.gone = new Promise((resolve) => {
      socket.on('close', () => {
        this.#rpc.rejectAllPendingRequests('torrentinod closed the connection')
        resolve()
      })
    })
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
  }

  /** Null when nobody listens there. */
  static async connect(socketPath: string): Promise<Client | null> {
    const socket = await open(socketPath)
    if (socket === null) return null
    const client = new Client(socket)
    const timer = setTimeout(() => client.close(), HELLO_WITHIN)
    try {
      await client.call('session.hello', { client: 'torrentinoctl', contract: CONTRACT_VERSION })
    } catch (error) {
      client.close()
      throw error
    } finally {
      clearTimeout(timer)
    }
    return client
  }

  /** Rejects with RemoteError, or with Failure when the daemon goes away. */
  async call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    return (await this.callByName(method, params)) as Result<M>
  }

  async callByName(method: string, params: object): Promise<unknown> {
    try {
      return await this.#rpc.request(method, params, undefined)
    } catch (error) {
      if (error instanceof JSONRPCErrorException && error.code !== 0) {
        throw new RemoteError(error.code, error.message, error.data)
      }
      if (this.#refusal !== null) throw this.#refusal
      throw new Failure(
        EXIT.noDaemon,
        'torrentinod went away before it answered; torrentinoctl daemon start starts it',
      )
    }
  }

  on<N extends Notification>(name: N, listener: (params: NotificationParams<N>) => void): void {
    this.#rpc.addMethod(name, (params: unknown) => listener(params as NotificationParams<N>))
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#lines.push(chunk)
    for (let line = this.#lines.next(); line !== null; line = this.#lines.next()) {
      const message: unknown = parse(line)
      if (isRefusal(message)) this.#refused(message.error)
      else this.#rpc.receiveAndSend(message, undefined, undefined).catch(() => this.close())
    }
    if (this.#lines.overflowed) this.close()
  }

  /** An error that belongs to no call: the daemon has no room for us. It answers whatever we wait for. */
  #refused(error: { code: number; message: string }): void {
    this.#refusal = new RemoteError(error.code, error.message, undefined)
    this.#rpc.rejectAllPendingRequests(error.message)
  }
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'))
  } catch {
    // Not a message: receiveAndSend refuses it.
    return {}
  }
}

function isRefusal(message: unknown): message is { error: { code: number; message: string } } {
  return (
    typeof message === 'object' &&
    message !== null &&
    'error' in message &&
    'id' in message &&
    message.id === null
  )
}

function open(socketPath: string): Promise<Socket | null> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath)
    const onError = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(null)
      else
        reject(
          new Failure(EXIT.fault, `the socket ${socketPath} cannot be used (${error.code ?? error.message})`),
        )
    }
    socket.once('error', onError)
    socket.once('connect', () => {
      socket.off('error', onError)
      resolve(socket)
    })
  })
}
