/**
 * `npm run test:packages`: the Debian package, built twice, looked at, and used in a root of its own (debootstrap) in a
 * network of its own: installed with the commands of docs/install.md, downloads over loopback, restarts, is upgraded,
 * removed and purged. Says each step, leaves nothing behind, ends with 1 where one fails. Needs root, debootstrap and
 * lintian; takes some minutes.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { VERSION } from '../../shared/version.js'
import { buildDeb } from './deb.js'
import { debVersion } from './deb-tree.js'
import { commandsOf } from './guide.js'

const ROOT = resolve(import.meta.dirname, '../..')

function main(folder: string): void {
  for (const program of ['dpkg-deb', 'lintian', 'debootstrap', 'unshare', 'ip'])
    if (!there(program)) return skipped(`${program} is not installed`)
  if (process.getuid?.() !== 0) return skipped('this is not root')

  const deb = buildDeb(join(folder, 'one'))
  check(readFileSync(deb).equals(readFileSync(buildDeb(join(folder, 'two')))), 'built twice: the same bytes')
  const said = spawnSync('lintian', ['--tag-display-limit', '0', '--allow-root', deb], { encoding: 'utf8' })
  check(said.status === 0 && said.stdout === '', `lintian says nothing${said.stdout && `: ${said.stdout}`}`)

  const older = buildDeb(join(folder, 'older'), { version: '0.0.9' })
  const root = join(folder, 'root')
  bootstrap(root)
  mkdirSync(join(root, 'work'))
  for (const file of [deb, older]) copyFileSync(file, join(root, 'work', basename(file)))
  // What the commands of docs/install.md expect of a machine with a person at it.
  writeFileSync(join(root, 'usr/bin/sudo'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 })
  // There is no network inside, and systemd, which the package recommends, does not run there.
  writeFileSync(join(root, 'etc/apt/apt.conf.d/99here'), 'APT::Install-Recommends "false";\n')
  const inside = [join(ROOT, 'test/packages/debian-inside.ts'), root, ...typed(), basename(older)]
  const tsx = join(ROOT, 'node_modules/.bin/tsx')
  const flags = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  // Certificates of this machine, say, which are not there.
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] }
  const run = spawnSync('unshare', [...flags, tsx, ...inside], { stdio: 'inherit', timeout: 900_000, env })
  check(run.status === 0, 'all of it inside')
}

/** The two lines of docs/install.md, the first one with the version that is built here. */
function typed(): readonly [string, string] {
  const lines = commandsOf('Debian')
  const named = `torrentino_${debVersion(VERSION)}_$(dpkg --print-architecture).deb`
  check(lines[0] === `sudo apt-get install ./${named}`, `docs/install.md installs ./${named}`)
  return lines
}

function bootstrap(root: string): void {
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable'
  const format = ['--format', '$(REPO_URI) $(COMPONENT)', 'Created-By: Packages', `Codename: ${codename}`]
  const known = spawnSync('apt-get', ['indextargets', ...format], { encoding: 'utf8' }).stdout
  const mirror =
    known
      .split('\n')
      .find((line) => line.endsWith(' main'))
      ?.split(' ')[0] ?? ''
  const args = ['--variant=minbase', codename, root, ...(mirror === '' ? [] : [mirror])]
  const ran = spawnSync('debootstrap', args, { encoding: 'utf8', timeout: 600_000 })
  check(ran.status === 0, `a root of its own (${codename})${ran.status === 0 ? '' : ran.stdout.slice(-500)}`)
}

const there = (program: string): boolean => spawnSync('sh', ['-c', 'command -v "$0"', program]).status === 0

/** Not a pass, and not a failure of the package: an exit of its own. */
function skipped(why: string): void {
  console.log(`SKIPPED: ${why}.`)
  process.exitCode = 77
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
  console.log(`ok: ${what}`)
}

// The folder of a temporary file may forbid programs of a root; that of the socket has to be short.
const folder = mkdtempSync(join(tmpdir(), 'tor-deb-'))
try {
  main(folder)
} catch (error) {
  console.error(`FAILED: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
