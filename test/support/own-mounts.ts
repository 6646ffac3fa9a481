/** Volumes for one daemon alone: small ones, read-only ones. Where the machine allows us a namespace of mounts. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const AS_ROOT = ['unshare', '-m']
/** A person becomes root of a namespace of their own. */
const AS_PERSON = ['unshare', '-rm']

function works(words: readonly string[]): boolean {
  const mount = [...words.slice(1), 'mount', '-t', 'tmpfs', 'none', '/mnt']
  return spawnSync('unshare', mount).status === 0
}

const words = works(AS_ROOT) ? AS_ROOT : works(AS_PERSON) ? AS_PERSON : null

export const canMount = words !== null

/** The words before a program that sees `dir` as an empty volume with these options of tmpfs. */
export function withVolume(dir: string, options: string): string[] {
  if (words === null) throw new Error('no mounts here')
  return [...words, 'sh', '-c', 'mount -t tmpfs -o "$1" none "$0" && shift && exec "$@"', dir, options]
}

/** The words before a program that sees `file` in the place of `path`. */
export function withFile(path: string, file: string): string[] {
  if (words === null) throw new Error('no mounts here')
  return [...words, 'sh', '-c', 'mount --bind "$1" "$0" && shift && exec "$@"', path, file]
}

/** A path as the process sees it. */
export function seenBy(pid: number, path: string): string {
  return join('/proc', String(pid), 'root', path)
}
