import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MadeTorrent } from '../../support/make-torrent.js'
import type { Host } from '../namespace.js'
import { poll } from '../poll.js'
import type { AddInit, Client } from './client.js'

const PORT = 8080
const BOUNDARY = 'torrentino-interop-boundary'

const config = (pex: boolean, dht: boolean, secret: boolean): string => `[LegalNotice]
Accepted=true

[BitTorrent]
Session\\Port=6889
Session\\DHTEnabled=${dht}
Session\\PeXEnabled=${pex}
Session\\LSDEnabled=false
Session\\BTProtocol=TCP
Session\\Encryption=${secret ? 1 : 2}
Session\\SSRFMitigation=false
Session\\MultiConnectionsPerIp=true
Session\\QueueingSystemEnabled=false
Session\\AnonymousModeEnabled=false

[Preferences]
WebUI\\Address=*
WebUI\\AuthSubnetWhitelistEnabled=true
WebUI\\AuthSubnetWhitelist=10.77.0.0/24
WebUI\\CSRFProtection=false
WebUI\\HostHeaderValidation=false
WebUI\\UPnP=false
`

interface Row {
  readonly progress: number
  readonly state: string
  readonly downloaded: number
  readonly uploaded: number
}

type PeerRows = Readonly<Record<string, { ip: string; downloaded: number; uploaded: number }>>

function form(fields: Readonly<Record<string, string>>, torrent: Uint8Array | null): Buffer {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  if (torrent === null) return Buffer.from(`${parts.join('')}--${BOUNDARY}--\r\n`)
  const file =
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="torrents"; filename="t.torrent"\r\n` +
    'content-type: application/x-bittorrent\r\n\r\n'
  return Buffer.concat([Buffer.from(parts.join('') + file), torrent, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)])
}

/**
 * qbittorrent-nox over its web API. `pex`: peers tell it of peers. `dht`: it has a node; where that begins a link's `dht`
 * says. `secret`: it refuses plain handshakes.
 */
export async function startQbittorrent(
  host: Host,
  pex = false,
  dht = false,
  secret = false,
): Promise<Client> {
  const dir = join(host.dir, 'qbittorrent')
  const folder = join(dir, 'qBittorrent', 'config')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'qBittorrent.conf'), config(pex, dht, secret))
  const program = host.spawn('qbittorrent-nox', [`--profile=${dir}`, `--webui-port=${PORT}`])

  async function get(path: string): Promise<string> {
    const answer = await host.http(PORT, { path: `/api/v2/${path}` })
    if (answer.status !== 200)
      throw new Error(`qbittorrent ${path}: ${answer.status} ${answer.body.toString()}`)
    return answer.body.toString()
  }

  const version = await poll({ what: 'qbittorrent answers', timeout: 30_000 }, () => {
    program.assertRuns()
    return get('app/version')
  })

  return {
    name: 'qbittorrent',
    version: version.replace(/^v/, ''),
    address: host.address,
    add: async (torrent: MadeTorrent, init: AddInit) => {
      const limit: Record<string, string> =
        init.uploadLimit === undefined ? {} : { upLimit: String(init.uploadLimit) }
      const fields = { savepath: init.dir, autoTMM: 'false', contentLayout: 'Original', ...limit }
      const answer = await host.http(PORT, {
        method: 'POST',
        path: '/api/v2/torrents/add',
        headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
        body:
          init.magnet === undefined
            ? form(fields, readFileSync(torrent.file))
            : form({ ...fields, urls: init.magnet }, null),
      })
      if (!answer.body.toString().startsWith('Ok')) {
        throw new Error(`qbittorrent add: ${answer.status} ${answer.body.toString()}`)
      }
    },
    transfer: async (torrent) => {
      const rows = JSON.parse(await get(`torrents/info?hashes=${torrent.infoHash}`)) as Row[]
      const row = rows[0]
      if (row === undefined) throw new Error('qbittorrent does not know the torrent')
      return {
        progress: row.progress,
        seeding: ['uploading', 'stalledUP', 'forcedUP'].includes(row.state),
        downloaded: row.downloaded,
        uploaded: row.uploaded,
        error: ['error', 'missingFiles'].includes(row.state) ? row.state : '',
      }
    },
    peers: async (torrent) => {
      const reply = JSON.parse(await get(`sync/torrentPeers?hash=${torrent.infoHash}&rid=0`)) as {
        peers?: PeerRows
      }
      return Object.values(reply.peers ?? {}).map((peer) => ({
        host: peer.ip,
        downloaded: peer.downloaded,
        uploaded: peer.uploaded,
      }))
    },
    stop: () => program.stop(),
  }
}
