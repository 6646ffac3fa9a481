/**
 * What a download costs a Node program at the least: one peer, blocks in order, one copy into shared memory, one
 * thread that hashes and writes. No choice of pieces, no database, no limits, no other peers: a yardstick for the ones
 * that have all that, not a client. Speaks lines of JSON like the drivers of the libraries.
 */
import { mkdirSync } from 'node:fs'
import net from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import { loadMetainfo, type Metainfo, pieceBytes } from '../tools/metainfo.js'
import { BLOCK, Framer, handshake, HANDSHAKE, ID, message, putRequest, REQUEST } from '../tools/wire.js'

/** Bytes handed to the thread at once, and how many of them there are: 12 MiB. */
const EXTENT = 262_144
const SLOTS = 48
/** Requests on their way, and how few of them are left when more are sent. */
const DEPTH = 512
const REFILL = 384
/** Extents that the thread has before it; more are collected for the next message. */
const AHEAD = 16
/** Read at once. */
const SCRATCH = 1_048_576

/** A file to write, or extents of it: slot, offset, length. */
type Job = { readonly path: string; readonly meta: Metainfo } | readonly (readonly number[])[]

class Floor {
  readonly #memory = new SharedArrayBuffer(SLOTS * EXTENT)
  readonly #bytes = Buffer.from(this.#memory)
  readonly #thread = new Worker(new URL('./floor_thread.mjs', import.meta.url), {
    workerData: { memory: this.#memory, extent: EXTENT },
  })
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH)
  readonly #free = Array.from({ length: SLOTS }, (_, at) => SLOTS - 1 - at)
  /** Slot of each extent that is on its way, and blocks of it that are here. */
  readonly #slotOf = new Map<number, number>()
  readonly #here = new Map<number, number>()
  #outbox: [number, number, number][] = []
  /** Extents that the thread has. */
  #sent = 0
  /** Offset of the next block to ask for; blocks on their way; bytes hashed and written. */
  #next = 0
  #outstanding = 0
  #written = 0
  #open = false
  /** Where the block that is being read goes. */
  #to = 0
  #extent = 0
  #socket: net.Socket | null = null

  constructor(
    readonly meta: Metainfo,
    dir: string,
    peer: string,
    finished: () => void,
  ) {
    const [file] = meta.files
    if (file === undefined || meta.files.length > 1) throw new Error('one file, and no more')
    const path = join(dir, file.path)
    mkdirSync(dirname(path), { recursive: true })
    this.#thread.postMessage({ path, meta } satisfies Job)
    this.#thread.on('message', (freed: readonly number[]) => {
      for (const slot of freed) this.#free.push(slot)
      this.#sent -= freed.length
      this.#flush()
      this.#ask()
      this.#written += freed.length
      if (this.#written === Math.ceil(meta.totalBytes / EXTENT)) finished()
    })
    this.#dial(peer)
  }

  #dial(peer: string): void {
    const [host = '', port = ''] = peer.split(':')
    let greeting = HANDSHAKE
    const framer = this.#framer()
    const callback = (count: number): boolean => {
      const from = Math.min(greeting, count)
      greeting -= from
      framer.push(this.#scratch, from, count)
      this.#flush()
      this.#ask()
      return true
    }
    const socket = net.connect({
      ...{ host, port: Number(port) },
      onread: { buffer: this.#scratch, callback },
    })
    this.#socket = socket
    socket.setNoDelay(true)
    const id = Buffer.from('-FL0000-000000000000')
    socket.write(handshake(this.meta.infoHash, id, { fast: true, extension: false }))
    socket.write(message(ID.interested))
  }

  #framer(): Framer {
    return new Framer({
      message: (id) => {
        if (id === ID.unchoke) this.#open = true
      },
      block: (piece, begin) => {
        const at = piece * this.meta.pieceLength + begin
        this.#extent = Math.floor(at / EXTENT)
        this.#to = (this.#slotOf.get(this.#extent) ?? 0) * EXTENT + (at % EXTENT)
      },
      data: (bytes, from, to) => {
        // One memcpy; `copy` and `set` go word by word into shared memory.
        this.#bytes.fill(bytes.subarray(from, to), this.#to, this.#to + to - from)
        this.#to += to - from
      },
      blockEnd: () => {
        this.#blockEnd()
      },
    })
  }

  #blockEnd(): void {
    this.#outstanding -= 1
    const extent = this.#extent
    const here = (this.#here.get(extent) ?? 0) + 1
    this.#here.set(extent, here)
    const length = Math.min(EXTENT, this.meta.totalBytes - extent * EXTENT)
    if (here < Math.ceil(length / BLOCK)) return
    this.#outbox.push([this.#slotOf.get(extent) ?? 0, extent * EXTENT, length])
    this.#slotOf.delete(extent)
    this.#here.delete(extent)
  }

  #flush(): void {
    if (this.#outbox.length === 0 || this.#sent >= AHEAD) return
    this.#sent += this.#outbox.length
    this.#thread.postMessage(this.#outbox)
    this.#outbox = []
  }

  #ask(): void {
    if (!this.#open || this.#outstanding > REFILL) return
    const requests = Buffer.allocUnsafe((DEPTH - this.#outstanding) * REQUEST)
    let at = 0
    while (at < requests.length && this.#next < this.meta.totalBytes && this.#hasSlot()) {
      const piece = Math.floor(this.#next / this.meta.pieceLength)
      const begin = this.#next - piece * this.meta.pieceLength
      const length = Math.min(BLOCK, pieceBytes(this.meta, piece) - begin)
      putRequest(requests, at, piece, begin, length)
      at += REQUEST
      this.#next += length
      this.#outstanding += 1
    }
    if (at > 0) this.#socket?.write(requests.subarray(0, at))
  }

  /** The extent of the next block has a slot, if there is one. */
  #hasSlot(): boolean {
    const extent = Math.floor(this.#next / EXTENT)
    if (this.#slotOf.has(extent)) return true
    const slot = this.#free.pop()
    if (slot === undefined) return false
    this.#slotOf.set(extent, slot)
    return true
  }

  get written(): number {
    return Math.min(this.#written * EXTENT, this.meta.totalBytes)
  }
}

interface Line {
  readonly id: number
  readonly verb: 'ready' | 'add' | 'status'
  readonly file: string
  readonly hash: string
  readonly dir: string
}

function drive(peer: string): void {
  const say = (line: object): void => {
    process.stdout.write(`${JSON.stringify(line)}\n`)
  }
  let floor: Floor | null = null
  createInterface({ input: process.stdin }).on('line', (text) => {
    const { id, verb, file, hash, dir } = JSON.parse(text) as Line
    if (verb === 'add') floor = new Floor(loadMetainfo(file), dir, peer, () => say({ finished: hash }))
    say({ id, result: verb === 'status' ? { done: floor?.written ?? 0, seeding: false, uploaded: 0 } : null })
  })
}

drive(process.argv[2] ?? '')
