/** Which files of a torrent are wanted, and how much: by a choice that comes with it or later, or by its magnet link. */
import { ChoiceError, chooseFiles } from '../../shared/choose-files.js'
import type { FileIndex } from '../../shared/units.js'
import { rpcError } from '../../shared/rpc/errors.js'
import type { Magnet } from '../../shared/torrent/magnet.js'
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import type { Priority } from '../../shared/views.js'
import type { Params } from '../../shared/rpc/contract.js'
import type { Content } from '../swarm/content.js'
import { priorityOfRank } from '../swarm/wishes.js'

type Files = readonly { readonly length: number; readonly pad: boolean }[]

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
  const words = link?.choice ?? []
  if (select === undefined && words.length > 0) return unwantedFiles(meta, chosenBy(words, meta.files))
  const only = (link?.only ?? []).filter((index) => meta.files[index]?.pad === false)
  return unwantedFiles(meta, select ?? (only.length > 0 ? only : undefined))
}

/** The files that these words name, pads left out. Throws badSelection. */
export function chosenBy(words: readonly string[], files: Metainfo['files']): FileIndex[] {
  const named = files.flatMap(({ path, pad }, index) => (pad ? [] : [{ index, path }]))
  try {
    return chooseFiles(words, named)
  } catch (error) {
    if (!(error instanceof ChoiceError)) throw error
    const { message } = error
    throw rpcError('badSelection', `${message.charAt(0).toUpperCase()}${message.slice(1)}.`)
  }
}

/** The files that a choice leaves out. Throws badSelection. */
export function unselected(files: Files, select: readonly FileIndex[]): Set<FileIndex> {
  const wanted = new Set(select)
  refuseStrangers(files, wanted)
  const left = new Set<FileIndex>()
  files.forEach((file, index) => {
    if (!file.pad && !wanted.has(index)) left.add(index)
  })
  return left
}

/**
 * How much each file is wanted after a choice, pads left out: `files` are the only ones wanted, then come
 * `priorities`, the last word on a file counts. What is wanted keeps its priority. Throws badSelection.
 */
export function chosen(
  content: Pick<Content, 'files' | 'fileRank'>,
  { files: only, priorities = [] }: Pick<Params<'torrent.select'>, 'files' | 'priorities'>,
): Map<FileIndex, Priority> {
  const { files } = content
  const left = only === undefined ? null : unselected(files, only)
  const after = new Map<FileIndex, Priority>()
  files.forEach((file, index) => {
    const before = priorityOfRank(content.fileRank(index))
    const kept = left === null || before !== 'skip' ? before : 'normal'
    if (!file.pad) after.set(index, left?.has(index) === true ? 'skip' : kept)
  })
  for (const each of priorities) {
    refuseStrangers(files, each.files)
    for (const file of each.files) after.set(file, each.priority)
  }
  if ([...after.values()].some((priority) => priority !== 'skip')) return after
  throw rpcError('badSelection', 'No file would be left to download; "torrentinoctl pause" stops a torrent.')
}

function refuseStrangers(files: Files, named: Iterable<FileIndex>): void {
  for (const file of named) {
    if (files[file]?.pad === false) continue
    throw rpcError('badSelection', `There is no file ${String(file + 1)}; "torrentinoctl files" shows them.`)
  }
}

export function wantedBytes(meta: Metainfo, unwanted: ReadonlySet<FileIndex>): number {
  return meta.files.reduce(
    (sum, file, index) => (file.pad || unwanted.has(index) ? sum : sum + file.length),
    0,
  )
}
