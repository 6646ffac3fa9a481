/**
 * The perfect seeder: serves one torrent to whoever speaks plaintext BitTorrent, unchoked from the first moment, as
 * fast as one core can. Several addresses, each with a peer id and, where asked for, an exact rate of its own.
 * It knows nothing of the daemon's engine. Command line and output: test/bench/tools/README.md.
 */
import type net from 'node:net'
import { parseArgs } from 'node:util'
import { Bucket } from './bucket.js'
import { Frames, MOST_BLOCK, RequestQueue, RUN } from './frames.js'
import { loadMetainfo, type Metainfo, pieceBytes } from './metainfo.js'
import { positive, ready, run } from './program.js'
import { dial, type Endpoint, endpoint, listen, type Receiver } from './sockets.js'
import {
  BLOCK,
  extensionHandshake,
  featuresOf,
  Framer,
  fullBitfield,
  handshake,
  HANDSHAKE,
  ID,
  KEEP_ALIVE,
  mayBeHandshake,
  message,
  type MessageHandler,
  word,
} from './wire.js'

const REQQ = 2000
/** More requests than this at once from one peer end the connection. */
const MOST_REQUESTS = 65_536
/** Frames that a socket has not taken yet: the next one is made when there are fewer. */
const MOST_FRAMES = 3
const KEEP_ALIVE_EVERY = 60_000
const REDIAL_AFTER = 200

/** A torrent that is served. */
interface Source {
  readonly meta: Metainfo
  readonly frames: Frames
}

/** By info hash, hex. */
type Sources = ReadonlyMap<string, Source>

/** One listen address: what it has sent, and how fast it may. */
class Address {
  payload = 0
  wire = 0
  /** Connections that got through the handshake. */
  connections = 0
  /** Requests that were taken back before they were answered. */
  cancelled = 0
  /** Milliseconds since 1970, null before. */
  firstRequestAt: number | null = null
  /** When the last block was handed to the system; as above. */
  lastBlockAt: number | null = null
  port = 0
  readonly at: Endpoint
  readonly peerId: Buffer
  readonly bucket: Bucket | null
  /** Blocks in one frame: under a limit a frame is at most 5 ms long. */
  readonly run: number
  /** Connections with requests that wait for tokens, in the order of their turns. */
  readonly #waiting: Connection[] = []
  #timer: NodeJS.Timeout | null = null

  constructor(at: Endpoint, limit: number | null, number: number) {
    this.at = at
    this.peerId = Buffer.from(
      `-BP0100-${String(number).padStart(4, '0')}${process.pid}`.padEnd(20, '0').slice(0, 20),
    )
    this.run = limit === null ? RUN : Math.max(1, Math.min(RUN, Math.floor((limit * 0.005) / BLOCK)))
    this.bucket = limit === null ? null : new Bucket(limit, BLOCK, performance.now())
  }

