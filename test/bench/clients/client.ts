/** What the benchmark asks of every client. */
import { type FSWatcher, existsSync, mkdirSync, watch, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchTorrent } from '../content.js'
import { Program } from '../program.js'
import type { ClientInfo } from '../results.js'

/** Where a client runs, and what of its surroundings a scenario asks for. */
export interface Seat {
  readonly address: string
  /** For peers. */
  readonly port: number
  /** For its control interface, on `address` or 127.0.0.1; no other seat has it. */
  readonly control: number
  /** A folder of its own: home, profile, logs. Exists. */
  readonly home: string
  readonly cpus: string | null
  /** The scenario brings more peers than the client takes by default: limits of peers and slots are lifted. */
  readonly crowd: boolean
  /** Words before the program. */
  readonly under: readonly string[]
}

export interface Totals {
  /** Payload thrown away, or null where the client does not say. */
  readonly wasted: number | null
  /** Payload sent, or null. */
  readonly uploaded: number | null
}

export interface LoopDelay {
  /** Milliseconds. */
  readonly p99: number
  readonly max: number
}

export interface Client {
  readonly pid: number
  /** Whether `done` tells verified bytes as they are now: some count blocks of unfinished pieces, or refresh late. */
  readonly prompt: boolean
  /** Settles when the client has taken it. `dir` is the download folder; where the data lie there it checks them. */
  add(torrent: BenchTorrent, dir: string): Promise<void>
  /** Settles with performance.now() of completion. To be called before `add`. */
  completed(torrent: BenchTorrent): Promise<number>
  /** Whether it has everything and offers it. */
  seeding(torrent: BenchTorrent): Promise<boolean>
  /** Bytes it has, by its own count. */
  done(torrent: BenchTorrent): Promise<number>
  totals(torrent: BenchTorrent): Promise<Totals>
  /** Since the last call, a minute at most; null where the client does not tell. */
  loopDelay(): Promise<LoopDelay | null>
  /** In order, so that what it holds back is written. */
  stop(): Promise<void>
}

export interface ClientKind {
  readonly info: ClientInfo
  /** Starts it and settles when it takes torrents. */
  start(seat: Seat): Promise<Client>
}

/** Starts a client's program at its seat. */
export function launch(
  seat: Seat,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Program {
  const [first = command, ...rest] = [...seat.under, command, ...args]
  const { home, cpus } = seat
  return new Program({ command: first, args: rest, home, cpus, env, log: join(home, 'stderr.log') })
}

/** A folder into which a client's own "finished" script puts a file named by the info hash: heard at once. */
export class Bell {
  readonly dir: string
  /** The script; with the hash as its first word. */
  readonly script: string
  readonly #watcher: FSWatcher
  readonly #waiting = new Map<string, (at: number) => void>()

  /** `word` is how the script finds the hash: "$1", or a variable. */
  constructor(home: string, word: string) {
    this.dir = join(home, 'finished')
    this.script = join(home, 'finished.sh')
    mkdirSync(this.dir)
    writeFileSync(this.script, `#!/bin/sh\n: > "${this.dir}/${word}"\n`, { mode: 0o755 })
    this.#watcher = watch(this.dir, (_, name) => {
      const at = performance.now()
      const hash = name?.toLowerCase() ?? ''
      this.#waiting.get(hash)?.(at)
      this.#waiting.delete(hash)
    })
  }

  rings(key: string): Promise<number> {
    if (existsSync(join(this.dir, key))) return Promise.resolve(performance.now())
    return new Promise((done) => this.#waiting.set(key, done))
  }

  close(): void {
    this.#watcher.close()
  }
}

export interface HttpAsk {
  readonly host: string
  readonly port: number
  readonly path: string
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export function http(ask: HttpAsk): Promise<HttpAnswer> {
  return new Promise((done, failed) => {
    const { host, port, path } = ask
    const length = ask.body === undefined ? {} : { 'content-length': Buffer.byteLength(ask.body) }
    const headers = { ...length, ...ask.headers }
    const asked = request({ host, port, path, method: ask.method ?? 'GET', headers, timeout: 60_000 })
    asked.on('response', (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', failed)
      answer.on('end', () => {
        done({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) })
      })
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer in 60 s')))
    asked.on('error', failed)
    asked.end(ask.body)
  })
}

/** Asks until there is an answer: programs of others tell nobody when they are ready. */
export async function until<T>(
  what: string,
  program: Program,
  look: () => Promise<T | null>,
  init: { readonly within?: number; readonly every?: number } = {},
): Promise<T> {
  const end = performance.now() + (init.within ?? 30_000)
  let last: unknown = 'not yet'
  while (performance.now() < end) {
    program.assertRuns()
    try {
      const seen = await look()
      if (seen !== null) return seen
    } catch (error) {
      last = error
    }
    await sleep(init.every ?? 20)
  }
  throw new Error(`${what}: not in time (${String(last)})`)
}
