/**
 * What is to be done with each file of a move, out of what lies on both sides. Pure. Names: `from` is the folder the
 * torrent leaves, `to` the one it goes to. On one volume a file gets its new name beside the old one (a hard link),
 * or is renamed where the volume knows no such links; else it is copied to a temporary name beside the new one. The
 * old one goes when the database says `to`.
 */
import type { Bytes, FileIndex } from '../../shared/units.js'
import type { FileFound, MoveStep, StorageFile } from '../ports/disk.js'

/** What an lstat saw; null: nothing there. */
export interface Seen {
  readonly size: Bytes
  readonly mtimeNs: string
  readonly ino: string
}

export interface Sides {
  readonly from: Seen | null
  readonly to: Seen | null
  readonly temp: Seen | null
}

export type Undoing = 'dropTemp' | 'dropTo' | 'bringBack'

/** A copy has the time of its original to the second: file systems of other people keep no more. In nanoseconds. */
const SAME_TIME = 2_000_000_000n
const TEMP = '.torrentino-move-'

/**
 * How the temporary files of a job begin; the index of the file follows. No file or folder of the torrent begins so.
 * Short and not made of the file's own name, which may be as long as a name can be.
 */
export function tempPrefix(files: readonly StorageFile[], job: number): string {
  let prefix = `${TEMP}${String(job)}-`
  const taken = (): boolean => files.some(({ path }) => `/${path.toLowerCase()}`.includes(`/${prefix}`))
  while (taken()) prefix += '-'
  return prefix
}

/** The files that are there to be moved, in order. */
export function carried(found: readonly FileFound[]): FileFound[] {
  return found.filter(({ name }) => name !== 'missing')
}

/** The parts in which a file is copied; an empty one is one part. */
export function chunksOf(size: Bytes, chunk: Bytes): { readonly offset: Bytes; readonly length: Bytes }[] {
  const count = Math.max(1, Math.ceil(size / chunk))
  return Array.from({ length: count }, (_, at) => ({
    offset: at * chunk,
    length: Math.min(chunk, size - at * chunk),
  }))
}

/** The first file that is not what it was, or null: somebody wrote to it while it was moved. */
export function changedSince(before: readonly FileFound[], after: readonly FileFound[]): FileIndex | null {
  const now = new Map(after.map((found) => [found.file, found]))
  for (const was of before) {
    const is = now.get(was.file)
    if (is?.name !== was.name || !isSame(was, is)) return was.file
  }
  return null
}

function isSame(a: Seen, b: Seen): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ino === b.ino
}

/**
 * What takes one file back. Whatever cannot be told to be ours stays, and nothing goes at `to` that is not at `from`.
 * Before the copies get their names only temporary files are ours; from then on a copy whose temporary name is gone
 * has got its own.
 */
export function undoOf(step: MoveStep, { from, to, temp }: Sides): Undoing[] {
  if (step === 'rename') return from === null && to !== null ? ['bringBack'] : []
  if (step === 'link') return from !== null && from.ino === to?.ino ? ['dropTo'] : []
  const undoing: Undoing[] = []
  const named = step === 'name' && to !== null && (temp === null || temp.ino === to.ino)
  if (named && from !== null) undoing.push('dropTo')
  if (temp !== null) undoing.push('dropTemp')
  return undoing
}

/**
 * What becomes of the old file once the new one counts. `wait`: the new one cannot be seen, so the old one is all
 * there is. `keep`: it is not what was moved.
 */
export function cleanOf(from: FileFound, to: FileFound): 'none' | 'drop' | 'keep' | 'wait' {
  if (from.name === 'missing') return 'none'
  if (to.name === 'missing') return 'wait'
  return from.name === to.name && isCopy(from, to) ? 'drop' : 'keep'
}

/** The same file, or one of its size and time. */
export function isCopy(from: Seen, to: Seen): boolean {
  if (from.size !== to.size) return false
  const apart = BigInt(from.mtimeNs) - BigInt(to.mtimeNs)
  return apart <= SAME_TIME && apart >= -SAME_TIME
}
