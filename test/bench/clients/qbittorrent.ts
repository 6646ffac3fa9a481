/** qbittorrent-nox over its web API; its "run on completion" tells of the end. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchTorrent } from '../content.js'
import type { Program } from '../program.js'
import { Bell, type Client, type ClientKind, http, launch, type Seat, until } from './client.js'

const BOUNDARY = 'torrentino-bench-boundary'

const SETTINGS = [
  'Session/Interface, InterfaceAddress, Port: its seat',
  'DHT, PeX, LSD off, BTProtocol = TCP, Encryption off',
  'SSRFMitigation = false, MultiConnectionsPerIp = true, QueueingSystemEnabled = false',
  'AutoRun on completion: a script that writes an empty file',
  '200 leechers: MaxConnections, MaxConnectionsPerTorrent, MaxUploads, MaxUploadsPerTorrent = -1',
]

const CROWD = ['MaxConnections', 'MaxConnectionsPerTorrent', 'MaxUploads', 'MaxUploadsPerTorrent']

function config(seat: Seat, script: string): string {
  return `[LegalNotice]
Accepted=true

[AutoRun]
enabled=true
program=${script} %I

[BitTorrent]
Session\\Port=${seat.port}
Session\\Interface=lo
Session\\InterfaceName=lo
Session\\InterfaceAddress=${seat.address}
Session\\DHTEnabled=false
Session\\PeXEnabled=false
Session\\LSDEnabled=false
Session\\BTProtocol=TCP
Session\\Encryption=2
Session\\SSRFMitigation=false
Session\\MultiConnectionsPerIp=true
Session\\QueueingSystemEnabled=false
Session\\AnonymousModeEnabled=false
${seat.crowd ? CROWD.map((key) => `Session\\${key}=-1\n`).join('') : ''}
[Preferences]
WebUI\\Address=127.0.0.1
WebUI\\LocalHostAuth=false
WebUI\\CSRFProtection=false
WebUI\\HostHeaderValidation=false
WebUI\\UPnP=false
`
}

export function qbittorrent(): ClientKind {
  const said = spawnSync('qbittorrent-nox', ['--version'], { encoding: 'utf8' })
  const here = said.error === undefined
  const version = here ? (/v([\d.]+)/.exec(said.stdout)?.[1] ?? '') : ''
  const absent = here ? null : 'qbittorrent-nox is not installed'
  return { info: { id: 'qbittorrent', title: 'qBittorrent', version, settings: SETTINGS, absent }, start }
}

interface Row {
  readonly amount_left: number
  readonly completed: number
  readonly state: string
  readonly uploaded: number
}

const SEEDING = ['uploading', 'stalledUP', 'forcedUP']

async function start(seat: Seat): Promise<Client> {
  const folder = join(seat.home, 'qBittorrent', 'config')
  mkdirSync(folder, { recursive: true })
  const bell = new Bell(seat.home, '$1')
  writeFileSync(join(folder, 'qBittorrent.conf'), config(seat, bell.script))
  const args = [`--profile=${seat.home}`, `--webui-port=${seat.control}`]
  const program = launch(seat, 'qbittorrent-nox', args)
  const client = new Qbittorrent(program, bell, seat.control)
  await until('qbittorrent answers', program, () => client.get('app/version'))
  return client
}

class Qbittorrent implements Client {
  readonly pid: number
  readonly prompt = false
  readonly #program: Program
  readonly #bell: Bell
  readonly #port: number

  constructor(program: Program, bell: Bell, port: number) {
    this.#program = program
    this.#bell = bell
    this.#port = port
    this.pid = program.pid
  }

  async get(path: string): Promise<string> {
    const answer = await http({ host: '127.0.0.1', port: this.#port, path: `/api/v2/${path}` })
    const text = answer.body.toString()
    if (answer.status !== 200) throw new Error(`qbittorrent ${path}: ${answer.status} ${text}`)
    return text
  }

  async add(torrent: BenchTorrent, dir: string): Promise<void> {
    const fields = { savepath: dir, autoTMM: 'false', contentLayout: 'Original' }
    const answer = await http({
      host: '127.0.0.1',
      port: this.#port,
      method: 'POST',
      path: '/api/v2/torrents/add',
      headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
      body: form(fields, readFileSync(torrent.file)),
    })
    const text = answer.body.toString()
    if (!text.startsWith('Ok')) throw new Error(`qbittorrent add: ${answer.status} ${text}`)
  }

  completed(torrent: BenchTorrent): Promise<number> {
    return this.#bell.rings(torrent.infoHash)
  }

  async seeding(torrent: BenchTorrent): Promise<boolean> {
    const row = await this.#row(torrent)
    return row !== null && SEEDING.includes(row.state) && row.amount_left === 0
  }

  /** As old as its refresh of 1.5 s. */
  async done(torrent: BenchTorrent): Promise<number> {
    return (await this.#row(torrent))?.completed ?? 0
  }

  async totals(torrent: BenchTorrent): ReturnType<Client['totals']> {
    const text = await this.get(`torrents/properties?hash=${torrent.infoHash}`)
    const said = JSON.parse(text) as { total_wasted: number; total_uploaded: number }
    return { wasted: said.total_wasted, uploaded: said.total_uploaded }
  }

  async loopDelay(): Promise<null> {
    return null
  }

  async stop(): Promise<void> {
    await this.#program.stop()
    this.#bell.close()
  }

  async #row(torrent: BenchTorrent): Promise<Row | null> {
    const rows = JSON.parse(await this.get(`torrents/info?hashes=${torrent.infoHash}`)) as Row[]
    return rows[0] ?? null
  }
}

function form(fields: Readonly<Record<string, string>>, torrent: Uint8Array): Buffer {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const file =
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="torrents"; filename="t.torrent"\r\n` +
    'content-type: application/x-bittorrent\r\n\r\n'
  return Buffer.concat([Buffer.from(parts.join('') + file), torrent, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)])
}
