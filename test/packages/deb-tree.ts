/** What the Debian package has in it: a tree laid out in a folder. dist/ must be built. */
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { unitText } from '../../launchd/unit.js'
import { gzip, runtimeInto } from './runtime.js'

const ROOT = resolve(import.meta.dirname, '../..')
const DEBIAN = join(ROOT, 'packaging/debian')
const LIB = '/usr/lib/torrentino'

export interface DebInit {
  /** Of torrentino: 1.2.3. */
  readonly version: string
  /** As dpkg names it: amd64, arm64. */
  readonly arch: string
  /** Unix seconds that every file has, and the changelog. */
  readonly epoch: number
}

/** Told to the person as it stands. */
export class CannotBuild extends Error {}

/** The version of the package: its first, of that version of torrentino. */
export const debVersion = (version: string): string => `${version}-1`

/** Lays everything below `tree`, the control files included. */
export function layOut(tree: string, init: DebInit): void {
  const put = (path: string, text: string | Buffer, mode = 0o644): void => {
    const file = join(tree, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text, { mode })
  }
  const read = (...path: string[]): Buffer => readFileSync(join(...path))
  program(tree, init, put)
  units(put, read)
  for (const page of ['torrentinoctl.1', 'torrentinod.8'])
    put(`usr/share/man/man${page.slice(-1)}/${page}.gz`, gzip(read(ROOT, 'docs/man', page)))
  completions(put)
  documents(put, read, init)
  control(tree, init, put, read)
}

type Put = (path: string, text: string | Buffer, mode?: number) => void
type Read = (...path: string[]) => Buffer

/** Compiled files, packages, Node, and the two programs that start them. */
function program(tree: string, init: DebInit, put: Put): void {
  const lib = join(tree, LIB)
  for (const part of ['daemon', 'shared'])
    cpSync(join(ROOT, 'dist', part), join(lib, 'dist', part), {
      recursive: true,
      filter: (path) => !/\.(map|d\.ts|tsbuildinfo)$/.test(path),
    })
  // Node is not on the PATH of whoever starts them: the two programs below do, and no first line of the files.
  const entries = ['dist/ctl/torrentinoctl.js', 'dist/daemon/bin.js']
  for (const entry of entries)
    put(`${LIB}/${entry}`, readFileSync(join(ROOT, entry), 'utf8').replace(/^#!.*/, '//'))
  put(
    `${LIB}/package.json`,
    `${JSON.stringify({ name: 'torrentino', version: init.version, type: 'module' })}\n`,
  )
  runtimeInto(lib, init.arch)
  for (const [name, entry] of [
    ['torrentinod', 'daemon/bin.js'],
    ['torrentinoctl', 'ctl/torrentinoctl.js'],
  ] as const)
    put(`usr/bin/${name}`, `#!/bin/sh\nexec ${LIB}/node ${LIB}/dist/${entry} "$@"\n`, 0o755)
}

/** The unit of the machine as it stands, and that of a person as `service install` writes it. */
function units(put: Put, read: Read): void {
  put('usr/lib/systemd/system/torrentino.service', read(ROOT, 'packaging/systemd/torrentino.service'))
  const entry = `${LIB}/dist/daemon/bin.js`
  const own = unitText({ node: `${LIB}/node`, entry, home: null, variables: {}, notifies: true })
  put('usr/lib/systemd/user/torrentino.service', own.slice(own.indexOf('[Unit]')))
}

/** Made by the command itself. */
function completions(put: Put): void {
  for (const [shell, path] of [
    ['bash', 'bash-completion/completions/torrentinoctl'],
    ['zsh', 'zsh/vendor-completions/_torrentinoctl'],
    ['fish', 'fish/vendor_completions.d/torrentinoctl.fish'],
  ] as const)
    put(
      `usr/share/${path}`,
      run(process.execPath, join(ROOT, 'dist/ctl/torrentinoctl.js'), 'completion', shell),
    )
}

function documents(put: Put, read: Read, init: DebInit): void {
  const doc = 'usr/share/doc/torrentino'
  const text = filled(read(DEBIAN, 'changelog'), {
    VERSION: debVersion(init.version),
    DATE: new Date(init.epoch * 1000).toUTCString().replace('GMT', '+0000'),
  })
  put(`${doc}/changelog.Debian.gz`, gzip(Buffer.from(text)))
  put(`${doc}/changelog.gz`, gzip(read(ROOT, 'CHANGELOG.md')))
  put(`${doc}/copyright`, read(DEBIAN, 'copyright'))
  put('usr/share/lintian/overrides/torrentino', read(DEBIAN, 'lintian-overrides'))
}

function control(tree: string, init: DebInit, put: Put, read: Read): void {
  const files = readdirSync(tree, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort()
  const sums = spawnSync(
    'md5sum',
    paths.map((path) => path.slice(tree.length + 1)),
    { cwd: tree, encoding: 'utf8' },
  )
  if (sums.status !== 0) throw new CannotBuild(`md5sum failed: ${sums.stderr}`)
  const bytes = paths.reduce((sum, path) => sum + Math.ceil(readFileSync(path).length / 1024), 0)
  put(
    'DEBIAN/control',
    filled(read(DEBIAN, 'control'), {
      VERSION: debVersion(init.version),
      ARCH: init.arch,
      SIZE: String(bytes),
    }),
  )
  put('DEBIAN/md5sums', sums.stdout)
  for (const name of ['postinst', 'prerm', 'postrm']) put(`DEBIAN/${name}`, read(DEBIAN, name), 0o755)
}

function filled(template: Buffer, values: Readonly<Record<string, string>>): string {
  return template.toString().replaceAll(/@([A-Z]+)@/g, (word, name: string) => values[name] ?? word)
}

export function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (status !== 0) throw new CannotBuild(`${basename(program)} failed: ${error?.message ?? stdout + stderr}`)
  return stdout
}

/** Permissions that do not depend on the umask of who builds. */
export function settle(path: string, executable: (path: string) => boolean): void {
  chmodSync(path, 0o755)
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name)
    if (entry.isDirectory()) settle(inner, executable)
    else chmodSync(inner, executable(inner) ? 0o755 : 0o644)
  }
}
