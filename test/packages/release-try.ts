/**
 * `npm run test:release`: a release of a later version, really made, in a clone that is then removed. Says each step;
 * the last line is `N passed, N failed`. Needs dpkg-deb, and Ruby for one of the checks.
 */
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { sha256Of } from './brew-tap.js'
import { addressOf } from './formula.js'

const ROOT = resolve(import.meta.dirname, '../..')
/** No package of the lockfile has it by chance. */
const NEXT = '98.76.54'
const AT = 'https://example.org/ann/torrentino'

let passed = 0
function check(holds: boolean, what: string, said = ''): void {
  if (!holds) throw new Error(`${what}${said && `\n${said}`}`)
  passed += 1
  console.log(`ok: ${what}`)
}

function main(folder: string): void {
  const copy = join(folder, 'copy')
  clone(copy)
  const said = release(copy, NEXT, '--at', AT)
  check(said.status === 0, `a release of ${NEXT}`, said.out)
  sources(copy)
  files(join(copy, 'release', NEXT))
  const again = release(copy, NEXT)
  check(
    again.status === 1 && /The tree is not clean/.test(again.out),
    'another one waits for a commit',
    again.out,
  )
}

/** With something to tell that is not released yet, whatever the changelog of this checkout has. */
function clone(copy: string): void {
  run(ROOT, 'git', 'clone', '--quiet', ROOT, copy)
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  appendFileSync(join(copy, '.git/info/exclude'), 'node_modules\n')
  const path = join(copy, 'CHANGELOG.md')
  const text = readFileSync(path, 'utf8').replace(/ - unreleased$/gim, ' - 2020-01-01')
  const head = text.indexOf('\n## ')
  writeFileSync(path, `${text.slice(0, head)}\n## [Unreleased]\n\n- It is new.\n${text.slice(head)}`)
  const author = ['-c', 'user.name=Torrentino', '-c', 'user.email=torrentino@localhost']
  run(copy, 'git', ...author, 'commit', '--quiet', '--all', '-m', 'changelog')
}

function release(copy: string, ...words: string[]): { status: number | null; out: string } {
  const ran = spawnSync('npm', ['run', '--silent', 'release', '--', ...words], {
    cwd: copy,
    encoding: 'utf8',
  })
  return { status: ran.status, out: ran.stdout + ran.stderr }
}

function sources(copy: string): void {
  const changed = run(copy, 'git', 'diff', '--name-only').trim().split('\n')
  for (const name of [
    'CHANGELOG.md',
    'package.json',
    'package-lock.json',
    'shared/version.ts',
    'docs/install.md',
  ]) {
    check(changed.includes(name), `${name} is changed`)
    check(readFileSync(join(copy, name), 'utf8').includes(NEXT), `and has ${NEXT}`)
  }
}

function files(out: string): void {
  const tgz = `torrentino-${NEXT}.tgz`
  const debs = ['amd64', 'arm64'].map((arch) => `torrentino_${NEXT}-1_${arch}.deb`)
  const wanted = ['SHA256SUMS', 'homebrew-torrentino', tgz, ...debs].sort().join(' ')
  check(readdirSync(out).sort().join(' ') === wanted, `release/${NEXT} has ${wanted}`)
  const listed = readFileSync(join(out, 'SHA256SUMS'), 'utf8')
  for (const name of [tgz, ...debs])
    check(listed.includes(`${sha256Of(join(out, name))}  ${name}\n`), `SHA256SUMS has that of ${name}`)
  const formula = join(out, 'homebrew-torrentino/Formula/torrentino.rb')
  const text = readFileSync(formula, 'utf8')
  check(text.includes(`url "${addressOf(AT, NEXT)}"`), 'the formula has the address of the package')
  check(text.includes(`sha256 "${sha256Of(join(out, tgz))}"`), 'and its checksum')
  const ruby = spawnSync('ruby', ['-wc', formula], { encoding: 'utf8' })
  if (ruby.error === undefined) check(ruby.status === 0 && ruby.stderr === '', 'ruby -wc', ruby.stderr)
  else console.log('SKIPPED: ruby -wc, Ruby is not installed')
}

function run(cwd: string, program: string, ...words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${words.join(' ')} failed: ${stderr}`)
  return stdout
}

const folder = mkdtempSync(join(tmpdir(), 'tor-release-'))
try {
  main(folder)
  console.log(`${String(passed)} passed, 0 failed`)
} catch (error) {
  console.error(`FAILED: ${error instanceof Error ? error.message : String(error)}`)
  console.log(`${String(passed)} passed, 1 failed`)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
