/** What peers send. */
import assert from 'node:assert/strict'
import { formatAddress, inScope, parseAddress, readCompact, toCompact } from '../../../daemon/base/address.js'
import { decodeExtensionHandshake, encodeExtensionHandshake } from '../../../daemon/codec/extension.js'
import { handshakeBytes, HandshakeParser } from '../../../daemon/codec/handshake.js'
import { decodePex, encodePex, MOST_CONTACTS } from '../../../daemon/codec/pex.js'
import { clientName } from '../../../daemon/codec/peer-id.js'
import { WireParser } from '../../../daemon/codec/wire.js'
import * as w from '../../../daemon/codec/wire-writer.js'
import { encode } from '../../../shared/torrent/bencode.js'
import type { SwarmKey } from '../../../shared/units.js'
import * as raw from '../../support/raw-peer.js'
import { WireLog } from '../../support/wire-log.js'
import { bencoded } from '../seeds.js'
import { chunksOf, type Target } from '../target.js'

const PIECES = 20

interface Heard {
  readonly calls: readonly string[]
  readonly fault: string | null
}

function hear(chunks: readonly Buffer[], pieceCount: number | null): Heard {
  const log = new WireLog()
  const parser = new WireParser({ pieceCount }, log)
  let fault: string | null = null
  for (const chunk of chunks) {
    fault = parser.push(chunk)
    // A view that was kept would show.
    chunk.fill(0xee)
  }
  return { calls: log.calls, fault }
}

const extension = encodeExtensionHandshake({
  messages: { ut_pex: 1, ut_metadata: 2 },
  version: 'Torrentino 1',
  reqq: 500,
  port: 6881,
  yourIp: Uint8Array.of(127, 0, 0, 1),
  metadataSize: 30_000,
  uploadOnly: true,
})

const wire: Target = {
  name: 'wire',
  seeds: [
    Buffer.concat([w.KEEP_ALIVE, w.INTERESTED, w.encodeBitfield(new Uint8Array(3)), raw.have(3), w.UNCHOKE]),
    Buffer.concat([raw.request(1, 0, 16_384), raw.cancel(1, 0, 16_384), raw.message(16, Buffer.alloc(12))]),
    raw.message(7, raw.int(1), raw.int(0), Buffer.alloc(300, 1)),
    Buffer.concat([
      w.HAVE_ALL,
      w.encodeExtended(0, Buffer.from(extension)),
      raw.message(99, Buffer.alloc(9)),
    ]),
    raw.message(20, Buffer.alloc(70_000)),
  ],
  check: (bytes, cuts) => {
    for (const pieceCount of [PIECES, null]) {
      const whole = hear([Buffer.from(bytes)], pieceCount)
      assert.deepEqual(hear(chunksOf(bytes, cuts), pieceCount), whole)
      // Four bytes is the shortest message, a block is told of twice.
      assert.ok(whole.calls.length <= bytes.length / 2 + 1)
    }
  },
}

const KEY = '00112233445566778899aabbccddeeff00112233' as SwarmKey

const handshake: Target = {
  name: 'handshake',
  seeds: [handshakeBytes(KEY, Buffer.from('-TR3000-abcdefghijkl')), Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  check: (bytes, cuts) => {
    const whole = new HandshakeParser()
    const taken = whole.push(bytes)
    const parts = new HandshakeParser()
    for (const chunk of chunksOf(bytes, cuts)) assert.ok(parts.push(chunk) <= chunk.length)
    assert.ok(taken <= 68)
    assert.deepEqual(
      [parts.fault, parts.key, parts.features, parts.peerId],
      [whole.fault, whole.key, whole.features, whole.peerId],
    )
    assert.ok(whole.key === null || /^[0-9a-f]{40}$/.test(whole.key))
    if (whole.peerId !== null) assert.match(clientName(whole.peerId), /^[ -~\u00b5]{0,40}$/)
  },
}

const extended: Target = {
  name: 'extension handshake',
  seeds: [
    extension,
    encode({ m: { ut_pex: -1, a: 300, b: 'x' }, metadata_size: 2 ** 31, reqq: -5, p: 70_000 }),
    ...bencoded,
  ],
  check: (bytes) => {
    const heard = decodeExtensionHandshake(bytes)
    if (heard === null) return
    assert.ok(heard.messages.size <= 64)
    for (const [name, id] of heard.messages) assert.ok(name.length <= 64 && id >= 0 && id <= 255)
    assert.ok((heard.version ?? '').length <= 64)
    const within = (value: number | undefined, most: number): boolean =>
      value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= most)
    assert.ok(within(heard.reqq, 100_000) && within(heard.port, 65_535))
    assert.ok(within(heard.metadataSize, 64 * 1024 * 1024))
  },
}

const compact: Target = {
  name: 'compact peers',
  seeds: [
    Buffer.from([127, 0, 0, 1, 26, 225, 10, 0, 0, 1, 0, 80, 255, 255, 255, 255, 255, 255]),
    Buffer.from('20010db8000000000000000000000001'.concat('1ae1'), 'hex'),
    Buffer.from('00000000000000000000ffff7f0000011ae1', 'hex'),
    Buffer.from('[::1]:80 1.2.3.4:5 [::ffff:1.2.3.4]:5 [fe80::1%lo]:1'),
  ],
  check: (bytes) => {
    for (const stride of [6, 18] as const) {
      const peers = readCompact(bytes, stride)
      assert.equal(peers.length, Math.floor(bytes.length / stride))
      for (const peer of peers.slice(0, 500)) {
        assert.deepEqual(parseAddress(formatAddress(peer)), peer)
        assert.deepEqual(readCompact(toCompact(peer), peer.family === 4 ? 6 : 18), [peer])
        assert.ok(!inScope(peer, 'loopback') || inScope(peer, 'internet'))
      }
    }
    for (const word of bytes.toString('latin1').split(' ').slice(0, 500)) {
      const address = parseAddress(word)
      if (address !== null) assert.deepEqual(parseAddress(formatAddress(address)), address)
    }
  },
}

const pexSeed = encodePex({
  added: readCompact(Buffer.from('0102030400500a0000011ae17f0000011ae1', 'hex'), 6).map((address) => ({
    address,
    flags: 0x12,
  })),
  dropped: readCompact(Buffer.from('20010db80000000000000000000000011ae1', 'hex'), 18),
})

const pex: Target = {
  name: 'peer exchange',
  seeds: [
    pexSeed,
    encode({
      added: Buffer.alloc(700, 9),
      'added.f': 'x',
      added6: Buffer.alloc(2000, 32),
      dropped: [],
      dropped6: 5,
    }),
    encode({ added: Buffer.alloc(5), dropped: Buffer.alloc(6 * 51, 1) }),
    ...bencoded,
  ],
  check: (bytes) => {
    const heard = decodePex(bytes)
    if (heard === null) return
    assert.ok(heard.added.length <= 2 * MOST_CONTACTS && heard.dropped.length <= 2 * MOST_CONTACTS)
    assert.ok(heard.added.every(({ flags }) => flags >= 0 && flags <= 255))
    const four = heard.added.filter(({ address }) => address.family === 4).slice(0, MOST_CONTACTS)
    const six = heard.added.filter(({ address }) => address.family === 6)
    const message = { added: [...four, ...six], dropped: [] }
    assert.deepEqual(decodePex(encodePex(message)), message)
  },
}

export const wireTargets: readonly Target[] = [wire, handshake, extended, compact, pex]
