/** Where the files of a removed torrent lie: in a hidden folder beside the data, on their volume. */
import type { TorrentId } from '../../shared/units.js'

const PLACE = /^(.*)\/(\.torrentino-trash-[0-9a-f]{8})\/([0-9]+)$/s

export interface TrashPlace {
  /** The folder that it was removed from. */
  readonly dir: string
  /** The trash of this home in it, and in that the folder of the torrent. */
  readonly names: readonly [trash: string, torrent: string]
  /** The whole path. */
  readonly path: string
}

/** `mark` tells the trash of one home from that of another: 8 hex digits. */
export function trashPlace(dir: string, mark: string, torrent: TorrentId): TrashPlace {
  const names = [`.torrentino-trash-${mark}`, String(torrent)] as const
  return { dir, names, path: [dir, ...names].join('/') }
}

/** Null where its files do not lie in a trash. */
export function trashPlaceOf(torrent: { readonly id: TorrentId; readonly dir: string }): TrashPlace | null {
  const [, dir = '', trash = '', id = ''] = PLACE.exec(torrent.dir) ?? []
  if (id !== String(torrent.id)) return null
  return { dir, names: [trash, id], path: torrent.dir }
}
