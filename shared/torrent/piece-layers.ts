/** The hashes of a v2 torrent's pieces, which lie outside the info dictionary (BEP 52). */
import { createHash } from 'node:crypto'
import { BLOCK_SIZE } from '../units.js'
import { asBytes, asDict, dictGet, type BNode } from './bencode.js'
import type { RawFile } from './metainfo-files.js'
import { MetainfoError } from './metainfo-error.js'

const HASH = 32

/** Throws MetainfoError unless every file of more than a piece has a layer that leads to its root. */
export function checkPieceLayers(
  root: BNode,
  files: readonly RawFile[],
  pieceLength: number,
  source: Uint8Array,
): void {
  const layers = asDict(dictGet(root, 'piece layers'))
  const blank = blankHash(pieceLength)
  const checked = new Set<string>()
  for (const file of files) {
    if (file.root === null || file.length <= pieceLength) continue
    const key = Buffer.from(file.root).toString('latin1')
    const layer = asBytes(layers?.entries.get(key), source)
    if (layer === undefined) throw new MetainfoError('layers', 'The hashes of a file are missing.')
    if (layer.length !== HASH * Math.ceil(file.length / pieceLength)) {
      throw new MetainfoError('layers', 'A file has the wrong number of hashes.')
    }
    if (checked.has(key)) continue
    if (!merkleRoot(layer, blank).equals(file.root)) {
      throw new MetainfoError('layers', 'The hashes of a file contradict each other.')
    }
    checked.add(key)
  }
}

/** The hash over a piece's worth of leaves that are not there: they count as zeros. */
function blankHash(pieceLength: number): Buffer {
  let hash: Buffer = Buffer.alloc(HASH)
  for (let size = BLOCK_SIZE; size < pieceLength; size *= 2) hash = hashPair(Buffer.concat([hash, hash]))
  return hash
}

/** The root over a layer, filled up to a power of two with `blank`. */
function merkleRoot(layer: Uint8Array, blank: Buffer): Buffer {
  let level = Buffer.from(layer)
  let filler = blank
  while (level.length > HASH) {
    const pairs = Math.ceil(level.length / (2 * HASH))
    const even = level.length % (2 * HASH) === 0 ? level : Buffer.concat([level, filler])
    const above = Buffer.alloc(pairs * HASH)
    for (let pair = 0; pair < pairs; pair += 1) {
      hashPair(even.subarray(pair * 2 * HASH, (pair + 1) * 2 * HASH)).copy(above, pair * HASH)
    }
    filler = hashPair(Buffer.concat([filler, filler]))
    level = above
  }
  return level
}

function hashPair(pair: Uint8Array): Buffer {
  return createHash('sha256').update(pair).digest()
}
