/**
 * The daemon in few files, for proofs that start it a thousand times: most of a start is the loading of hundreds of
 * modules. It is made from dist, has the same threads at the same places, and nothing else of it differs.
 */
import { symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const DIST = resolve(import.meta.dirname, '../../dist')
const PACKAGES = resolve(import.meta.dirname, '../../node_modules')
/** The program, and what it starts as threads. */
const ENTRIES = ['bin', 'db/thread', 'disk/hash-worker', 'disk/lane', 'disk/check-worker']
/** Packages that are no modules still call require. */
const BANNER = [
  "import { createRequire as requireOfBundle } from 'node:module'",
  'const require = requireOfBundle(import.meta.url)',
  'const __filename = import.meta.filename',
  'const __dirname = import.meta.dirname',
]

/** Makes it in a new folder; answers its entry. */
export async function fastDaemon(dir: string): Promise<string> {
  await build({
    entryPoints: ENTRIES.map((entry) => join(DIST, 'daemon', `${entry}.js`)),
    outbase: DIST,
    outdir: dir,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['better-sqlite3'],
    banner: { js: BANNER.join('\n') },
    logLevel: 'error',
  })
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
  symlinkSync(PACKAGES, join(dir, 'node_modules'))
  return join(dir, 'daemon', 'bin.js')
}
