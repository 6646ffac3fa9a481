/**
 * KRPC messages, bytes to values (BEP 5, 32, 33, 42, 43, 51). Ids, tokens, transactions and compact addresses are
 * strings of one character a byte: half the memory of arrays of bytes, comparable, and keys of maps.
 */
import {
  asBytes,
  asDict,
  asInt,
  asList,
  BencodeError,
  decode,
  dictGet,
} from '../../shared/torrent/bencode.js'
import type { BNode } from '../../shared/torrent/bencode.js'

declare const brand: unique symbol
/** 20 characters, one a byte: a node's id or a swarm key. */
export type NodeId = string & { readonly [brand]: 'NodeId' }
/** Address and port in compact form, one character a byte: 6 (BEP 5) or 18 (BEP 32). */
export type Endpoint = string & { readonly [brand]: 'Endpoint' }

export interface Contact {
  readonly id: NodeId
  readonly at: Endpoint
}

export const METHODS = ['ping', 'find_node', 'get_peers', 'announce_peer', 'sample_infohashes'] as const
export type KrpcMethod = (typeof METHODS)[number]

/** Error codes of BEP 5. */
export const KRPC_ERRORS = { generic: 201, server: 202, protocol: 203, unknown: 204 } as const

/** A larger packet is nobody's: no UDP path carries it whole. */
export const MOST_PACKET = 1500
const LIMITS = { maxDepth: 5, maxTokens: 600, maxSize: MOST_PACKET } as const
const MOST_TRANSACTION = 32
const MOST_TOKEN = 64
/** Of one answer; more than fit any packet that we send, and what an honest node sends. */
const MOST_CONTACTS = 32
const MOST_VALUES = 200
const FILTER_SIZE = 256

export interface KrpcQuery {
  readonly kind: 'query'
  readonly transaction: string
  readonly method: KrpcMethod
  readonly id: NodeId
  /** BEP 43: it answers nobody. */
  readonly readOnly: boolean
  /** `target` or `info_hash`; null for ping. */
  readonly target: NodeId | null
  /** BEP 32; null: what the packet's own family implies. */
  readonly want: { readonly v4: boolean; readonly v6: boolean } | null
  /** announce_peer: the port, 0 where the packet's own counts; null for other methods. */
  readonly port: number | null
  /** announce_peer; '' elsewhere. */
  readonly token: string
  /** announce_peer: it has everything (BEP 33). */
  readonly seed: boolean
  /** get_peers: rather no seeds (BEP 33). */
  readonly noSeed: boolean
  /** get_peers: filters are wanted (BEP 33). */
  readonly scrape: boolean
}

export interface KrpcAnswer {
  readonly kind: 'answer'
  readonly transaction: string
  readonly id: NodeId
  /** Client and version, where told. */
  readonly version: string
  /** Our address as the other side sees it (BEP 42). */
  readonly ip: Endpoint | null
  /** Of both families. Port 0 is left out. */
  readonly nodes: readonly Contact[]
  /** Null: the key is not there. Of both families; port 0 is left out. */
  readonly values: readonly Endpoint[] | null
  readonly token: string | null
  /** Filters of seeds and of others (BEP 33), 256 bytes each. */
  readonly filters: { readonly seeds: Buffer; readonly peers: Buffer } | null
  /** BEP 51. */
  readonly samples: {
    readonly hashes: readonly NodeId[]
    readonly num: number
    readonly interval: number
  } | null
}

export interface KrpcError {
  readonly kind: 'error'
  readonly transaction: string
  readonly ip: Endpoint | null
  readonly code: number
  readonly message: string
}

/** A query that cannot be served, to be answered with an error. */
export interface KrpcBad {
  readonly kind: 'bad'
  readonly transaction: string
  readonly code: number
  readonly reason: string
}

export type Krpc = KrpcQuery | KrpcAnswer | KrpcError | KrpcBad

/** Null for what is no KRPC message. Never throws. Keys that are not known are passed over. */
export function readKrpc(packet: Uint8Array): Krpc | null {
  try {
    const root = decode(packet, { limits: LIMITS })
    return root.kind === 'dict' ? message(new Reader(packet), root) : null
  } catch (error) {
    if (error instanceof BencodeError) return null
    throw error
  }
}

function message(read: Reader, root: BNode): Krpc | null {
  const transaction = read.text(root, 't')
  if (transaction === null || transaction.length === 0 || transaction.length > MOST_TRANSACTION) return null
  switch (read.text(root, 'y')) {
    case 'q':
      return query(read, root, transaction)
    case 'r':
      return answer(read, root, transaction)
    case 'e':
      return fault(read, root, transaction)
    default:
      return null
  }
}

function query(read: Reader, root: BNode, transaction: string): KrpcQuery | KrpcBad {
  const bad = (code: number, reason: string): KrpcBad => ({ kind: 'bad', transaction, code, reason })
  const args = dictGet(root, 'a')
  const method = METHODS.find((each) => each === read.text(root, 'q'))
  const id = read.id(args, 'id')
  if (id === null) return bad(KRPC_ERRORS.protocol, 'invalid id')
  if (method === undefined) return bad(KRPC_ERRORS.unknown, 'method unknown')
  const target = method === 'ping' ? null : read.id(args, targetKey(method))
  if (method !== 'ping' && target === null) return bad(KRPC_ERRORS.protocol, `invalid ${targetKey(method)}`)
  const announce = method === 'announce_peer'
  const port = announce ? announcedPort(args) : null
  if (announce && port === null) return bad(KRPC_ERRORS.protocol, 'invalid port')
  return {
    kind: 'query',
    transaction,
    method,
    id,
    readOnly: asInt(dictGet(root, 'ro')) === 1,
    target,
    want: wanted(read, args),
    port,
    token: announce ? (read.text(args, 'token') ?? '').slice(0, MOST_TOKEN) : '',
    seed: announce && asInt(dictGet(args, 'seed')) === 1,
    noSeed: asInt(dictGet(args, 'noseed')) === 1,
    scrape: asInt(dictGet(args, 'scrape')) === 1,
  }
}

