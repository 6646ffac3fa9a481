/**
 * `npm run build:deb [-- --version 1.2.3 --arch amd64 --out FOLDER]`: the Debian package, by default of this version and
 * this machine, into release/. The same commit gives the same bytes: every time in it is SOURCE_DATE_EPOCH, by default
 * that of the commit.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { VERSION } from '../../shared/version.js'
import { CannotBuild, debVersion, type DebInit, layOut, run, settle } from './deb-tree.js'

const ROOT = resolve(import.meta.dirname, '../..')

const PROGRAMS = /\/usr\/bin\/|\/DEBIAN\/(postinst|prerm|postrm)$|\/torrentino\/node$/

/** Answers the path of the package. */
export function buildDeb(out: string, given: Partial<DebInit> = {}): string {
  const init = { version: VERSION, arch: machine(), epoch: epoch(), ...given }
  const folder = mkdtempSync(join(tmpdir(), 'tor-deb-'))
  try {
    const tree = join(folder, 'tree')
    layOut(tree, init)
    settle(tree, (path) => PROGRAMS.test(path))
    stamp(tree, init.epoch)
    mkdirSync(out, { recursive: true })
    const file = join(out, `torrentino_${debVersion(init.version)}_${init.arch}.deb`)
    const env = `SOURCE_DATE_EPOCH=${String(init.epoch)}`
    // One thread: the bytes that several make depend on how many there are.
    const pack = ['--root-owner-group', '-Zxz', '-z1', '--threads-max=1']
    run('env', env, 'dpkg-deb', ...pack, '--build', tree, file)
    return file
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function machine(): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
  const name = names[process.arch]
  if (name === undefined) throw new CannotBuild(`There is no package for ${process.arch}: give --arch.`)
  return name
}

function epoch(): number {
  const given = process.env['SOURCE_DATE_EPOCH']
  return Number(given ?? run('git', '-C', ROOT, 'log', '-1', '--format=%ct'))
}

function stamp(path: string, seconds: number): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) stamp(join(path, entry.name), seconds)
    else utimesSync(join(path, entry.name), seconds, seconds)
  }
  utimesSync(path, seconds, seconds)
}

if (process.argv[1] === import.meta.filename) {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ options: { version: text, arch: text, out: text } })
  const { out = join(ROOT, 'release'), ...given } = values
  try {
    console.log(buildDeb(resolve(out), given))
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }
}
