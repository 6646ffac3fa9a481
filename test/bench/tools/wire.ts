/** The peer protocol (BEP 3, 6, 10) as far as load generators speak it; apart from the daemon's codec on purpose. */

export const BLOCK = 16_384
/** Length prefix, id, piece and begin of a `piece` message. */
export const PIECE_HEADER = 13
export const HANDSHAKE = 68
/** Length of a `request` message. */
export const REQUEST = 17

export const ID = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  haveAll: 14,
  reject: 16,
  extended: 20,
} as const

const PROTOCOL = Buffer.from('\x13BitTorrent protocol', 'latin1')
/** A message that is no block and longer than this ends the connection. */
const MOST_MESSAGE = 4_194_304

export interface Features {
  readonly fast: boolean
  readonly extension: boolean
}

export function handshake(infoHash: Buffer, peerId: Buffer, features: Features): Buffer {
  const bytes = Buffer.alloc(HANDSHAKE)
  PROTOCOL.copy(bytes)
  if (features.extension) bytes[25] = 0x10
  if (features.fast) bytes[27] = 0x04
  infoHash.copy(bytes, 28)
  peerId.copy(bytes, 48)
  return bytes
}

/** False as soon as the bytes seen so far cannot begin a plaintext handshake: an encrypted one (MSE) is refused. */
export function mayBeHandshake(bytes: Buffer, length: number): boolean {
  const seen = Math.min(length, PROTOCOL.length)
  return bytes.compare(PROTOCOL, 0, seen, 0, seen) === 0
}

export function featuresOf(handshakeBytes: Buffer): Features {
  return {
    fast: ((handshakeBytes[27] ?? 0) & 0x04) !== 0,
    extension: ((handshakeBytes[25] ?? 0) & 0x10) !== 0,
  }
}

/** Any message: its id and its body. */
export function message(id: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.allocUnsafe(5 + body.length)
  bytes.writeUInt32BE(1 + body.length, 0)
  bytes[4] = id
  body.copy(bytes, 5)
  return bytes
}

export const KEEP_ALIVE = Buffer.alloc(4)

/** Every piece of a torrent, spare bits zero. */
export function fullBitfield(pieceCount: number): Buffer {
  const bits = Buffer.alloc(Math.ceil(pieceCount / 8), 0xff)
  const spare = bits.length * 8 - pieceCount
  if (bits.length > 0) bits[bits.length - 1] = (0xff << spare) & 0xff
  return message(ID.bitfield, bits)
}

/** Says how many requests are welcome at once. */
export function extensionHandshake(client: string, reqq: number): Buffer {
  return message(ID.extended, Buffer.from(`\0d1:mde4:reqqi${reqq}e1:v${client.length}:${client}e`, 'latin1'))
}

/** What an extension handshake says of `reqq`, or null. */
export function reqqOf(bytes: Buffer, from: number, to: number): number | null {
  if (bytes[from] !== 0) return null
  const found = /4:reqqi(\d{1,7})e/.exec(bytes.toString('latin1', from + 1, to))
  return found === null ? null : Number(found[1])
}

export function putRequest(target: Buffer, at: number, piece: number, begin: number, length: number): void {
  target.writeUInt32BE(13, at)
  target[at + 4] = ID.request
  target.writeUInt32BE(piece, at + 5)
  target.writeUInt32BE(begin, at + 9)
  target.writeUInt32BE(length, at + 13)
}

export function putPieceHeader(
  target: Buffer,
  at: number,
  piece: number,
  begin: number,
  length: number,
): void {
  target.writeUInt32BE(9 + length, at)
  target[at + 4] = ID.piece
  target.writeUInt32BE(piece, at + 5)
  target.writeUInt32BE(begin, at + 9)
}

export interface MessageHandler {
  /** A whole message that is no block; the body is `bytes` from `from` to `to`, valid during the call. */
  message(id: number, bytes: Buffer, from: number, to: number): void
  /** A block begins. */
  block(piece: number, begin: number, length: number): void
  /** Bytes of the block that began last. */
  data(bytes: Buffer, from: number, to: number): void
  /** The block that began last is whole. */
  blockEnd(): void
}

/** Cuts what comes from a socket into messages; blocks are passed on as they come and kept nowhere. */
export class Framer {
  readonly #handler: MessageHandler
  /** The beginning of a message whose rest is to come. */
  #carry = Buffer.allocUnsafe(64)
  /** Bytes in `#carry`. */
  #held = 0
  /** Bytes of a block still to come. */
  #rest = 0

  constructor(handler: MessageHandler) {
    this.#handler = handler
  }

  /** Throws where a message is longer than any that makes sense. */
  push(bytes: Buffer, from: number, to: number): void {
    let at = from
    while (at < to) {
      if (this.#rest > 0) at = this.#data(bytes, at, to)
      else if (this.#held > 0) at = this.#fill(bytes, at, to)
      else {
        const next = this.#direct(bytes, at, to)
        if (next < 0) {
          this.#keep(bytes, at, to)
          return
        }
        at = next
      }
    }
  }

  #data(bytes: Buffer, at: number, to: number): number {
    const end = Math.min(to, at + this.#rest)
    this.#rest -= end - at
    this.#handler.data(bytes, at, end)
    if (this.#rest === 0) this.#handler.blockEnd()
    return end
  }

  /** One message that begins at `at`; answers where the next begins, or -1 where its head is not all there. */
  #direct(bytes: Buffer, at: number, to: number): number {
    const need = needed(bytes, at, to - at)
    if (to - at < need) return -1
    if (need > 4) this.#take(bytes, at, at + need)
    return at + need
  }

  #take(bytes: Buffer, at: number, end: number): void {
    const id = bytes[at + 4] ?? 0
    if (id !== ID.piece) {
      this.#handler.message(id, bytes, at + 5, end)
      return
    }
    this.#rest = word(bytes, at) - 9
    this.#handler.block(word(bytes, at + 5), word(bytes, at + 9), this.#rest)
    if (this.#rest === 0) this.#handler.blockEnd()
  }

  #keep(bytes: Buffer, at: number, to: number): void {
    this.#room(to - at)
    bytes.copy(this.#carry, 0, at, to)
    this.#held = to - at
  }

  #fill(bytes: Buffer, from: number, to: number): number {
    let at = from
    for (;;) {
      const need = needed(this.#carry, 0, this.#held)
      if (this.#held >= need) {
        this.#held = 0
        if (need > 4) this.#take(this.#carry, 0, need)
        return at
      }
      if (at === to) return at
      this.#room(need)
      const step = Math.min(need - this.#held, to - at)
      bytes.copy(this.#carry, this.#held, at, at + step)
      this.#held += step
      at += step
    }
  }

  #room(length: number): void {
    if (length <= this.#carry.length) return
    const wider = Buffer.allocUnsafe(Math.max(length, this.#carry.length * 2))
    this.#carry.copy(wider, 0, 0, this.#held)
    this.#carry = wider
  }
}

/** Bytes of this message that have to be there together, as far as `have` bytes tell: of a block only the header. */
function needed(bytes: Buffer, at: number, have: number): number {
  if (have < 4) return 4
  const length = word(bytes, at)
  if (length === 0) return 4
  if (have < 5) return 5
  if (bytes[at + 4] === ID.piece && length >= 9) return PIECE_HEADER
  if (length > MOST_MESSAGE) throw new Error(`a message of ${length} bytes`)
  return 4 + length
}

/** Shifts are four times as fast as `readUInt32BE`. */
export function word(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  )
}
