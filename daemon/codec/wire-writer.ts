/** Makes peer wire messages (BEP 3, 5, 6, 10). `write*` fill a caller's buffer and answer the offset after them. */
import { ID } from './wire.js'

/** Bytes before the block in a `piece` message. */
export const PIECE_HEADER = 13
/** Bytes of a request, cancel or reject. */
export const REQUEST_SIZE = 17
/** Bytes of a have. */
export const HAVE_SIZE = 9

function bare(id: number): Buffer {
  return Buffer.from([0, 0, 0, 1, id])
}

/** Shared and constant: sent as they are, never written into. */
export const KEEP_ALIVE = Buffer.alloc(4)
export const CHOKE = bare(ID.choke)
export const UNCHOKE = bare(ID.unchoke)
export const INTERESTED = bare(ID.interested)
export const NOT_INTERESTED = bare(ID.notInterested)
/** BEP 6 only. */
export const HAVE_ALL = bare(ID.haveAll)
/** BEP 6 only. */
export const HAVE_NONE = bare(ID.haveNone)

function writeTriple(
  buf: Buffer,
  offset: number,
  id: number,
  piece: number,
  begin: number,
  length: number,
): number {
  buf.writeUInt32BE(13, offset)
  buf[offset + 4] = id
  buf.writeUInt32BE(piece, offset + 5)
  buf.writeUInt32BE(begin, offset + 9)
  return buf.writeUInt32BE(length, offset + 13)
}

function writeIndex(buf: Buffer, offset: number, id: number, piece: number): number {
  buf.writeUInt32BE(5, offset)
  buf[offset + 4] = id
  return buf.writeUInt32BE(piece, offset + 5)
}

/** 17 bytes. */
export function writeRequest(
  buf: Buffer,
  offset: number,
  piece: number,
  begin: number,
  length: number,
): number {
  return writeTriple(buf, offset, ID.request, piece, begin, length)
}

/** `count` requests of 17 bytes each; `triples` holds piece, begin, length of each in turn. */
export function writeRequests(
  buf: Buffer,
  offset: number,
  triples: ArrayLike<number>,
  count: number,
): number {
  let at = offset
  for (let i = 0; i < 3 * count; i += 3) {
    at = writeTriple(buf, at, ID.request, triples[i] ?? 0, triples[i + 1] ?? 0, triples[i + 2] ?? 0)
  }
  return at
}

/** 17 bytes. */
export function writeCancel(
  buf: Buffer,
  offset: number,
  piece: number,
  begin: number,
  length: number,
): number {
  return writeTriple(buf, offset, ID.cancel, piece, begin, length)
}

/** 17 bytes; BEP 6 only. */
export function writeReject(
  buf: Buffer,
  offset: number,
  piece: number,
  begin: number,
  length: number,
): number {
  return writeTriple(buf, offset, ID.reject, piece, begin, length)
}

/** The 13 bytes before a block of `length` bytes. */
export function writePieceHeader(
  buf: Buffer,
  offset: number,
  piece: number,
  begin: number,
  length: number,
): number {
  buf.writeUInt32BE(9 + length, offset)
  buf[offset + 4] = ID.piece
  buf.writeUInt32BE(piece, offset + 5)
  return buf.writeUInt32BE(begin, offset + 9)
}

/** 9 bytes. */
export function encodeHave(piece: number): Buffer {
  return encodeHaves([piece])
}

/** 9 bytes a piece, in order. */
export function encodeHaves(pieces: readonly number[]): Buffer {
  const buf = Buffer.allocUnsafe(HAVE_SIZE * pieces.length)
  let at = 0
  for (const piece of pieces) at = writeIndex(buf, at, ID.have, piece)
  return buf
}

/** BEP 6: a piece the receiver may request while choked. 9 bytes. */
export function encodeAllowedFast(piece: number): Buffer {
  const buf = Buffer.allocUnsafe(HAVE_SIZE)
  writeIndex(buf, 0, ID.allowedFast, piece)
  return buf
}

/** `bits` is sent as it is: the first piece is the highest bit of the first byte, spare bits must be zero. */
export function encodeBitfield(bits: Uint8Array): Buffer {
  const buf = Buffer.allocUnsafe(5 + bits.length)
  buf.writeUInt32BE(1 + bits.length, 0)
  buf[4] = ID.bitfield
  buf.set(bits, 5)
  return buf
}

/** BEP 10: `id` is the receiver's number for the extension, 0 for the handshake. */
export function encodeExtended(id: number, payload: Uint8Array): Buffer {
  const buf = Buffer.allocUnsafe(6 + payload.length)
  buf.writeUInt32BE(2 + payload.length, 0)
  buf[4] = ID.extended
  buf[5] = id
  buf.set(payload, 6)
  return buf
}

/** BEP 5: the UDP port of our DHT node. 7 bytes. */
export function encodePort(port: number): Buffer {
  const buf = Buffer.from([0, 0, 0, 3, ID.port, 0, 0])
  buf.writeUInt16BE(port, 5)
  return buf
}
