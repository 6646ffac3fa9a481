/**
 * `npm run test:packages`: the Debian package, built twice with the same bytes, and looked at by lintian. Says each step,
 * leaves nothing behind, ends with 1 where one fails and with 77 where lintian is not there. Takes some minutes.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildDeb } from './deb.js'

function main(folder: string): void {
  for (const program of ['dpkg-deb', 'lintian'])
    if (!there(program)) return skipped(`${program} is not installed`)

  const deb = buildDeb(join(folder, 'one'))
  check(readFileSync(deb).equals(readFileSync(buildDeb(join(folder, 'two')))), 'built twice: the same bytes')
  const said = spawnSync('lintian', ['--tag-display-limit', '0', '--allow-root', deb], { encoding: 'utf8' })
  check(said.status === 0 && said.stdout === '', `lintian says nothing${said.stdout && `: ${said.stdout}`}`)
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

const folder = mkdtempSync(join(tmpdir(), 'tor-deb-'))
try {
  main(folder)
} catch (error) {
  console.error(`FAILED: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
