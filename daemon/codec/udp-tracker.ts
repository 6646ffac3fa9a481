/** Packets of the UDP tracker protocol (BEP 15), with the URL option of BEP 41. */
import type { SwarmKey } from '../../shared/units.js'
import { readCompact } from '../base/address.js'
import type { PeerAddress } from '../base/address.js'
import { MOST_PEERS, oneLine, plausible } from './announce.js'
import type { AnnounceAnswer, AnnounceRequest, ScrapeCounts } from './announce.js'

const PROTOCOL = Buffer.from('0000041727101980', 'hex')
const CONNECT = 0
const ANNOUNCE = 1
const SCRAPE = 2
const ERROR = 3
const EVENTS = { completed: 1, started: 2, stopped: 3 } as const
/** Hashes of one scrape that fit a packet. */
export const MOST_SCRAPES = 74

/** 16 bytes. `transaction` is 32 random bits. */
export function encodeConnect(transaction: number): Buffer {
  const buf = Buffer.alloc(16)
  PROTOCOL.copy(buf)
  buf.writeUInt32BE(CONNECT, 8)
  buf.writeUInt32BE(transaction, 12)
  return buf
}

/** 98 bytes, and BEP 41 options where `path` (path and query of the URL) says more than the host does. */
export function encodeAnnounce(
  connection: Buffer,
  transaction: number,
  request: AnnounceRequest,
  path = '',
): Buffer {
  const buf = Buffer.alloc(98)
  connection.copy(buf, 0, 0, 8)
  buf.writeUInt32BE(ANNOUNCE, 8)
  buf.writeUInt32BE(transaction, 12)
  buf.write(request.swarmKey, 16, 20, 'hex')
  buf.set(request.peerId.subarray(0, 20), 36)
  buf.writeBigUInt64BE(BigInt(request.downloaded), 56)
  buf.writeBigUInt64BE(BigInt(request.left), 64)
  buf.writeBigUInt64BE(BigInt(request.uploaded), 72)
  buf.writeUInt32BE(request.event === null ? 0 : EVENTS[request.event], 80)
  buf.writeUInt32BE(request.key >>> 0, 88)
  buf.writeInt32BE(request.numwant, 92)
  buf.writeUInt16BE(request.port, 96)
  return path === '' || path === '/' ? buf : Buffer.concat([buf, ...urlOptions(path)])
}

/** BEP 41: type 2, a length byte, up to 255 bytes each. */
function urlOptions(path: string): Buffer[] {
  const bytes = Buffer.from(path, 'latin1').subarray(0, 1020)
  const options: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 255) {
    const part = bytes.subarray(at, at + 255)
    options.push(Buffer.from([2, part.length]), part)
  }
  return options
}

/** At most 74 keys. */
export function encodeScrape(connection: Buffer, transaction: number, keys: readonly SwarmKey[]): Buffer {
  const asked = keys.slice(0, MOST_SCRAPES)
  const buf = Buffer.alloc(16 + 20 * asked.length)
  connection.copy(buf, 0, 0, 8)
  buf.writeUInt32BE(SCRAPE, 8)
  buf.writeUInt32BE(transaction, 12)
  asked.forEach((key, i) => buf.write(key, 16 + 20 * i, 20, 'hex'))
  return buf
}

export type UdpReply =
  | { readonly kind: 'connect'; readonly transaction: number; readonly connection: Buffer }
  | { readonly kind: 'announce'; readonly transaction: number; readonly answer: AnnounceAnswer }
  /** In the order the keys were asked. */
  | { readonly kind: 'scrape'; readonly transaction: number; readonly counts: readonly ScrapeCounts[] }
  | { readonly kind: 'error'; readonly transaction: number; readonly message: string }

/**
 * Reads a tracker's packet; null for what is none. `family` is that of the packet: it tells how long a peer is.
 * Who sent it and whether the transaction is ours is for the caller to check.
 */
export function parseUdpReply(packet: Buffer, family: 4 | 6): UdpReply | null {
  if (packet.length < 8) return null
  const action = packet.readUInt32BE(0)
  const transaction = packet.readUInt32BE(4)
  if (action === CONNECT && packet.length >= 16) {
    return { kind: 'connect', transaction, connection: Buffer.from(packet.subarray(8, 16)) }
  }
  if (action === ANNOUNCE && packet.length >= 20) {
    return { kind: 'announce', transaction, answer: announceAnswer(packet, family) }
  }
  if (action === SCRAPE) return { kind: 'scrape', transaction, counts: scrapeCounts(packet) }
  if (action !== ERROR) return null
  return { kind: 'error', transaction, message: oneLine(packet.toString('utf8', 8)) }
}

function announceAnswer(packet: Buffer, family: 4 | 6): AnnounceAnswer {
  const peers: PeerAddress[] = readCompact(packet.subarray(20), family === 4 ? 6 : 18)
  return {
    interval: packet.readUInt32BE(8) * 1000,
    minInterval: null,
    seeds: plausible(packet.readUInt32BE(16)),
    leechers: plausible(packet.readUInt32BE(12)),
    downloads: null,
    peers: peers.filter((peer) => peer.port !== 0).slice(0, MOST_PEERS),
    warning: null,
    trackerId: null,
  }
}

function scrapeCounts(packet: Buffer): ScrapeCounts[] {
  const counts: ScrapeCounts[] = []
  for (let at = 8; at + 12 <= packet.length && counts.length < MOST_SCRAPES; at += 12) {
    counts.push({
      seeds: plausible(packet.readUInt32BE(at)),
      downloads: plausible(packet.readUInt32BE(at + 4)),
      leechers: plausible(packet.readUInt32BE(at + 8)),
    })
  }
  return counts
}
