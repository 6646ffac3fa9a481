import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { announceOf, answer, packPeer, parsePeer } from '../bench/tools/announce.js'
import { Bucket } from '../bench/tools/bucket.js'
import { RequestQueue } from '../bench/tools/frames.js'
import { Histogram } from '../bench/tools/histogram.js'
import { readMetainfo } from '../bench/tools/metainfo.js'
import {
  extensionHandshake,
  Framer,
  fullBitfield,
  handshake,
  mayBeHandshake,
  message,
  putPieceHeader,
  reqqOf,
} from '../bench/tools/wire.js'

describe('framer of the load generators', () => {
  function record(): { readonly framer: Framer; readonly seen: string[] } {
    const seen: string[] = []
    let block = ''
    const framer = new Framer({
      message: (id, bytes, from, to) => seen.push(`${id}:${bytes.toString('hex', from, to)}`),
      block: (piece, begin, length) => (block = `${piece}+${begin}(${length})=`),
      data: (bytes, from, to) => (block += bytes.toString('hex', from, to)),
      blockEnd: () => seen.push(block),
    })
    return { framer, seen }
  }
  const block = Buffer.from('00'.repeat(13) + 'a1a2a3a4a5', 'hex')
  putPieceHeader(block, 0, 7, 16_384, 5)
  const stream = Buffer.concat([
    message(1),
    Buffer.alloc(4),
    block,
    message(4, Buffer.from('00000009', 'hex')),
    message(20, Buffer.alloc(100, 0xee)),
    block,
  ])
  const whole = [
    '1:',
    '7+16384(5)=a1a2a3a4a5',
    '4:00000009',
    `20:${'ee'.repeat(100)}`,
    '7+16384(5)=a1a2a3a4a5',
  ]

  it('gives the same messages however the stream is cut', () => {
    for (let step = 1; step <= stream.length; step += 1) {
      const { framer, seen } = record()
      for (let at = 0; at < stream.length; at += step) {
        framer.push(stream, at, Math.min(at + step, stream.length))
      }
      expect(seen, `cut every ${step} bytes`).toEqual(whole)
    }
  })

  it('refuses a message longer than any that makes sense', () => {
    const { framer } = record()
    expect(() => {
      framer.push(Buffer.from('7fffffff14', 'hex'), 0, 5)
    }).toThrow(/2147483647/)
  })
})

describe('greetings of the load generators', () => {
  it('knows a plaintext handshake by its beginning', () => {
    const bytes = handshake(Buffer.alloc(20, 1), Buffer.alloc(20, 2), { fast: true, extension: true })
    expect(bytes.toString('hex', 20, 28)).toBe('0000000000100004')
    for (const length of [1, 5, 20, 68]) expect(mayBeHandshake(bytes, length)).toBe(true)
    expect(mayBeHandshake(Buffer.from('19encrypted'), 1)).toBe(false)
    expect(mayBeHandshake(Buffer.from('\x13Bitcoin', 'latin1'), 4)).toBe(true)
    expect(mayBeHandshake(Buffer.from('\x13Bitcoin', 'latin1'), 5)).toBe(false)
  })

  it('leaves the spare bits of a bitfield empty', () => {
    expect(fullBitfield(10).toString('hex')).toBe('0000000305ffc0')
    expect(fullBitfield(16).toString('hex')).toBe('0000000305ffff')
  })

  it('reads back the reqq it says', () => {
    const said = extensionHandshake('a client', 2000)
    expect(reqqOf(said, 5, said.length)).toBe(2000)
    expect(reqqOf(Buffer.from('\x01de'), 0, 3)).toBeNull()
  })
})

describe('token bucket', () => {
  const RATE = 1_000_000

  /** What passes in a second of demand for 10,000 bytes at a time, with a timer every `step` ms. */
  function passed(bucket: Bucket, step: number, from: number): number {
    let sum = 0
    for (let now = from; now <= from + 1000; now += step) while (bucket.take(10_000, now)) sum += 10_000
    return sum
  }

  it('lets the rate pass, however late its timer is', () => {
    for (const step of [1, 7, 50, 199]) {
      const sum = passed(new Bucket(RATE, 10_000, 0), step, 0)
      expect(sum, `timer every ${step} ms`).toBeLessThanOrEqual(RATE)
      expect(sum, `timer every ${step} ms`).toBeGreaterThanOrEqual((RATE * (1000 - step)) / 1000 - 10_000)
    }
  })

  it('saves nothing in idle time', () => {
    const bucket = new Bucket(RATE, 10_000, 0)
    bucket.wake(60_000)
    expect(passed(bucket, 1, 60_000)).toBeLessThanOrEqual(RATE + 10_000)
  })

  it('says how long to wait', () => {
    const bucket = new Bucket(RATE, 10_000, 0)
    expect(bucket.take(10_000, 0)).toBe(false)
    expect(bucket.wait(10_000)).toBe(10)
    expect(bucket.take(10_000, 10)).toBe(true)
  })

  it('lets something larger than it holds pass, and makes up for it after', () => {
    const bucket = new Bucket(20_000, 16_384, 0)
    expect(bucket.take(131_072, 10_000)).toBe(true)
    expect(bucket.take(16_384, 10_000)).toBe(false)
    expect(bucket.wait(16_384)).toBeCloseTo((131_072 / 20_000) * 1000, 3)
  })
})

