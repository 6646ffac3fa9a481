/** aria2c as a JSON-RPC server; its own hook tells of the end. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { BenchTorrent } from '../content.js'
import type { Program } from '../program.js'
import { Bell, type Client, type ClientKind, http, launch, type Seat, until } from './client.js'

const SETTINGS = [
  '--interface, --listen-port: its seat',
  'DHT, LSD, PEX and IPv6 off; plain BitTorrent is its default',
  '--seed-ratio=0.0, --file-allocation=none, --max-concurrent-downloads=100',
  '--on-bt-download-complete: a script that writes an empty file',
  '200 leechers: --bt-max-peers=0',
]

export function aria2(): ClientKind {
  const said = spawnSync('aria2c', ['--version'], { encoding: 'utf8' })
  const here = said.error === undefined
  const version = here ? (/version ([\d.]+)/.exec(said.stdout)?.[1] ?? '') : ''
  const absent = here ? null : 'aria2c is not installed'
  return { info: { id: 'aria2', title: 'aria2', version, settings: SETTINGS, absent }, start }
}

interface Row {
  readonly status: string
  readonly totalLength: string
  readonly completedLength: string
  readonly uploadLength: string
  readonly verifiedLength?: string
  readonly verifyIntegrityPending?: string
}

const KEYS = [
  'status',
  'totalLength',
  'completedLength',
  'uploadLength',
  'verifiedLength',
  'verifyIntegrityPending',
]

async function start(seat: Seat): Promise<Client> {
  const bell = new Bell(seat.home, '$1')
  const program = launch(seat, 'aria2c', [
    '--no-conf',
    '--enable-rpc',
    `--rpc-listen-port=${seat.control}`,
    `--interface=${seat.address}`,
    `--listen-port=${seat.port}`,
    '--enable-dht=false',
    '--enable-dht6=false',
    '--disable-ipv6=true',
    '--bt-enable-lpd=false',
    '--enable-peer-exchange=false',
    '--seed-ratio=0.0',
    '--check-integrity=true',
    '--max-concurrent-downloads=100',
    '--file-allocation=none',
    '--quiet=true',
    `--on-bt-download-complete=${bell.script}`,
    ...(seat.crowd ? ['--bt-max-peers=0'] : []),
    `--dir=${seat.home}`,
  ])
  const client = new Aria2(program, bell, seat.control)
  await until('aria2 answers', program, () => client.call('getVersion'))
  return client
}

class Aria2 implements Client {
  readonly pid: number
  readonly prompt = false
  readonly #program: Program
  readonly #bell: Bell
  readonly #port: number
  /** Its ids by info hash, settled by `add`. */
  readonly #ids = new Map<string, string>()
  /** Who waits for a hash whose id is not known yet. */
  readonly #early = new Map<string, (at: number) => void>()

  constructor(program: Program, bell: Bell, port: number) {
    this.#program = program
    this.#bell = bell
    this.#port = port
    this.pid = program.pid
  }

  async call(method: string, params: readonly unknown[] = []): Promise<unknown> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: `aria2.${method}`, params })
    const ask = { host: '127.0.0.1', port: this.#port, method: 'POST', path: '/jsonrpc', body } as const
    const reply = JSON.parse((await http(ask)).body.toString()) as {
      result?: unknown
      error?: { message: string }
    }
    if (reply.error !== undefined) throw new Error(`aria2 ${method}: ${reply.error.message}`)
    return reply.result
  }

  async add(torrent: BenchTorrent, dir: string): Promise<void> {
    const metainfo = readFileSync(torrent.file).toString('base64')
    const id = String(await this.call('addTorrent', [metainfo, [], { dir }]))
    this.#ids.set(torrent.infoHash, id)
    const early = this.#early.get(torrent.infoHash)
    if (early !== undefined) void this.#bell.rings(id).then(early)
  }

  completed(torrent: BenchTorrent): Promise<number> {
    return new Promise((done) => this.#early.set(torrent.infoHash, done))
  }

  async seeding(torrent: BenchTorrent): Promise<boolean> {
    const row = await this.#row(torrent)
    const checking = row.verifiedLength !== undefined || row.verifyIntegrityPending !== undefined
    return row.status === 'active' && row.completedLength === row.totalLength && !checking
  }

  async done(torrent: BenchTorrent): Promise<number> {
    return Number((await this.#row(torrent)).completedLength)
  }

  async totals(torrent: BenchTorrent): ReturnType<Client['totals']> {
    return { wasted: null, uploaded: Number((await this.#row(torrent)).uploadLength) }
  }

  async loopDelay(): Promise<null> {
    return null
  }

  async stop(): Promise<void> {
    await this.#program.stop()
    this.#bell.close()
  }

  async #row(torrent: BenchTorrent): Promise<Row> {
    return (await this.call('tellStatus', [this.#ids.get(torrent.infoHash), KEYS])) as Row
  }
}
