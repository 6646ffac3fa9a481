/** libtorrent through Debian's Python binding, as it comes and tuned. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ClientId } from '../results.js'
import { type Client, type ClientKind, launch, type Seat } from './client.js'
import { Driven } from './driven.js'

/** Debian's own: another python3 earlier on the PATH does not see its libtorrent. */
const PYTHON = '/usr/bin/python3'
const DRIVER = fileURLToPath(new URL('./libtorrent_driver.py', import.meta.url))

const COMMON = [
  'listen_interfaces, outgoing_interfaces: its seat',
  'ssrf_mitigation = false, allow_multiple_connections_per_ip = true',
  'DHT, LSD, UPnP, NAT-PMP, uTP and encryption off',
  'no auto-management of torrents',
  '200 leechers: connections_limit = 2000, unchoke_slots_limit = -1, listen_queue_size = 300',
]
const TUNED = [
  'high_performance_seed()',
  'aio_threads = 8, hashing_threads = 2, mixed_mode_algorithm = prefer_tcp',
]

export function libtorrent(id: ClientId & `libtorrent${string}`): ClientKind {
  const said = spawnSync(PYTHON, ['-c', 'import libtorrent; print(libtorrent.__version__)'], {
    encoding: 'utf8',
  })
  const version = said.status === 0 ? said.stdout.trim().replace(/\.0$/, '') : ''
  const tuned = id === 'libtorrent-tuned'
  const title = tuned ? 'libtorrent, tuned' : 'libtorrent'
  const absent = said.status === 0 ? null : 'python3-libtorrent is not installed'
  const settings = tuned ? [...COMMON, ...TUNED] : COMMON
  return { info: { id, title, version, settings, absent }, start: (seat) => startLibtorrent(seat, tuned) }
}

async function startLibtorrent(seat: Seat, tuned: boolean): Promise<Client> {
  const options = { address: seat.address, port: seat.port, tuned, crowd: seat.crowd }
  return Driven.start(launch(seat, PYTHON, ['-u', DRIVER, JSON.stringify(options)]), true)
}
