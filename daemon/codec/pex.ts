/** The message of peer exchange (BEP 11): bytes to values and back. */
import { asBytes, BencodeError, type BNode, decode, dictGet, encode } from '../../shared/torrent/bencode.js'
import { type PeerAddress, readCompact, toCompact } from '../base/address.js'

/** Its name in the extension handshake (BEP 10). */
export const PEX_EXTENSION = 'ut_pex'
/** Contacts of one kind and family that are read of a message: what BEP 11 allows. More is left out. */
export const MOST_CONTACTS = 50

/** Of `flags`: speaks in secret (MSE), and rather does so. */
export const FLAG_SECRET = 0x01
/** Of `flags`: has everything, or wants nothing (BEP 21). */
export const FLAG_SEED = 0x02
/** Of `flags`: whoever tells of it has dialled it. */
export const FLAG_REACHABLE = 0x10

export interface PexContact {
  readonly address: PeerAddress
  /** 0..255 */
  readonly flags: number
}

export interface PexMessage {
  readonly added: readonly PexContact[]
  readonly dropped: readonly PeerAddress[]
}

/**
 * The payload of an extended message; null where it is no bencoded dictionary. Fields that cannot be meant are left out,
 * a cut address at the end too. Addresses are not judged here.
 */
export function decodePex(payload: Uint8Array): PexMessage | null {
  const root = dictionary(payload)
  if (root === null) return null
  return {
    added: [...contacts(root, payload, 'added', 6), ...contacts(root, payload, 'added6', 18)],
    dropped: [...addresses(root, payload, 'dropped', 6), ...addresses(root, payload, 'dropped6', 18)],
  }
}

/** `added` and `dropped` have what is to be said: at most MOST_CONTACTS each. */
export function encodePex({ added, dropped }: PexMessage): Uint8Array {
  const four = added.filter(({ address }) => address.family === 4)
  const six = added.filter(({ address }) => address.family === 6)
  return encode({
    added: compact(four.map(({ address }) => address)),
    'added.f': flags(four),
    added6: compact(six.map(({ address }) => address)),
    'added6.f': flags(six),
    dropped: compact(dropped.filter(({ family }) => family === 4)),
    dropped6: compact(dropped.filter(({ family }) => family === 6)),
  })
}

function dictionary(payload: Uint8Array): BNode | null {
  try {
    const node = decode(payload, { trailing: 'allow', limits: { maxDepth: 8, maxTokens: 200 } })
    return node.kind === 'dict' ? node : null
  } catch (error) {
    if (error instanceof BencodeError) return null
    throw error
  }
}

function addresses(root: BNode, payload: Uint8Array, name: string, stride: 6 | 18): PeerAddress[] {
  const bytes = asBytes(dictGet(root, name), payload) ?? new Uint8Array(0)
  return readCompact(bytes.subarray(0, MOST_CONTACTS * stride), stride)
}

function contacts(root: BNode, payload: Uint8Array, name: string, stride: 6 | 18): PexContact[] {
  const flagged = asBytes(dictGet(root, `${name}.f`), payload)
  return addresses(root, payload, name, stride).map((address, at) => ({ address, flags: flagged?.[at] ?? 0 }))
}

/** Undefined where there is nobody: such a field is left out. */
function compact(list: readonly PeerAddress[]): Uint8Array | undefined {
  return list.length === 0 ? undefined : Buffer.concat(list.map(toCompact))
}

function flags(list: readonly PexContact[]): Uint8Array | undefined {
  return list.length === 0 ? undefined : Uint8Array.from(list, (contact) => contact.flags)
}
