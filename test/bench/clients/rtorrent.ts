/** rtorrent as a daemon, over XML-RPC in SCGI on a Unix socket; an event of its own tells of the end. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import type { BenchTorrent } from '../content.js'
import type { Program } from '../program.js'
import { Bell, type Client, type ClientKind, launch, type Seat, until } from './client.js'

const SETTINGS = [
  'network.bind_address, network.port_range: its seat',
  'DHT, PEX and UDP trackers off, protocol.encryption = none',
  'event.download.finished: a script that writes an empty file',
  '200 leechers: throttle.max_peers, throttle.max_uploads, throttle.max_uploads.global = 2000',
]

const CROWD = `throttle.max_peers.normal.set = 2000
throttle.max_peers.seed.set = 2000
throttle.max_uploads.set = 2000
throttle.max_uploads.global.set = 2000
`

function config(seat: Seat, script: string, socket: string): string {
  return `system.daemon.set = true
session.path.set = ${seat.home}/session
directory.default.set = ${seat.home}
network.scgi.open_local = ${socket}
network.bind_address.set = ${seat.address}
network.port_range.set = ${seat.port}-${seat.port}
network.port_random.set = no
dht.mode.set = disable
protocol.pex.set = no
trackers.use_udp.set = no
protocol.encryption.set = none
method.set_key = event.download.finished, bench, "execute.nothrow={${script},$d.hash=}"
${seat.crowd ? CROWD : ''}`
}

export function rtorrent(): ClientKind {
  const said = spawnSync('rtorrent', ['-h'], { encoding: 'utf8' })
  const here = said.error === undefined
  const version = here ? (/version ([\d.]+)/.exec(said.stdout)?.[1] ?? '') : ''
  const absent = here ? null : 'rtorrent is not installed'
  return { info: { id: 'rtorrent', title: 'rTorrent', version, settings: SETTINGS, absent }, start }
}

async function start(seat: Seat): Promise<Client> {
  mkdirSync(join(seat.home, 'session'))
  const socket = join(seat.home, 'rpc.sock')
  const file = join(seat.home, 'rtorrent.rc')
  const bell = new Bell(seat.home, '$1')
  writeFileSync(file, config(seat, bell.script, socket))
  const program = launch(seat, 'rtorrent', ['-n', '-o', `import=${file}`])
  const client = new Rtorrent(program, bell, socket)
  await until('rtorrent answers', program, () => client.call('system.client_version'))
  return client
}

class Rtorrent implements Client {
  readonly pid: number
  readonly prompt = true
  readonly #program: Program
  readonly #bell: Bell
  readonly #socket: string

  constructor(program: Program, bell: Bell, socket: string) {
    this.#program = program
    this.#bell = bell
    this.#socket = socket
    this.pid = program.pid
  }

  /** The text of the first value of the answer. */
  async call(method: string, ...params: readonly string[]): Promise<string> {
    const words = params.map((param) => `<param><value><string>${escaped(param)}</string></value></param>`)
    const body = `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${words.join('')}</params></methodCall>`
    const answer = await scgi(this.#socket, body)
    if (answer.includes('<fault>')) {
      const why = /<string>([^<]*)<\/string>/.exec(answer)?.[1] ?? answer
      throw new Error(`rtorrent ${method}: ${why}`)
    }
    return /<value>\s*<\w+>([^<]*)<\/\w+>/.exec(answer)?.[1] ?? ''
  }

  async add(torrent: BenchTorrent, dir: string): Promise<void> {
    await this.call('load.start', '', torrent.file, `d.directory.set="${dir}"`)
  }

  completed(torrent: BenchTorrent): Promise<number> {
    return this.#bell.rings(torrent.infoHash)
  }

  async seeding(torrent: BenchTorrent): Promise<boolean> {
    const hash = torrent.infoHash.toUpperCase()
    if ((await this.call('d.complete', hash)) !== '1') return false
    return (await this.call('d.hashing', hash)) === '0' && (await this.call('d.is_active', hash)) === '1'
  }

  async done(torrent: BenchTorrent): Promise<number> {
    return Number(await this.call('d.completed_bytes', torrent.infoHash.toUpperCase()))
  }

  async totals(torrent: BenchTorrent): ReturnType<Client['totals']> {
    const hash = torrent.infoHash.toUpperCase()
    const wasted = Number(await this.call('d.skip.total', hash))
    return { wasted, uploaded: Number(await this.call('d.up.total', hash)) }
  }

  async loopDelay(): Promise<null> {
    return null
  }

  async stop(): Promise<void> {
    // SIGINT is its orderly end; SIGTERM leaves at once.
    await this.#program.stop('SIGINT')
    this.#bell.close()
  }
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}

/** One exchange: a netstring of headers, then the body. */
function scgi(path: string, body: string): Promise<string> {
  const headers = `CONTENT_LENGTH\0${Buffer.byteLength(body)}\0SCGI\x001\0REQUEST_METHOD\0POST\0`
  return new Promise((done, failed) => {
    const socket = net.connect(path)
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (part: string) => (text += part))
    socket.on('error', failed)
    socket.on('end', () => done(text))
    socket.write(`${Buffer.byteLength(headers)}:${headers},${body}`)
  })
}
