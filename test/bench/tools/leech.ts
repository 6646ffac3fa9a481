/** One leecher that keeps its pipeline full and nothing it gets. */
import { createHash } from 'node:crypto'
import type net from 'node:net'
import type { Histogram } from './histogram.js'
import { type Metainfo, pieceBytes } from './metainfo.js'
import { dial, type Endpoint } from './sockets.js'
import {
  BLOCK,
  extensionHandshake,
  featuresOf,
  Framer,
  handshake,
  HANDSHAKE,
  ID,
  KEEP_ALIVE,
  mayBeHandshake,
  message,
  type MessageHandler,
  putRequest,
  REQUEST,
  reqqOf,
} from './wire.js'

const REDIAL_AFTER = 500
const KEEP_ALIVE_EVERY = 60_000

/** What all leechers count together. */
export interface Tally {
  readonly latency: Histogram
  /** Connections that ended while more was wanted. */
  drops: number
  chokes: number
  goodPieces: number
  badPieces: number
}

export interface LeechInit {
  readonly to: Endpoint
  readonly local?: string
  readonly meta: Metainfo
  /** The piece to begin with. */
  readonly start: number
  /** Requests under way, at most; fewer where the peer says so. */
  readonly depth: number
  /** Bytes after which it hangs up. */
  readonly goal: number
  readonly verify: boolean
  /** Bytes/s that are read from the socket, null for all. */
  readonly slow: number | null
  readonly tally: Tally
  readonly onGreeted: () => void
  readonly onBlock: (now: number) => void
  readonly onGoal: () => void
}

/** Requests under way, in the order they were sent: answers nearly always come in that order. */
class Pipeline {
  readonly #block: Float64Array
  readonly #since: Float64Array
  #head = 0
  #size = 0
  /** Requests not answered. */
  count = 0

  constructor(depth: number) {
    this.#block = new Float64Array(depth * 4)
    this.#since = new Float64Array(depth * 4)
  }

  get full(): boolean {
    return this.#size === this.#block.length
  }

