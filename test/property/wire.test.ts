import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WireParser } from '../../daemon/codec/wire.js'
import * as w from '../../daemon/codec/wire-writer.js'
import { WireLog } from '../support/wire-log.js'

const PIECES = 20
const u32 = fc.nat({ max: 0xffffffff })
const bytes = (most: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength: most }).map((array) => Buffer.from(array))

const block = fc
  .tuple(u32, u32, fc.uint8Array({ minLength: 1, maxLength: 300 }))
  .map(([piece, begin, data]) => {
    const buf = Buffer.alloc(w.PIECE_HEADER + data.length)
    w.writePieceHeader(buf, 0, piece, begin, data.length)
    buf.set(data, w.PIECE_HEADER)
    return buf
  })
const triple = fc.tuple(fc.constantFrom(w.writeRequest, w.writeCancel, w.writeReject), u32, u32, u32)
const message: fc.Arbitrary<Buffer> = fc.oneof(
  fc.constantFrom(w.KEEP_ALIVE, w.CHOKE, w.UNCHOKE, w.INTERESTED, w.NOT_INTERESTED, w.HAVE_ALL, w.HAVE_NONE),
  u32.map((piece) => w.encodeHave(piece)),
  triple.map(([write, a, b, c]) => {
    const buf = Buffer.alloc(w.REQUEST_SIZE)
    write(buf, 0, a, b, c)
    return buf
  }),
  fc.uint8Array({ minLength: 3, maxLength: 3 }).map((bits) => w.encodeBitfield(bits)),
  fc.tuple(fc.nat({ max: 255 }), bytes(2000)).map(([id, payload]) => w.encodeExtended(id, payload)),
  block,
  fc.tuple(fc.integer({ min: 21, max: 255 }), bytes(100)).map(([id, payload]) => {
    const buf = Buffer.alloc(5)
    buf.writeUInt32BE(1 + payload.length)
    buf[4] = id
    return Buffer.concat([buf, payload])
  }),
)

function run(stream: Buffer, cuts: readonly number[]): { calls: string[]; fault: string | null } {
  const log = new WireLog()
  const parser = new WireParser({ pieceCount: PIECES }, log)
  let fault: string | null = null
  let at = 0
  for (const cut of [...cuts, stream.length]) {
    const end = Math.min(stream.length, at + cut)
    // A copy that is overwritten afterwards: a view that was kept would show.
    const chunk = Buffer.from(stream.subarray(at, end))
    fault = parser.push(chunk)
    chunk.fill(0xee)
    at = end
  }
  return { calls: log.calls, fault }
}

describe('WireParser, whatever the chunks', () => {
  it('reports the same calls for messages', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), fc.array(fc.nat({ max: 60 })), (messages, cuts) => {
        const stream = Buffer.concat(messages)
        const whole = run(stream, [])
        expect(whole.fault).toBeNull()
        expect(run(stream, cuts)).toEqual(whole)
        expect(
          run(
            stream,
            Array.from(stream, () => 1),
          ),
        ).toEqual(whole)
      }),
      { numRuns: 300 },
    )
  })

  it('reports the same calls and fault for any bytes, and never throws', () => {
    const mutated = fc
      .tuple(
        fc.array(message, { maxLength: 6 }),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }),
      )
      .map(([messages, changes]) => {
        const stream = Buffer.concat(messages)
        for (const [at, value] of changes) if (stream.length > 0) stream[at % stream.length] = value
        return stream
      })
    fc.assert(
      fc.property(fc.oneof(bytes(400), mutated), fc.array(fc.nat({ max: 40 })), (stream, cuts) => {
        expect(run(stream, cuts)).toEqual(run(stream, []))
      }),
      { numRuns: 1000 },
    )
  })
})
