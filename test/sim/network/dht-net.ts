/** Many nodes of the DHT in one process and in virtual time: each is the daemon's own brain. */
import type { Contact, Endpoint, NodeId } from '../../../daemon/codec/krpc.js'
import { readKrpc } from '../../../daemon/codec/krpc.js'
import { writeReply } from '../../../daemon/codec/krpc-writer.js'
import { Dht } from '../../../daemon/dht/dht.js'
import { compareDistance, hostOf, idForHost, isNear } from '../../../daemon/dht/id.js'
import type { LookupResult } from '../../../daemon/dht/lookup.js'
import type { Millis } from '../../../shared/units.js'
import { FakeRandom } from '../../support/fake-random.js'
import { SimClock } from './sim-clock.js'

export interface NetInit {
  readonly seed: number
  /** One way, lowest and highest. */
  readonly latency?: readonly [Millis, Millis]
}

interface Member {
  readonly contact: Contact
  receive(packet: Buffer, from: Endpoint): void
}

export interface HonestNode extends Member {
  readonly dht: Dht
}

/** What a liar answers: nodes that it makes up or that are in league with it. */
export type Lie = (target: NodeId, random: FakeRandom) => Contact[]

export class DhtNet {
  readonly clock = new SimClock()
  readonly random: FakeRandom
  readonly honest: HonestNode[] = []
  /** Packets that were sent, and their bytes. */
  packets = 0
  bytes = 0
  readonly #latency: readonly [Millis, Millis]
  readonly #members = new Map<Endpoint, Member>()

  constructor(init: NetInit) {
    this.random = new FakeRandom(init.seed)
    this.#latency = init.latency ?? [10, 90]
  }

  /** An address on the internet that nobody has. */
  freshEndpoint(prefix: readonly number[] = []): Endpoint {
    for (;;) {
      const bytes = this.random.bytes(6)
      prefix.forEach((byte, at) => (bytes[at] = byte))
      const endpoint = Buffer.from(bytes).toString('latin1') as Endpoint
      const first = bytes[0] ?? 0
      const usable = first > 0 && first < 224 && first !== 127 && !isNear(endpoint) && (bytes[5] ?? 0) > 0
      if (usable && !this.#members.has(endpoint)) return endpoint
    }
  }

  /** A node that is not started. Its doors are given by who starts it. */
  add(mostSources = 128): HonestNode {
    const at = this.freshEndpoint()
    const id = idForHost(hostOf(at), this.random.int(256), this.random)
    const random = new FakeRandom(this.random.int(2 ** 31))
    const dht = new Dht(
      { version: 'TO01', families: [4], saved: [{ family: 4, id, nodes: [] }], mostSources },
      { clock: this.clock, random, send: (packet, to) => this.send(packet, at, to) },
    )
    const node: HonestNode = {
      contact: { id, at },
      dht,
      receive: (packet, from) => dht.receive(packet, from),
    }
    this.#members.set(at, node)
    this.honest.push(node)
    return node
  }

  /** Answers every question under the id by which it is asked for, with what `lie` says. */
  addLiar(lie: Lie, init: { readonly at?: Endpoint; readonly id?: NodeId } = {}): Contact {
    const at = init.at ?? this.freshEndpoint()
    const contact = { id: init.id ?? idForHost(hostOf(at), this.random.int(256), this.random), at }
    this.#members.set(at, {
      contact,
      receive: (packet, from) => {
        const query = readKrpc(packet)
        if (query?.kind !== 'query') return
        const nodes = lie(query.target ?? contact.id, this.random)
        const { transaction } = query
        const said = { transaction, id: contact.id, version: 'LI01', ip: from, most: 1024 }
        const reply = writeReply({ ...said, token: 'lies', nodes })
        if (reply !== null) this.send(reply, at, from)
      },
    })
    return contact
  }

  /** It is gone without a word. */
  kill(node: HonestNode): void {
    node.dht.stop()
    this.#members.delete(node.contact.at)
    this.honest.splice(this.honest.indexOf(node), 1)
  }

  send(packet: Buffer, from: Endpoint, to: Endpoint): void {
    this.packets++
    this.bytes += packet.length
    const [least, most] = this.#latency
    const delay = least + (most - least) * this.random.float()
    this.clock.at(this.clock.now() + delay, () => this.#members.get(to)?.receive(packet, from))
  }

  /** Nodes come one after another, each by way of a few that are there. */
  async grow(count: number, every: Millis): Promise<void> {
    for (let i = 0; i < count; i++) {
      const doors = Array.from({ length: 3 }, () => this.any()?.contact.at).filter((at) => at !== undefined)
      const node = this.add()
      node.dht.setDoors(doors)
      node.dht.start()
      await this.clock.run(this.clock.now() + every)
    }
  }

  any(): HonestNode | undefined {
    return this.honest[this.random.int(this.honest.length)]
  }

  /** The honest nodes that are nearest to a key in truth, without the one that asks. */
  nearest(target: NodeId, count: number, except?: HonestNode): Contact[] {
    const others = this.honest.filter((node) => node !== except).map((node) => node.contact)
    return others.sort((a, b) => compareDistance(target, a.id, b.id)).slice(0, count)
  }

  async lookup(from: HonestNode, target: NodeId): Promise<LookupResult & { readonly took: Millis }> {
    const begun = this.clock.now()
    const results: LookupResult[] = []
    from.dht.nodesNear(target, 4, (found) => results.push(found))
    await this.clock.run(begun + 60_000, () => results.length > 0)
    const [result] = results
    if (result === undefined) throw new Error('a search did not end within a minute')
    return { ...result, took: this.clock.now() - begun }
  }
}
