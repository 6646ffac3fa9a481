/** What the main thread does for each message: parsing, picking, the copy into the slab. */
import { WireParser, type WireHandler } from '../../../daemon/codec/wire.js'
import { SharedSlab } from '../../../daemon/disk/slab.js'
import { systemRandom } from '../../../daemon/io/random.js'
import { Picker } from '../../../daemon/swarm/picker.js'
import { Bitfield } from '../../../shared/torrent/bitfield.js'
import { EXTENT_SIZE } from '../../../shared/units.js'
import { BLOCK, message, PIECE_HEADER, putPieceHeader, putRequest, REQUEST } from '../tools/wire.js'
import { type Line, nanoseconds, throughput } from './measure.js'

const MESSAGES = 200_000
const PIECES = 16_384
const MIB = 1_048_576

/** Counts, so that nothing is optimised away. */
class Counter implements WireHandler {
  seen = 0
  /** Where the next block goes, or null. */
  target: Buffer | null = null
  keepAlive(): void {
    this.seen += 1
  }
  choke(): void {
    this.seen += 1
  }
  unchoke(): void {
    this.seen += 1
  }
  interested(): void {
    this.seen += 1
  }
  notInterested(): void {
    this.seen += 1
  }
  have(piece: number): void {
    this.seen += piece
  }
  bitfield(): void {
    this.seen += 1
  }
  request(piece: number): void {
    this.seen += piece
  }
  pieceStart(_piece: number, begin: number): Buffer | null {
    const at = begin % EXTENT_SIZE
    return this.target === null ? null : this.target.subarray(at, at + BLOCK)
  }
  pieceEnd(): void {
    this.seen += 1
  }
  cancel(): void {
    this.seen += 1
  }
  port(): void {
    this.seen += 1
  }
  suggest(): void {
    this.seen += 1
  }
  haveAll(): void {
    this.seen += 1
  }
  haveNone(): void {
    this.seen += 1
  }
  reject(): void {
    this.seen += 1
  }
  allowedFast(): void {
    this.seen += 1
  }
  extended(): void {
    this.seen += 1
  }
  unknown(): void {
    this.seen += 1
  }
}

function haves(): Buffer {
  const body = Buffer.alloc(4)
  const one = (i: number): Buffer => {
    body.writeUInt32BE(i % PIECES)
    return message(4, body)
  }
  return Buffer.concat(Array.from({ length: MESSAGES }, (_, i) => one(i)))
}

function requests(): Buffer {
  const bytes = Buffer.alloc(MESSAGES * REQUEST)
  for (let i = 0; i < MESSAGES; i += 1) putRequest(bytes, i * REQUEST, i % PIECES, 0, BLOCK)
  return bytes
}

/** 64 blocks as they come from a seeder: 1 MiB and their headers. */
function blocks(): Buffer {
  const bytes = Buffer.alloc(64 * (PIECE_HEADER + BLOCK))
  for (let i = 0; i < 64; i += 1) putPieceHeader(bytes, i * (PIECE_HEADER + BLOCK), 7, i * BLOCK, BLOCK)
  return bytes
}

function parser(): Line[] {
  const counter = new Counter()
  const lines: Line[] = []
  const streams = [
    ['parser, have', haves()],
    ['parser, request', requests()],
  ] as const
  for (const [name, stream] of streams) {
    const wire = new WireParser({ pieceCount: PIECES }, counter)
    const line = nanoseconds(name, MESSAGES, () => {
      for (let at = 0; at < stream.length; at += MIB) wire.push(stream.subarray(at, at + MIB))
    })
    lines.push(line)
  }
  const wire = new WireParser({ pieceCount: PIECES }, counter)
  const stream = blocks()
  const times = 1000
  const dropped = nanoseconds('parser, block that is dropped', times * 64, () => {
    for (let i = 0; i < times; i += 1) wire.push(stream)
  })
  if (counter.seen === 0) throw new Error('the parser saw nothing')
  return [...lines, dropped]
}

/** The parser with the copy into slots of shared memory. */
async function slabCopy(): Promise<Line[]> {
  const slots = 64
  const slab = new SharedSlab({ slots })
  const views = Array.from({ length: slots }, () => slab.take()?.view ?? null)
  const counter = new Counter()
  const wire = new WireParser({ pieceCount: PIECES }, counter)
  const stream = blocks()
  return throughput('parser and copy into the slab', 1024 * MIB, () => {
    for (let i = 0; i < 1024; i += 1) {
      counter.target = views[i % slots] ?? null
      wire.push(stream)
    }
  })
}

function picker(): Line[] {
  const random = systemRandom()
  const all = Array.from({ length: PIECES }, (_, i) => (i * 7919) % PIECES)
  let made = new Picker({ pieceCount: PIECES }, { random })
  const have = nanoseconds('picker, have (16,384 pieces)', 4 * PIECES, () => {
    made = new Picker({ pieceCount: PIECES }, { random })
    for (let peer = 0; peer < 4; peer += 1) for (const piece of all) made.have(piece)
  })
  const bits = new Bitfield(PIECES)
  // Half of the pieces, so that the bits matter.
  for (const piece of all) if (piece % 2 === 0) bits.set(piece)
  let picked = 0
  const take = (options: { readonly isSeed: boolean }): void => {
    made = new Picker({ pieceCount: PIECES }, { random })
    for (const piece of all) if (piece % 3 !== 0) made.have(piece)
    made.addPeer(bits)
    for (let i = 0; i < PIECES / 2; i += 1) {
      const piece = made.pick(bits, options)
      if (piece < 0) return
      made.open(piece)
      picked += 1
    }
  }
  const peer = nanoseconds('picker, pick and open, a peer without the rarest', PIECES / 2, () =>
    take({ isSeed: false }),
  )
  const seed = nanoseconds('picker, pick and open, a seed', PIECES / 2, () => take({ isSeed: true }))
  if (picked === 0) throw new Error('the picker picked nothing')
  return [have, peer, seed]
}

export async function brain(): Promise<Line[]> {
  return [...parser(), ...(await slabCopy()), ...picker()]
}
