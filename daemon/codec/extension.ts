/** The handshake of the extension protocol (BEP 10), with `upload_only` of BEP 21. */
import {
  asBytes,
  asDict,
  asInt,
  asText,
  BencodeError,
  decode,
  dictGet,
  encode,
} from '../../shared/torrent/bencode.js'
import type { BNode } from '../../shared/torrent/bencode.js'
import { ipFromBytes } from '../base/ip.js'

/** What we say. Left out where undefined. */
export interface OwnExtension {
  /** Extension name -> the id we want its messages under, 1..255. */
  readonly messages: Readonly<Record<string, number>>
  /** Client name and version. */
  readonly version: string
  /** Requests we hold without dropping any. */
  readonly reqq: number
  /** Our listening port, where the peer cannot know it. */
  readonly port?: number
  /** 4 or 16 bytes: the address we see the peer at. */
  readonly yourIp?: Uint8Array
  /** Bytes of the info dictionary (BEP 9). */
  readonly metadataSize?: number
  /** We want nothing (BEP 21). */
  readonly uploadOnly?: boolean
}

/** What a peer says: undefined where it said nothing, or nothing that can be meant. */
export interface PeerExtension {
  /** Names it speaks of, at most 64; 0 turns one off. Ids are 0..255. */
  readonly messages: ReadonlyMap<string, number>
  /** At most 64 characters; may hold control characters, which whoever shows it escapes. */
  readonly version: string | undefined
  /** 1..100,000 */
  readonly reqq: number | undefined
  /** 1..65535 */
  readonly port: number | undefined
  /** Our address as the peer sees it. */
  readonly yourIp: string | undefined
  /** 1..64 MiB */
  readonly metadataSize: number | undefined
  readonly uploadOnly: boolean | undefined
}

const MOST_MESSAGES = 64
const LONGEST_NAME = 64
const MOST_REQQ = 100_000
const MOST_METADATA = 67_108_864

/** The payload of extended message 0. */
export function encodeExtensionHandshake(own: OwnExtension): Uint8Array {
  return encode({
    m: own.messages,
    v: own.version,
    reqq: own.reqq,
    p: own.port,
    yourip: own.yourIp,
    metadata_size: own.metadataSize,
    upload_only: own.uploadOnly === undefined ? undefined : Number(own.uploadOnly),
  })
}

/** Null where the payload is no bencoded dictionary; values that cannot be meant are left out one by one. */
export function decodeExtensionHandshake(payload: Uint8Array): PeerExtension | null {
  const root = dictionary(payload)
  if (root === null) return null
  const address = asBytes(dictGet(root, 'yourip'), payload)
  const uploadOnly = asInt(dictGet(root, 'upload_only'))
  return {
    messages: messagesOf(dictGet(root, 'm')),
    version: asText(dictGet(root, 'v'), payload)?.slice(0, LONGEST_NAME),
    reqq: within(dictGet(root, 'reqq'), MOST_REQQ, 'clamp'),
    port: within(dictGet(root, 'p'), 65_535, 'ignore'),
    yourIp: address?.length === 4 || address?.length === 16 ? ipFromBytes(address).host : undefined,
    metadataSize: within(dictGet(root, 'metadata_size'), MOST_METADATA, 'ignore'),
    uploadOnly: uploadOnly === undefined ? undefined : uploadOnly !== 0,
  }
}

function dictionary(payload: Uint8Array): BNode | null {
  try {
    const node = decode(payload, { trailing: 'allow', limits: { maxDepth: 16, maxTokens: 10_000 } })
    return node.kind === 'dict' ? node : null
  } catch (error) {
    if (error instanceof BencodeError) return null
    throw error
  }
}

function messagesOf(node: BNode | undefined): ReadonlyMap<string, number> {
  const messages = new Map<string, number>()
  for (const [name, value] of asDict(node)?.entries ?? []) {
    const id = asInt(value)
    if (messages.size >= MOST_MESSAGES) break
    if (id !== undefined && id >= 0 && id <= 255 && name.length <= LONGEST_NAME) messages.set(name, id)
  }
  return messages
}

function within(node: BNode | undefined, most: number, above: 'clamp' | 'ignore'): number | undefined {
  const value = asInt(node)
  if (value === undefined || value < 1) return undefined
  if (value <= most) return value
  return above === 'clamp' ? most : undefined
}
