/** Refuses a place where two torrents would write the same path. */
import type { TorrentId } from '../../shared/units.js'
import { rpcError } from '../../shared/rpc/errors.js'
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import { storedMetainfo } from '../../shared/torrent/names.js'
import type { Store } from '../ports/store.js'
import { firstShared, foldedPaths, neighbours } from './claims.js'
import type { Session } from './session.js'

/** Throws pathTaken where another torrent than `self` writes, or is about to write, a path of these files. */
export async function refuseSharedPaths(
  place: { readonly dir: string; readonly meta: Metainfo; readonly self: TorrentId | null },
  { session, store }: { readonly session: Session; readonly store: Store },
): Promise<void> {
  const { dir, meta, self } = place
  const claims = session.claims().filter(({ torrent }) => torrent !== self)
  const others = neighbours({ dir, root: rootOf(meta) }, claims)
  if (others.length === 0) return
  const mine = foldedPaths(dir, contentPaths(meta))
  for (const other of others) {
    const theirs = storedMetainfo(await store.metainfo(other.torrent))
    const path = firstShared(mine, foldedPaths(other.dir, contentPaths(theirs)))
    if (path === null) continue
    const what = self === null ? 'add this one with another --dir' : 'choose another folder'
    throw rpcError(
      'pathTaken',
      `Torrent ${String(other.torrent)} (${other.root}) already writes ${path}; ${what}.`,
      { path, torrent: other.torrent },
    )
  }
}

/** What of `dir` is its own: the file, or the folder of all files. */
export function rootOf(meta: Metainfo): string {
  return meta.files.find((file) => !file.pad)?.path.split('/')[0] ?? meta.name
}

function contentPaths(meta: Metainfo): string[] {
  return meta.files.filter((file) => !file.pad).map((file) => file.path)
}
