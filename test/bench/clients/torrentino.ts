/** Our own daemon as it is installed, with default settings but for its address. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { daemonVariables } from '../../../shared/environment.js'
import type { EventView, Method, Params, Result } from '../../../shared/rpc/contract.js'
import type { BenchTorrent } from '../content.js'
import { type Program, REPOSITORY } from '../program.js'
import { type Client, type ClientKind, launch, type LoopDelay, type Seat, until } from './client.js'

const DAEMON = join(REPOSITORY, 'dist/daemon/bin.js')
/** Milliseconds between two questions for completion, for what no event tells (a check of what lies there). */
const EVERY = 100

const COMMON = ['listen.host, listen.port: its seat', 'net.scope = private']
const CROWD = ['200 leechers: peers.perTorrent = 1000, peers.max = 2000']

export function torrentino(): ClientKind {
  const about = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string }
  const absent = existsSync(DAEMON) ? null : 'dist/ is not built'
  const settings = [...COMMON, ...CROWD]
  return {
    info: { id: 'torrentino', title: 'Torrentino', version: about.version, settings, absent },
    start: startTorrentino,
  }
}

async function startTorrentino(seat: Seat): Promise<Client> {
  const home = join(seat.home, 'h')
  mkdirSync(home, { mode: 0o700 })
  const crowd = seat.crowd ? '[peers]\nmax = 2000\nperTorrent = 1000\n' : ''
  const listen = `[listen]\nhost = "${seat.address}"\nport = ${seat.port}\n[dht]\nenabled = false\n[lsd]\nenabled = false\n[queue]\ndownloads = 0\n`
  writeFileSync(join(home, 'config.toml'), listen + crowd, { mode: 0o600 })
  const program = launch(seat, process.execPath, [DAEMON, '--home', home], {
    ...daemonVariables(process.platform),
    TORRENTINO_NET: 'private',
  })
  const socket = await until('torrentinod answers', program, () => connect(join(home, 'torrentino.sock')))
  const rpc = new Rpc(socket)
  await rpc.call('session.hello', { client: 'bench', contract: '1.0' })
  const client = new Torrentino(program, rpc)
  await rpc.call('events.subscribe', {})
  return client
}

class Torrentino implements Client {
  readonly pid: number
  readonly prompt = true
  readonly #program: Program
  readonly #rpc: Rpc
  /** Ids by info hash. */
  readonly #ids = new Map<string, number>()
  /** Who waits for which hash to be complete. */
  readonly #waiting = new Map<string, (at: number) => void>()
  #asking = false

  constructor(program: Program, rpc: Rpc) {
    this.#program = program
    this.#rpc = rpc
    this.pid = program.pid
    rpc.onEvent = ({ kind, torrent }) => {
      if (kind !== 'completed') return
      for (const [hash, id] of this.#ids) if (id === torrent) this.#complete(hash, performance.now())
    }
  }

  async add(torrent: BenchTorrent, dir: string): Promise<void> {
    const metainfo = readFileSync(torrent.file).toString('base64')
    const { id } = await this.#rpc.call('torrent.add', { metainfo, dir })
    this.#ids.set(torrent.infoHash, id)
    if (this.#waiting.size > 0 && !this.#asking) this.#ask().catch(() => (this.#asking = false))
  }

  completed(torrent: BenchTorrent): Promise<number> {
    return new Promise((done) => this.#waiting.set(torrent.infoHash, done))
  }

  async seeding(torrent: BenchTorrent): Promise<boolean> {
    return (await this.#row(torrent)).state === 'seeding'
  }

  async done(torrent: BenchTorrent): Promise<number> {
    return (await this.#row(torrent)).doneBytes ?? 0
  }

  async totals(torrent: BenchTorrent): ReturnType<Client['totals']> {
    const { wasted, uploaded } = await this.#rpc.call('torrent.get', { id: torrent.infoHash })
    return { wasted, uploaded }
  }

  async loopDelay(): Promise<LoopDelay | null> {
    const { p99, max } = (await this.#rpc.call('session.status', { resetLoop: true })).loopDelay
    return p99 === null || max === null ? null : { p99, max }
  }

  async stop(): Promise<void> {
    await this.#program.stop()
    this.#rpc.close()
  }

  async #row(torrent: BenchTorrent) {
    const ids = [torrent.infoHash]
    const { torrents } = await this.#rpc.call('torrent.list', { ids, fields: ['state', 'doneBytes'] })
    const row = torrents[0]
    if (row === undefined) throw new Error('torrentino does not know the torrent')
    return row
  }

  async #ask(): Promise<void> {
    this.#asking = true
    while (this.#waiting.size > 0 && !this.#program.ended) {
      const fields: ('infoHash' | 'state')[] = ['infoHash', 'state']
      const { torrents } = await this.#rpc.call('torrent.list', { fields })
      const at = performance.now()
      for (const row of torrents) if (row.state === 'seeding') this.#complete(row.infoHash ?? '', at)
      await sleep(EVERY)
    }
    this.#asking = false
  }

  #complete(hash: string, at: number): void {
    this.#waiting.get(hash)?.(at)
    this.#waiting.delete(hash)
  }
}

function connect(path: string): Promise<net.Socket | null> {
  return new Promise((done) => {
    const socket = net.connect(path)
    socket.once('connect', () => done(socket))
    socket.once('error', () => done(null))
  })
}

interface Answer {
  readonly id?: number
  readonly method?: string
  readonly params?: EventView
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** JSON-RPC in lines over the daemon's socket. */
class Rpc {
  readonly #socket: net.Socket
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #last = 0
  /** Told of the facts of the daemon's journal, after `events.subscribe`. */
  onEvent: (event: EventView) => void = () => undefined

  constructor(socket: net.Socket) {
    this.#socket = socket
    let rest = ''
    socket.setEncoding('utf8')
    socket.on('error', () => undefined)
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const answer = JSON.parse(line) as Answer
        if (answer.id !== undefined) this.#settle(answer.id, answer)
        else if (answer.method === 'event' && answer.params !== undefined) this.onEvent(answer.params)
      }
    })
    socket.on('close', () => {
      for (const id of [...this.#waiting.keys()])
        this.#settle(id, { error: { message: 'the daemon is gone' } })
    })
  }

  call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    const id = (this.#last += 1)
    return new Promise((done, failed) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error === undefined) done(result as Result<M>)
        else failed(new Error(`torrentino ${method}: ${error.message}`))
      })
      this.#socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #settle(id: number, answer: Answer): void {
    this.#waiting.get(id)?.(answer)
    this.#waiting.delete(id)
  }
}
