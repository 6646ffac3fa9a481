/**
 * Whoever might hear of a torrent, at one address: its tracker and a strange one, a node of the DHT, a listener of local
 * discovery that also speaks there, and peers that each of them names. Started by private.interop.test.ts on a host of
 * the lab; a line of JSON for whatever is heard.
 */
import dgram from 'node:dgram'
import { createServer as createHttp } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { readKrpc } from '../../daemon/codec/krpc.js'
import { writeReply } from '../../daemon/codec/krpc-writer.js'
import { LSD_GROUPS, LSD_PORT, writeLsd } from '../../daemon/codec/lsd.js'
import { endpointOf, idFrom } from '../../daemon/dht/id.js'
import { encode } from '../../shared/torrent/bencode.js'
import type { SwarmKey } from '../../shared/units.js'
import { DECOY, type Heard } from './decoy-places.js'

const [address = '', ...hashes] = process.argv.slice(2)

/** `bytes` may name a hash raw, as hex or in percent signs. */
function tell(where: Heard['where'], bytes: Buffer, more: Partial<Heard> = {}): void {
  const hex = bytes.toString('hex')
  const text = bytes.toString('latin1')
  const plain = text.replace(/%([0-9a-f]{2})/gi, (_, pair: string) => String.fromCharCode(parseInt(pair, 16)))
  const unescaped = Buffer.from(plain, 'latin1').toString('hex')
  for (const hash of hashes) {
    if (!hex.includes(hash) && !text.toLowerCase().includes(hash) && !unescaped.includes(hash)) continue
    process.stdout.write(`${JSON.stringify({ where, hash, ...more })}\n`)
  }
}

const compact = (port: number): Buffer =>
  Buffer.from([...address.split('.').map(Number), port >> 8, port & 255])

for (const [where, peer] of [
  ['tracker', DECOY.trackerPeer],
  ['stranger', DECOY.strangerPeer],
] as const) {
  const server = createHttp((request, response) => {
    tell(where, Buffer.from(request.url ?? '', 'latin1'))
    response.end(Buffer.from(encode({ interval: 1800, peers: compact(peer) })))
  })
  server.listen(DECOY[where], address)
}

const node = dgram.createSocket('udp4')
node.on('message', (packet, { address: host, port }) => {
  tell('dht', packet)
  const message = readKrpc(packet)
  if (message?.kind !== 'query') return
  const ip = endpointOf({ host, port, family: 4 })
  const said = { transaction: message.transaction, version: '', ip, most: 1024, nodes: [] }
  const peer = endpointOf({ host: address, port: DECOY.dhtPeer, family: 4 })
  const found = message.method === 'get_peers' ? { token: 'token', values: [peer] } : {}
  const reply = writeReply({ ...said, id: idFrom(Buffer.alloc(20, 7)), ...found })
  if (reply !== null) node.send(reply, port, host)
})
node.bind(DECOY.dht, address)

const lan = dgram.createSocket({ type: 'udp4', reuseAddr: true })
lan.on('message', (packet, { address: host }) => {
  if (host !== address) tell('lsd', packet)
})
lan.bind(LSD_PORT, () => {
  lan.addMembership(LSD_GROUPS[4], address)
  lan.setMulticastInterface(address)
  const keys = hashes as SwarmKey[]
  const packet = writeLsd(4, { port: DECOY.lsdPeer, keys, cookie: 'decoy' })
  setInterval(() => {
    lan.send(packet, LSD_PORT, LSD_GROUPS[4])
  }, 300)
})

/** A handshake with the extension bit, then our extension handshake and a PEX message. */
function greet(socket: Socket, hash: Buffer): void {
  const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 0])
  const head = Buffer.concat([
    Buffer.from('\x13BitTorrent protocol', 'latin1'),
    reserved,
    hash,
    Buffer.alloc(20, 65),
  ])
  const extended = (id: number, body: object): Buffer => {
    const payload = encode(body as Parameters<typeof encode>[0])
    const message = Buffer.alloc(6)
    message.writeUInt32BE(payload.length + 2)
    message.set([20, id], 4)
    return Buffer.concat([message, payload])
  }
  const pex = { added: compact(DECOY.pexPeer), 'added.f': Buffer.from([0]) }
  socket.write(Buffer.concat([head, extended(0, { m: { ut_pex: 1 }, p: 6881 })]))
  // Under every id that its own handshake may have given it.
  for (const id of [1, 2, 3]) socket.write(extended(id, pex))
}

/** The extension handshake among whole messages, or null where it has not come. */
function introduction(messages: Buffer): Buffer | null {
  for (let at = 0; at + 4 <= messages.length; at += 4 + messages.readUInt32BE(at)) {
    const message = messages.subarray(at + 4, at + 4 + messages.readUInt32BE(at))
    if (message[0] === 20 && message[1] === 0) return message.subarray(2)
  }
  return null
}

for (const port of [DECOY.trackerPeer, DECOY.strangerPeer, DECOY.dhtPeer, DECOY.lsdPeer, DECOY.pexPeer]) {
  const server = createServer((socket) => {
    let bytes = Buffer.alloc(0)
    let greeted = false
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      if (bytes.length < 68) return
      const hash = bytes.subarray(28, 48)
      if (!greeted) {
        greet(socket, hash)
        tell('peer', hash, { port, dht: ((bytes[27] ?? 0) & 1) === 1 })
      }
      greeted = true
      const text = introduction(bytes.subarray(68))?.toString('latin1')
      if (text?.endsWith('e') === true) tell('extensions', hash, { port, text })
    })
  })
  server.listen(port, address)
}
