/** Reads peer wire messages (BEP 3, 6, 10) out of chunks of any size, without an object per message. */

/** What the parser reports. Views are valid during the call only. Any call may `stop` the parser. */
export interface WireHandler {
  keepAlive(): void
  choke(): void
  unchoke(): void
  interested(): void
  notInterested(): void
  have(piece: number): void
  /** The whole payload; its length is right where the piece count is set. Spare bits are not looked at. */
  bitfield(bits: Buffer): void
  request(piece: number, begin: number, length: number): void
  /** A block begins: where its bytes go (at least `length` of them), or null to drop them. */
  pieceStart(piece: number, begin: number, length: number): Buffer | null
  /** All bytes of the block have come. Not called where the connection ends first. */
  pieceEnd(piece: number, begin: number, length: number): void
  cancel(piece: number, begin: number, length: number): void
  /** DHT port (BEP 5). */
  port(port: number): void
  suggest(piece: number): void
  haveAll(): void
  haveNone(): void
  reject(piece: number, begin: number, length: number): void
  allowedFast(piece: number): void
  /** BEP 10: `id` 0 is the extension handshake. */
  extended(id: number, payload: Buffer): void
  /** A message of an id nobody here knows; its payload is skipped. */
  unknown(id: number): void
}

/** Why a stream cannot be read on. 'message-too-long': above the cap of its id; 'bad-length': below what it needs. */
export type WireFault = 'message-too-long' | 'bad-length'

/** Message ids of BEP 3, 5, 6 and 10. */
export const ID = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  port: 9,
  suggest: 13,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  extended: 20,
} as const

/** Blocks of up to 128 KiB are read; BEP 3 clients send 16 KiB. */
const MOST_BLOCK = 131_072
const MOST_EXTENDED = 1_048_576
/** Longer extended messages are skipped: none that is known here comes near, and each peer could claim the memory. */
const MOST_KEPT_EXTENDED = 65_536
const MOST_UNKNOWN = 65_536
/** Bytes of a bitfield while the piece count is unknown: 2,097,152 pieces. */
const MOST_BITFIELD = 262_144
/** The longest header that is held back: a length, an id and three integers. */
const LONGEST_HEADER = 17
/** An assembly buffer above this is given back after its message. */
const KEPT_ASSEMBLY = 4_096

/** Length of the messages that have only one (id counted), by id; 0 for the others. */
const FIXED = new Uint8Array(256)
for (const id of [ID.choke, ID.unchoke, ID.interested, ID.notInterested, ID.haveAll, ID.haveNone])
  FIXED[id] = 1
for (const id of [ID.have, ID.suggest, ID.allowedFast]) FIXED[id] = 5
for (const id of [ID.request, ID.cancel, ID.reject]) FIXED[id] = 13
FIXED[ID.port] = 3

const HEADER = 0
const BLOCK = 1
const ASSEMBLE = 2
const SKIP = 3

export class WireParser {
  private handler: WireHandler
  /** The header of a message that a chunk cut; `held` bytes of it are there. */
  private readonly stash = Buffer.alloc(LONGEST_HEADER)
  /** Bytes in the stash; 0 between messages that were not cut. */
  private held = 0
  /** Bytes of the header the stash must hold before more can be told. */
  private need = 4
  /** HEADER, BLOCK, ASSEMBLE or SKIP: what the next byte belongs to. */
  private mode = HEADER
  /** Id of the message that is read. */
  private id = 0
  /** Payload bytes of the message that is read which have not come; 0 in mode HEADER. */
  private left = 0
  /** Piece index of the block that is read. */
  private piece = 0
  /** Offset in its piece of the block that is read. */
  private begin = 0
  /** Bytes of the block that is read. */
  private length = 0
  /** Where the block goes, or null when it is dropped. */
  private target: Buffer | null = null
  /** Payload of a bitfield or extended message that a chunk cut; grows with what has come. */
  private assembly: Buffer = Buffer.alloc(0)
  /** Bytes in the assembly. */
  private assembled = 0
  /** Pieces of the torrent, or null while unknown (before metadata). */
  private pieceCount: number | null
  /** The fault that ended the stream; stays. */
  private fault: WireFault | null = null
  /** Nothing is read any more. */
  private stopped = false

