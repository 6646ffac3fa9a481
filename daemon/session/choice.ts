/** Which files of a torrent are left out: of a choice that was named with it, or that its magnet link names. */
import type { FileIndex } from '../../shared/units.js'
import { rpcError } from '../../shared/rpc/errors.js'
import type { Magnet } from '../../shared/torrent/magnet.js'
import type { Metainfo } from '../../shared/torrent/metainfo.js'

/** The files that a choice leaves out; none without one. Throws badSelection. */
export function unwantedFiles(meta: Metainfo, select: readonly FileIndex[] | undefined): Set<FileIndex> {
  return select === undefined ? new Set() : unselected(meta.files, select)
}

/** The same for a magnet link, which may name files itself. */
export function unwantedOf(
  meta: Metainfo,
  link: Magnet | null,
  select: readonly FileIndex[] | undefined,
): Set<FileIndex> {
  const only = (link?.only ?? []).filter((index) => meta.files[index]?.pad === false)
  return unwantedFiles(meta, select ?? (only.length > 0 ? only : undefined))
}

/** The files that a choice leaves out. Throws badSelection. */
export function unselected(
  files: readonly { readonly length: number; readonly pad: boolean }[],
  select: readonly FileIndex[],
): Set<FileIndex> {
  const wanted = new Set(select)
  for (const file of wanted) {
    if (files[file] === undefined || files[file].pad) {
      throw rpcError(
        'badSelection',
        `There is no file ${String(file + 1)}; "torrentinoctl files" shows them.`,
      )
    }
  }
  const left = new Set<FileIndex>()
  files.forEach((file, index) => {
    if (!file.pad && !wanted.has(index)) left.add(index)
  })
  return left
}

export function wantedBytes(meta: Metainfo, unwanted: ReadonlySet<FileIndex>): number {
  return meta.files.reduce(
    (sum, file, index) => (file.pad || unwanted.has(index) ? sum : sum + file.length),
    0,
  )
}
