import { readFileSync } from 'node:fs'
import type { MadeTorrent } from '../../support/make-torrent.js'
import type { Host } from '../namespace.js'
import { poll } from '../poll.js'
import type { AddInit, Client } from './client.js'

const PORT = 6800

interface Row {
  readonly status: string
  readonly totalLength: string
  readonly completedLength: string
  readonly uploadLength: string
  readonly verifiedLength?: string
  readonly errorMessage?: string
  readonly followedBy?: readonly string[]
}

/** aria2c as a JSON-RPC server. `secret`: it speaks in RC4 alone. */
export async function startAria2(host: Host, secret = false): Promise<Client> {
  const program = host.spawn('aria2c', [
    '--no-conf',
    '--enable-rpc',
    '--rpc-listen-all=true',
    `--rpc-listen-port=${PORT}`,
    '--listen-port=6888',
    // aria2 speaks to UDP trackers only where its DHT runs; here that finds nobody.
    '--enable-dht=true',
    '--dht-listen-port=6881',
    `--dht-file-path=${host.dir}/dht.dat`,
    '--enable-dht6=false',
    '--disable-ipv6=true',
    '--bt-enable-lpd=false',
    '--enable-peer-exchange=false',
    '--seed-ratio=0.0',
    '--check-integrity=true',
    '--max-concurrent-downloads=50',
    '--file-allocation=none',
    ...(secret ? ['--bt-require-crypto=true', '--bt-min-crypto-level=arc4'] : []),
    `--dir=${host.dir}`,
  ])
  const ids = new Map<string, string>()
  /** Hashes of what was added by a link. */
  const links = new Set<string>()

  async function call(method: string, params: readonly unknown[] = []): Promise<unknown> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: `aria2.${method}`, params })
    const answer = await host.http(PORT, { method: 'POST', path: '/jsonrpc', body })
    const reply = JSON.parse(answer.body.toString()) as { result?: unknown; error?: { message: string } }
    if (reply.error !== undefined) throw new Error(`aria2 ${method}: ${reply.error.message}`)
    return reply.result
  }

  const about = await poll({ what: 'aria2 answers', timeout: 20_000 }, () => {
    program.assertRuns()
    return call('getVersion')
  })

  return {
    name: 'aria2',
    version: (about as { version: string }).version,
    address: host.address,
    add: async (torrent: MadeTorrent, init: AddInit) => {
      const options: Record<string, string> = { dir: init.dir }
      if (init.uploadLimit !== undefined) options['max-upload-limit'] = String(init.uploadLimit)
      const id =
        init.magnet === undefined
          ? await call('addTorrent', [readFileSync(torrent.file).toString('base64'), [], options])
          : await call('addUri', [[init.magnet], options])
      ids.set(torrent.infoHash, String(id))
      if (init.magnet !== undefined) links.add(torrent.infoHash)
    },
    transfer: async (torrent) => {
      const first = (await call('tellStatus', [ids.get(torrent.infoHash)])) as Row
      // A magnet link is a download of its own, done when the metadata are, which the torrent follows.
      const next = first.followedBy?.[0]
      if (links.has(torrent.infoHash) && next === undefined) {
        return { progress: 0, seeding: false, downloaded: 0, uploaded: 0, error: first.errorMessage ?? '' }
      }
      const row = next === undefined ? first : ((await call('tellStatus', [next])) as Row)
      const total = Number(row.totalLength)
      const done = Number(row.completedLength)
      const checking = row.verifiedLength !== undefined
      return {
        progress: total === 0 ? 0 : done / total,
        seeding: row.status === 'active' && total > 0 && done === total && !checking,
        downloaded: done,
        uploaded: Number(row.uploadLength),
        error: row.status === 'error' ? (row.errorMessage ?? 'error') : '',
      }
    },
    peers: () => Promise.resolve(null),
    stop: () => program.stop(),
  }
}
