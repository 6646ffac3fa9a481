/** A real torrentinod in a home of its own, and a small client of its socket that owes nothing to ours. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { daemonVariables } from '../../shared/environment.js'
import type { Method, Params, Result } from '../../shared/rpc/contract.js'
import type { TorrentView } from '../../shared/views.js'

export const DAEMON = resolve(import.meta.dirname, '../../dist/daemon/bin.js')
/** Milliseconds until a daemon must answer. */
const START_WITHIN = 20_000

export interface DaemonInit {
  /** Made with mode 0700 where it is not there. */
  readonly home: string
  /** Lines for config.toml, written where `home` is new. */
  readonly config?: string
  readonly env?: Readonly<Record<string, string>>
  /** Its program; the one in dist where left out. */
  readonly entry?: string
  /** Options of node. */
  readonly flags?: readonly string[]
  /** What runs the daemon: words before `node`. */
  readonly under?: readonly string[]
  /** Where its socket is seen from here, where that is elsewhere than the daemon sees it. */
  readonly socket?: (pid: number) => string
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** An error that came over the socket. */
export class CallError extends Error {
  readonly code: number
  readonly data: Readonly<Record<string, unknown>>

  constructor(error: { code: number; message: string; data?: Record<string, unknown> }) {
    super(error.message)
    this.code = error.code
    this.data = error.data ?? {}
  }
}

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: { code: number; message: string; data?: Record<string, unknown> }
}

/** Every process that a test has started and that has not ended. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs the program and leaves the rest to the test: for daemons that are to end at once. */
export function spawnDaemon(init: DaemonInit): {
  child: ChildProcess
  ended: Promise<Ended>
  said: () => string
} {
  const words: string[] = [
    ...(init.under ?? []),
    process.execPath,
    ...(init.flags ?? []),
    init.entry ?? DAEMON,
    '--home',
    init.home,
  ]
  const [program = '', ...args] = words
  const own = { PATH: process.env['PATH'], HOME: init.home, TORRENTINO_NET: 'loopback' }
  const env = { ...daemonVariables(process.platform), ...own, ...init.env }
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let said = ''
  child.stdout.on('data', (text: Buffer) => (said += String(text)))
  child.stderr.on('data', (text: Buffer) => (said += String(text)))
  const ended = new Promise<Ended>((done) => {
    child.on('close', (code, signal) => {
      running.delete(child)
      done({ code, signal })
    })
  })
  return { child, ended, said: () => said }
}

/** Makes a home with a config.toml, by default one that listens on 127.0.0.1 and has no DHT. */
export function makeHome(home: string, config = ''): string {
  const listen = config.includes('[listen]') ? '' : '[listen]\nhost = "127.0.0.1"\n'
  mkdirSync(home, { mode: 0o700 })
  const dht = config.includes('[dht]') ? '' : '[dht]\nenabled = false\n'
  writeFileSync(join(home, 'config.toml'), listen + dht + config, { mode: 0o600 })
  return home
}

/** The error that a call answers; it fails where the call succeeds. */
export async function refusal(answer: Promise<unknown>): Promise<CallError> {
  const error = await answer.then(
    (result) => new Error(`it was not refused: ${JSON.stringify(result)}`),
    (reason: unknown) => reason,
  )
  if (error instanceof CallError) return error
  throw error
}

export class Daemon {
  readonly home: string
  readonly pid: number
  /** Milliseconds from the start of the program to its first answer. */
  readonly startMillis: number
  readonly ended: Promise<Ended>
  /** Standard output and error so far. */
  readonly said: () => string
  private readonly child: ChildProcess
  private readonly socket: net.Socket
  private readonly waiting = new Map<number, (answer: Answer) => void>()
  private last = 1

  private constructor(
    home: string,
    pid: number,
    startMillis: number,
    run: ReturnType<typeof spawnDaemon>,
    socket: net.Socket,
  ) {
    this.home = home
    this.pid = pid
    this.startMillis = startMillis
    this.child = run.child
    this.ended = run.ended
    this.said = run.said
    this.socket = socket
    readLines(socket, (answer) => {
      this.waiting.get(answer.id)?.(answer)
      this.waiting.delete(answer.id)
    })
    socket.on('close', () => {
      const error = { code: 0, message: 'the daemon closed the connection' }
      for (const [id, answer] of this.waiting) answer({ id, error })
      this.waiting.clear()
    })
  }

  /** Starts one and settles when it answers. */
  static async start(init: DaemonInit): Promise<Daemon> {
    const begun = performance.now()
    const run = spawnDaemon(init)
    const inHome = join(init.home, 'torrentino.sock')
    const path = init.socket?.(run.child.pid ?? 0) ?? inHome
    const lives = (): boolean => run.child.exitCode === null && run.child.signalCode === null
    while (performance.now() - begun < START_WITHIN && lives()) {
      const hello = await greet(path)
      if (hello !== null) {
        return new Daemon(init.home, hello.pid, performance.now() - begun, run, hello.socket)
      }
      await delay(10)
    }
    run.child.kill('SIGKILL')
    const { code } = await run.ended
    throw new Error(`torrentinod did not answer (exit ${String(code)}): ${run.said()}`)
  }

  call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    const id = (this.last += 1)
    return new Promise((done, failed) => {
      this.waiting.set(id, (answer) => {
        if (answer.error === undefined) done(answer.result as Result<M>)
        else failed(new CallError(answer.error))
      })
      this.socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
    })
  }

  async torrent(id: number): Promise<TorrentView> {
    const { torrents } = await this.call('torrent.list', { ids: [id] })
    return torrents[0] as TorrentView
  }

  /** Settles with the view for which `is` holds; fails with the last one after `within` milliseconds. */
  async until(id: number, is: (view: TorrentView) => boolean, within = 20_000): Promise<TorrentView> {
    const end = performance.now() + within
    for (;;) {
      const view = await this.torrent(id)
      if (is(view)) return view
      if (performance.now() > end) throw new Error(`not within ${String(within)} ms: ${JSON.stringify(view)}`)
      await delay(25)
    }
  }

  seeds(id: number, within?: number): Promise<TorrentView> {
    return this.until(id, (view) => view.state === 'seeding', within)
  }

  async kill9(): Promise<void> {
    process.kill(this.pid, 'SIGKILL')
    await this.ended
    this.socket.destroy()
  }

  /** Ends it in order. */
  async stop(): Promise<Ended> {
    if (this.child.exitCode === null && this.child.signalCode === null) process.kill(this.pid, 'SIGTERM')
    const ended = await this.ended
    this.socket.destroy()
    return ended
  }
}

function readLines(socket: net.Socket, each: (answer: Answer) => void): void {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('error', () => undefined)
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const message = JSON.parse(line) as Partial<Answer>
      if (message.id !== undefined) each(message as Answer)
    }
  })
}

/** A connection on which `session.hello` was answered, or null. */
function greet(path: string): Promise<{ socket: net.Socket; pid: number } | null> {
  return new Promise((done) => {
    const socket = net.connect(path)
    socket.once('error', () => {
      done(null)
    })
    socket.once('close', () => {
      done(null)
    })
    socket.once('connect', () => {
      const params = { client: 'e2e', contract: '1.0' }
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'session.hello', params })}\n`)
    })
    const first = (text: Buffer): void => {
      socket.off('data', first)
      const { result } = JSON.parse(String(text)) as { result: { pid: number } }
      done({ socket, pid: result.pid })
    }
    socket.on('data', first)
  })
}
