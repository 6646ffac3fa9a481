/** webtorrent from npm, installed for the run into a scratch folder, driven by a program of ours. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { REPOSITORY } from '../program.js'
import { type Client, type ClientKind, launch, type Seat } from './client.js'
import { Driven } from './driven.js'

const DRIVER = fileURLToPath(new URL('./webtorrent_driver.mjs', import.meta.url))
const VERSION = '2.8.5'
const STUB = 'test/support/stubs/simple-peer'

const SETTINGS = [
  'torrentPort: its seat; it binds to no address',
  'DHT, LSD, PeX, web seeds, NAT traversal and uTP off',
  'its WebRTC module replaced by an empty one: it needs a native build and plays no part here',
  'uint8-util 2.2.6: later ones refuse what this version hands them',
  '200 leechers: maxConns = 2000, uploads = 2000',
]

/** Installs it below `folder`; answers why it could not, or null. Needs the network. */
export function installWebtorrent(folder: string): string | null {
  const name = '@thaunknown/simple-peer'
  mkdirSync(folder, { recursive: true })
  cpSync(join(REPOSITORY, STUB), join(folder, 'stub'), { recursive: true })
  const about = {
    private: true,
    dependencies: { webtorrent: VERSION, [name]: 'file:./stub' },
    // Both told in SETTINGS.
    overrides: { [name]: `$${name}`, 'uint8-util': '2.2.6' },
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(about))
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save']
  const done = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', timeout: 180_000 })
  if (done.status === 0) return null
  const why = /npm (?:error|ERR!) (?!code|errno)(.*)/.exec(done.stderr)?.[1] ?? `exit ${String(done.status)}`
  return `npm could not install it: ${why.slice(0, 200)}`
}

/** `folder` is where it was installed; `absent` why it was not. */
export function webtorrent(folder: string, absent: string | null): ClientKind {
  const info = { id: 'webtorrent', title: 'webtorrent', settings: SETTINGS } as const
  if (absent !== null)
    return { info: { ...info, version: '', absent }, start: () => Promise.reject(new Error(absent)) }
  const file = join(folder, 'node_modules/webtorrent/package.json')
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  return { info: { ...info, version, absent: null }, start: (seat) => start(seat, folder) }
}

async function start(seat: Seat, folder: string): Promise<Client> {
  const options = { folder, port: seat.port, crowd: seat.crowd }
  // Its count of bytes has unverified ones in it.
  return Driven.start(launch(seat, process.execPath, [DRIVER, JSON.stringify(options)]), false)
}
