/** The pieces a peer may have while it is choked (BEP 6). */
import { createHash } from 'node:crypto'
import type { PieceIndex, SwarmKey } from '../../shared/units.js'

/**
 * The canonical set for the peer at an IPv4 address, in BEP 6's order. The address is cut to its /24 so that one
 * network gets one set. Fewer than `count` come back where the torrent has fewer pieces.
 */
export function allowedFastSet(
  key: SwarmKey,
  address: readonly [number, number, number, number],
  pieceCount: number,
  count: number,
): PieceIndex[] {
  const wanted = Math.min(count, pieceCount)
  const set = new Set<PieceIndex>()
  let x: Buffer = Buffer.concat([
    Buffer.from([address[0], address[1], address[2], 0]),
    Buffer.from(key, 'hex'),
  ])
  while (set.size < wanted) {
    x = createHash('sha1').update(x).digest()
    for (let i = 0; i < 20 && set.size < wanted; i += 4) set.add(x.readUInt32BE(i) % pieceCount)
  }
  return [...set]
}