  constructor(init: { readonly pieceCount: number | null }, handler: WireHandler) {
    this.pieceCount = init.pieceCount
    this.handler = handler
  }

  /** From here on a bitfield must have exactly the length this count gives. */
  setPieceCount(count: number): void {
    this.pieceCount = count
  }

  /** From here on another handler is told; not to be called while a block is read. */
  handTo(handler: WireHandler): void {
    this.handler = handler
  }

  /** Nothing more is reported; to be called by the handler when the link is closed. */
  stop(): void {
    this.stopped = true
    this.target = null
  }

  /** The view given for the block that is being read is taken back: the rest of it is dropped. */
  dropBlock(): void {
    this.target = null
  }

  /** True while a block is being read (between pieceStart and pieceEnd). */
  get inBlock(): boolean {
    return this.mode === BLOCK
  }

  /** Reads what the peer sent, all of it. Answers the fault that ends the stream, or null. */
  push(chunk: Buffer): WireFault | null {
    const end = chunk.length
    let pos = 0
    while (!this.stopped && this.fault === null) {
      if (this.mode === HEADER) {
        if (this.held === 0 && end - pos >= LONGEST_HEADER) pos = this.readHeader(chunk, pos)
        else {
          if (pos === end) break
          pos = this.stashHeader(chunk, pos, end)
        }
      } else {
        if (pos === end) break
        pos = this.readPayload(chunk, pos, end)
      }
    }
    return this.fault
  }

  /** Reads a header that lies whole in the chunk. Answers the position after it. */
  private readHeader(chunk: Buffer, pos: number): number {
    const length = chunk.readUInt32BE(pos)
    if (length === 0) {
      this.handler.keepAlive()
      return pos + 4
    }
    this.id = chunk[pos + 4] ?? 0
    const size = this.headerSize(length)
    if (size === 0) return pos
    this.dispatch(chunk, pos, length)
    return pos + size
  }

  /** Adds to the stash what is missing for the next decision, and takes it. Answers the position after it. */
  private stashHeader(chunk: Buffer, pos: number, end: number): number {
    const count = Math.min(this.need - this.held, end - pos)
    chunk.copy(this.stash, this.held, pos, pos + count)
    this.held += count
    if (this.held === this.need) this.decideHeader()
    return pos + count
  }

  private decideHeader(): void {
    const length = this.stash.readUInt32BE(0)
    if (this.need === 4) {
      if (length > 0) {
        this.need = 5
        return
      }
      this.held = 0
      this.handler.keepAlive()
      return
    }
    if (this.need === 5) {
      this.id = this.stash[4] ?? 0
      const size = this.headerSize(length)
      if (size === 0) return
      this.need = size
      if (size > 5) return
    }
    this.held = 0
    this.need = 4
    this.dispatch(this.stash, 0, length)
  }

  /** Bytes up to the payload that streams, with the length prefix; 0 when the length is refused (fault is set). */
  private headerSize(length: number): number {
    const id = this.id
    const fixed = FIXED[id] ?? 0
    if (fixed > 0) return this.bounded(length, fixed, fixed) ? 4 + fixed : 0
    if (id === ID.piece) return this.bounded(length, 10, 9 + MOST_BLOCK) ? 13 : 0
    if (id === ID.extended) return this.bounded(length, 2, 2 + MOST_EXTENDED) ? 5 : 0
    if (id !== ID.bitfield) return this.bounded(length, 1, 1 + MOST_UNKNOWN) ? 5 : 0
    if (this.pieceCount === null) return this.bounded(length, 1, 1 + MOST_BITFIELD) ? 5 : 0
    const exact = 1 + Math.ceil(this.pieceCount / 8)
    return this.bounded(length, exact, exact) ? 5 : 0
  }

  private bounded(length: number, least: number, most: number): boolean {
    if (length > most) this.fault = 'message-too-long'
    else if (length < least) this.fault = 'bad-length'
    return this.fault === null
  }

