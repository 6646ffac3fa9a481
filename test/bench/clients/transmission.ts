/** transmission-daemon over its JSON RPC; its "script when done" tells of the end. */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchTorrent } from '../content.js'
import type { Program } from '../program.js'
import { Bell, type Client, type ClientKind, http, launch, type Seat, until } from './client.js'

const SETTINGS = [
  'bind-address-ipv4, peer-port: its seat',
  'DHT, PEX, LPD, uTP and port forwarding off, encryption = 0',
  'download-queue-enabled, seed-queue-enabled = false',
  'script-torrent-done: a script that writes an empty file',
  '200 leechers: peer-limit-global, peer-limit-per-torrent, upload-slots-per-torrent = 2000',
]

const CROWD = {
  'peer-limit-global': 2000,
  'peer-limit-per-torrent': 2000,
  'upload-slots-per-torrent': 2000,
}

/** The status of a torrent that seeds. */
const SEEDING = 6

export function transmission(): ClientKind {
  const said = spawnSync('transmission-daemon', ['--version'], { encoding: 'utf8' })
  const here = said.error === undefined
  const version = here ? (/\d[\d.]+/.exec(said.stdout + said.stderr)?.[0] ?? '') : ''
  const absent = here ? null : 'transmission-daemon is not installed'
  return { info: { id: 'transmission', title: 'Transmission', version, settings: SETTINGS, absent }, start }
}

interface Row {
  readonly status: number
  readonly haveValid: number
  readonly leftUntilDone: number
  readonly uploadedEver: number
  readonly corruptEver: number
}

async function start(seat: Seat): Promise<Client> {
  const bell = new Bell(seat.home, '$TR_TORRENT_HASH')
  const settings = {
    'bind-address-ipv4': seat.address,
    'peer-port': seat.port,
    'rpc-port': seat.control,
    'rpc-bind-address': '127.0.0.1',
    'rpc-host-whitelist-enabled': false,
    'dht-enabled': false,
    'pex-enabled': false,
    'lpd-enabled': false,
    'utp-enabled': false,
    'port-forwarding-enabled': false,
    encryption: 0,
    'download-dir': seat.home,
    'download-queue-enabled': false,
    'seed-queue-enabled': false,
    'script-torrent-done-enabled': true,
    'script-torrent-done-filename': bell.script,
    ...(seat.crowd ? CROWD : {}),
  }
  writeFileSync(join(seat.home, 'settings.json'), JSON.stringify(settings))
  const program = launch(seat, 'transmission-daemon', ['-f', '-g', seat.home])
  const client = new Transmission(program, bell, seat.control)
  await until('transmission answers', program, () => client.call('session-get', {}))
  return client
}

class Transmission implements Client {
  readonly pid: number
  readonly prompt = true
  readonly #program: Program
  readonly #bell: Bell
  readonly #port: number
  /** Its token against forged requests. */
  #session = ''

  constructor(program: Program, bell: Bell, port: number) {
    this.#program = program
    this.#bell = bell
    this.#port = port
    this.pid = program.pid
  }

  async call(method: string, args: object): Promise<unknown> {
    for (let attempt = 0; attempt < 2; attempt++) {
      const answer = await http({
        host: '127.0.0.1',
        port: this.#port,
        method: 'POST',
        path: '/transmission/rpc',
        headers: { 'x-transmission-session-id': this.#session },
        body: JSON.stringify({ method, arguments: args }),
      })
      // The daemon hands out a token with a 409 and wants it back from then on.
      if (answer.status === 409) {
        this.#session = String(answer.headers['x-transmission-session-id'])
        continue
      }
      const reply = JSON.parse(answer.body.toString()) as { result: string; arguments: unknown }
      if (reply.result !== 'success') throw new Error(`transmission ${method}: ${reply.result}`)
      return reply.arguments
    }
    throw new Error('transmission refuses its own session id')
  }

  async add(torrent: BenchTorrent, dir: string): Promise<void> {
    const metainfo = readFileSync(torrent.file).toString('base64')
    await this.call('torrent-add', { metainfo, 'download-dir': dir })
  }

  completed(torrent: BenchTorrent): Promise<number> {
    return this.#bell.rings(torrent.infoHash)
  }

  async seeding(torrent: BenchTorrent): Promise<boolean> {
    const row = await this.#row(torrent)
    return row.status === SEEDING && row.leftUntilDone === 0
  }

  async done(torrent: BenchTorrent): Promise<number> {
    return (await this.#row(torrent)).haveValid
  }

  async totals(torrent: BenchTorrent): ReturnType<Client['totals']> {
    const { corruptEver, uploadedEver } = await this.#row(torrent)
    return { wasted: corruptEver, uploaded: uploadedEver }
  }

  async loopDelay(): Promise<null> {
    return null
  }

  async stop(): Promise<void> {
    await this.#program.stop()
    this.#bell.close()
  }

  async #row(torrent: BenchTorrent): Promise<Row> {
    const fields = ['status', 'haveValid', 'leftUntilDone', 'uploadedEver', 'corruptEver']
    const reply = await this.call('torrent-get', { ids: [torrent.infoHash], fields })
    const row = (reply as { torrents: Row[] }).torrents[0]
    if (row === undefined) throw new Error('transmission does not know the torrent')
    return row
  }
}
