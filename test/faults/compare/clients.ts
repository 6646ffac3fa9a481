/** How each client is started, given the torrent, asked for the pieces that it claims, and started again. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { http, type HttpAnswer, type HttpAsk, launch, type Seat, until } from '../../bench/clients/client.js'
import type { Program } from '../../bench/program.js'
import { DAEMON, Daemon, makeHome } from '../../support/daemon.js'
import type { MadeTorrent } from '../../support/make-torrent.js'
import { piecesOf, readClaims } from '../../support/proof/claims.js'

/** What it says of the torrent; null: it does not have it. */
export type Claimed = { readonly pieces: ReadonlySet<number>; readonly checking: boolean } | null

export interface Running {
  add(torrent: MadeTorrent, dir: string): Promise<void>
  claims(torrent: MadeTorrent): Promise<Claimed>
  kill(): Promise<void>
}

export interface Kind {
  readonly name: string
  /** Empty where it is not installed. */
  readonly version: string
  readonly settings: string
  /** What a file that is not whole may have behind its name. */
  readonly suffixes: readonly string[]
  /** Settles when it answers. A second start goes on from what the first left in the home. */
  start(seat: Seat): Promise<Running>
}

function versionOf(command: string, pattern: RegExp): string {
  const said = spawnSync(command, ['--version'], { encoding: 'utf8' })
  return said.error === undefined ? (pattern.exec(said.stdout + said.stderr)?.[1] ?? '') : ''
}

async function dead(program: Program): Promise<void> {
  program.child.kill('SIGKILL')
  await program.gone
}

/** On a connection of its own: one that is kept would lead to a process that was killed. */
function asked(ask: HttpAsk): Promise<HttpAnswer> {
  return http({ ...ask, headers: { connection: 'close', ...ask.headers } })
}

function metainfoOf(torrent: MadeTorrent): Buffer {
  return readFileSync(torrent.file)
}

const torrentino: Kind = {
  name: 'Torrentino',
  version: versionOfOurs(),
  settings: 'default settings',
  suffixes: ['.part', ''],
  start: async (seat) => {
    const home = join(seat.home, 'h')
    const config = `[listen]\nhost = "${seat.address}"\nport = ${String(seat.port)}\n`
    if (!existsSync(home)) makeHome(home, config)
    const daemon = await Daemon.start({ home, env: { TORRENTINO_NET: 'private' } })
    return {
      add: async (torrent, dir) => {
        await daemon.call('torrent.add', { metainfo: metainfoOf(torrent).toString('base64'), dir })
      },
      // It shows bytes and no pieces; the rows of its database are what it claims.
      claims: async (torrent) => {
        const { torrents } = await daemon.call('torrent.list', {})
        const view = torrents.find(({ infoHash }) => infoHash === torrent.infoHash)
        if (view === undefined) return null
        const claim = readClaims(home).find(({ infoHash }) => infoHash === torrent.infoHash)
        const checking = view.state === 'checking' || view.state === 'queued'
        return { pieces: claim?.pieces ?? new Set(), checking }
      },
      kill: () => daemon.kill9(),
    }
  },
}

function versionOfOurs(): string {
  const said = spawnSync(process.execPath, [DAEMON, '--version'], { encoding: 'utf8' })
  return /([\d.]+)/.exec(said.stdout)?.[1] ?? ''
}

const transmission: Kind = {
  name: 'Transmission',
  version: versionOf('transmission-daemon', /(\d[\d.]+)/),
  settings: 'default settings but for address, ports and what finds peers elsewhere',
  suffixes: ['.part', ''],
  start: async (seat) => {
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
    }
    writeFileSync(join(seat.home, 'settings.json'), JSON.stringify(settings))
    const program = launch(seat, 'transmission-daemon', ['-f', '-g', seat.home])
    let session = ''
    const call = async (method: string, args: object): Promise<unknown> => {
      const ask = {
        host: '127.0.0.1',
        port: seat.control,
        method: 'POST',
        path: '/transmission/rpc',
      } as const
      const body = JSON.stringify({ method, arguments: args })
      let answer = await asked({ ...ask, headers: { 'x-transmission-session-id': session }, body })
      if (answer.status === 409) {
        session = String(answer.headers['x-transmission-session-id'])
        answer = await asked({ ...ask, headers: { 'x-transmission-session-id': session }, body })
      }
      return (JSON.parse(answer.body.toString()) as { arguments: unknown }).arguments
    }
    await until('transmission answers', program, () => call('session-get', {}))
    return {
      add: async (torrent, dir) => {
        await call('torrent-add', { metainfo: metainfoOf(torrent).toString('base64'), 'download-dir': dir })
      },
      claims: async (torrent) => {
        const fields = ['pieces', 'status']
        const { torrents } = (await call('torrent-get', { ids: [torrent.infoHash], fields })) as {
          torrents: { pieces: string; status: number }[]
        }
        const row = torrents[0]
        if (row === undefined) return null
        // 1 and 2: waits for a check, and is checked.
        const checking = row.status === 1 || row.status === 2
        return { pieces: piecesOf(Buffer.from(row.pieces, 'base64'), torrent.pieceCount), checking }
      },
      kill: () => dead(program),
    }
  },
}

