/** Which torrent writes which paths: two torrents never write the same one. */
import { join } from 'node:path/posix'
import type { TorrentId } from '../../shared/units.js'

/** The paths of one torrent: where it lies, and its files below that. */
export interface Claim {
  readonly torrent: TorrentId
  /** Absolute. */
  readonly dir: string
  /** The file, or the folder that holds all files, below `dir`. */
  readonly root: string
}

/** A file's two names. Case and Unicode form are folded, as some volumes do. */
export function foldedPaths(dir: string, files: Iterable<string>): Set<string> {
  const paths = new Set<string>()
  for (const file of files) {
    const path = fold(join(dir, file))
    paths.add(path)
    paths.add(`${path}.part`)
  }
  return paths
}

/** Torrents whose trees touch this one's; only these need their files compared. */
export function neighbours<T extends Omit<Claim, 'torrent'>>(
  claim: Omit<Claim, 'torrent'>,
  all: Iterable<T>,
): T[] {
  const mine = fold(join(claim.dir, claim.root))
  const found: T[] = []
  for (const other of all) {
    const theirs = fold(join(other.dir, other.root))
    if (mine === theirs || mine.startsWith(`${theirs}/`) || theirs.startsWith(`${mine}/`)) found.push(other)
    else if (mine === `${theirs}.part` || theirs === `${mine}.part`) found.push(other)
  }
  return found
}

/** The first path that both want, or null. */
export function firstShared(mine: ReadonlySet<string>, theirs: ReadonlySet<string>): string | null {
  for (const path of mine) if (theirs.has(path)) return path
  return null
}

function fold(path: string): string {
  return path.normalize('NFC').toLowerCase()
}