function targetKey(method: KrpcMethod): 'info_hash' | 'target' {
  return method === 'get_peers' || method === 'announce_peer' ? 'info_hash' : 'target'
}

/** 0 stands for the packet's own port (`implied_port`); null where there is none that could be. */
function announcedPort(args: BNode | undefined): number | null {
  const implied = asInt(dictGet(args, 'implied_port')) ?? 0
  if (implied !== 0) return 0
  const port = asInt(dictGet(args, 'port'))
  return port !== undefined && port > 0 && port <= 65_535 ? port : null
}

function wanted(read: Reader, args: BNode | undefined): KrpcQuery['want'] {
  const list = asList(dictGet(args, 'want'))
  if (list === undefined) return null
  const words = list.map((each) => read.string(each))
  return { v4: words.includes('n4'), v6: words.includes('n6') }
}

function answer(read: Reader, root: BNode, transaction: string): KrpcAnswer | null {
  const body = dictGet(root, 'r')
  const id = read.id(body, 'id')
  if (id === null || asDict(body) === undefined) return null
  const token = read.text(body, 'token')
  return {
    kind: 'answer',
    transaction,
    id,
    version: (read.text(root, 'v') ?? '').slice(0, 4),
    ip: read.endpoint(dictGet(root, 'ip')),
    nodes: [...contacts(read.text(body, 'nodes'), 6), ...contacts(read.text(body, 'nodes6'), 18)],
    values: values(read, dictGet(body, 'values')),
    token: token !== null && token.length <= MOST_TOKEN ? token : null,
    filters: filters(read, body),
    samples: samples(read, body),
  }
}

function contacts(compact: string | null, size: 6 | 18): Contact[] {
  const out: Contact[] = []
  if (compact === null) return out
  for (let at = 0; at + 20 + size <= compact.length && out.length < MOST_CONTACTS; at += 20 + size) {
    const endpoint = compact.slice(at + 20, at + 20 + size)
    if (portOf(endpoint) !== 0)
      out.push({ id: compact.slice(at, at + 20) as NodeId, at: endpoint as Endpoint })
  }
  return out
}

function values(read: Reader, node: BNode | undefined): Endpoint[] | null {
  const list = asList(node)
  if (list === undefined) return null
  const out: Endpoint[] = []
  for (const each of list) {
    const endpoint = read.endpoint(each)
    if (endpoint !== null && out.length < MOST_VALUES) out.push(endpoint)
  }
  return out
}

function filters(read: Reader, body: BNode | undefined): KrpcAnswer['filters'] {
  const seeds = asBytes(dictGet(body, 'BFsd'), read.packet)
  const peers = asBytes(dictGet(body, 'BFpe'), read.packet)
  if (seeds?.length !== FILTER_SIZE || peers?.length !== FILTER_SIZE) return null
  return { seeds: Buffer.from(seeds), peers: Buffer.from(peers) }
}

function samples(read: Reader, body: BNode | undefined): KrpcAnswer['samples'] {
  const text = read.text(body, 'samples')
  if (text === null || text.length % 20 !== 0) return null
  const hashes: NodeId[] = []
  for (let at = 0; at < text.length; at += 20) hashes.push(text.slice(at, at + 20) as NodeId)
  const within = (key: string, most: number): number =>
    Math.min(most, Math.max(0, asInt(dictGet(body, key)) ?? 0))
  return { hashes, num: within('num', 2 ** 31), interval: within('interval', 21_600) }
}

function fault(read: Reader, root: BNode, transaction: string): KrpcError {
  const list = asList(dictGet(root, 'e'))
  return {
    kind: 'error',
    transaction,
    ip: read.endpoint(dictGet(root, 'ip')),
    code: asInt(list?.[0]) ?? KRPC_ERRORS.generic,
    message: (read.string(list?.[1]) ?? '').slice(0, 100),
  }
}

/** The strings of one packet. */
class Reader {
  readonly #text: Buffer

  constructor(readonly packet: Uint8Array) {
    this.#text = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength)
  }

  string(node: BNode | undefined): string | null {
    return node?.kind === 'bytes' ? this.#text.toString('latin1', node.from, node.to) : null
  }

  text(dict: BNode | undefined, key: string): string | null {
    return this.string(dictGet(dict, key))
  }

  id(dict: BNode | undefined, key: string): NodeId | null {
    const text = this.text(dict, key)
    return text?.length === 20 ? (text as NodeId) : null
  }

  endpoint(node: BNode | undefined): Endpoint | null {
    const text = this.string(node)
    if (text === null || (text.length !== 6 && text.length !== 18) || portOf(text) === 0) return null
    return text as Endpoint
  }
}

function portOf(endpoint: string): number {
  return (endpoint.charCodeAt(endpoint.length - 2) << 8) | endpoint.charCodeAt(endpoint.length - 1)
}
