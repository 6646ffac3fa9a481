import { describe, expect, it } from 'vitest'
import * as w from '../../daemon/codec/wire-writer.js'
import { WireParser } from '../../daemon/codec/wire.js'
import { WireLog } from '../support/wire-log.js'

function block(piece: number, begin: number, data: Buffer): Buffer {
  const buf = Buffer.alloc(w.PIECE_HEADER + data.length)
  w.writePieceHeader(buf, 0, piece, begin, data.length)
  data.copy(buf, w.PIECE_HEADER)
  return buf
}

function triple(write: typeof w.writeRequest, piece: number, begin: number, length: number): Buffer {
  const buf = Buffer.alloc(w.REQUEST_SIZE)
  write(buf, 0, piece, begin, length)
  return buf
}

/** [name, bytes, what is reported] for a torrent of 20 pieces. */
const MESSAGES: readonly (readonly [string, Buffer, readonly string[]])[] = [
  ['keep-alive', w.KEEP_ALIVE, ['keepAlive']],
  ['choke', w.CHOKE, ['choke']],
  ['unchoke', w.UNCHOKE, ['unchoke']],
  ['interested', w.INTERESTED, ['interested']],
  ['not interested', w.NOT_INTERESTED, ['notInterested']],
  ['have', w.encodeHave(0xfffffffe), ['have 4294967294']],
  ['haves', w.encodeHaves([1, 2]), ['have 1', 'have 2']],
  ['bitfield', w.encodeBitfield(Buffer.from('f0e1d0', 'hex')), ['bitfield f0e1d0']],
  ['request', triple(w.writeRequest, 3, 16384, 16384), ['request 3 16384 16384']],
  ['cancel', triple(w.writeCancel, 3, 16384, 16384), ['cancel 3 16384 16384']],
  ['reject', triple(w.writeReject, 3, 0, 5), ['reject 3 0 5']],
  ['piece', block(7, 16384, Buffer.from('abcd', 'hex')), ['pieceStart 7 16384 2', 'pieceEnd 7 16384 2 abcd']],
  ['port', w.encodePort(6881), ['port 6881']],
  ['suggest', Buffer.from('000000050d00000009', 'hex'), ['suggest 9']],
  ['have all', w.HAVE_ALL, ['haveAll']],
  ['have none', w.HAVE_NONE, ['haveNone']],
  ['allowed fast', w.encodeAllowedFast(11), ['allowedFast 11']],
  [
    'extended',
    w.encodeExtended(3, Buffer.from('hello')),
    [`extended 3 ${Buffer.from('hello').toString('hex')}`],
  ],
  ['extended, empty', w.encodeExtended(0, Buffer.alloc(0)), ['extended 0 ']],
  ['unknown', Buffer.from('000000052acafebabe', 'hex'), ['unknown 42']],
  ['unknown, empty', Buffer.from('0000000115', 'hex'), ['unknown 21']],
]
const ALL = Buffer.concat(MESSAGES.map(([, bytes]) => bytes))
const ALL_CALLS = MESSAGES.flatMap(([, , calls]) => calls)

function parse(
  chunks: readonly Buffer[],
  pieceCount: number | null = 20,
): { log: WireLog; fault: string | null } {
  const log = new WireLog()
  const parser = new WireParser({ pieceCount }, log)
  let fault: string | null = null
  for (const chunk of chunks) fault = parser.push(chunk)
  return { log, fault }
}

