/** What keeps a daemon busy in a soak: peers that come and go, some of them hostile, and clients of its socket. Bounded. */
import net from 'node:net'
import { join } from 'node:path'
import type { SwarmKey } from '../../shared/units.js'
import { handshakeBytes } from '../../daemon/codec/handshake.js'
import type { FakeRandom } from '../support/fake-random.js'
import type { MadeTorrent } from '../support/make-torrent.js'
import { extended, INTERESTED, int, message, request } from '../support/raw-peer.js'

/** Milliseconds between two peers, and between two clients. */
const PEER_EVERY = 50
const CLIENT_EVERY = 250
/** Connections at once, of each kind; whoever comes while so many are there goes away. */
const MOST_PEERS = 40
const MOST_CLIENTS = 5
/** Milliseconds that a peer stays at most. */
const STAYS = 1000
/** Each so many peers is a hostile one. */
const HOSTILE = 5
const BLOCK = 16_384

export interface TrafficInit {
  readonly port: number
  readonly home: string
  /** What the daemon seeds. */
  readonly torrents: readonly MadeTorrent[]
  readonly random: FakeRandom
}

/** Begins when it is made and goes on until `stop`. */
export class Traffic {
  readonly #init: TrafficInit
  readonly #peers = new Set<net.Socket>()
  readonly #clients = new Set<net.Socket>()
  readonly #timers: NodeJS.Timeout[] = []
  /** Peers that came, blocks that they got, and answers to clients. */
  peers = 0
  blocks = 0
  answers = 0

  constructor(init: TrafficInit) {
    this.#init = init
    this.#timers.push(
      setInterval(() => {
        if (this.#peers.size < MOST_PEERS) this.#peer()
      }, PEER_EVERY),
      setInterval(() => {
        if (this.#clients.size < MOST_CLIENTS) this.#client()
      }, CLIENT_EVERY),
    )
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
    for (const socket of [...this.#peers, ...this.#clients]) socket.destroy()
  }

  /** Connects, says who it is, asks for a block, takes it and leaves; or does one of the things that nobody should. */
  #peer(): void {
    const { random, torrents, port } = this.#init
    const torrent = torrents[random.int(torrents.length)]
    if (torrent === undefined) return
    const hostile = this.peers % HOSTILE === 0
    this.peers++
    // Hostile ones have addresses of their own, for these may be banned.
    const localAddress = `127.0.${hostile ? '2' : '1'}.${String(1 + random.int(250))}`
    const socket = keep(net.connect({ host: '127.0.0.1', port, localAddress }), this.#peers)
    let got = 0
    socket.on('data', (bytes: Buffer) => {
      got += bytes.length
      if (hostile || got < BLOCK) return
      this.blocks++
      socket.destroy()
    })
    socket.on('connect', () => {
      const says = hostile
        ? hostileWords(torrent, random)
        : [greeting(torrent, random), INTERESTED, ask(torrent, random)]
      socket.write(Buffer.concat(says))
    })
  }

  #client(): void {
    const socket = keep(net.connect(join(this.#init.home, 'torrentino.sock')), this.#clients)
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (more: string) => {
      text += more
      if (text.split('\n').length <= CALLS.length) return
      this.answers += CALLS.length
      socket.destroy()
    })
    socket.on('connect', () => {
      CALLS.forEach(([method, params], id) => {
        socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
      })
    })
  }
}

const CALLS: readonly (readonly [string, object])[] = [
  ['session.hello', { client: 'soak', contract: '1.0' }],
  ['torrent.list', {}],
  ['session.status', {}],
  ['events.since', { seq: 0, limit: 100 }],
  ['torrent.list', { ids: ['there is none of this name'] }],
]

function keep(socket: net.Socket, among: Set<net.Socket>): net.Socket {
  among.add(socket)
  const timer = setTimeout(() => socket.destroy(), STAYS)
  socket.on('error', () => undefined)
  socket.on('close', () => {
    clearTimeout(timer)
    among.delete(socket)
  })
  return socket
}

function greeting(torrent: MadeTorrent, random: FakeRandom): Buffer {
  const id = `-SK0001-${String(random.int(1_000_000)).padStart(12, '0')}`
  return Buffer.from(handshakeBytes(torrent.infoHash as SwarmKey, Buffer.from(id)))
}

function ask(torrent: MadeTorrent, random: FakeRandom): Buffer {
  return request(random.int(torrent.pieceCount), 0, BLOCK)
}

/** What is sent once: no greeting, a wrong one, and what may not follow one. */
function hostileWords(torrent: MadeTorrent, random: FakeRandom): Uint8Array[] {
  const hello = greeting(torrent, random)
  const ways: Uint8Array[][] = [
    [],
    [Buffer.alloc(68, 0x41)],
    [hello.subarray(0, 40)],
    [hello, int(0x7fff_ffff), Buffer.alloc(1000)],
    [hello, INTERESTED, request(torrent.pieceCount + 5, 0, BLOCK)],
    [hello, INTERESTED, ...Array.from({ length: 500 }, () => ask(torrent, random))],
    [hello, message(5, Buffer.alloc(3000, 0xff))],
    [hello, message(7, int(0), int(0), Buffer.alloc(BLOCK))],
    [hello, extended(0, 'd1:md'.padEnd(200, 'l'))],
  ]
  return ways[random.int(ways.length)] ?? []
}
