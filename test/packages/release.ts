/**
 * `npm run release -- 1.2.3`: the version goes into package.json, package-lock.json and shared/version.ts, the changelog
 * gets its date, and release/1.2.3 gets the npm package and SHA256SUMS. Commits, tags and publishes nothing: it prints
 * the lines for that. With `--dry-run` all of it is done in a copy that is then removed.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
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
import { CannotRelease, constantWith, dated, manifestWith, mayFollow, sums } from './versions.js'

const ROOT = resolve(import.meta.dirname, '../..')

function main(args: readonly string[]): void {
  const [version, ...more] = args.filter((arg) => arg !== '--dry-run')
  if (version === undefined || more.length > 0)
    throw new CannotRelease('Give one version: npm run release -- 1.2.3 [--dry-run].')
  if (run(ROOT, 'git', 'status', '--porcelain') !== '')
    throw new CannotRelease('The tree is not clean: commit what is there first.')
  if (!args.includes('--dry-run')) return release(ROOT, version)
  const folder = mkdtempSync(join(tmpdir(), 'tor-release-'))
  try {
    const copy = join(folder, 'copy')
    run(folder, 'git', 'clone', '--quiet', ROOT, copy)
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
    release(copy, version)
    console.log('That was a dry run: nothing here has changed.')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function release(root: string, version: string): void {
  change(root, version, new Date().toISOString().slice(0, 10))
  run(root, 'npm', 'run', '--silent', 'build')
  run(root, 'npm', 'run', '--silent', 'docs')
  const out = join(root, 'release', version)
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  run(root, 'npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', out)
  const files = readdirSync(out).map((name) => [name, sha256(join(out, name))] as const)
  writeFileSync(join(out, 'SHA256SUMS'), sums(files))
  console.log(run(root, 'git', 'diff', '--stat', '--', '.', ':!node_modules'))
  console.log(`release/${version}:\n${sums(files)}`)
  console.log(`Then: npm test && git commit -am 'release: ${version}' && git tag v${version}`)
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
    ['shared/version.ts', constantWith(read('shared/version.ts'), present, version)],
  ] as const
  for (const [name, text] of changed) writeFileSync(join(root, name), text)
}

function run(cwd: string, program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new CannotRelease(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`)
  return stdout.trimEnd()
}

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

try {
  main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof CannotRelease)) throw error
  console.error(error.message)
  process.exitCode = 1
}
