/**
 * `npm run test:brew`: the formula of the tap, with `install` and `test do` really run. There is no Homebrew here:
 * test/packages/brew.sh and brew.rb stand in for it, the commands are those of docs/install.md, the npm package comes from `npm pack`, Node
 * 24 with its headers from npm, as packaging/debian/runtime.json pins it, and better-sqlite3 is compiled. Says each step,
 * leaves nothing behind; the last line is `N passed, N failed`. Ends with 1 where one fails, with 77 where it cannot run.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { VERSION } from '../../shared/version.js'
import { daemonVariables } from '../../shared/environment.js'
import { served, type Told } from './brew-service.js'
import { localTap } from './brew-tap.js'
import { commandsOf } from './guide.js'
import { nodeInto } from './runtime.js'

const ROOT = resolve(import.meta.dirname, '../..')

/** The last line of the stand-in. */
interface Report {
  readonly version: string
  readonly keg: string
  readonly services: Readonly<Record<'macos' | 'linux', Told>>
  /** Seconds. */
  readonly built: number
  readonly proven: number
}

let passed = 0
function check(holds: boolean, what: string, said = ''): void {
  if (!holds) throw new Error(`${what}${said && `\n${said}`}`)
  passed += 1
  console.log(`ok: ${what}`)
}

async function main(folder: string): Promise<void> {
  const prefix = join(folder, 'prefix')
  node(prefix)
  const { formula } = await localTap(join(folder, 'release'))
  const syntax = spawnSync('ruby', ['-wc', formula], { encoding: 'utf8' })
  check(
    syntax.status === 0 && syntax.stderr === '' && syntax.stdout === 'Syntax OK\n',
    'ruby -wc',
    syntax.stderr,
  )
  const report = installed(folder, prefix)
  programs(prefix, report)
  services(prefix, report)
  const seen = await served(report.services.macos, join(prefix, 'bin/torrentinoctl'), join(folder, 'user'))
  for (const what of seen) check(true, what)
  const size = spawnSync('du', ['-sm', report.keg], { encoding: 'utf8' }).stdout.split('\t')[0] ?? '?'
  console.log(
    `brew: installed in ${String(report.built)} s (${size} MB), its test took ${String(report.proven)} s`,
  )
}

/** Homebrew's keg of Node: the program, the headers, and an npm that runs on it. */
function node(prefix: string): void {
  const keg = join(prefix, 'Cellar/node@24/24')
  nodeInto(keg, process.arch === 'arm64' ? 'arm64' : 'amd64')
  const npm = spawnSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).stdout.trim()
  symlinkSync(realpathSync(npm), join(keg, 'bin/npm'))
  mkdirSync(join(prefix, 'opt'))
  symlinkSync(keg, join(prefix, 'opt/node@24'))
  const said = run(join(prefix, 'opt/node@24/bin/node'), '--version')
  check(said.startsWith('v24.'), `a Node of its own: ${said.trim()}`)
}