describe('WireParser', () => {
  it.each(MESSAGES)('reads %s', (_name, bytes, calls) => {
    const { log, fault } = parse([bytes])
    expect(fault).toBeNull()
    expect(log.calls).toEqual(calls)
  })

  it('reads every message in one chunk, byte by byte, and cut in two anywhere', () => {
    expect(parse([ALL]).log.calls).toEqual(ALL_CALLS)
    expect(parse([...ALL].map((byte) => Buffer.from([byte]))).log.calls).toEqual(ALL_CALLS)
    for (let cut = 0; cut <= ALL.length; cut += 1) {
      expect(parse([ALL.subarray(0, cut), ALL.subarray(cut)]).log.calls).toEqual(ALL_CALLS)
    }
  })

  const length = (n: number, id: number): Buffer => {
    const buf = Buffer.alloc(5)
    buf.writeUInt32BE(n, 0)
    buf[4] = id
    return buf
  }
  it.each([
    ['choke of 2', 2, 0, 'message-too-long'],
    ['have of 4', 4, 4, 'bad-length'],
    ['have of 6', 6, 4, 'message-too-long'],
    ['request of 14', 14, 6, 'message-too-long'],
    ['request of 12', 12, 6, 'bad-length'],
    ['piece without a block', 9, 7, 'bad-length'],
    ['piece of 128 KiB and a byte', 9 + 131_073, 7, 'message-too-long'],
    ['bitfield a byte short', 3, 5, 'bad-length'],
    ['bitfield a byte long', 5, 5, 'message-too-long'],
    ['port of 2', 2, 9, 'bad-length'],
    ['extended without an id', 1, 20, 'bad-length'],
    ['extended of 4 GB', 0xffffffff, 20, 'message-too-long'],
    ['unknown of 64 KiB and more', 65_538, 99, 'message-too-long'],
  ])('refuses %s as soon as the id is known', (_name, n, id, expected) => {
    const { log, fault } = parse([length(n, id)])
    expect(fault).toBe(expected)
    expect(log.calls).toEqual([])
    // The same where the header lies whole in the chunk.
    expect(parse([Buffer.concat([length(n, id), Buffer.alloc(40)])]).fault).toBe(expected)
  })

  it('stays faulty', () => {
    expect(parse([length(2, 0), w.CHOKE])).toMatchObject({ fault: 'message-too-long', log: { calls: [] } })
  })

  it('bounds a bitfield without a piece count, and takes the count when it comes', () => {
    expect(parse([length(1 + 262_145, 5)], null).fault).toBe('message-too-long')
    const log = new WireLog()
    const parser = new WireParser({ pieceCount: null }, log)
    expect(parser.push(w.encodeBitfield(Buffer.alloc(9)))).toBeNull()
    parser.setPieceCount(8)
    expect(parser.push(w.encodeBitfield(Buffer.alloc(9)))).toBe('message-too-long')
  })

  it('copies a block straight into the view it was given, chunk after chunk', () => {
    const target = Buffer.from(new SharedArrayBuffer(40_000))
    const log = new WireLog()
    log.take = (_piece, begin, size) => target.subarray(begin, begin + size)
    const data = Buffer.alloc(16_384, 7)
    const parser = new WireParser({ pieceCount: 20 }, log)
    const bytes = block(1, 100, data)
    for (let at = 0; at < bytes.length; at += 1000) parser.push(bytes.subarray(at, at + 1000))
    expect(target.subarray(100, 100 + 16_384).equals(data)).toBe(true)
    expect(target[99]).toBe(0)
    expect(target[100 + 16_384]).toBe(0)
  })

  it('drops a block that nobody takes, and the rest of one whose view was taken back', () => {
    const log = new WireLog()
    log.take = () => null
    const parser = new WireParser({ pieceCount: 20 }, log)
    parser.push(Buffer.concat([block(1, 0, Buffer.alloc(20_000)), w.CHOKE]))
    expect(log.calls).toEqual(['pieceStart 1 0 20000', 'pieceEnd 1 0 20000 dropped', 'choke'])

    const view = Buffer.alloc(100)
    log.take = () => view
    const bytes = block(2, 0, Buffer.alloc(100, 9))
    parser.push(bytes.subarray(0, 63))
    expect(parser.inBlock).toBe(true)
    parser.dropBlock()
    parser.push(bytes.subarray(63))
    expect(parser.inBlock).toBe(false)
    expect([...view].filter((byte) => byte === 9)).toHaveLength(50)
  })

  it('says nothing more once it was stopped, even inside the chunk', () => {
    const log = new WireLog()
    const parser = new WireParser({ pieceCount: 20 }, log)
    log.take = () => {
      parser.stop()
      return Buffer.alloc(2)
    }
    expect(parser.push(ALL)).toBeNull()
    expect(log.calls.at(-1)).toBe('pieceStart 7 16384 2')
    parser.push(ALL)
    expect(log.calls.at(-1)).toBe('pieceStart 7 16384 2')
  })

  it('takes memory by what has come, not by what is claimed', () => {
    const log = new WireLog()
    const parser = new WireParser({ pieceCount: 20 }, log)
    const before = process.memoryUsage().arrayBuffers
    const parsers = [parser]
    for (let i = 0; i < 200; i += 1) parsers.push(new WireParser({ pieceCount: 20 }, log))
    for (const each of parsers) each.push(Buffer.concat([length(1_000_000, 20), Buffer.alloc(20)]))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2_000_000)
    log.calls.length = 0
    const last = new WireParser({ pieceCount: 20 }, log)
    last.push(length(60_000, 20))
    const rest = Buffer.alloc(60_000, 1)
    for (let at = 0; at < rest.length; at += 7000)
      last.push(rest.subarray(at, Math.min(at + 7000, 59_999 + 1)))
    expect(log.calls).toHaveLength(1)
    expect(log.calls[0]).toHaveLength('extended 1 '.length + 2 * 59_998)
  })

  it('skips an extended message of more than 64 KiB, and reads on behind it', () => {
    const log = new WireLog()
    const parser = new WireParser({ pieceCount: 20 }, log)
    const long = Buffer.concat([length(1 + 65_537, 20), Buffer.alloc(65_537)])
    expect(parser.push(Buffer.concat([long.subarray(0, 1000)]))).toBeNull()
    expect(parser.push(Buffer.concat([long.subarray(1000), w.INTERESTED]))).toBeNull()
    expect(log.calls).toEqual(['unknown 20', 'interested'])
  })
})

describe('writers', () => {
  it('writes a batch of requests', () => {
    const buf = Buffer.alloc(40)
    const end = w.writeRequests(buf, 2, Uint32Array.of(1, 0, 16384, 1, 16384, 100), 2)
    expect(end).toBe(36)
    expect(parse([buf.subarray(2, end)]).log.calls).toEqual(['request 1 0 16384', 'request 1 16384 100'])
  })
})
