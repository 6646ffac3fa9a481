/** Our own daemon and command, as a person runs them: two programs, a home, a socket. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PeerView, TorrentView } from '../../../shared/views.js'
import type { MadeTorrent } from '../../support/make-torrent.js'
import { type Host, type Program, REPOSITORY } from '../namespace.js'
import { poll } from '../poll.js'
import type { AddInit, Client } from './client.js'

const DAEMON = join(REPOSITORY, 'dist/daemon/bin.js')
const CTL = join(REPOSITORY, 'dist/ctl/torrentinoctl.js')
/** Milliseconds a listing serves all who ask: starting the command costs as much as the answer. */
const LISTING_FRESH = 400

export interface CtlResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export class Torrentino implements Client {
  readonly name = 'torrentino'
  readonly version: string
  readonly address: string
  readonly #host: Host
  readonly #home: string
  /** The daemon's process; undefined between an end and the next start. */
  #program: Program | undefined
  /** The last listing and when it was asked for, on Date.now's clock. */
  #listing: { readonly at: number; readonly rows: Promise<readonly TorrentView[]> } | undefined

  constructor(host: Host) {
    this.#host = host
    this.address = host.address
    this.#home = join(host.dir, 'home')
    const about = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string }
    this.version = about.version
    mkdirSync(this.#home, { mode: 0o700 })
    const downloads = join(host.dir, 'downloads')
    mkdirSync(downloads)
    writeFileSync(
      join(this.#home, 'config.toml'),
      `[listen]\nhost = "${host.address}"\nport = 6881\n\n[dht]\nenabled = false\n\n[lsd]\nenabled = false\n\n[download]\ndir = "${downloads}"\n\n[log]\nlevel = "debug"\n`,
    )
  }

  /** Starts the daemon and settles when it answers. */
  async start(): Promise<void> {
    const env = { TORRENTINO_NET: 'private' }
    const program = this.#host.spawn(process.execPath, [DAEMON, '--home', this.#home], env)
    this.#program = program
    await poll({ what: 'torrentinod answers', timeout: 20_000 }, async () => {
      program.assertRuns()
      return (await this.ctl('status', '--json')).code === 0
    })
  }

  /** One run of torrentinoctl; its socket is a path, so it needs no place in the lab. */
  ctl(...args: readonly string[]): Promise<CtlResult> {
    return new Promise((resolve) => {
      const options = { timeout: 120_000, maxBuffer: 1 << 26 }
      execFile(process.execPath, [CTL, '--home', this.#home, ...args], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        resolve({ code, stdout, stderr })
      })
    })
  }

  /** As `ctl`, where anything but exit 0 is a failure of the test. */
  async run(...args: readonly string[]): Promise<string> {
    const result = await this.ctl(...args)
    if (result.code === 0) return result.stdout
    throw new Error(`torrentinoctl ${args.join(' ')}: exit ${result.code}: ${result.stderr}\n${this.diary()}`)
  }

  /** The end of the daemon's log and of what it wrote: what a failure is explained with. */
  diary(): string {
    const file = join(this.#home, 'logs/torrentinod.log')
    const log = existsSync(file) ? readFileSync(file, 'utf8').slice(-4000) : ''
    return `${log}\n${this.#program?.output.slice(-1000) ?? ''}`
  }

  async add(torrent: MadeTorrent, init: AddInit): Promise<void> {
    await this.run('add', init.magnet ?? torrent.file, '--dir', init.dir, '--json')
    this.#listing = undefined
  }

  async view(torrent: MadeTorrent): Promise<TorrentView> {
    if (this.#listing === undefined || Date.now() - this.#listing.at > LISTING_FRESH) {
      const rows = this.run('list', '--json').then((text) => JSON.parse(text) as readonly TorrentView[])
      this.#listing = { at: Date.now(), rows }
    }
    const row = (await this.#listing.rows).find((each) => each.infoHash === torrent.infoHash)
    if (row === undefined) throw new Error(`torrentino does not know ${torrent.name}`)
    return row
  }

  async transfer(torrent: MadeTorrent): ReturnType<Client['transfer']> {
    const view = await this.view(torrent)
    return {
      progress: view.progress,
      seeding: view.state === 'seeding',
      downloaded: view.downloaded,
      uploaded: view.uploaded,
      error: view.error ?? '',
    }
  }

  async peers(torrent: MadeTorrent): ReturnType<Client['peers']> {
    const rows = JSON.parse(await this.run('peers', torrent.infoHash, '--json')) as readonly PeerView[]
    return rows.map((peer) => ({
      host: peer.address.slice(0, peer.address.lastIndexOf(':')),
      downloaded: peer.downloaded,
      uploaded: peer.uploaded,
    }))
  }

  /** Ends the daemon as a person does, and waits for the process. */
  async stop(): Promise<void> {
    if (this.#program === undefined) return
    if (this.#program.ended === null) await this.run('daemon', 'stop')
    await this.#program.gone
    this.#program = undefined
    this.#listing = undefined
  }

  /** Ends the daemon with SIGKILL. */
  async kill(): Promise<void> {
    this.#program?.child.kill('SIGKILL')
    await this.#program?.gone
    this.#program = undefined
    this.#listing = undefined
  }
}

export async function startTorrentino(host: Host): Promise<Torrentino> {
  const client = new Torrentino(host)
  await client.start()
  return client
}
