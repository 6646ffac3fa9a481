/**
 * The part of `npm run test:packages` that runs in namespaces of its own (network, mounts, processes): what it mounts
 * and starts is gone with it. Arguments: the root, the two commands of docs/install.md, the name of the older package.
 */
import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VERSION } from '../../shared/version.js'
import { bringAcross } from '../support/packed.js'

const [root = '', install = '', forGood = '', older = ''] = process.argv.slice(2)
/** Seen under this path from inside and from outside: sockets, torrents and downloads are named alike. */
const SHARED = '/tmp/tor-deb-homes'
const STATE = '/var/lib/torrentino'

interface Said {
  readonly status: number | null
  readonly out: string
}

function inside(command: string, user = 'root', variables: Readonly<Record<string, string>> = {}): Said {
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: user === 'root' ? '/root' : STATE,
    LC_ALL: 'C.UTF-8',
    DEBIAN_FRONTEND: 'noninteractive',
    TORRENTINO_NET: 'loopback',
    ...variables,
  }
  const words = [`--userspec=${user}:${user}`, root, 'sh', '-c', `cd /work && ${command}`]
  const ran = spawnSync('chroot', words, { env, encoding: 'utf8', timeout: 300_000 })
  return { status: ran.status, out: ran.stdout + ran.stderr }
}

function done(command: string, what: string, says = /(?:)/): string {
  const { status, out } = inside(command)
  check(status === 0 && says.test(out), what, out)
  return out
}

function check(holds: boolean, what: string, out = ''): void {
  if (!holds) throw new Error(`${what}\n${out}`)
  console.log(`ok: ${what}`)
}

async function main(): Promise<void> {
  mount()
  // With a yes, since nobody is there to give it; there is no network, so nothing else comes.
  const apt = (file: string): string => `apt-get install -y --allow-downgrades ./${file}`
  done(apt(older), `an older build (0.0.9) is installed`, /enable --now torrentino/)
  await use()
  const before = torrents('wants')

  done(install.replace('apt-get install', 'apt-get install -y'), `upgraded with "${install}"`)
  const versions = done('torrentinoctl --version; torrentinod --version', 'both programs say their version')
  check(versions === `${VERSION}\n${VERSION}\n`, `and it is ${VERSION}`, versions)
  restart('wants', before)
  machine()
  serviceHere()
  newerDatabase(apt)
  leave()
}

function mount(): void {
  const run = (...words: readonly [string, ...string[]]): void => {
    const ran = spawnSync(words[0], words.slice(1), { encoding: 'utf8' })
    if (ran.status !== 0) throw new Error(`${words.join(' ')}: ${ran.stderr}`)
  }
  run('mount', '--make-rprivate', '/')
  run('ip', 'link', 'set', 'lo', 'up')
  run('mount', '-t', 'proc', 'proc', join(root, 'proc'))
  run('mount', '--bind', '/dev', join(root, 'dev'))
  for (const place of [SHARED, join(root, SHARED)]) mkdirSync(place, { recursive: true })
  run('mount', '-t', 'tmpfs', 'tmpfs', SHARED)
  run('mount', '--bind', SHARED, join(root, SHARED))
}

/** The daemons of two people in the root: one has a book, the other fetches it. */
async function use(): Promise<void> {
  // A program that is started in another root stands at the top of it.
  const there = `cd ${SHARED} && exec torrentinoctl "$@"`
  await bringAcross(['chroot', root, 'sh', '-c', there, 'sh'], SHARED)
  console.log('ok: two daemons started, a file came across over loopback, both stopped')
}

const ctl = (home: string, words: string): string => `torrentinoctl --home ${SHARED}/${home} ${words}`

function torrents(home: string): string {
  done(ctl(home, 'daemon start'), 'the daemon starts again')
  inside(ctl(home, 'wait all --timeout 60s'))
  const list = done(ctl(home, 'list --json'), 'and lists what it had', /seeding/)
  done(ctl(home, 'daemon stop'), 'and stops')
  const found = JSON.parse(list) as { infoHash: string | null; name: string; state: string }[]
  return JSON.stringify(found.map(({ infoHash, name, state }) => [infoHash, name, state]))
}

