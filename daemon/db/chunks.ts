/** How a bitfield is cut into rows: small, so that a round rewrites only what changed. Pure. */

/** Bytes of the bitfield in one row; the last row may be shorter. */
export const CHUNK_BYTES = 2048

export interface Chunk {
  readonly chunk: number
  readonly bits: Uint8Array
}

/** Bytes of the bitfield of a torrent with `pieceCount` pieces (BEP 3: one bit a piece, spare bits at the end). */
export function bitfieldBytes(pieceCount: number): number {
  return Math.ceil(pieceCount / 8)
}

/** Bytes that row `chunk` has to have; 0 for a row the torrent does not have. */
export function chunkBytes(pieceCount: number, chunk: number): number {
  if (!Number.isSafeInteger(chunk) || chunk < 0) return 0
  return Math.max(0, Math.min(CHUNK_BYTES, bitfieldBytes(pieceCount) - chunk * CHUNK_BYTES))
}

/**
 * The bitfield from its rows; rows that were never recorded are zeros. Null: there is no row at all, or one has a
 * length that cannot be (an edited database), which makes every bit doubtful.
 */
export function assemble(pieceCount: number, rows: readonly Chunk[]): Uint8Array | null {
  // Before any memory is taken: the count may be what was edited.
  const fits = ({ chunk, bits }: Chunk): boolean =>
    bits.length > 0 && bits.length === chunkBytes(pieceCount, chunk)
  if (rows.length === 0 || !rows.every(fits)) return null
  const bits = new Uint8Array(bitfieldBytes(pieceCount))
  for (const row of rows) bits.set(row.bits, row.chunk * CHUNK_BYTES)
  return bits
}
