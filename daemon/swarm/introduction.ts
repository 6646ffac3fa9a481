/** What we tell a peer of ourselves in the extension handshake (BEP 10), and the ids we want its messages under. */
import type { Bytes } from '../../shared/units.js'
import { ipBytes } from '../base/ip.js'
import { encodeExtensionHandshake } from '../codec/extension.js'
import { METADATA_EXTENSION } from '../codec/metadata.js'
import type { Transport } from './transport.js'

/** The id of metadata messages that come to us. */
export const OUR_METADATA_ID = 1

export interface Introduction {
  /** Client name and version. */
  readonly version: string
  /** Requests we hold without dropping any. */
  readonly reqq: number
  /** Where we listen; 0: nowhere. */
  readonly port: number
  /** Bytes of the info dictionary; undefined while we have none. */
  readonly metadataSize: Bytes | undefined
  /** We want nothing (BEP 21). */
  readonly uploadOnly: boolean
}

/** The payload of extended message 0 for the peer at the other end. */
export function introduce(transport: Transport, own: Introduction): Uint8Array {
  const seen = ipBytes(transport.address.host)
  return encodeExtensionHandshake({
    messages: { [METADATA_EXTENSION]: OUR_METADATA_ID },
    version: own.version,
    reqq: own.reqq,
    ...(own.port > 0 ? { port: own.port } : {}),
    ...(seen === null ? {} : { yourIp: seen }),
    ...(own.metadataSize === undefined ? {} : { metadataSize: own.metadataSize }),
    ...(own.uploadOnly ? { uploadOnly: true } : {}),
  })
}