const BOUNDARY = 'torrentino-compare-boundary'

const qbittorrent: Kind = {
  name: 'qBittorrent',
  version: versionOf('qbittorrent-nox', /v([\d.]+)/),
  settings: 'default settings but for address, ports and what finds peers elsewhere',
  suffixes: ['.!qB', ''],
  start: async (seat) => {
    const folder = join(seat.home, 'qBittorrent', 'config')
    mkdirSync(folder, { recursive: true })
    const file = join(folder, 'qBittorrent.conf')
    if (!existsSync(file)) writeFileSync(file, qbittorrentConfig(seat))
    const args = [`--profile=${seat.home}`, `--webui-port=${String(seat.control)}`]
    const program = launch(seat, 'qbittorrent-nox', args)
    const get = async (path: string): Promise<string | null> => {
      const answer = await asked({ host: '127.0.0.1', port: seat.control, path: `/api/v2/${path}` })
      return answer.status === 200 ? answer.body.toString() : null
    }
    await until('qbittorrent answers', program, () => get('app/version'))
    return {
      add: async (torrent, dir) => {
        const head = (name: string, more = ''): string =>
          `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n`
        const body = Buffer.concat([
          Buffer.from(`${head('savepath')}${dir}\r\n${head('torrents', '; filename="t.torrent"')}`),
          metainfoOf(torrent),
          Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
        ])
        const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
        const path = '/api/v2/torrents/add'
        await asked({ host: '127.0.0.1', port: seat.control, method: 'POST', path, headers, body })
      },
      claims: async (torrent) => {
        const rows = JSON.parse((await get(`torrents/info?hashes=${torrent.infoHash}`)) ?? '[]') as {
          state: string
        }[]
        const states = await get(`torrents/pieceStates?hash=${torrent.infoHash}`)
        const row = rows[0]
        if (row === undefined || states === null) return null
        const pieces = new Set<number>()
        // 2: downloaded.
        ;(JSON.parse(states) as number[]).forEach((state, piece) => {
          if (state === 2) pieces.add(piece)
        })
        return { pieces, checking: row.state.startsWith('checking') }
      },
      kill: () => dead(program),
    }
  },
}

function qbittorrentConfig(seat: Seat): string {
  return `[LegalNotice]
Accepted=true

[BitTorrent]
Session\\Port=${String(seat.port)}
Session\\Interface=lo
Session\\InterfaceName=lo
Session\\InterfaceAddress=${seat.address}
Session\\DHTEnabled=false
Session\\PeXEnabled=false
Session\\LSDEnabled=false
Session\\BTProtocol=TCP
Session\\Encryption=2
Session\\SSRFMitigation=false

[Preferences]
WebUI\\Address=127.0.0.1
WebUI\\LocalHostAuth=false
WebUI\\CSRFProtection=false
WebUI\\HostHeaderValidation=false
WebUI\\UPnP=false
`
}

const aria2: Kind = {
  name: 'aria2',
  version: versionOf('aria2c', /version ([\d.]+)/),
  settings:
    'RPC with --save-session, kept every 5 s (by default it is kept at the end only), else default settings',
  suffixes: [''],
  start: async (seat) => {
    const session = join(seat.home, 'session')
    const program = launch(seat, 'aria2c', [
      '--no-conf',
      '--enable-rpc',
      `--rpc-listen-port=${String(seat.control)}`,
      `--interface=${seat.address}`,
      `--listen-port=${String(seat.port)}`,
      '--enable-dht=false',
      '--enable-dht6=false',
      '--disable-ipv6=true',
      '--bt-enable-lpd=false',
      '--enable-peer-exchange=false',
      '--quiet=true',
      `--dir=${seat.home}`,
      `--save-session=${session}`,
      '--save-session-interval=5',
      ...(existsSync(session) ? [`--input-file=${session}`] : []),
    ])
    const call = async (method: string, params: readonly unknown[] = []): Promise<unknown> => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: `aria2.${method}`, params })
      const ask = { host: '127.0.0.1', port: seat.control, method: 'POST', path: '/jsonrpc', body } as const
      return (JSON.parse((await asked(ask)).body.toString()) as { result?: unknown }).result
    }
    await until('aria2 answers', program, async () => (await call('getVersion')) ?? null)
    return {
      add: async (torrent, dir) => {
        await call('addTorrent', [metainfoOf(torrent).toString('base64'), [], { dir }])
      },
      claims: async (torrent) => {
        const keys = ['infoHash', 'bitfield', 'verifiedLength', 'verifyIntegrityPending']
        const rows = [
          ...((await call('tellActive', [keys])) as Record<string, string>[]),
          ...((await call('tellWaiting', [0, 10, keys])) as Record<string, string>[]),
        ]
        const row = rows.find((each) => each['infoHash'] === torrent.infoHash)
        if (row === undefined) return null
        const checking = row['verifiedLength'] !== undefined || row['verifyIntegrityPending'] !== undefined
        return { pieces: piecesOf(Buffer.from(row['bitfield'] ?? '', 'hex'), torrent.pieceCount), checking }
      },
      kill: () => dead(program),
    }
  },
}

export const KINDS: readonly Kind[] = [torrentino, transmission, qbittorrent, aria2]
