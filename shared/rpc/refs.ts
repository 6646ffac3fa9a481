/** How a caller's word for a torrent becomes the torrent. */
import type { TorrentId } from '../units.js'
import { rpcError } from './errors.js'

interface Named {
  readonly id: TorrentId
  readonly infoHash: string | null
  readonly infoHashV2: string | null
}

const HEX = /^[0-9a-f]{4,64}$/

/**
 * The torrent that `ref` names: a number is an id; text is a full hash (v1 or v2) or a prefix of one with at least
 * 4 digits. Throws RpcError noSuchTorrent or ambiguous.
 */
export function resolveRef<T extends Named>(ref: number | string, known: Iterable<T>): T {
  const found: T[] = []
  const text = String(ref).toLowerCase()
  const usable = typeof ref === 'number' || HEX.test(text)
  if (usable) {
    for (const torrent of known) {
      const hit = typeof ref === 'number' ? torrent.id === ref : startsWith(torrent, text)
      if (hit) found.push(torrent)
    }
  }
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