function restart(home: string, before: string): void {
  check(torrents(home) === before, `after the upgrade the database is kept: ${before}`)
}

/** As the unit of the machine runs it; what systemd makes, the test makes. */
function machine(): void {
  const entry = done('getent passwd torrentino', 'the user of the unit of the machine is there')
  const [, , uid = '', gid = ''] = entry.split(':')
  for (const [path, mode] of [[STATE, 0o700] as const, ['/run/torrentino', 0o750] as const]) {
    mkdirSync(join(root, path), { recursive: true, mode })
    chownSync(join(root, path), Number(uid), Number(gid))
  }
  const variables = {
    TORRENTINO_HOME: STATE,
    TORRENTINO_SOCKET: '/run/torrentino/torrentino.sock',
    TORRENTINO_OWNER: 'service',
  }
  const start = inside(
    'torrentinoctl daemon start && torrentinoctl status && torrentinoctl daemon stop',
    'torrentino',
    variables,
  )
  check(start.status === 0, 'the daemon runs as the user torrentino', start.out)
  mkdirSync(join(root, STATE, 'Downloads'), { recursive: true })
  writeFileSync(join(root, STATE, 'Downloads/film'), 'a film')
  check(existsSync(join(root, STATE, 'torrentino.db')), `its database is in ${STATE}`)
}

function serviceHere(): void {
  const { status, out } = inside(forGood)
  check(
    status !== 0 && /systemd/.test(out) && out.trim().split('\n').length === 1,
    `without systemd, "${forGood}" is one sentence`,
    out,
  )
  for (const unit of ['system', 'user'])
    check(existsSync(join(root, `usr/lib/systemd/${unit}/torrentino.service`)), `the ${unit} unit is there`)
  const enabled = inside('ls -d /etc/systemd/*/*.wants/torrentino* 2>/dev/null')
  check(enabled.out === '', 'and neither is enabled', enabled.out)
}

/** A database of a later version, as a newer package leaves it behind. */
function newerDatabase(apt: (file: string) => string): void {
  done(apt(older), 'the older package is put back')
  const script = `const D=require("/usr/lib/torrentino/node_modules/better-sqlite3");const d=new D(process.argv[1]);d.pragma("user_version=99");d.close()`
  done(`/usr/lib/torrentino/node -e '${script}' ${SHARED}/has/torrentino.db`, 'a database of a newer version')
  const { status, out } = inside(`torrentinod --home ${SHARED}/has`)
  const sentences = out.trim().split('\n')
  check(status !== 0 && sentences.length === 1 && /version 99/.test(out), `one sentence: ${out.trim()}`, out)
}

function leave(): void {
  const removed = done(
    'apt-get remove -y torrentino',
    'removed, and it says where the home is',
    /Kept: \/var\/lib\/torrentino/,
  )
  check(/\.local\/state\/torrentino/.test(removed), 'and where the homes of people are')
  check(!existsSync(join(root, 'usr/bin/torrentinod')), 'the programs are gone')
  check(!existsSync(join(root, 'usr/lib/torrentino')), 'and the folder of the programs')
  check(existsSync(join(root, STATE, 'torrentino.db')), 'the database is not')
  done(
    'apt-get purge -y torrentino',
    'purged, and it says what is kept',
    /Kept: what else is there, downloads/,
  )
  check(readdirSync(join(root, STATE)).join() === 'Downloads', 'of the home only downloads are left')
  check(statSync(join(root, STATE, 'Downloads/film')).size === 6, 'and these are whole')
  check(existsSync(join(SHARED, 'wants/torrentino.db')), 'the homes of people are whole')
}

try {
  await main()
} catch (error) {
  console.error(`FAILED: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
