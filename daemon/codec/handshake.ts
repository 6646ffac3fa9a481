/** The 68 bytes that open a peer connection (BEP 3), and the bits in them that offer extensions. */
import type { SwarmKey } from '../../shared/units.js'

/** Bytes of a whole handshake. */
export const HANDSHAKE_SIZE = 68
/** After this many bytes the swarm is known, and the receiver of a connection may answer. */
const KEY_END = 48
const PROTOCOL = Buffer.from('\x13BitTorrent protocol', 'latin1')

/** What a peer says it can do. */
export interface PeerFeatures {
  /** BEP 10: extension protocol. */
  readonly extension: boolean
  /** BEP 6: fast extension. */
  readonly fast: boolean
  /** BEP 5: it has a DHT node. */
  readonly dht: boolean
}

/** Our handshake: we offer BEP 10 and BEP 6, and BEP 5 with `dht`. `key` is the swarm key, `peerId` has 20 bytes. */
export function handshakeBytes(key: SwarmKey, peerId: Uint8Array, dht = false): Buffer {
  const buf = Buffer.alloc(HANDSHAKE_SIZE)
  PROTOCOL.copy(buf)
  buf[25] = 0x10
  buf[27] = dht ? 0x05 : 0x04
  buf.write(key, 28, 20, 'hex')
  buf.set(peerId.subarray(0, 20), KEY_END)
  return buf
}

/** 'not-bittorrent': the first bytes are not those of BEP 3; told at the first byte that differs. */
export type HandshakeFault = 'not-bittorrent'

/** Reads a handshake as it comes. `key` is there after 48 bytes, `peerId` after 68. */
export class HandshakeParser {
  /** What has come of the 68 bytes. */
  private readonly bytes = Buffer.alloc(HANDSHAKE_SIZE)
  /** Bytes that have come; at most 68. */
  private held = 0
  /** Why the connection is to be closed, or null. */
  private broken: HandshakeFault | null = null

  /** Takes bytes up to the end of the handshake; answers how many: the rest of the chunk are messages. */
  push(chunk: Buffer): number {
    if (this.broken !== null) return 0
    const count = Math.min(HANDSHAKE_SIZE - this.held, chunk.length)
    chunk.copy(this.bytes, this.held, 0, count)
    this.held += count
    const known = Math.min(this.held, PROTOCOL.length)
    if (this.bytes.compare(PROTOCOL, 0, known, 0, known) !== 0) this.broken = 'not-bittorrent'
    return count
  }

  /** What was taken: after a fault it may be the beginning of something else. */
  get taken(): Buffer {
    return this.bytes.subarray(0, this.held)
  }

  get fault(): HandshakeFault | null {
    return this.broken
  }

  /** The swarm the peer means, once 48 bytes have come. */
  get key(): SwarmKey | null {
    if (this.broken !== null || this.held < KEY_END) return null
    return this.bytes.toString('hex', 28, KEY_END) as SwarmKey
  }

  /** What the peer offers, once 48 bytes have come. */
  get features(): PeerFeatures | null {
    if (this.broken !== null || this.held < KEY_END) return null
    const [five = 0, , seven = 0] = this.bytes.subarray(25, 28)
    return { extension: (five & 0x10) !== 0, fast: (seven & 0x04) !== 0, dht: (seven & 0x01) !== 0 }
  }

  /** The peer's 20 bytes, once all have come. */
  get peerId(): Buffer | null {
    if (this.broken !== null || this.held < HANDSHAKE_SIZE) return null
    return Buffer.from(this.bytes.subarray(KEY_END))
  }
}
