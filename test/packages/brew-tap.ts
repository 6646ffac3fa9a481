/**
 * `npm run build:tap`: Homebrew's tap of this checkout, in release/homebrew-torrentino, a git repository as `brew tap`
 * takes it, and beside it the npm package that its formula names. A tap of a release is made by `npm run release`.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pack } from '../support/packed.js'
import { filledFormula, type Release } from './formula.js'

const ROOT = resolve(import.meta.dirname, '../..')
const TAP = join(ROOT, 'packaging/homebrew')

/** Writes the tap to `folder`, which is made anew. Answers the path of the formula. */
export function writeTap(folder: string, release: Release): string {
  rmSync(folder, { recursive: true, force: true })
  cpSync(TAP, folder, { recursive: true })
  const formula = join(folder, 'Formula/torrentino.rb')
  writeFileSync(formula, filledFormula(readFileSync(formula, 'utf8'), release))
  return formula
}

/** The package, and the tap whose formula has its address on this machine: a git repository. dist/ must be built. */
export async function localTap(out: string): Promise<{ formula: string; tap: string }> {
  mkdirSync(out, { recursive: true })
  const { file } = await pack(out)
  const tap = join(out, 'homebrew-torrentino')
  const [homepage, url] = [ROOT, file].map((path) => pathToFileURL(path).href) as [string, string]
  const formula = writeTap(tap, { homepage, url, sha256: sha256Of(file) })
  commit(tap)
  return { formula, tap }
}

export const sha256Of = (file: string): string =>
  createHash('sha256').update(readFileSync(file)).digest('hex')

/** `brew tap` clones. */
function commit(tap: string): void {
  const author = ['-c', 'user.name=Torrentino', '-c', 'user.email=torrentino@localhost']
  for (const words of [
    ['init', '--quiet', '--initial-branch=main'],
    ['add', '--all'],
    [...author, 'commit', '--quiet', '-m', 'torrentino'],
  ]) {
    const { status, stderr } = spawnSync('git', ['-C', tap, ...words], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`git ${words.join(' ')} failed: ${stderr}`)
  }
}

if (process.argv[1] === import.meta.filename) {
  const { tap } = await localTap(join(ROOT, 'release'))
  console.log(tap)
}
