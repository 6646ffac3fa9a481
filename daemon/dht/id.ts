/** Ids of nodes: their distance, and how they hang on addresses (BEP 42). */
import type { SwarmKey } from '../../shared/units.js'
import { crc32c } from '../base/crc32c.js'
import { classOfBytes, readCompact, toCompact, type AddressClass, type PeerAddress } from '../base/address.js'
import type { Endpoint, NodeId } from '../codec/krpc.js'
import type { Random } from '../ports/random.js'

export const ID_BITS = 160

/** `bytes` has 20. */
export function idFrom(bytes: Uint8Array): NodeId {
  return Buffer.from(bytes).toString('latin1') as NodeId
}

export function idOfKey(key: SwarmKey): NodeId {
  return Buffer.from(key, 'hex').toString('latin1') as NodeId
}

export function idHex(id: NodeId): string {
  return Buffer.from(id, 'latin1').toString('hex')
}

export function endpointOf(address: PeerAddress): Endpoint {
  return toCompact(address).toString('latin1') as Endpoint
}

export function addressOf(endpoint: Endpoint): PeerAddress {
  const bytes = Buffer.from(endpoint, 'latin1')
  const [address] = readCompact(bytes, endpoint.length === 6 ? 6 : 18)
  if (address === undefined) throw new RangeError('an endpoint has 6 or 18 bytes')
  return address
}

export function familyOf(endpoint: Endpoint): 4 | 6 {
  return endpoint.length === 6 ? 4 : 6
}

/** The address alone, as one character a byte. */
export function hostOf(endpoint: Endpoint): string {
  return endpoint.slice(0, -2)
}

/** What one party may well have all of: the /24 (IPv4) or /48 (IPv6). */
export function networkOf(endpoint: Endpoint): string {
  return endpoint.slice(0, endpoint.length === 6 ? 3 : 6)
}

export function classOfEndpoint(endpoint: Endpoint): AddressClass {
  return classOfBytes(Buffer.from(hostOf(endpoint), 'latin1'))
}

/** Nodes near us share networks and addresses by right: rules against crowds do not hold for them. */
export function isNear(endpoint: Endpoint): boolean {
  const kind = classOfEndpoint(endpoint)
  return kind === 'loopback' || kind === 'private'
}

/** Below 0: `a` is nearer to `target` than `b` by the XOR metric. */
export function compareDistance(target: NodeId, a: NodeId, b: NodeId): number {
  for (let i = 0; i < 20; i++) {
    const wanted = target.charCodeAt(i)
    const difference = (a.charCodeAt(i) ^ wanted) - (b.charCodeAt(i) ^ wanted)
    if (difference !== 0) return difference
  }
  return 0
}

/** Leading bits that are equal, 0..160. */
export function commonPrefix(a: NodeId, b: NodeId): number {
  for (let i = 0; i < 20; i++) {
    const differing = a.charCodeAt(i) ^ b.charCodeAt(i)
    if (differing !== 0) return 8 * i + Math.clz32(differing) - 24
  }
  return ID_BITS
}

/** An id that shares exactly `bits` leading bits with `id`, or all where `bits` is 160; the rest is random. */
export function randomIdNear(id: NodeId, bits: number, random: Random): NodeId {
  const bytes = random.bytes(20)
  for (let i = 0; i < 20; i++) {
    const own = id.charCodeAt(i)
    const kept = Math.min(8, Math.max(0, bits - 8 * i))
    const mask = 0xff00 >> kept
    bytes[i] = (own & mask) | ((bytes[i] ?? 0) & ~mask & 0xff)
  }
  if (bits < ID_BITS) {
    const flip = 0x80 >> (bits & 7)
    const at = bits >> 3
    bytes[at] = ((bytes[at] ?? 0) & ~flip) | (~id.charCodeAt(at) & flip & 0xff)
  }
  return idFrom(bytes)
}

const MASK_4 = [0x03, 0x0f, 0x3f, 0xff]
const MASK_6 = [0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff]

/** BEP 42: an id for that address; `rand` is its last byte. */
export function idForHost(host: string, rand: number, random: Random): NodeId {
  const bytes = random.bytes(20)
  const crc = prefixOf(host, rand & 7)
  bytes[0] = crc >>> 24
  bytes[1] = crc >>> 16
  bytes[2] = ((crc >>> 8) & 0xf8) | ((bytes[2] ?? 0) & 7)
  bytes[19] = rand
  return idFrom(bytes)
}

/** Whether the id is one that its address may have (BEP 42). Addresses near us may have any. */
export function isLawful(id: NodeId, endpoint: Endpoint): boolean {
  const crc = prefixOf(hostOf(endpoint), id.charCodeAt(19) & 7)
  const same =
    id.charCodeAt(0) === crc >>> 24 &&
    id.charCodeAt(1) === ((crc >>> 16) & 0xff) &&
    (id.charCodeAt(2) & 0xf8) === ((crc >>> 8) & 0xf8)
  return same || isNear(endpoint)
}

/** The 32 bits of which the first 21 begin the id. `r` is 0..7. */
function prefixOf(host: string, r: number): number {
  const mask = host.length === 4 ? MASK_4 : MASK_6
  return crc32c(mask.map((bits, at) => (host.charCodeAt(at) & bits) | (at === 0 ? r << 5 : 0)))
}
