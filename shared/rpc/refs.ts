/** How a caller's word for a torrent becomes the torrent. */
import type { TorrentId } from '../units.js'
import { rpcError } from './errors.js'

interface Named {
  readonly id: TorrentId
  readonly infoHash: string | null
  readonly infoHashV2: string | null
}

const HEX = /^[0-9a-f]{1,64}$/

/**
 * The torrent that `ref` names: a number is an id, and where there is none the beginning of a hash of 4 or more digits;
 * text is a full hash (v1 or v2) or the beginning of one. Throws RpcError noSuchTorrent or ambiguous.
 */
export function resolveRef<T extends Named>(ref: number | string, known: Iterable<T>): T {
  const text = String(ref).toLowerCase()
  const all = [...known]
  const found = typeof ref === 'number' ? all.filter((torrent) => torrent.id === ref) : []
  // A short number is meant as a number, and a word that is no hash names nothing.
  const isBeginning = HEX.test(text) && (typeof ref === 'string' || text.length >= 4)
  if (found.length === 0 && isBeginning) found.push(...all.filter((torrent) => startsWith(torrent, text)))
  const [first, second] = found
  if (first !== undefined && second === undefined) return first
  if (first === undefined) {
    const shown = JSON.stringify(text).slice(1, -1)
    throw rpcError('noSuchTorrent', `no torrent ${shown}; torrentinoctl list shows those there are`, { ref })
  }
  const ids = found.map((torrent) => torrent.id)
  const some = ids.slice(0, 5).join(', ') + (ids.length > 5 ? ', ...' : '')
  throw rpcError(
    'ambiguous',
    `${text} is the beginning of ${ids.length} torrents (${some}); write more digits`,
    {
      ref,
      ids,
    },
  )
}

function startsWith(torrent: Named, prefix: string): boolean {
  return torrent.infoHash?.startsWith(prefix) === true || torrent.infoHashV2?.startsWith(prefix) === true
}
