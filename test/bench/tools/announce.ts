/** Announces as the bench tracker understands and answers them. */
import { type Endpoint, endpoint } from './sockets.js'

export interface Announce {
  /** 40 hex digits. */
  readonly infoHash: string
  readonly port: number
  readonly event: string
}

/** Percent escapes to bytes, one character a byte. */
function unescapeBytes(text: string): string {
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}

/** What the target of a request asks for; null where it is no announce. */
export function announceOf(target: string): Announce | null {
  const [path, query = ''] = target.split('?')
  if (path !== '/announce') return null
  const values = new Map<string, string>()
  for (const part of query.split('&')) {
    const equals = part.indexOf('=')
    if (equals > 0) values.set(part.slice(0, equals), unescapeBytes(part.slice(equals + 1)))
  }
  const infoHash = Buffer.from(values.get('info_hash') ?? '', 'latin1')
  const port = Number(values.get('port') ?? 0)
  if (infoHash.length !== 20 || !(port >= 0 && port < 65_536)) return null
  return { infoHash: infoHash.toString('hex'), port, event: values.get('event') ?? '' }
}

/** Six bytes (BEP 23), one character a byte. */
export function packPeer(peer: Endpoint): string {
  const numbers = [...peer.address.split('.').map(Number), peer.port >> 8, peer.port & 255]
  return String.fromCharCode(...numbers)
}

/** Reads `[HEXHASH@]IP:PORT`. */
export function parsePeer(text: string): { readonly infoHash: string | null; readonly packed: string } {
  const at = text.indexOf('@')
  const infoHash = at < 0 ? null : text.slice(0, at).toLowerCase()
  return { infoHash, packed: packPeer(endpoint(text.slice(at + 1))) }
}

export function answer(peers: readonly string[], interval: number): Buffer {
  const packed = Buffer.from(peers.join(''), 'latin1')
  return Buffer.concat([
    Buffer.from(`d8:intervali${interval}e5:peers${packed.length}:`),
    packed,
    Buffer.from('e'),
  ])
}
