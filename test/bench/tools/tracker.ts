/**
 * A small HTTP tracker (BEP 3, compact answers of BEP 23): a fixed list of peers, and where asked for also those who
 * announced. Who asks never gets itself. Command line and output: test/bench/tools/README.md.
 */
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { positive, ready, run } from './program.js'
import { endpoint } from './sockets.js'
import { announceOf, answer, packPeer, parsePeer } from './announce.js'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string' },
      peer: { type: 'string', multiple: true },
      swarm: { type: 'boolean' },
      interval: { type: 'string' },
    },
  })
  if (values.listen === undefined) throw new Error('needs --listen IP:PORT')
  const at = endpoint(values.listen)
  const interval = positive('interval', values.interval, 1800)
  const fixed = (values.peer ?? []).map(parsePeer)
  /** Packed addresses of those who announced, by info hash. */
  const swarms = new Map<string, Set<string>>()
  const counts = { announces: 0, started: 0, completed: 0, stopped: 0 }

  const server = createServer((request, response) => {
    const announce = announceOf(request.url ?? '')
    // Behind a dual-stack socket an IPv4 address is written as ::ffff:10.77.0.2.
    const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    if (announce === null) {
      response.writeHead(404, { connection: 'close' }).end()
      return
    }
    const { infoHash, port, event } = announce
    const asker = packPeer({ address, port })
    counts.announces += 1
    if (event === 'started' || event === 'completed' || event === 'stopped') counts[event] += 1
    const peers = new Set<string>()
    for (const peer of fixed) if (peer.infoHash === null || peer.infoHash === infoHash) peers.add(peer.packed)
    if (values.swarm === true) {
      const swarm = swarms.get(infoHash) ?? new Set()
      swarms.set(infoHash, swarm)
      for (const peer of swarm) peers.add(peer)
      if (event === 'stopped') swarm.delete(asker)
      else swarm.add(asker)
    }
    peers.delete(asker)
    const body = event === 'stopped' ? answer([], interval) : answer([...peers], interval)
    response.writeHead(200, {
      'content-type': 'text/plain',
      'content-length': body.length,
      connection: 'close',
    })
    response.end(body)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: at.address, port: at.port }, resolve)
  })
  const bound = server.address()
  const port = bound !== null && typeof bound === 'object' ? bound.port : at.port
  ready({ url: `http://${at.address}:${port}/announce` }, () => counts)
}

run(main)