describe('request queue', () => {
  it('keeps the order over its edge and when it grows', () => {
    const queue = new RequestQueue()
    let pushed = 0
    let dropped = 0
    for (let round = 0; round < 50; round += 1) {
      for (let i = 0; i < 100; i += 1) queue.push((pushed += 1), pushed * 2, pushed * 3)
      queue.drop(10)
      dropped += 10
    }
    expect(queue.count).toBe(pushed - dropped)
    expect(queue.capacity).toBe(8192)
    for (let i = 0; i < queue.count; i += 1) {
      const number = dropped + 1 + i
      expect([queue.piece(i), queue.begin(i), queue.length(i)]).toEqual([number, number * 2, number * 3])
    }
  })

  it('takes one out of the middle', () => {
    const queue = new RequestQueue()
    for (const piece of [1, 2, 3, 4]) queue.push(piece, 0, 16_384)
    expect(queue.remove(3, 0, 16_384)).toBe(true)
    expect(queue.remove(3, 0, 16_384)).toBe(false)
    expect(Array.from({ length: queue.count }, (_, i) => queue.piece(i))).toEqual([1, 2, 4])
  })
})

describe('histogram', () => {
  it('finds quantiles within five per cent', () => {
    const times = new Histogram()
    expect(times.quantile(0.5)).toBeNull()
    for (let i = 1; i <= 1000; i += 1) times.add(i / 10)
    expect(times.max).toBe(100)
    for (const share of [0.5, 0.99, 1]) {
      const exact = share * 100
      expect(times.quantile(share) ?? 0).toBeGreaterThanOrEqual(exact)
      expect(times.quantile(share) ?? 0).toBeLessThan(exact * 1.05)
    }
  })
})

describe('announces', () => {
  const target = `/announce?info_hash=${'%aB'.repeat(10)}0123456789&peer_id=x&port=6889&event=started&compact=1`

  it('reads what a client asks', () => {
    const infoHash = 'ab'.repeat(10) + '30313233343536373839'
    expect(announceOf(target)).toEqual({ infoHash, port: 6889, event: 'started' })
    expect(announceOf(target.replace('/announce', '/scrape'))).toBeNull()
    expect(announceOf('/announce?info_hash=short&port=1')).toBeNull()
  })

  it('answers six bytes a peer', () => {
    const hash = 'AB'.repeat(20)
    expect(parsePeer(`${hash}@10.77.0.9:6881`)).toEqual({
      infoHash: hash.toLowerCase(),
      packed: '\x0a\x4d\x00\x09\x1a\xe1',
    })
    const peers = [packPeer({ address: '10.77.0.9', port: 6881 }), packPeer({ address: '1.2.3.4', port: 5 })]
    expect(answer(peers, 1800).toString('hex')).toBe(
      Buffer.from('d8:intervali1800e5:peers12:').toString('hex') + '0a4d00091ae1' + '010203040005' + '65',
    )
  })
})

describe('metainfo of the load generators', () => {
  it('gives files their places and pads no file', () => {
    const info =
      'd5:filesld6:lengthi5e4:pathl1:a1:beed4:attr1:p6:lengthi3e4:pathl4:.pad1:3eed6:lengthi2e4:pathl1:ceee' +
      `4:name1:t12:piece lengthi4e6:pieces60:${'x'.repeat(60)}e`
    const meta = readMetainfo(Buffer.from(`d8:announce3:url4:info${info}e`))
    expect(meta.files).toEqual([
      { path: 't/a/b', length: 5, offset: 0, pad: false },
      { path: 't/.pad/3', length: 3, offset: 5, pad: true },
      { path: 't/c', length: 2, offset: 8, pad: false },
    ])
    expect([meta.pieceLength, meta.pieceCount, meta.totalBytes]).toEqual([4, 3, 10])
    expect(meta.infoHash).toEqual(createHash('sha1').update(info).digest())
  })

  it('refuses what ends too early', () => {
    expect(() => readMetainfo(Buffer.from('d4:infod4:name'))).toThrow()
  })
})