  /** Reports a message whose header lies at `pos` of `bytes`, or begins its payload. */
  private dispatch(bytes: Buffer, pos: number, length: number): void {
    const handler = this.handler
    const at = pos + 5
    switch (this.id) {
      case ID.choke:
        handler.choke()
        break
      case ID.unchoke:
        handler.unchoke()
        break
      case ID.interested:
        handler.interested()
        break
      case ID.notInterested:
        handler.notInterested()
        break
      case ID.have:
        handler.have(bytes.readUInt32BE(at))
        break
      case ID.request:
        handler.request(bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + 8))
        break
      case ID.piece:
        this.beginBlock(bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4), length - 9)
        break
      case ID.cancel:
        handler.cancel(bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + 8))
        break
      case ID.port:
        handler.port(bytes.readUInt16BE(at))
        break
      case ID.suggest:
        handler.suggest(bytes.readUInt32BE(at))
        break
      case ID.haveAll:
        handler.haveAll()
        break
      case ID.haveNone:
        handler.haveNone()
        break
      case ID.reject:
        handler.reject(bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + 8))
        break
      case ID.allowedFast:
        handler.allowedFast(bytes.readUInt32BE(at))
        break
      case ID.bitfield:
      case ID.extended:
        this.left = length - 1
        if (this.id === ID.extended && this.left > MOST_KEPT_EXTENDED) {
          this.mode = SKIP
          handler.unknown(this.id)
          break
        }
        this.assembled = 0
        this.mode = ASSEMBLE
        if (this.left === 0) this.deliver(this.assembly, 0)
        break
      default:
        this.left = length - 1
        this.mode = this.left > 0 ? SKIP : HEADER
        handler.unknown(this.id)
    }
  }

  private beginBlock(piece: number, begin: number, length: number): void {
    this.piece = piece
    this.begin = begin
    this.length = length
    this.left = length
    this.mode = BLOCK
    const target = this.handler.pieceStart(piece, begin, length)
    this.target = this.stopped ? null : target
  }

  /** Takes payload bytes of the current message. Answers the position after them. */
  private readPayload(chunk: Buffer, pos: number, end: number): number {
    const count = Math.min(this.left, end - pos)
    if (this.mode === BLOCK) {
      if (this.target !== null)
        copyBytes(this.target, this.length - this.left, chunk.subarray(pos, pos + count))
      this.left -= count
      if (this.left === 0) this.endBlock()
    } else if (this.mode === SKIP) {
      this.left -= count
      if (this.left === 0) this.mode = HEADER
    } else if (this.assembled === 0 && count === this.left) {
      this.deliver(chunk.subarray(pos, pos + count), count)
    } else this.assemble(chunk, pos, count)
    return pos + count
  }

  private endBlock(): void {
    this.mode = HEADER
    this.target = null
    this.handler.pieceEnd(this.piece, this.begin, this.length)
  }

  private assemble(chunk: Buffer, pos: number, count: number): void {
    const total = this.assembled + this.left
    const filled = this.assembled + count
    if (filled > this.assembly.length) {
      // Twice what has come, never what is claimed: a peer pays for memory with bytes.
      const grown = Buffer.allocUnsafe(Math.min(total, Math.max(512, 2 * filled)))
      this.assembly.copy(grown, 0, 0, this.assembled)
      this.assembly = grown
    }
    chunk.copy(this.assembly, this.assembled, pos, pos + count)
    this.assembled = filled
    this.left -= count
    if (this.left === 0) this.deliver(this.assembly, filled)
  }

  private deliver(bytes: Buffer, length: number): void {
    this.mode = HEADER
    this.left = 0
    this.assembled = 0
    if (this.id === ID.bitfield) this.handler.bitfield(bytes.subarray(0, length))
    else this.handler.extended(bytes[0] ?? 0, bytes.subarray(1, length))
    if (this.assembly.length > KEPT_ASSEMBLY) this.assembly = Buffer.alloc(0)
  }
}

/**
 * Copies `bytes` into `target` from `at` on. Blocks go into shared memory, and there V8 copies word by word behind
 * `copy` and `set` (0.3 CPU seconds a GiB); `fill` from a buffer is one memcpy (0.04).
 */
function copyBytes(target: Buffer, at: number, bytes: Buffer): void {
  if (bytes.length > 0) target.fill(bytes, at, at + bytes.length)
}
