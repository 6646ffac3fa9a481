/** A seed with a speed limit that counts what was asked of it: BEP 3 and no more. */
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { handshakeBytes, HandshakeParser } from '../../daemon/codec/handshake.js'
import { WireParser } from '../../daemon/codec/wire.js'
import { encodeBitfield, PIECE_HEADER, UNCHOKE, writePieceHeader } from '../../daemon/codec/wire-writer.js'
import type { SwarmKey } from '../../shared/units.js'
import type { MadeTorrent } from './make-torrent.js'
import { WireLog } from './wire-log.js'

/** Milliseconds between two deliveries. */
const TICK = 10

export interface SlowSeeder {
  readonly port: number
  /** Bytes a second over all connections; may be changed at any time. */
  rate: number
  /** Payload bytes sent. */
  readonly sent: number
  /** How often each piece was sent, counted in bytes. */
  bytesOf(piece: number): number
  /** Pieces of which every byte went over one connection, since the last `forget`. */
  readonly whole: ReadonlySet<number>
  /** The files were deleted: what was sent counts no more. */
  forget(): void
  /** Connections that are open. */
  readonly connections: number
  close(): void
}

export interface SlowSeederInit {
  readonly torrent: MadeTorrent
  readonly rate: number
  /** Where it listens; 127.0.0.1 where left out. */
  readonly host?: string
  /** Sends wrong bytes for these pieces. */
  readonly lies?: (piece: number) => boolean
}

interface Wanted {
  readonly socket: net.Socket
  readonly piece: number
  readonly begin: number
  readonly length: number
}

/** Serves a torrent out of memory. */
export async function slowSeeder(init: SlowSeederInit): Promise<SlowSeeder> {
  const { torrent, lies = () => false } = init
  const payload = Buffer.concat(torrent.files.map(({ path }) => readFileSync(join(torrent.dir, path))))
  const sockets = new Set<net.Socket>()
  const served = new Map<number, number>()
  /** Bytes of pieces begun, by connection. */
  const begun = new Map<net.Socket, Map<number, number>>()
  const whole = new Set<number>()
  let queue: Wanted[] = []
  let allowance = 0
  let sent = 0
  const state = { rate: init.rate }

  const deliver = (wanted: Wanted): void => {
    const bytes = Buffer.alloc(PIECE_HEADER + wanted.length)
    writePieceHeader(bytes, 0, wanted.piece, wanted.begin, wanted.length)
    const from = wanted.piece * torrent.pieceLength + wanted.begin
    payload.copy(bytes, PIECE_HEADER, from, from + wanted.length)
    if (lies(wanted.piece)) bytes.fill(0x55, PIECE_HEADER)
    wanted.socket.write(bytes)
    sent += wanted.length
    served.set(wanted.piece, (served.get(wanted.piece) ?? 0) + wanted.length)
    const mine = begun.get(wanted.socket)
    const bytesSent = (mine?.get(wanted.piece) ?? 0) + wanted.length
    mine?.set(wanted.piece, bytesSent)
    const size = Math.min(torrent.pieceLength, payload.length - wanted.piece * torrent.pieceLength)
    if (bytesSent >= size) whole.add(wanted.piece)
  }
  const timer = setInterval(() => {
    allowance = Math.min(allowance + (state.rate * TICK) / 1000, Math.max(state.rate / 10, 16_384))
    for (let next = queue[0]; next !== undefined && allowance >= next.length; next = queue[0]) {
      allowance -= next.length
      queue.shift()
      deliver(next)
    }
  }, TICK)

  const server = net.createServer((socket) => {
    sockets.add(socket)
    begun.set(socket, new Map())
    socket.on('error', () => undefined)
    socket.on('close', () => {
      sockets.delete(socket)
      begun.delete(socket)
      queue = queue.filter((wanted) => wanted.socket !== socket)
    })
    serve(socket, torrent, {
      want: (piece, begin, length) => queue.push({ socket, piece, begin, length }),
      cancel: (piece, begin) => {
        queue = queue.filter(
          (wanted) => wanted.socket !== socket || wanted.piece !== piece || wanted.begin !== begin,
        )
      },
    })
  })
  await new Promise<void>((done) => server.listen(0, init.host ?? '127.0.0.1', done))
  return {
    port: (server.address() as net.AddressInfo).port,
    get rate() {
      return state.rate
    },
    set rate(rate) {
      state.rate = rate
    },
    get sent() {
      return sent
    },
    get connections() {
      return sockets.size
    },
    bytesOf: (piece) => served.get(piece) ?? 0,
    whole,
    forget: () => {
      whole.clear()
    },
    close: () => {
      clearInterval(timer)
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function serve(
  socket: net.Socket,
  torrent: MadeTorrent,
  on: {
    want: (piece: number, begin: number, length: number) => void
    cancel: (piece: number, begin: number) => void
  },
): void {
  const log = new WireLog()
  log.request = on.want
  log.cancel = on.cancel
  const parser = new WireParser({ pieceCount: torrent.pieceCount }, log)
  const handshake = new HandshakeParser()
  let greeted = false
  socket.on('data', (chunk: Buffer) => {
    const used = greeted ? 0 : handshake.push(chunk)
    if (!greeted && handshake.key !== null) {
      greeted = true
      const plain = handshakeBytes(
        torrent.infoHash as SwarmKey,
        Buffer.from(`-SL0001-${String(socket.localPort).padStart(12, '0')}`),
      )
      // Neither BEP 6 nor BEP 10.
      plain.fill(0, 20, 28)
      const bits = Buffer.alloc(Math.ceil(torrent.pieceCount / 8))
      for (let piece = 0; piece < torrent.pieceCount; piece++) {
        bits[piece >> 3] = (bits[piece >> 3] ?? 0) | (0x80 >> (piece & 7))
      }
      socket.write(Buffer.concat([plain, encodeBitfield(bits), UNCHOKE]))
    }
    if (used < chunk.length && parser.push(chunk.subarray(used)) !== null) socket.destroy()
  })
}
