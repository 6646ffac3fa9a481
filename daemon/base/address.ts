/** Addresses of peers: text, compact bytes (BEP 7, 23), and how far away they are. */
import { ipBytes, ipFromBytes, parseIp } from './ip.js'

/** host is canonical (see IpAddress), port is 0..65535. */
export interface PeerAddress {
  readonly host: string
  readonly port: number
  readonly family: 4 | 6
}

/** How far the daemon may reach: each wider scope includes the narrower ones. */
export type Scope = 'internet' | 'private' | 'loopback'
/** 'never': nobody can be there (unspecified, multicast, broadcast, reserved). */
export type AddressClass = Scope | 'never'

/** 'host:port' with a literal host, IPv6 in brackets; null for anything else. */
export function parseAddress(text: string): PeerAddress | null {
  const match = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(text)
  return match === null ? null : makeAddress(match[1] ?? '', Number(match[2]))
}

/** Null where the host is not a literal address or the port is not 0..65535. */
export function makeAddress(host: string, port: number): PeerAddress | null {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) return null
  const ip = parseIp(host)
  return ip === null ? null : { host: ip.host, port, family: ip.family }
}

/** 'host:port', IPv6 in brackets. */
export function formatAddress(address: { readonly host: string; readonly port: number }): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${host}:${String(address.port)}`
}

/** One text for one address: equal keys are equal addresses. */
export function addressKey(address: PeerAddress): string {
  return formatAddress(address)
}

/** The addresses in compact bytes: 6 (BEP 23) or 18 (BEP 7) each. A cut one at the end is left out. */
export function readCompact(bytes: Uint8Array, stride: 6 | 18): PeerAddress[] {
  const out: PeerAddress[] = []
  for (let at = 0; at + stride <= bytes.length; at += stride) {
    const ip = ipFromBytes(bytes.subarray(at, at + stride - 2))
    const port = ((bytes[at + stride - 2] ?? 0) << 8) | (bytes[at + stride - 1] ?? 0)
    out.push({ host: ip.host, port, family: ip.family })
  }
  return out
}

/** 6 or 18 bytes, by family. */
export function toCompact(address: PeerAddress): Buffer {
  const ip = ipBytes(address.host) ?? new Uint8Array(address.family === 4 ? 4 : 16)
  const bytes = Buffer.alloc(ip.length + 2)
  bytes.set(ip)
  bytes.writeUInt16BE(address.port, ip.length)
  return bytes
}

/** How far away a literal host is; 'never' for what is no literal address. */
export function classOf(host: string): AddressClass {
  const bytes = ipBytes(host)
  return bytes === null ? 'never' : classOfBytes(bytes)
}

/** How far away an address of 4 or 16 bytes is. */
export function classOfBytes(bytes: Uint8Array): AddressClass {
  return bytes.length === 4 ? class4(bytes) : class6(bytes)
}

function class4(bytes: Uint8Array): AddressClass {
  const [a = 0, b = 0] = bytes
  if (a === 0 || a >= 224) return 'never'
  if (a === 127) return 'loopback'
  if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return 'private'
  // Link-local (RFC 3927), carrier-grade NAT (RFC 6598), benchmarks (RFC 2544).
  if ((a === 169 && b === 254) || (a === 100 && b >= 64 && b < 128)) return 'private'
  return a === 198 && (b === 18 || b === 19) ? 'private' : 'internet'
}

function class6(bytes: Uint8Array): AddressClass {
  const [a = 0, b = 0] = bytes
  if (a === 0xff) return 'never'
  if (bytes.subarray(0, 12).every((byte) => byte === 0)) return isOne(bytes) ? 'loopback' : 'never'
  // Unique local (RFC 4193), link-local and the old site-local.
  if ((a & 0xfe) === 0xfc || (a === 0xfe && b >= 0x80)) return 'private'
  // An IPv4 address rides inside NAT64 (RFC 6052) and 6to4 (RFC 3056): it must not reach what is near.
  if (a === 0 && b === 0x64) return class4(bytes.subarray(12)) === 'internet' ? 'internet' : 'never'
  if (a === 0x20 && b === 0x02) return class4(bytes.subarray(2)) === 'internet' ? 'internet' : 'never'
  return 'internet'
}

function isOne(bytes: Uint8Array): boolean {
  return bytes[12] === 0 && bytes[13] === 0 && bytes[14] === 0 && bytes[15] === 1
}

const WIDTH: Readonly<Record<Scope, number>> = { loopback: 0, private: 1, internet: 2 }

/** Whether a host is nearer to us than another, or one where nobody can be: who is far away cannot know it. */
export function isNearer(host: string, than: string): boolean {
  const kind = classOf(host)
  const known = classOf(than)
  return kind === 'never' || (known !== 'never' && WIDTH[kind] < WIDTH[known])
}

/** Whether the daemon may talk to that address. Port 0 is nobody's. */
export function inScope(address: { readonly host: string; readonly port?: number }, scope: Scope): boolean {
  if (address.port === 0) return false
  const kind = classOf(address.host)
  return kind !== 'never' && WIDTH[kind] <= WIDTH[scope]
}
