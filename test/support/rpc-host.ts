/** A real server on a socket in a folder of its own, and a client that sends what it is told, byte for byte. */
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import type { Clock } from '../../daemon/ports/clock.js'
import { createRpcServer, type RpcServer, type RpcServerInit } from '../../daemon/rpc/server.js'
import { CONTRACT_VERSION } from '../../shared/rpc/contract-version.js'
import { FakeSession } from './fake-handlers.js'

export const realClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (delay, fn) => {
    const timer = setTimeout(fn, delay)
    return () => clearTimeout(timer)
  },
  every: (interval, fn) => {
    const timer = setInterval(fn, interval)
    return () => clearInterval(timer)
  },
}

const user = { uid: process.getuid?.() ?? 0, home: '/nowhere', umask: (mask: number) => process.umask(mask) }

export interface RpcHost {
  readonly folder: string
  readonly socketPath: string
  readonly session: FakeSession
  readonly server: RpcServer
  /** What was logged: sentences. */
  readonly logged: string[]
  stop(): Promise<void>
}

export async function startRpcHost(
  over: Partial<RpcServerInit> = {},
  session = new FakeSession(),
  clock: Clock = realClock,
): Promise<RpcHost> {
  const folder = await mkdtemp(join(tmpdir(), 'trpc-'))
  const socketPath = over.socketPath ?? join(folder, 'torrentino.sock')
  const logged: string[] = []
  const log = {
    warn: (_: object, sentence: string) => void logged.push(sentence),
    error: (_: object, sentence: string) => void logged.push(sentence),
  }
  const server = createRpcServer(
    { socketPath, version: '0.1.0', contract: CONTRACT_VERSION, lockHeld: true, checkResults: true, ...over },
    {
      handlers: session.handlers,
      feeds: session.feeds,
      log,
      clock,
      user,
      turn: (fn) => void setImmediate(fn),
    },
  )
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    await server.listen()
  } catch (error) {
    await remove()
    throw error
  }
  const stop = async () => {
    await server.close()
    await remove()
  }
  return { folder, socketPath, session, server, logged, stop }
}

interface Reply {
  readonly id?: unknown
  readonly method?: string
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

/** A client without manners. */
export class RawClient {
  readonly socket: Socket
  /** Everything received: a message, or an array where a batch was answered. */
  readonly replies: (Reply | Reply[])[] = []
  closed = false
  private text = ''
  private waiters: (() => void)[] = []

  constructor(socketPath: string) {
    this.socket = connect(socketPath)
    this.socket.setEncoding('utf8')
    this.socket.on('data', (chunk: string) => this.onText(chunk))
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      this.closed = true
      this.wake()
    })
  }

  static async greeted(socketPath: string): Promise<RawClient> {
    const client = new RawClient(socketPath)
    await client.call('session.hello', { client: 'test', contract: CONTRACT_VERSION }, 'hello')
    client.replies.length = 0
    return client
  }

  write(data: string | Buffer): void {
    this.socket.write(data)
  }

  line(value: unknown): void {
    this.write(JSON.stringify(value) + '\n')
  }

  async call(method: string, params: unknown, id: number | string = 1): Promise<Reply> {
    this.line({ jsonrpc: '2.0', id, method, params })
    return this.until(() =>
      this.replies.find((reply): reply is Reply => !Array.isArray(reply) && reply.id === id && 'id' in reply),
    )
  }

  /** What arrives next as the n-th reply. */
  nth(n: number): Promise<Reply | Reply[]> {
    return this.until(() => this.replies[n])
  }

  untilClosed(): Promise<true> {
    return this.until(() => (this.closed ? true : undefined))
  }

  /** The first answer that is not undefined; fails after 10 s, and when the server hangs up. */
  until<T>(probe: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer within 10 s')), 10_000)
      const look = () => {
        const found = probe()
        if (found === undefined && !this.closed) return void this.waiters.push(look)
        clearTimeout(timer)
        if (found === undefined) reject(new Error('the server hung up'))
        else resolve(found)
      }
      look()
    })
  }

  end(): void {
    this.socket.destroy()
  }

  private onText(chunk: string): void {
    this.text += chunk
    const lines = this.text.split('\n')
    this.text = lines.pop() ?? ''
    for (const line of lines) this.replies.push(JSON.parse(line) as Reply | Reply[])
    this.wake()
  }

  private wake(): void {
    const waiters = this.waiters
    this.waiters = []
    for (const waiter of waiters) waiter()
  }
}
