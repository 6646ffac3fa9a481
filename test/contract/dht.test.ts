/** Our node of the DHT and another implementation of it (npm bittorrent-dht), over real sockets of the loopback interface. */
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'bittorrent-dht'
import { afterEach, expect, it } from 'vitest'
import type { SwarmKey } from '../../shared/units.js'
import type { Endpoint } from '../../daemon/codec/krpc.js'
import { Dht } from '../../daemon/dht/dht.js'
import { addressOf, endpointOf, idFrom, idOfKey } from '../../daemon/dht/id.js'
import { systemClock } from '../../daemon/io/clock.js'
import { createDhtNetwork } from '../../daemon/io/dht-socket.js'
import { systemRandom } from '../../daemon/io/random.js'
import { Resolver } from '../../daemon/io/resolver.js'

const HOST = '127.0.0.1'
const HASH = '0123456789abcdef0123456789abcdef01234567'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function startOurs(doors: readonly number[] = []): Promise<{ dht: Dht; port: number }> {
  const clock = systemClock()
  const network = createDhtNetwork(
    { scope: 'loopback', localHosts: [HOST] },
    { resolver: new Resolver({}, { clock }) },
  )
  const sockets = await network.open(0, (packet, from) => {
    dht.receive(packet, endpointOf(from))
  })
  const dht = new Dht(
    { version: 'TO00', families: [4] },
    {
      clock,
      random: systemRandom(),
      send: (packet, to) => {
        sockets.send(packet, addressOf(to))
      },
    },
  )
  dht.start()
  dht.setDoors(doors.map((port) => endpointOf({ host: HOST, port, family: 4 })))
  closers.push(() => {
    dht.stop()
    sockets.close()
  })
  return { dht, port: sockets.port }
}

async function startTheirs(doors: readonly number[] = []): Promise<{ node: Client; port: number }> {
  const bootstrap = doors.map((port) => `${HOST}:${String(port)}`)
  const node = new Client({ bootstrap: bootstrap.length === 0 ? false : bootstrap, host: HOST })
  closers.push(() => {
    node.destroy()
  })
  const ready = new Promise<void>((resolve) => node.once('ready', () => resolve()))
  await new Promise<void>((resolve) => {
    node.listen(0, HOST, resolve)
  })
  await ready
  return { node, port: node.address().port }
}

async function until(what: string, is: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    if (is()) return
    await delay(20)
  }
  throw new Error(`not within 20 s: ${what}`)
}

const goodNodes = (dht: Dht): number => dht.status.families[0]?.good ?? 0

function lookup(dht: Dht, announce?: { port: number; seed: boolean }): Promise<string[]> {
  return new Promise((resolve) => {
    const found: Endpoint[] = []
    const done = { peers: (peers: readonly Endpoint[]) => void found.push(...peers), done: () => finish() }
    const finish = (): void => {
      resolve(found.map((at) => `${addressOf(at).host}:${String(addressOf(at).port)}`))
    }
    dht.peersOf(idOfKey(HASH as SwarmKey), done, announce === undefined ? {} : { announce })
  })
}

function theirLookup(node: Client): Promise<string[]> {
  const found: string[] = []
  node.on('peer', (peer: { host: string; port: number }) => {
    found.push(`${peer.host}:${String(peer.port)}`)
  })
  return new Promise((resolve, reject) => {
    node.lookup(HASH, (error) => {
      if (error === null) resolve(found)
      else reject(error)
    })
  })
}

it('find_node: we find through it a node that only it knows', async () => {
  const hub = await startTheirs()
  const far = await startTheirs([hub.port])
  const { dht } = await startOurs([hub.port])
  await until('both are in our table', () => goodNodes(dht) >= 2)
  const target = idFrom(far.node.nodeId)
  const { nearest } = await new Promise<Parameters<Parameters<Dht['nodesNear']>[2]>[0]>((resolve) => {
    dht.nodesNear(target, 4, resolve)
  })
  expect(nearest[0]?.id).toBe(target)
})

it('find_node: it finds through us a node that only we know', async () => {
  const near = await startTheirs()
  const { dht, port } = await startOurs([near.port])
  await until('the first is in our table', () => goodNodes(dht) >= 1)
  const late = await startTheirs([port])
  const known = (): boolean => late.node.toJSON().nodes.some((each) => each.port === near.port)
  await until('the second knows the first', known)
  expect(dht.counts.answered).toBeGreaterThan(0)
})

it('announce_peer and get_peers: what it announced to us it, another one and we find again', async () => {
  const { dht, port } = await startOurs()
  const { node } = await startTheirs([port])
  await new Promise<void>((resolve, reject) => {
    node.announce(HASH, 7001, (error) => {
      if (error instanceof Error) reject(error)
      else resolve()
    })
  })
  expect(dht.status.families[0]?.hashes).toBe(1)
  const other = await startTheirs([port])
  expect(await theirLookup(other.node)).toContain(`${HOST}:7001`)
  expect(await lookup(dht)).toContain(`${HOST}:7001`)
})

it('announce_peer and get_peers: what we announced to it is found by others of its kind, and by us', async () => {
  const hub = await startTheirs()
  const ours = await startOurs([hub.port])
  await until('it is in our table', () => goodNodes(ours.dht) >= 1)
  await lookup(ours.dht, { port: 7002, seed: false })
  const other = await startTheirs([hub.port])
  expect(await theirLookup(other.node)).toContain(`${HOST}:7002`)
  const again = await startOurs([hub.port])
  await until('it is in the table of our second', () => goodNodes(again.dht) >= 1)
  expect(await lookup(again.dht)).toContain(`${HOST}:7002`)
})
