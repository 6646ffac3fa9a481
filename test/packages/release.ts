/**
 * `npm run release -- 1.2.3 --at https://github.com/OWNER/torrentino`: the version goes into package.json,
 * package-lock.json and shared/version.ts, the changelog gets its date, and release/1.2.3 gets the npm package, the Debian
 * packages, SHA256SUMS and Homebrew's tap, whose formula names the package at that address; all of it is read back and
 * checked. Commits, tags, uploads nothing: it prints the lines for that. Without `--at` there is no tap. With
 * `--dry-run` all of it is done in a copy that is then removed.
 */
import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { sha256Of, writeTap } from './brew-tap.js'
import { debVersion } from './deb-tree.js'
import { addressOf, CannotFill } from './formula.js'
import {
  CannotRelease,
  constantWith,
  dated,
  guideWith,
  manifestWith,
  mayFollow,
  sums,
  type Wanted,
  wantedOf,
} from './versions.js'

const ROOT = resolve(import.meta.dirname, '../..')

/** Processors that there is a Debian package for. */
const ARCHES = ['amd64', 'arm64']

function main(args: string[]): void {
  const wanted = wantedOf(args)
  if (run(ROOT, 'git', 'status', '--porcelain') !== '')
    throw new CannotRelease('The tree is not clean: commit what is there first.')
  if (spawnSync('dpkg-deb', ['--version']).status !== 0)
    throw new CannotRelease('dpkg-deb is not here: make the release on Debian or with dpkg installed.')
  if (!wanted.dryRun) return release(ROOT, wanted)
  const folder = mkdtempSync(join(tmpdir(), 'tor-release-'))
  try {
    const copy = join(folder, 'copy')
    run(folder, 'git', 'clone', '--quiet', ROOT, copy)
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
    release(copy, wanted)
    console.log('That was a dry run: nothing here has changed.')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function release(root: string, { version, at }: Wanted): void {
  const date = new Date().toISOString().slice(0, 10)
  change(root, version, date)
  run(root, 'npm', 'run', '--silent', 'build')
  run(root, 'npm', 'run', '--silent', 'docs')
  const out = join(root, 'release', version)
  const epoch = `SOURCE_DATE_EPOCH=${String(Date.parse(date) / 1000)}`
  packages(root, out, epoch)
  if (at !== null) tap(out, version, at)
  readBack(out, version, date)
  if (at !== null) readTap(out, version)
  console.log(run(root, 'git', 'diff', '--stat', '--', '.', ':!node_modules'))
  console.log(`release/${version}:\n${readFileSync(join(out, 'SHA256SUMS'), 'utf8')}`)
  console.log(
    at === null
      ? 'No tap for Homebrew: give --at, the address of the repository.'
      : 'And homebrew-torrentino.',
  )
  console.log(`Then: npm test && git commit -am 'release: ${version}' && git tag v${version}`)
  console.log(`The same .deb again: ${epoch} npm run build:deb`)
}

function packages(root: string, out: string, epoch: string): void {
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  run(root, 'npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', out)
  // Processes of their own: they read the version that stands there now, and package the copy where it is one.
  for (const arch of ARCHES)
    run(root, 'env', epoch, 'node_modules/.bin/tsx', 'test/packages/deb.ts', '--arch', arch, '--out', out)
  const files = readdirSync(out).map((name) => [name, sha256Of(join(out, name))] as const)
  writeFileSync(join(out, 'SHA256SUMS'), sums(files))
}

function tap(out: string, version: string, homepage: string): void {
  const url = addressOf(homepage, version)
  const sha256 = sha256Of(join(out, `torrentino-${version}.tgz`))
  writeTap(join(out, 'homebrew-torrentino'), { homepage, url, sha256 })
}

/** All are computed before one is written: a refusal changes nothing. */
function change(root: string, version: string, date: string): void {
  const read = (name: string): string => readFileSync(join(root, name), 'utf8')
  const { version: present } = JSON.parse(read('package.json')) as { version: string }
  mayFollow(present, version)
  const changed = [
    ['CHANGELOG.md', dated(read('CHANGELOG.md'), version, date)],
    ['package.json', manifestWith(read('package.json'), present, version)],
    ['package-lock.json', manifestWith(read('package-lock.json'), present, version)],
    ['docs/install.md', guideWith(read('docs/install.md'), present, version)],
    ['shared/version.ts', constantWith(read('shared/version.ts'), present, version)],
  ] as const
  for (const [name, text] of changed) writeFileSync(join(root, name), text)
}

function run(cwd: string, program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new CannotRelease(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`)
  return stdout.trimEnd()
}

/** What people will get says what it should: from the files as they lie there. */
function readBack(out: string, version: string, date: string): void {
  run(out, 'sha256sum', '--check', '--strict', '--quiet', 'SHA256SUMS')
  const tgz = `torrentino-${version}.tgz`
  const inside = (name: string): string => run(out, 'tar', '-xzOf', tgz, `package/${name}`)
  const { version: packed } = JSON.parse(inside('package.json')) as { version: string }
  const debs = ARCHES.map((arch) => {
    const file = `torrentino_${debVersion(version)}_${arch}.deb`
    return run(out, 'dpkg-deb', '--show', '--showformat', '${Version} ${Architecture}', file)
  })
  const wrong = [
    [packed === version, `${tgz} says ${packed}`],
    [inside('dist/shared/version.js').includes(`'${version}'`), `the programs in ${tgz} say another version`],
    [
      inside('CHANGELOG.md').includes(`## [${version}] - ${date}`),
      `the changelog in ${tgz} has no such date`,
    ],
    [
      debs.join() === ARCHES.map((arch) => `${debVersion(version)} ${arch}`).join(),
      `the .debs say ${debs.join()}`,
    ],
  ].flatMap(([holds, what]) => (holds === true ? [] : [what]))
  if (wrong.length > 0) throw new CannotRelease(`This is no release: ${wrong.join('; ')}.`)
}

/** The checksum in the formula is the one that is published beside it. */
function readTap(out: string, version: string): void {
  const formula = readFileSync(join(out, 'homebrew-torrentino/Formula/torrentino.rb'), 'utf8')
  const [, sha256 = ''] = /^ {2}sha256 "(.*)"$/m.exec(formula) ?? []
  if (!readFileSync(join(out, 'SHA256SUMS'), 'utf8').includes(`${sha256}  torrentino-${version}.tgz\n`))
    throw new CannotRelease(`This is no release: the formula says ${sha256}.`)
}

try {
  main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof CannotRelease || error instanceof CannotFill)) throw error
  console.error(error.message)
  process.exitCode = 1
}
