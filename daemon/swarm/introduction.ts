/** What we tell a peer of ourselves in the extension handshake (BEP 10), and the ids we want its messages under. */
import type { Bytes } from '../../shared/units.js'
import { ipBytes } from '../base/ip.js'
import { encodeExtensionHandshake } from '../codec/extension.js'
import { METADATA_EXTENSION } from '../codec/metadata.js'
import { PEX_EXTENSION } from '../codec/pex.js'
import type { Transport } from './transport.js'

/** The id of metadata messages that come to us. */
export const OUR_METADATA_ID = 1
/** The id of messages of peer exchange that come to us. */
export const OUR_PEX_ID = 2

/** 'never': a private torrent does not even name it (BEP 27). 'off': who was offered it hears that it is over. */
export type PexStance = 'on' | 'off' | 'never'

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
  /** Whether peers may tell us of others (BEP 11). */
  readonly pex: PexStance
}

/** The payload of extended message 0 for the peer at the other end. */
export function introduce(transport: Transport, own: Introduction): Uint8Array {
  const seen = ipBytes(transport.address.host)
  return encodeExtensionHandshake({
    messages: {
      [METADATA_EXTENSION]: OUR_METADATA_ID,
      ...(own.pex === 'never' ? {} : { [PEX_EXTENSION]: own.pex === 'on' ? OUR_PEX_ID : 0 }),
    },
    version: own.version,
    reqq: own.reqq,
    ...(own.port > 0 ? { port: own.port } : {}),
    ...(seen === null ? {} : { yourIp: seen }),
    ...(own.metadataSize === undefined ? {} : { metadataSize: own.metadataSize }),
    ...(own.uploadOnly ? { uploadOnly: true } : {}),
  })
}