  push(block: number, now: number): void {
    const at = (this.#head + this.#size) % this.#block.length
    this.#block[at] = block
    this.#since[at] = now
    this.#size += 1
    this.count += 1
  }

  /** When this block was asked for, or -1 where it was not. */
  take(block: number): number {
    for (let i = 0; i < this.#size; i += 1) {
      const at = (this.#head + i) % this.#block.length
      if (this.#block[at] !== block) continue
      this.#block[at] = -1
      this.count -= 1
      while (this.#size > 0 && this.#block[this.#head] === -1) {
        this.#head = (this.#head + 1) % this.#block.length
        this.#size -= 1
      }
      return this.#since[at] ?? 0
    }
    return -1
  }

  clear(): void {
    this.#head = this.#size = this.count = 0
  }
}

/** Pieces being put together to be checked. */
class Checker {
  readonly #meta: Metainfo
  readonly #tally: Tally
  readonly #pieces = new Map<number, { readonly bytes: Buffer; left: number }>()

  constructor(meta: Metainfo, tally: Tally) {
    this.#meta = meta
    this.#tally = tally
  }

  add(piece: number, at: number, bytes: Buffer, from: number, to: number): void {
    let known = this.#pieces.get(piece)
    if (known === undefined) {
      const size = pieceBytes(this.#meta, piece)
      this.#pieces.set(piece, (known = { bytes: Buffer.allocUnsafe(size), left: size }))
    }
    bytes.copy(known.bytes, at, from, to)
    known.left -= to - from
    if (known.left > 0) return
    this.#pieces.delete(piece)
    const digest = createHash('sha1').update(known.bytes).digest()
    if (digest.equals(this.#meta.digests.subarray(piece * 20, piece * 20 + 20))) this.#tally.goodPieces += 1
    else this.#tally.badPieces += 1
  }

  clear(): void {
    this.#pieces.clear()
  }
}

export class Leech implements MessageHandler {
  /** Bytes of blocks that came. */
  bytes = 0
  /** It got through a handshake at least once. */
  greeted = false
  /** When its first block was whole, as `performance.now()`. */
  firstBlock: number | null = null
  readonly #init: LeechInit
  readonly #peerId: Buffer
  readonly #pipeline: Pipeline
  readonly #checker: Checker | null
  #socket: net.Socket | null = null
  #framer = new Framer(this)
  /** The peer's handshake as far as it came; null once it is whole. */
  #greeting: Buffer | null = null
  #seen = 0
  #choked = true
  /** It waits for the others. */
  #held = true
  #done = false
  #depth: number
  /** The next block to ask for. */
  #piece: number
  #begin = 0
  /** The block that is coming in. */
  #inPiece = 0
  #inBegin = 0
  /** Where its next byte goes. */
  #inAt = 0

  constructor(init: LeechInit, number: number) {
    this.#init = init
    this.#peerId = Buffer.from(
      `-BS0100-${String(number).padStart(5, '0')}${process.pid}`.padEnd(20, '0').slice(0, 20),
    )
    this.#pipeline = new Pipeline(init.depth)
    this.#checker = init.verify ? new Checker(init.meta, init.tally) : null
    this.#depth = init.depth
    this.#piece = init.start
    setInterval(() => this.#socket?.write(KEEP_ALIVE), KEEP_ALIVE_EVERY)
    this.#dial()
  }

  message(id: number, bytes: Buffer, from: number, to: number): void {
    if (id === ID.unchoke) {
      this.#choked = false
    } else if (id === ID.choke) {
      if (!this.#choked) this.#init.tally.chokes += 1
      this.#choked = true
      this.#restart()
    } else if (id === ID.extended) {
      const reqq = reqqOf(bytes, from, to)
      if (reqq !== null && reqq > 0) this.#depth = Math.min(this.#init.depth, reqq)
    }
  }

  block(piece: number, begin: number): void {
    this.#inPiece = piece
    this.#inBegin = this.#inAt = begin
  }

  data(bytes: Buffer, from: number, to: number): void {
    this.bytes += to - from
    this.#checker?.add(this.#inPiece, this.#inAt, bytes, from, to)
    this.#inAt += to - from
  }

  blockEnd(): void {
    const now = performance.now()
    const since = this.#pipeline.take(this.#number(this.#inPiece, this.#inBegin))
    if (since >= 0) this.#init.tally.latency.add(now - since)
    this.firstBlock ??= now
    this.#init.onBlock(now)
  }

  /** Asks from now on. */
  release(): void {
    this.#held = false
    this.#ask()
  }

  #dial(): void {
    this.#greeting = Buffer.alloc(HANDSHAKE)
    this.#seen = 0
    this.#choked = true
    this.#framer = new Framer(this)
    this.#restart()
    const { to, local, slow, meta } = this.#init
    const options = { to, ...(local === undefined ? {} : { local }) }
    const { socket, receiver } = dial(slow === null ? options : { ...options, onread: this.#slowly(slow) })
    this.#socket = socket
    receiver.receive = (bytes, length) => {
      this.#receive(bytes, length)
    }
    socket.on('connect', () => {
      socket.write(handshake(meta.infoHash, this.#peerId, { fast: false, extension: true }))
    })
    socket.on('close', () => {
      if (this.#done) return
      this.#init.tally.drops += 1
      setTimeout(() => {
        this.#dial()
      }, REDIAL_AFTER)
    })
  }

  /** Reads a piece of at most a tenth of a second's worth, then nothing until that time is over. */
  #slowly(rate: number): net.OnReadOpts {
    const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(65_536, Math.floor(rate / 10))))
    return {
      buffer,
      callback: (length) => {
        this.#receive(buffer, length)
        setTimeout(() => this.#socket?.resume(), (length * 1000) / rate)
        return false
      },
    }
  }

  #receive(bytes: Buffer, length: number): void {
    if (this.#done) return
    try {
      const from = this.#greeting === null ? 0 : this.#handshake(this.#greeting, bytes, length)
      if (this.#greeting === null) this.#framer.push(bytes, from, length)
    } catch {
      this.#socket?.destroy()
      return
    }
    if (this.bytes >= this.#init.goal) this.#finish()
    else this.#ask()
  }

  #finish(): void {
    this.#done = true
    this.#socket?.destroy()
    this.#init.onGoal()
  }

  #handshake(greeting: Buffer, bytes: Buffer, length: number): number {
    const taken = Math.min(HANDSHAKE - this.#seen, length)
    bytes.copy(greeting, this.#seen, 0, taken)
    this.#seen += taken
    if (!mayBeHandshake(greeting, this.#seen)) throw new Error('no handshake')
    if (this.#seen < HANDSHAKE) return taken
    this.#greeting = null
    if (!this.greeted) {
      this.greeted = true
      this.#init.onGreeted()
    }
    if (featuresOf(greeting).extension) this.#socket?.write(extensionHandshake('null sink', 250))
    this.#socket?.write(message(ID.interested))
    return taken
  }

  /** Fills the pipeline when a quarter of it is empty. */
  #ask(): void {
    if (this.#held || this.#choked || this.#greeting !== null) return
    const wanted = this.#depth - this.#pipeline.count
    if (wanted * 4 < this.#depth) return
    const bytes = Buffer.allocUnsafe(wanted * REQUEST)
    const now = performance.now()
    let count = 0
    for (; count < wanted && !this.#pipeline.full; count += 1) {
      const length = Math.min(BLOCK, pieceBytes(this.#init.meta, this.#piece) - this.#begin)
      putRequest(bytes, count * REQUEST, this.#piece, this.#begin, length)
      this.#pipeline.push(this.#number(this.#piece, this.#begin), now)
      this.#begin += length
      if (this.#begin < pieceBytes(this.#init.meta, this.#piece)) continue
      this.#begin = 0
      this.#piece = (this.#piece + 1) % this.#init.meta.pieceCount
    }
    this.#socket?.write(bytes.subarray(0, count * REQUEST))
  }

  #number(piece: number, begin: number): number {
    return piece * this.#init.meta.pieceLength + begin
  }

  /** Nothing is under way any more: what was asked for and did not come is asked for again, with its piece. */
  #restart(): void {
    this.#pipeline.clear()
    if (this.#checker === null) return
    this.#checker.clear()
    this.#begin = 0
  }
}