/** As docs/install.md says; the stand-in runs `install` and `test do`, and says what went wrong. */
function installed(checkout: string, prefix: string): Report {
  mkdirSync(join(checkout, 'bin'))
  symlinkSync(join(ROOT, 'test/packages/brew.sh'), join(checkout, 'bin/brew'))
  const env = {
    ...process.env,
    PATH: `${join(checkout, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOMEBREW_PREFIX: prefix,
    HOMEBREW_FORMULA: join(ROOT, 'test/packages/brew.rb'),
  }
  const options = { cwd: checkout, env, encoding: 'utf8', timeout: 900_000, maxBuffer: 2 ** 26 } as const
  const [install, forGood] = commandsOf('macOS')
  const ran = spawnSync('sh', ['-c', install], options)
  process.stdout.write(ran.stdout.replace(/^\{.*\n$/m, ''))
  check(ran.status === 0, `${install}: installed, and its test passes`, ran.stderr.slice(-5000))
  const begun = spawnSync('sh', ['-c', forGood], options)
  check(begun.status === 0 && readFileSync(join(prefix, 'started'), 'utf8') === 'torrentino\n', forGood)
  return JSON.parse(ran.stdout.trimEnd().split('\n').at(-1) ?? '') as Report
}

function programs(prefix: string, { version, keg }: Report): void {
  check(version === VERSION, `the address has the version, ${version}`)
  for (const program of ['torrentinoctl', 'torrentinod']) {
    const file = join(prefix, 'bin', program)
    const first = readFileSync(file, 'utf8').split('\n', 1)[0] ?? ''
    check(first === `#!${prefix}/opt/node@24/bin/node`, `${program} runs on the Node of the formula`, first)
    // Without any other Node on the PATH.
    const said = spawnSync(file, ['--version'], { encoding: 'utf8', env: { PATH: '/nowhere' } })
    check(said.stdout === `${VERSION}\n`, `${program} --version says ${said.stdout.trim()}`, said.stderr)
  }
  for (const [file, says] of [
    ['etc/bash_completion.d/torrentinoctl', 'complete -o filenames -F _torrentinoctl torrentinoctl'],
    ['share/zsh/site-functions/_torrentinoctl', '#compdef torrentinoctl'],
    ['share/fish/vendor_completions.d/torrentinoctl.fish', 'complete -c torrentinoctl'],
    ['share/man/man1/torrentinoctl.1', '.TH TORRENTINOCTL 1'],
    ['share/man/man8/torrentinod.8', '.TH TORRENTINOD 8'],
  ] as const)
    check(readFileSync(join(prefix, file), 'utf8').includes(says), file)
  native(prefix, keg)
}

/** The module of SQLite is the one compiled here, and runs on no other Node. */
function native(prefix: string, keg: string): void {
  const module = join(keg, 'libexec/lib/node_modules/torrentino/node_modules/better-sqlite3')
  const script =
    "const D = require(process.argv[1]); console.log(new D(':memory:').pragma('user_version', {simple: true}))"
  const said = run(join(prefix, 'opt/node@24/bin/node'), '-e', script, module)
  check(said === '0\n', 'the native module loads in that Node')
  const bytes = statSync(join(module, 'build/Release/better_sqlite3.node')).size
  check(bytes > 2 ** 20, `and is the one compiled here, ${String(bytes)} bytes`)
}

/** What `brew services` would write, against what `torrentinoctl service install` writes. */
function services(prefix: string, { services: { macos, linux } }: Report): void {
  const [program] = macos['run'] as string[]
  check(program === `${prefix}/opt/torrentino/bin/torrentinod`, 'the service runs what follows upgrades')
  for (const [system, service] of [
    ['darwin', macos],
    ['linux', linux],
  ] as const) {
    const wanted = JSON.stringify({ ...daemonVariables(system), TORRENTINO_OWNER: 'service' })
    const given = JSON.stringify(service['environment_variables'])
    check(given === wanted, `${system}: the variables of our own service`, given)
  }
  const kept = JSON.stringify([macos['keep_alive'], macos['throttle_interval'], macos['process_type']])
  check(
    kept === '[{"successful_exit":false},10,"interactive"]',
    'under launchd it comes back after a crash, every 10 s at most',
    kept,
  )
  const there = JSON.stringify([linux['keep_alive'], linux['restart_delay']])
  check(there === '[{"crashed":true},10]', 'and under systemd as well', there)
  const logs = [macos['log_path'], macos['error_log_path']].join(' ')
  check(logs === Array(2).fill(`${prefix}/var/log/torrentino.log`).join(' '), 'what it prints is kept', logs)
}

function run(program: string, ...words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} failed: ${stderr}`)
  return stdout
}

/** Installs Ruby where root may and Debian has it. */
function ruby(): boolean {
  const there = (): boolean => spawnSync('ruby', ['--version']).status === 0
  if (!there() && process.getuid?.() === 0)
    spawnSync('apt-get', ['install', '-q', '-y', '--no-install-recommends', 'ruby'], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  return there()
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tor-brew-')))
try {
  if (ruby() && process.platform === 'linux') {
    await main(folder)
    console.log(`${String(passed)} passed, 0 failed`)
  } else {
    console.log(
      'SKIPPED: this needs Ruby and Linux; on a Mac, Homebrew itself runs the formula (docs/install.md).',
    )
    process.exitCode = 77
  }
} catch (error) {
  console.error(`FAILED: ${error instanceof Error ? error.message : String(error)}`)
  console.log(`${String(passed)} passed, 1 failed`)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
