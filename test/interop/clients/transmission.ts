import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MadeTorrent } from '../../support/make-torrent.js'
import type { Host } from '../namespace.js'
import { poll } from '../poll.js'
import type { AddInit, Client } from './client.js'

const PORT = 9091
const SEEDING = 6

interface TorrentRow {
  readonly percentDone: number
  readonly status: number
  readonly downloadedEver: number
  readonly uploadedEver: number
  readonly errorString: string
}

interface PeerRow {
  readonly address: string
}

const settings = (dir: string, lsd: boolean, pex: boolean, dht: boolean, secret: boolean): object => ({
  'peer-port': 51413,
  'rpc-port': PORT,
  'rpc-whitelist-enabled': false,
  'rpc-host-whitelist-enabled': false,
  'dht-enabled': dht,
  'pex-enabled': pex,
  'lpd-enabled': lsd,
  'utp-enabled': false,
  'port-forwarding-enabled': false,
  encryption: secret ? 2 : 0,
  'download-dir': dir,
  // Both would park what waits for a slow tracker.
  'download-queue-enabled': false,
  'seed-queue-enabled': false,
})

/**
 * transmission-daemon over its JSON RPC. `lsd`: it speaks to the local network. `pex`: peers tell it of peers. `doors`:
 * addresses of nodes, where its DHT begins; without them it has none. `secret`: it refuses plain handshakes.
 */
export async function startTransmission(
  host: Host,
  lsd = false,
  pex = false,
  doors: readonly string[] = [],
  secret = false,
): Promise<Client> {
  const dir = join(host.dir, 'transmission')
  mkdirSync(dir)
  writeFileSync(join(dir, 'settings.json'), JSON.stringify(settings(dir, lsd, pex, doors.length > 0, secret)))
  // One node a line, its port after a space.
  writeFileSync(join(dir, 'dht.bootstrap'), doors.map((door) => `${door.replace(':', ' ')}\n`).join(''))
  const program = host.spawn('transmission-daemon', ['-f', '-g', dir])
  let session = ''

  async function call(method: string, args: object): Promise<unknown> {
    for (let attempt = 0; attempt < 2; attempt++) {
      const answer = await host.http(PORT, {
        method: 'POST',
        path: '/transmission/rpc',
        headers: { 'x-transmission-session-id': session },
        body: JSON.stringify({ method, arguments: args }),
      })
      // The daemon hands out a token with a 409 and wants it back from then on.
      if (answer.status === 409) {
        session = String(answer.headers['x-transmission-session-id'])
        continue
      }
      const reply = JSON.parse(answer.body.toString()) as { result: string; arguments: unknown }
      if (reply.result !== 'success') throw new Error(`transmission ${method}: ${reply.result}`)
      return reply.arguments
    }
    throw new Error('transmission refuses its own session id')
  }

  await poll({ what: 'transmission answers', timeout: 20_000 }, () => {
    program.assertRuns()
    return call('session-get', {})
  })
  const said = spawnSync('transmission-daemon', ['--version'], { encoding: 'utf8' })

  return {
    name: 'transmission',
    version: /\d[\d.]+/.exec(said.stdout + said.stderr)?.[0] ?? '',
    address: host.address,
    add: async (torrent: MadeTorrent, init: AddInit) => {
      await call('torrent-add', {
        ...(init.magnet === undefined
          ? { metainfo: readFileSync(torrent.file).toString('base64') }
          : { filename: init.magnet }),
        'download-dir': init.dir,
      })
      if (init.uploadLimit !== undefined) {
        const limit = Math.ceil(init.uploadLimit / 1000)
        await call('torrent-set', { ids: [torrent.infoHash], uploadLimit: limit, uploadLimited: true })
      }
    },
    transfer: async (torrent) => {
      const fields = ['percentDone', 'status', 'downloadedEver', 'uploadedEver', 'errorString']
      const reply = await call('torrent-get', { ids: [torrent.infoHash], fields })
      const row = (reply as { torrents: TorrentRow[] }).torrents[0]
      if (row === undefined) throw new Error('transmission does not know the torrent')
      return {
        progress: row.percentDone,
        seeding: row.status === SEEDING && row.percentDone === 1,
        downloaded: row.downloadedEver,
        uploaded: row.uploadedEver,
        error: row.errorString,
      }
    },
    peers: async (torrent) => {
      const reply = await call('torrent-get', { ids: [torrent.infoHash], fields: ['peers'] })
      const peers = (reply as { torrents: { peers: PeerRow[] }[] }).torrents[0]?.peers ?? []
      return peers.map((peer) => ({ host: peer.address, downloaded: 0, uploaded: 0 }))
    },
    stop: () => program.stop(),
  }
}