  /** Gives the connection its turn when its next run may pass. */
  queue(connection: Connection): void {
    if (this.#waiting.length === 0) this.bucket?.wake(performance.now())
    if (!this.#waiting.includes(connection)) this.#waiting.push(connection)
    if (this.#timer === null) this.#turns()
  }

  readonly #turns = (): void => {
    this.#timer = null
    for (;;) {
      const connection = this.#waiting[0]
      if (connection === undefined || this.bucket === null) return
      const cost = connection.nextCost()
      if (cost > 0 && !this.bucket.take(cost, performance.now())) {
        this.#timer = setTimeout(this.#turns, Math.max(1, this.bucket.wait(cost)))
        return
      }
      this.#waiting.shift()
      if (cost > 0 && connection.sendRun()) this.#waiting.push(connection)
    }
  }
}

class Connection implements MessageHandler {
  readonly #socket: net.Socket
  readonly #address: Address
  readonly #sources: Sources
  /** Known from the start where we dialled, else from the handshake on. */
  #source: Source | null
  readonly #requests = new RequestQueue()
  readonly #framer = new Framer(this)
  /** The peer's handshake as far as it came; null once it is whole. */
  #greeting: Buffer | null = Buffer.alloc(HANDSHAKE)
  #greeted = 0
  /** We dialled: our handshake went first. */
  readonly #dialled: boolean
  #fast = false
  #pending = 0
  #pumping = false

  constructor(socket: net.Socket, address: Address, sources: Sources, dialled: Source | null) {
    this.#socket = socket
    this.#address = address
    this.#sources = sources
    this.#source = dialled
    this.#dialled = dialled !== null
    if (dialled !== null) this.#greet(dialled)
    const alive = setInterval(() => {
      this.#write(KEEP_ALIVE)
    }, KEEP_ALIVE_EVERY)
    socket.on('close', () => {
      clearInterval(alive)
      this.#requests.drop(this.#requests.count)
    })
  }

  receive(bytes: Buffer, length: number): void {
    if (this.#socket.destroyed) return
    try {
      const from = this.#greeting === null ? 0 : this.#handshake(this.#greeting, bytes, length)
      if (this.#greeting !== null) return
      this.#framer.push(bytes, from, length)
    } catch (error) {
      this.#drop(String(error))
      return
    }
    this.pump()
  }

  message(id: number, bytes: Buffer, from: number, to: number): void {
    // Some listen only from here on: webtorrent misses what comes in one packet with the handshake.
    if (id === ID.interested) this.#write(message(ID.unchoke))
    if (id !== ID.request && id !== ID.cancel) return
    if (to - from !== 12) throw new Error('a request of the wrong length')
    const piece = word(bytes, from)
    const begin = word(bytes, from + 4)
    const length = word(bytes, from + 8)
    if (id === ID.cancel) {
      if (!this.#requests.remove(piece, begin, length)) return
      this.#address.cancelled += 1
      if (this.#fast) this.#write(message(ID.reject, bytes.subarray(from, to)))
      return
    }
    const meta = this.#source?.meta
    const good = meta !== undefined && piece < meta.pieceCount && length > 0 && length <= MOST_BLOCK
    if (!good || begin + length > pieceBytes(meta, piece)) throw new Error('a request out of range')
    this.#address.firstRequestAt ??= epoch()
    if (this.#requests.count >= MOST_REQUESTS) throw new Error('too many requests')
    this.#requests.push(piece, begin, length)
  }

  block(): void {
    throw new Error('a block for a seeder')
  }
  data(): void {
    throw new Error('a block for a seeder')
  }
  blockEnd(): void {
    throw new Error('a block for a seeder')
  }

  /** Answers what may be answered now. */
  readonly pump = (): void => {
    if (this.#pumping || this.#requests.count === 0 || this.#pending >= MOST_FRAMES) return
    if (this.#address.bucket !== null) {
      this.#address.queue(this)
      return
    }
    this.#pumping = true
    while (this.#requests.count > 0 && this.#pending < MOST_FRAMES) this.#send(RUN)
    this.#pumping = false
  }

  /** Bytes of blocks in the next run, 0 where none can be sent now. */
  nextCost(): number {
    if (this.#pending >= MOST_FRAMES) return 0
    let cost = 0
    const count = Math.min(this.#requests.count, this.#address.run)
    for (let i = 0; i < count; i += 1) cost += this.#requests.length(i)
    return cost
  }

  /** Sends what `nextCost` has counted; true where there is more to send. */
  sendRun(): boolean {
    let left = Math.min(this.#requests.count, this.#address.run)
    while (left > 0 && this.#requests.count > 0) left -= this.#send(left)
    return this.#requests.count > 0 && this.#pending < MOST_FRAMES
  }

  #send(most: number): number {
    if (this.#source === null) return 0
    const { frames } = this.#source
    const frame = frames.take(this.#requests, most)
    const { space } = frame
    this.#requests.drop(frame.requests)
    this.#address.payload += frame.payload
    this.#address.lastBlockAt = epoch()
    this.#pending += 1
    this.#write(frame.bytes, () => {
      if (space !== null) frames.give(space)
      this.#pending -= 1
      this.pump()
    })
    return frame.requests
  }

  /** Takes bytes of the handshake; answers how many were its. */
  #handshake(greeting: Buffer, bytes: Buffer, length: number): number {
    const taken = Math.min(HANDSHAKE - this.#greeted, length)
    bytes.copy(greeting, this.#greeted, 0, taken)
    this.#greeted += taken
    if (!mayBeHandshake(greeting, this.#greeted)) throw new Error('no plaintext handshake')
    if (this.#greeted < HANDSHAKE) return taken
    const source = this.#sources.get(greeting.toString('hex', 28, 48))
    if (source === undefined || (this.#dialled && source !== this.#source)) throw new Error('another torrent')
    this.#source = source
    this.#greeting = null
    this.#address.connections += 1
    if (!this.#dialled) this.#greet(source)
    const { fast, extension } = featuresOf(greeting)
    this.#fast = fast
    this.#write(fast ? message(ID.haveAll) : fullBitfield(source.meta.pieceCount))
    if (extension) this.#write(extensionHandshake('perfect seeder', REQQ))
    this.#write(message(ID.unchoke))
    return taken
  }

  #greet(source: Source): void {
    this.#write(handshake(source.meta.infoHash, this.#address.peerId, { fast: true, extension: true }))
  }

  #write(bytes: Buffer, taken?: () => void): void {
    if (this.#socket.destroyed) {
      taken?.()
      return
    }
    this.#address.wire += bytes.length
    this.#socket.write(bytes, taken)
  }

  #drop(why: string): void {
    if (process.env['BENCH_VERBOSE'] !== undefined) process.stderr.write(`dropped: ${why}\n`)
    this.#socket.destroy()
  }
}

function epoch(): number {
  return performance.timeOrigin + performance.now()
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      torrent: { type: 'string', multiple: true },
      data: { type: 'string', multiple: true },
      listen: { type: 'string', multiple: true },
      dial: { type: 'string', multiple: true },
      hot: { type: 'string' },
    },
  })
  const { torrent = [], data = [] } = values
  if (torrent.length === 0 || torrent.length !== data.length || values.listen === undefined) {
    throw new Error('needs --torrent FILE --data DIR (as many) --listen IP:PORT[@BYTES_PER_S]')
  }
  const hot = (positive('hot', values.hot, 0) * 1_048_576) / torrent.length
  const sources = new Map<string, Source>()
  torrent.forEach((file, i) => {
    const meta = loadMetainfo(file)
    sources.set(meta.infoHash.toString('hex'), { meta, frames: new Frames(meta, data[i] ?? '', hot) })
  })
  const addresses = values.listen.map((text, number) => {
    const [at = '', limit] = text.split('@')
    return new Address(endpoint(at), limit === undefined ? null : positive('listen', limit, 0), number)
  })
  for (const address of addresses) {
    address.port = await listen(address.at, (socket, receiver) => {
      serve(socket, receiver, address, sources, null)
    })
  }
  ready({ infoHashes: [...sources.keys()], addresses: addresses.map(where) }, ({ cpu, seconds }) => ({
    addresses: addresses.map((address) => ({
      ...where(address),
      payload: address.payload,
      wire: address.wire,
      connections: address.connections,
      cancelled: address.cancelled,
      firstRequestAt: address.firstRequestAt,
      lastBlockAt: address.lastBlockAt,
    })),
    payload: addresses.reduce((sum, { payload }) => sum + payload, 0),
    wire: addresses.reduce((sum, { wire }) => sum + wire, 0),
    connections: addresses.reduce((sum, { connections }) => sum + connections, 0),
    firstRequestAt: outermost(addresses, 'firstRequestAt', Math.min),
    lastBlockAt: outermost(addresses, 'lastBlockAt', Math.max),
    cpu: cpu(),
    seconds: seconds(),
  }))
  const [first] = addresses
  if (first === undefined) return
  for (const text of values.dial ?? []) {
    for (const source of sources.values()) dialUntilThere(endpoint(text), first, sources, source)
  }
}

function where({ at, port, bucket }: Address): object {
  return { address: at.address, port, limit: bucket?.rate ?? null }
}

function outermost(
  addresses: readonly Address[],
  what: 'firstRequestAt' | 'lastBlockAt',
  choose: (a: number, b: number) => number,
): number | null {
  return addresses.reduce<number | null>((known, { [what]: one }) => {
    if (one === null) return known
    return known === null ? one : choose(known, one)
  }, null)
}

function serve(
  socket: net.Socket,
  receiver: Receiver,
  address: Address,
  sources: Sources,
  dialled: Source | null,
): void {
  const connection = new Connection(socket, address, sources, dialled)
  receiver.receive = (bytes, length) => {
    connection.receive(bytes, length)
  }
}

function dialUntilThere(to: Endpoint, from: Address, sources: Sources, source: Source): void {
  const { socket, receiver } = dial({ to, local: from.at.address })
  let connected = false
  socket.on('connect', () => {
    connected = true
    serve(socket, receiver, from, sources, source)
  })
  socket.on('close', () => {
    if (!connected) setTimeout(dialUntilThere, REDIAL_AFTER, to, from, sources, source)
  })
}

run(main)
