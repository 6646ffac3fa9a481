/** A peer over TCP that asks for block after block, for as long as it is let, and looks at every byte that comes. */
import net from 'node:net'
import * as raw from './raw-peer.js'

const BLOCK = 16_384

export interface LeecherInit {
  readonly port: number
  /** 40 hex digits. */
  readonly infoHash: string
  /** All pieces in a row. */
  readonly whole: Buffer
  readonly pieceLength: number
  /** Requests on their way at once. */
  readonly depth?: number
  /** A number in [0, 1): which block next. */
  readonly random: () => number
}

/** Connects again whenever it is closed, until `end`. */
export class TcpLeecher {
  /** Blocks that came as they should, otherwise, and refusals (BEP 6). */
  good = 0
  bad = 0
  rejected = 0
  connections = 0
  private socket: net.Socket | null = null
  private timer: NodeJS.Timeout | null = null
  private rest: Buffer = Buffer.alloc(0)
  private greeted = false
  private over = false

  constructor(private readonly init: LeecherInit) {
    this.connect()
  }

  end(): void {
    this.over = true
    if (this.timer !== null) clearTimeout(this.timer)
    this.socket?.destroy()
  }

  private connect(): void {
    this.rest = Buffer.alloc(0)
    this.greeted = false
    this.connections += 1
    const socket = net.connect(this.init.port, '127.0.0.1')
    this.socket = socket
    const hello = Buffer.alloc(68)
    hello.write('\x13BitTorrent protocol', 0, 'latin1')
    hello[27] = 0x04
    hello.write(this.init.infoHash, 28, 20, 'hex')
    hello.write(`-LE0001-${String(this.connections).padStart(12, '0')}`, 48, 20, 'latin1')
    socket.write(Buffer.concat([hello, raw.HAVE_NONE, raw.INTERESTED]))
    socket.on('data', (bytes: Buffer) => {
      this.take(bytes)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (this.over) return
      this.timer = setTimeout(() => {
        this.connect()
      }, 50)
    })
  }

  private take(bytes: Buffer): void {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    if (!this.greeted) {
      if (this.rest.length < 68) return
      this.rest = this.rest.subarray(68)
      this.greeted = true
    }
    while (this.rest.length >= 4) {
      const length = this.rest.readUInt32BE(0)
      if (this.rest.length < 4 + length) return
      if (length > 0) this.message(this.rest[4] ?? 0, this.rest.subarray(5, 4 + length))
      this.rest = this.rest.subarray(4 + length)
    }
  }

  private message(id: number, payload: Buffer): void {
    if (id === 1) for (let n = 0; n < (this.init.depth ?? 8); n++) this.ask()
    if (id === 16) {
      this.rejected += 1
      this.ask()
    }
    if (id !== 7) return
    const at = payload.readUInt32BE(0) * this.init.pieceLength + payload.readUInt32BE(4)
    const block = payload.subarray(8)
    if (block.equals(this.init.whole.subarray(at, at + block.length))) this.good += 1
    else this.bad += 1
    this.ask()
  }

  private ask(): void {
    const { whole, pieceLength, random } = this.init
    const at = Math.floor(random() * Math.ceil(whole.length / BLOCK)) * BLOCK
    const piece = Math.floor(at / pieceLength)
    const length = Math.min(BLOCK, whole.length - at)
    this.socket?.write(raw.request(piece, at - piece * pieceLength, length))
  }
}
