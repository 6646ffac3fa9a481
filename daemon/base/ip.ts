/** IP addresses as text and bytes. No name is looked up here. */

/** An address in its one canonical text (RFC 5952 for IPv6); IPv4-mapped IPv6 is IPv4. */
export interface IpAddress {
  readonly host: string
  readonly family: 4 | 6
}

/** Dotted decimal without leading zeros, as 4 bytes; null where it is not. */
export function ipv4Bytes(text: string): Uint8Array | null {
  const parts = text.split('.')
  if (parts.length !== 4) return null
  const bytes = new Uint8Array(4)
  for (let i = 0; i < 4; i += 1) {
    const part = parts[i] ?? ''
    // A leading zero is octal to some readers: one text must not mean two hosts.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null
    bytes[i] = Number(part)
  }
  return bytes
}

/** IPv6 text (RFC 4291, a zone after % is dropped) as 16 bytes; null where it is not. */
export function ipv6Bytes(text: string): Uint8Array | null {
  let rest = text.replace(/%[\w.-]+$/, '')
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(rest)
  if (tail !== null) {
    const four = ipv4Bytes(tail[2] ?? '')
    if (four === null) return null
    rest = (tail[1] ?? '') + hexGroup(four, 0) + ':' + hexGroup(four, 2)
  }
  const halves = rest.split('::')
  if (halves.length > 2 || rest.length < 2) return null
  const head = groups(halves[0] ?? '')
  const back = halves.length === 2 ? groups(halves[1] ?? '') : []
  if (head === null || back === null) return null
  const count = head.length + back.length
  if (halves.length === 2 ? count > 7 : count !== 8) return null
  const bytes = new Uint8Array(16)
  head.forEach((group, i) => setGroup(bytes, i, group))
  back.forEach((group, i) => setGroup(bytes, 8 - back.length + i, group))
  return bytes
}

function groups(text: string): number[] | null {
  if (text === '') return []
  const parts = text.split(':')
  if (parts.length > 8 || !parts.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return null
  return parts.map((part) => Number.parseInt(part, 16))
}

function setGroup(bytes: Uint8Array, index: number, group: number): void {
  bytes[2 * index] = group >>> 8
  bytes[2 * index + 1] = group & 255
}

function groupAt(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0)
}

function hexGroup(bytes: Uint8Array, offset: number): string {
  return groupAt(bytes, offset).toString(16)
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
}

/** 4 or 16 bytes as an address. */
export function ipFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return { host: bytes.join('.'), family: 4 }
  if (isMapped(bytes)) return { host: bytes.subarray(12, 16).join('.'), family: 4 }
  return { host: ipv6Text(bytes), family: 6 }
}

/** RFC 5952: lower case, the first longest run of two or more zero groups is '::'. */
function ipv6Text(bytes: Uint8Array): string {
  let best = 0
  let bestLength = 1
  for (let i = 0; i < 8; i += 1) {
    let length = 0
    while (i + length < 8 && groupAt(bytes, 2 * (i + length)) === 0) length += 1
    if (length > bestLength) {
      best = i
      bestLength = length
    }
  }
  const text = Array.from({ length: 8 }, (_, i) => hexGroup(bytes, 2 * i))
  if (bestLength < 2) return text.join(':')
  return text.slice(0, best).join(':') + '::' + text.slice(best + bestLength).join(':')
}

/** A literal address, with or without brackets around IPv6, in canonical form; null for names and nonsense. */
export function parseIp(text: string): IpAddress | null {
  const bytes = ipBytes(text)
  return bytes === null ? null : ipFromBytes(bytes)
}

/** The 4 or 16 bytes of a literal address; IPv4-mapped IPv6 gives 4. */
export function ipBytes(text: string): Uint8Array | null {
  const four = ipv4Bytes(text)
  if (four !== null) return four
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  const six = ipv6Bytes(bare)
  return six !== null && isMapped(six) ? six.slice(12) : six
}
