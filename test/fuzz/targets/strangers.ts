/** What nodes of the DHT send, what peers send of metadata, and links that people click. */
import assert from 'node:assert/strict'
import { decodeMetadata, encodeMetadataData, encodeMetadataRequest } from '../../../daemon/codec/metadata.js'
import { type Endpoint, MOST_PACKET, type NodeId, readKrpc } from '../../../daemon/codec/krpc.js'
import { writeError, writeQuestion, writeReply } from '../../../daemon/codec/krpc-writer.js'
import { isMagnet, LONGEST_MAGNET, MagnetError, parseMagnet } from '../../../shared/torrent/magnet.js'
import type { Target } from '../target.js'

const ID = 'abcdefghij0123456789' as NodeId
const AT = '\x01\x02\x03\x04\x1a\xe1' as Endpoint
const own = { transaction: 'aa', id: ID, version: 'TO01', ip: AT }

const krpc: Target = {
  name: 'krpc',
  seeds: [
    writeQuestion({
      ...own,
      readOnly: false,
      method: 'get_peers',
      target: ID,
      scrape: true,
      want: ['n4', 'n6'],
    }),
    writeQuestion({
      ...own,
      readOnly: true,
      method: 'announce_peer',
      target: ID,
      announce: { port: 6881, token: 'aoeusnth', seed: true },
    }),
    writeReply({ ...own, most: 1024, nodes: [{ id: ID, at: AT }], values: [AT, AT], token: 'token' }) ??
      Buffer.alloc(1),
    writeError({ ...own, code: 203, message: 'no' }),
    Buffer.from(`d1:rd2:id20:${ID}5:nodes${'26:' + 'n'.repeat(26)}7:samples20:${ID}3:numi-1e8:intervali1eee`),
    Buffer.from(`d1:t${'l'.repeat(700)}${'e'.repeat(700)}1:y1:qe`),
  ],
  check: (bytes) => {
    const said = readKrpc(bytes)
    if (said === null) return
    assert.ok(bytes.length <= MOST_PACKET && said.transaction.length <= 32)
    if (said.kind === 'query') {
      assert.ok(said.id.length === 20 && (said.target === null || said.target.length === 20))
      assert.ok(said.port === null || (said.port >= 0 && said.port < 65_536))
      assert.ok(said.token.length <= 64)
    }
    if (said.kind !== 'answer') return
    const contacts = [...said.nodes.map(({ at }) => at), ...(said.values ?? [])]
    assert.ok(contacts.length <= bytes.length / 6 && said.nodes.every(({ id }) => id.length === 20))
    assert.ok(contacts.every((at) => (at.length === 6 || at.length === 18) && !at.endsWith('\0\0')))
    assert.ok((said.token ?? '').length <= 64)
    assert.ok(said.samples?.hashes.every((hash) => hash.length === 20) ?? true)
  },
}

const metadata: Target = {
  name: 'metadata',
  seeds: [
    Buffer.from(encodeMetadataRequest(3)),
    Buffer.from(encodeMetadataData(0, 40_000, Buffer.alloc(16_384, 7))),
    Buffer.from('d8:msg_typei2e5:piecei9007199254740991ee'),
    Buffer.from('d8:msg_typei1e5:piecei-1e10:total_sizei-2147483648ee'),
  ],
  check: (bytes) => {
    const said = decodeMetadata(bytes)
    if (said === null) return
    assert.ok(Number.isSafeInteger(said.piece) && said.piece >= 0)
    if (said.kind !== 'data') return
    assert.ok(
      said.data.length < bytes.length && (said.total === undefined || Number.isSafeInteger(said.total)),
    )
  },
}

const HASH = '0123456789abcdef0123456789abcdef01234567'

const magnet: Target = {
  name: 'magnet',
  seeds: [
    Buffer.from(
      `magnet:?xt=urn:btih:${HASH}&dn=a%20b&tr=udp%3A%2F%2Ft.test%3A80&x.pe=10.0.0.1:6881&so=0,2-4`,
    ),
    Buffer.from(`magnet:?xt=urn:btih:${'a'.repeat(32)}&ws=http://s.test/&dht=10.0.0.1:1&x.select=%2A.mkv`),
    Buffer.from(
      `magnet:?xt.1=urn:btmh:1220${HASH.slice(0, 24)}${HASH}&xt.2=urn:btih:${HASH}&so=0-4294967295`,
    ),
    Buffer.from(`magnet:?xt=urn:btih:${HASH}${'&tr=http://t.test/%zz'.repeat(300)}`),
  ],
  check: (bytes) => {
    const text = bytes.toString()
    try {
      const { hashes, trackers, webSeeds, peers, nodes, only, choice } = parseMagnet(text)
      assert.ok(isMagnet(text.trim()) && text.trim().length <= LONGEST_MAGNET)
      assert.match(String(hashes.v1 ?? hashes.v2), /^([0-9a-f]{40}|[0-9a-f]{64})$/)
      for (const list of [trackers, webSeeds, peers, nodes, choice]) assert.ok(list.length <= 100)
      assert.ok(trackers.every((url) => /^(https?|udp):/i.test(url)))
      assert.ok(
        only.length <= 10_001 && only.every((file, at) => file > (only[at - 1] ?? -1) && file <= 10_000),
      )
    } catch (error) {
      if (!(error instanceof MagnetError)) throw error
    }
  },
}

export const strangerTargets: readonly Target[] = [krpc, metadata, magnet]
