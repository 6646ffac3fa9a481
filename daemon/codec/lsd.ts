/** Announces to the local network (BEP 14): one datagram of text, in the manner of HTTP. */
import type { Bytes, SwarmKey } from '../../shared/units.js'

export const LSD_PORT = 6771
/** The two groups of the BEP. */
export const LSD_GROUPS = { 4: '239.192.152.143', 6: 'ff15::efc0:988f' } as const

/** The BEP's cap: what is longer may come in fragments, or not at all. */
const MOST_SENT: Bytes = 1400
/** Nobody says more in one datagram. */
const MOST_READ: Bytes = 4096
const MOST_LINES = 128

export interface LsdAnnounce {
  /** Where the sender takes connections; its address is that of the datagram. */
  readonly port: number
  /** Lower case hex, at least one, each once. */
  readonly keys: readonly SwarmKey[]
  /** By which a sender knows its own; '' where it has none. */
  readonly cookie: string
}

/** So many hashes fit in one datagram. */
export const MOST_KEYS = Math.floor((MOST_SENT - 160) / '\r\nInfohash: '.concat('0'.repeat(40)).length)

/** `keys`: at most MOST_KEYS. `cookie`: letters and digits, at most 32. */
export function writeLsd(family: 4 | 6, { port, keys, cookie }: LsdAnnounce): Buffer {
  const group = family === 4 ? LSD_GROUPS[4] : `[${LSD_GROUPS[6]}]`
  const lines = [
    'BT-SEARCH * HTTP/1.1',
    `Host: ${group}:${String(LSD_PORT)}`,
    `Port: ${String(port)}`,
    ...keys.slice(0, MOST_KEYS).map((key) => `Infohash: ${key}`),
    `cookie: ${cookie.slice(0, 32)}`,
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n\r\n`, 'latin1')
}

/** Null for anything else. Names in any case, hashes too; lines of others are passed over, and so are hashes not of 40 digits. */
export function readLsd(packet: Uint8Array): LsdAnnounce | null {
  if (packet.length > MOST_READ) return null
  const text = Buffer.from(packet.buffer, packet.byteOffset, packet.length).toString('latin1')
  const [first = '', ...lines] = text.split(/\r?\n/, MOST_LINES)
  if (!/^BT-SEARCH \* HTTP\/1\.\d *$/i.test(first)) return null
  let port = 0
  let cookie = ''
  const keys = new Set<SwarmKey>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 0) continue
    const name = line.slice(0, colon).trim().toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (name === 'port' && port === 0) port = /^\d{1,5}$/.test(value) ? Number(value) : 0
    else if (name === 'infohash' && /^[0-9a-f]{40}$/i.test(value)) keys.add(value.toLowerCase() as SwarmKey)
    else if (name === 'cookie') cookie = value.slice(0, 64)
  }
  return port < 1 || port > 65_535 || keys.size === 0 ? null : { port, keys: [...keys], cookie }
}
