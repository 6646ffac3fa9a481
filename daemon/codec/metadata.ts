/** Messages of the metadata extension (BEP 9): bytes to values and back. */
import { asInt, BencodeError, decode, dictGet, encode, type BNode } from '../../shared/torrent/bencode.js'

/** Its name in the extension handshake (BEP 10). */
export const METADATA_EXTENSION = 'ut_metadata'
/** Bytes of a block of metadata; the last may be shorter. */
export const METADATA_BLOCK = 16_384

/** `piece` numbers a block of metadata from 0. */
export type MetadataMessage =
  | { readonly kind: 'request'; readonly piece: number }
  /** `data` is a view of the message; `total` is what the peer says of the whole, where it does. */
  | {
      readonly kind: 'data'
      readonly piece: number
      readonly total: number | undefined
      readonly data: Uint8Array
    }
  | { readonly kind: 'reject'; readonly piece: number }

/** The payload of an extended message; null where it cannot be read. Kinds that are not known are null too. */
export function decodeMetadata(payload: Uint8Array): MetadataMessage | null {
  const head = readHead(payload)
  const piece = asInt(dictGet(head, 'piece'))
  if (head === undefined || piece === undefined || piece < 0) return null
  switch (asInt(dictGet(head, 'msg_type'))) {
    case 0:
      return { kind: 'request', piece }
    case 1:
      return {
        kind: 'data',
        piece,
        total: asInt(dictGet(head, 'total_size')),
        data: payload.subarray(head.end),
      }
    case 2:
      return { kind: 'reject', piece }
    default:
      return null
  }
}

function readHead(payload: Uint8Array): BNode | undefined {
  try {
    return decode(payload, { trailing: 'allow', limits: { maxDepth: 8, maxTokens: 100 } })
  } catch (error) {
    if (error instanceof BencodeError) return undefined
    throw error
  }
}

export function encodeMetadataRequest(piece: number): Uint8Array {
  return encode({ msg_type: 0, piece })
}

export function encodeMetadataReject(piece: number): Uint8Array {
  return encode({ msg_type: 2, piece })
}

/** `total`: bytes of the whole. */
export function encodeMetadataData(piece: number, total: number, data: Uint8Array): Uint8Array {
  return Buffer.concat([encode({ msg_type: 1, piece, total_size: total }), data])
}
