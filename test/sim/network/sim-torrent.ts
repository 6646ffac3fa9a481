/**
 * A torrent whose content is a tag in each block. Its wire form lies in memory once, for every node: a frame of
 * contiguous blocks is a part of it, and nothing is copied or hashed.
 */
import { createHash } from 'node:crypto'
import { encode } from '../../../shared/torrent/bencode.js'
import { type Metainfo, parseMetainfo } from '../../../shared/torrent/metainfo.js'
import { BLOCK_SIZE, type Bytes, type PieceIndex } from '../../../shared/units.js'

const HEADER = 13
const MESSAGE = HEADER + BLOCK_SIZE
/** Bytes kept of each block. */
export const TAG = 8
const HONEST = 0x600d
const FALSE = 0x0bad

export class SimTorrent {
  readonly meta: Metainfo
  /** The .torrent. */
  readonly bytes: Uint8Array
  readonly pieceCount: number
  readonly blocksPerPiece: number
  readonly size: Bytes
  private readonly honest: Buffer
  /** Made when the first liar asks. */
  private wrong: Buffer | null = null

  /** Whole pieces of whole blocks: a torrent with odd ends is no better test of a swarm. */
  constructor(init: { readonly pieces: number; readonly pieceLength: Bytes }) {
    const { pieces, pieceLength } = init
    if (pieceLength % BLOCK_SIZE !== 0) throw new RangeError('pieces have whole blocks here')
    this.pieceCount = pieces
    this.blocksPerPiece = pieceLength / BLOCK_SIZE
    this.size = pieces * pieceLength
    const digests = Array.from({ length: pieces }, (_, piece) =>
      createHash('sha1')
        .update(`piece ${String(piece)}`)
        .digest(),
    )
    const info = encode({
      name: 'content',
      'piece length': pieceLength,
      pieces: Buffer.concat(digests),
      length: this.size,
    })
    this.bytes = Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')])
    this.meta = parseMetainfo(this.bytes)
    this.honest = this.image(HONEST)
  }

  /** Contiguous whole blocks as `piece` messages (BEP 3). `lie`: blocks that no digest fits. */
  frame(piece: PieceIndex, offset: Bytes, blocks: number, lie = false): Buffer {
    const first = piece * this.blocksPerPiece + offset / BLOCK_SIZE
    if (lie) this.wrong ??= this.image(FALSE)
    const image = lie && this.wrong !== null ? this.wrong : this.honest
    return image.subarray(first * MESSAGE, (first + blocks) * MESSAGE)
  }

  /** Does this tag belong to the block? */
  fits(tag: Buffer, at: number, piece: PieceIndex, block: number): boolean {
    return tag.readUInt32BE(at) === HONEST && tag.readUInt32BE(at + 4) === piece * this.blocksPerPiece + block
  }

  private image(magic: number): Buffer {
    const blocks = this.pieceCount * this.blocksPerPiece
    const image = Buffer.alloc(blocks * MESSAGE)
    for (let block = 0; block < blocks; block++) {
      const at = block * MESSAGE
      image.writeUInt32BE(9 + BLOCK_SIZE, at)
      image[at + 4] = 7
      image.writeUInt32BE(Math.floor(block / this.blocksPerPiece), at + 5)
      image.writeUInt32BE((block % this.blocksPerPiece) * BLOCK_SIZE, at + 9)
      image.writeUInt32BE(magic, at + HEADER)
      image.writeUInt32BE(block, at + HEADER + 4)
    }
    return image
  }
}
