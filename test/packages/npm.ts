/**
 * `npm run test:pack`: the npm package, installed with `npm install -g` into an empty prefix, brings a file from one
 * home to another over loopback. Says each step, leaves nothing behind, ends with 1 where one fails.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { VERSION } from '../../shared/version.js'
import { bringAcross, judge, pack } from '../support/packed.js'
import { commandsOf } from './guide.js'

const ROOT = resolve(import.meta.dirname, '../..')

async function main(folder: string): Promise<void> {
  const { file, names } = await pack(folder)
  const { strange, missing } = judge(names)
  check(
    strange.length === 0,
    `no file that does not belong there (${strange.slice(0, 3).join(', ') || 'none'})`,
  )
  check(
    missing.length === 0,
    `every file that does (${missing.join(', ') || 'none missing'}): ${names.length} files`,
  )

  const prefix = join(folder, 'prefix')
  install(prefix, file)
  for (const page of ['man1/torrentinoctl.1', 'man8/torrentinod.8'])
    check(existsSync(join(prefix, 'share/man', page)), `share/man/${page}`)

  for (const program of ['torrentinoctl', 'torrentinod']) {
    const said = spawnSync(join(prefix, 'bin', program), ['--version'], { encoding: 'utf8' })
    check(said.stdout === `${VERSION}\n`, `${program} --version says ${said.stdout.trim()}`)
  }
  const homes = join(folder, 'homes')
  mkdirSync(homes)
  await bringAcross([join(prefix, 'bin/torrentinoctl')], homes)
  console.log('ok: two daemons started, a file came across over loopback, both stopped')

  const remove = spawnSync('npm', ['uninstall', '-g', '--prefix', prefix, 'torrentino'], { stdio: 'inherit' })
  const left =
    existsSync(join(prefix, 'bin/torrentinoctl')) || existsSync(join(prefix, 'lib/node_modules/torrentino'))
  check(remove.status === 0 && !left, 'npm uninstall -g leaves no program behind')
}

/** With the words of docs/install.md, in this checkout, where `npm ci` has been. */
function install(prefix: string, file: string): void {
  const [line] = commandsOf('Plain npm')
  check(line.startsWith('npm ci && '), line)
  const left = join(ROOT, basename(file))
  const before = existsSync(left)
  const env = { ...process.env, npm_config_prefix: prefix }
  const ran = spawnSync('sh', ['-c', line.replace('npm ci && ', '')], { cwd: ROOT, env, stdio: 'inherit' })
  if (!before) rmSync(left, { force: true })
  check(ran.status === 0, 'and it installs into an empty prefix')
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
  console.log(`ok: ${what}`)
}

const folder = mkdtempSync(join(tmpdir(), 'tor-npm-'))
try {
  await main(folder)
} catch (error) {
  console.error(`FAILED: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
