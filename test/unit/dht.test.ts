/** One node of the DHT with a test in place of the network. */
import { describe, expect, it } from 'vitest'
import { type Endpoint, type Krpc, type KrpcAnswer, type NodeId, readKrpc } from '../../daemon/codec/krpc.js'
import { type Question, writeQuestion, writeReply } from '../../daemon/codec/krpc-writer.js'
import { Dht, type DhtInit } from '../../daemon/dht/dht.js'
import { filterOf, type SwarmCounts } from '../../daemon/dht/filter.js'
import { hostOf, idForHost, idFrom, isLawful, randomIdNear } from '../../daemon/dht/id.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'

const random = new FakeRandom(77)
const at = (...bytes: number[]): Endpoint =>
  Buffer.from([...bytes, 0x1a, 0xe1]).toString('latin1') as Endpoint
const at6 = (last: number): Endpoint => at(0x2a, 2, last, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
const SOMEBODY = at(81, 2, 3, 4)
const HASH = idFrom(random.bytes(20))

interface Sent {
  readonly message: Krpc
  readonly to: Endpoint
  readonly size: number
}

class Stage {
  readonly clock = new FakeClock()
  readonly dht: Dht
  readonly sent: Sent[] = []
  #number = 0

  constructor(init: Partial<DhtInit> = {}) {
    this.dht = new Dht(
      { version: 'TO01', families: [4], ...init },
      {
        clock: this.clock,
        random: new FakeRandom(4),
        send: (packet, to) => {
          const message = readKrpc(packet)
          if (message !== null) this.sent.push({ message, to, size: packet.length })
        },
      },
    )
    this.dht.start()
  }

  get id(): NodeId {
    return this.dht.saved[0]!.id
  }

  /** Sends a question and answers what came back for it at once, and the bytes of the question. */
  ask(from: Endpoint, question: Partial<Question>): { answer: Krpc | undefined; size: number } {
    const transaction = `t${String((this.#number += 1))}`
    const id = question.id ?? idForHost(hostOf(from), 7, random)
    const packet = writeQuestion({
      version: 'LT20',
      readOnly: false,
      method: 'ping',
      ...question,
      id,
      transaction,
    })
    const before = this.sent.length
    this.dht.receive(packet, from)
    const answer = this.sent.slice(before).find(({ message }) => message.transaction === transaction)
    return { answer: answer?.message, size: packet.length }
  }

  /** Answers every question of ours that nobody answered, as its node would; `ip` is how it sees us. */
  answerAll(ip: Endpoint, id?: NodeId): void {
    for (const { message, to } of this.sent.splice(0)) {
      if (message.kind !== 'query') continue
      const own = id ?? idForHost(hostOf(to), 7, new FakeRandom(1))
      const { transaction } = message
      this.dht.receive(writeReply({ transaction, id: own, version: '', ip, most: 1024, nodes: [] })!, to)
    }
  }

  /** The address becomes a node of the table. */
  befriend(from: Endpoint): void {
    this.dht.tryNode(from)
    this.answerAll(at(9, 9, 9, 9))
  }
}

function answerOf(message: Krpc | undefined): KrpcAnswer {
  if (message?.kind !== 'answer') throw new Error(`no answer: ${JSON.stringify(message)}`)
  return message
}

describe('a node that is asked', () => {
  it('answers a ping with its id and the address of who asks (BEP 42)', () => {
    const stage = new Stage()
    const answer = answerOf(stage.ask(SOMEBODY, {}).answer)
    expect(answer).toMatchObject({ id: stage.id, ip: SOMEBODY, version: 'TO01' })
  })

  it('gives peers to whoever asks after they were announced with its token, and to nobody before', () => {
    const stage = new Stage()
    const first = answerOf(stage.ask(SOMEBODY, { method: 'get_peers', target: HASH }).answer)
    expect(first.values).toBeNull()
    const announce = { port: 51_413, token: first.token ?? '', seed: false }
    const other = at(82, 2, 3, 4)
    const stolen = stage.ask(other, { method: 'announce_peer', target: HASH, announce }).answer
    expect(stolen).toMatchObject({ kind: 'error', code: 203 })
    expect(stage.ask(SOMEBODY, { method: 'announce_peer', target: HASH, announce }).answer?.kind).toBe(
      'answer',
    )
    const second = answerOf(stage.ask(other, { method: 'get_peers', target: HASH }).answer)
    expect(second.values).toEqual([`${hostOf(SOMEBODY)}\xc8\xd5`])
  })

  it('gives filters to a proven address (BEP 33) and samples with their interval (BEP 51)', () => {
    const stage = new Stage()
    const first = answerOf(stage.ask(SOMEBODY, { method: 'get_peers', target: HASH }).answer)
    const announce = { port: 0, token: first.token ?? '', seed: true }
    stage.ask(SOMEBODY, { method: 'announce_peer', target: HASH, announce })
    const scraped = answerOf(stage.ask(SOMEBODY, { method: 'get_peers', target: HASH, scrape: true }).answer)
    expect(scraped.filters?.seeds.some((byte) => byte !== 0)).toBe(true)
    expect(scraped.filters?.peers.some((byte) => byte !== 0)).toBe(false)
    const sampled = answerOf(stage.ask(SOMEBODY, { method: 'sample_infohashes', target: HASH }).answer)
    expect(sampled.samples).toEqual({ hashes: [HASH], num: 1, interval: 300 })
  })

  it('tells nodes of the families that are wanted (BEP 32)', () => {
    const stage = new Stage({ families: [4, 6] })
    for (let i = 1; i < 5; i++) {
      stage.befriend(at(60 + i, 1, 1, 1))
      stage.befriend(at6(i))
    }
    stage.befriend(SOMEBODY)
    const families = (want?: ('n4' | 'n6')[]): number[] => {
      const asked = { method: 'find_node', target: HASH, ...(want === undefined ? {} : { want }) } as const
      const { nodes } = answerOf(stage.ask(SOMEBODY, asked).answer)
      return [
        nodes.filter((node) => node.at.length === 6).length,
        nodes.filter((node) => node.at.length === 18).length,
      ]
    }
    expect(families()).toEqual([4, 0])
    expect(families(['n6'])).toEqual([0, 4])
    expect(families(['n4', 'n6'])).toEqual([4, 4])
  })

  it('answers errors to what it cannot serve, and nothing to what is no message', () => {
    const stage = new Stage()
    stage.dht.receive(Buffer.from('d1:ad2:id20:abcdefghij0123456789e1:q4:wave1:t2:aa1:y1:qe'), SOMEBODY)
    expect(stage.sent[0]?.message).toMatchObject({ kind: 'error', code: 204, transaction: 'aa' })
    stage.sent.length = 0
    stage.dht.receive(Buffer.from('GET / HTTP/1.1'), SOMEBODY)
    expect(stage.sent).toEqual([])
    expect(stage.dht.status.counts.strange).toBe(1)
  })

  it('answers nobody while it is read-only, and says so (BEP 43)', () => {
    const stage = new Stage({ readOnly: true })
    expect(stage.ask(SOMEBODY, {}).answer).toBeUndefined()
    stage.dht.tryNode(SOMEBODY)
    expect(stage.sent.at(-1)?.message).toMatchObject({ kind: 'query', readOnly: true })
  })

  it('never takes a read-only node for one that answers', () => {
    const stage = new Stage()
    stage.ask(SOMEBODY, { readOnly: true })
    stage.ask(SOMEBODY, { readOnly: true })
    expect(stage.sent.filter(({ message }) => message.kind === 'query')).toEqual([])
  })
})

it('a search begins with the peers that others announced to us', () => {
  const stage = new Stage()
  const first = answerOf(stage.ask(SOMEBODY, { method: 'get_peers', target: HASH }).answer)
  const announce = { port: 0, token: first.token ?? '', seed: false }
  stage.ask(SOMEBODY, { method: 'announce_peer', target: HASH, announce })
  const found: Endpoint[] = []
  stage.dht.peersOf(HASH, { peers: (peers) => found.push(...peers) })
  expect(found).toEqual([SOMEBODY])
})

describe('a search that counts (BEP 33)', () => {
  const filters = (seeds: readonly number[], peers: readonly number[]): { seeds: Buffer; peers: Buffer } => {
    const hosts = (last: readonly number[]): string[] =>
      last.map((each) => hostOf(at(50, 0, each >> 8, each & 255)))
    return { seeds: filterOf(hosts(seeds)), peers: filterOf(hosts(peers)) }
  }
  const from = (first: number, count: number): number[] => Array.from({ length: count }, (_, n) => first + n)

  /** What it counts and finds where these nodes answer so, null: without a filter. All know SOMEBODY. */
  function counted(
    told: readonly (ReturnType<typeof filters> | null)[],
    scrape: boolean,
  ): { counts: SwarmCounts | null; peers: Endpoint[] } {
    const stage = new Stage()
    const nodes = told.map((_, n) => at(20 + n, 1, 1, 1))
    for (const node of nodes) stage.befriend(node)
    stage.sent.length = 0
    let counts: SwarmCounts | null = { seeds: -1, leechers: -1 }
    const peers: Endpoint[] = []
    stage.dht.peersOf(
      HASH,
      { peers: (some) => void peers.push(...some), done: (result) => void (counts = result.counts) },
      { scrape },
    )
    for (let sent = stage.sent.splice(0); sent.length > 0; sent = stage.sent.splice(0)) {
      for (const { message, to } of sent) {
        if (message.kind !== 'query' || message.method !== 'get_peers') continue
        const id = idForHost(hostOf(to), 7, new FakeRandom(1))
        const filter = message.scrape ? (told[nodes.indexOf(to)] ?? null) : null
        const reply = {
          transaction: message.transaction,
          id,
          version: '',
          ip: SOMEBODY,
          most: 1024,
          nodes: [],
        }
        // As libtorrent does: who asks for counts gets no peers.
        const rest = message.scrape ? (filter === null ? {} : { filters: filter }) : { values: [SOMEBODY] }
        stage.dht.receive(writeReply({ ...reply, ...rest })!, to)
      }
    }
    return { counts, peers }
  }

  it('takes the addresses that several nodes know of once', () => {
    const told = [filters(from(0, 30), from(300, 80)), filters(from(10, 30), from(300, 80)), null]
    const { counts, peers } = counted(told, true)
    expect(peers).toEqual([SOMEBODY])
    expect(Math.abs((counts?.seeds ?? 0) - 40)).toBeLessThan(4)
    expect(Math.abs((counts?.leechers ?? 0) - 80)).toBeLessThan(6)
  })

  it('knows nothing where no node tells, and asks for nothing where that is not wanted', () => {
    expect(counted([null, null, null], true).counts).toBeNull()
    expect(counted([filters([1], []), null, null], false).counts).toBeNull()
  })
})

describe('a forged source', () => {
  const spoofed = ['ping', 'find_node', 'get_peers', 'sample_infohashes'] as const

  it.each(spoofed)('gets at most half as much again as was sent in its name: %s', (method) => {
    const stage = new Stage()
    for (let i = 0; i < 40; i++) stage.befriend(at(20 + i, 1, 1, 1))
    for (let i = 0; i < 60; i++) {
      const from = at(130 + (i % 60), 3, 3, 3)
      const { answer } = stage.ask(from, { method: 'get_peers', target: HASH })
      const announce = { port: 1, token: answerOf(answer).token ?? '', seed: false }
      stage.ask(from, { method: 'announce_peer', target: HASH, announce })
      stage.clock.advance(500)
    }
    stage.clock.advance(60_000)
    stage.sent.length = 0
    let came = 0
    for (let i = 0; i < 45; i++) {
      came += stage.ask(SOMEBODY, method === 'ping' ? { method } : { method, target: HASH }).size
      stage.clock.advance(300)
    }
    stage.clock.advance(60_000)
    const went = stage.sent.filter(({ to }) => to === SOMEBODY).reduce((sum, { size }) => sum + size, 0)
    expect(went).toBeGreaterThan(0)
    expect(went / came).toBeLessThanOrEqual(1.5)
  })

  it('who floods is ignored for five minutes, and the others are not', () => {
    const stage = new Stage()
    let served = 0
    for (let i = 0; i < 200; i++) if (stage.ask(SOMEBODY, {}).answer !== undefined) served++
    expect(served).toBeLessThanOrEqual(50)
    expect(stage.ask(at(82, 1, 1, 1), {}).answer?.kind).toBe('answer')
    stage.clock.advance(301_000)
    expect(stage.ask(SOMEBODY, {}).answer?.kind).toBe('answer')
  })

  it('all answers together are 8 KB a second', () => {
    const stage = new Stage()
    let went = 0
    for (let i = 0; i < 20_000; i++) {
      stage.ask(at(20 + (i % 100), 1 + (i >> 8), i & 255, 1), { method: 'find_node', target: HASH })
      stage.clock.advance(1)
    }
    for (const { size } of stage.sent) went += size
    expect(went).toBeLessThanOrEqual(8192 * 20 + 32_768)
    expect(stage.dht.status.counts.ignored).toBeGreaterThan(1000)
  })
})

describe('answers that nobody asked for', () => {
  it('change nothing: another transaction, another address, another id', () => {
    const stage = new Stage()
    const friend = at(70, 1, 1, 1)
    stage.befriend(friend)
    stage.sent.length = 0
    const found: number[] = []
    stage.dht.nodesNear(HASH, 4, ({ nearest }) => found.push(nearest.length))
    const asked = stage.sent.splice(0)[0]!
    const lie = { version: '', ip: SOMEBODY, most: 1024, nodes: [{ id: HASH, at: at(66, 6, 6, 6) }] }
    const id = idFrom(random.bytes(20))
    const { transaction } = asked.message
    stage.dht.receive(writeReply({ ...lie, transaction: 'zzzz', id })!, friend)
    stage.dht.receive(writeReply({ ...lie, transaction, id })!, at(70, 1, 1, 2))
    expect(stage.dht.status.counts.strange).toBe(2)
    expect(found).toEqual([])
    stage.dht.receive(writeReply({ ...lie, transaction, id })!, friend)
    expect(found, 'it is not the node that was asked').toEqual([0])
    expect(stage.sent).toEqual([])
  })

  it('nodes near us that a far node tells of are not asked', () => {
    const stage = new Stage()
    const friend = at(70, 1, 1, 1)
    stage.befriend(friend)
    stage.sent.length = 0
    stage.dht.nodesNear(HASH, 4, () => undefined)
    const { message } = stage.sent.splice(0)[0]!
    const nodes = [at(127, 0, 0, 1), at(10, 0, 0, 1), at(224, 0, 0, 1), at(0, 0, 0, 0)].map((where, i) => ({
      id: randomIdNear(HASH, 20 + i, random),
      at: where,
    }))
    const id = idForHost(hostOf(friend), 7, new FakeRandom(1))
    const said = { transaction: message.transaction, version: '', ip: SOMEBODY, most: 1024, id, nodes }
    stage.dht.receive(writeReply(said)!, friend)
    expect(stage.sent).toEqual([])
  })
})

describe('a node of its own', () => {
  it('takes an id that fits its address once eight networks agree on that (BEP 42)', () => {
    const stage = new Stage()
    const old = stage.id
    const seen = at(93, 184, 1, 7)
    for (let i = 0; i < 7; i++) {
      stage.dht.tryNode(at(30 + i, i, i, 1))
      stage.answerAll(seen)
    }
    expect(stage.id).toBe(old)
    stage.dht.tryNode(at(50, 1, 1, 1))
    stage.answerAll(seen)
    expect(stage.id).not.toBe(old)
    expect(isLawful(stage.id, seen)).toBe(true)
    expect(stage.dht.status.families[0]).toMatchObject({ host: hostOf(seen) })
    expect(stage.dht.status.families[0]?.nodes).toBeGreaterThanOrEqual(7)
  })

  it('begins with saved nodes, and asks doors too', () => {
    const nodes = [at(71, 1, 1, 1), at(72, 1, 1, 1)].map((where) => ({
      id: idForHost(hostOf(where), 7, new FakeRandom(1)),
      at: where,
    }))
    const id = idFrom(random.bytes(20))
    const stage = new Stage({ saved: [{ family: 4, id, nodes }] })
    expect(stage.id).toBe(id)
    expect(stage.sent.map(({ to }) => to).sort()).toEqual(nodes.map((node) => node.at))
    const router = at(99, 1, 1, 1)
    stage.answerAll(SOMEBODY)
    stage.dht.setDoors([router])
    expect(stage.sent.some(({ to }) => to === router)).toBe(true)
    stage.answerAll(SOMEBODY)
    const kept = stage.dht.saved[0]?.nodes.map((node) => node.at) ?? []
    expect(kept.sort(), "a router is in nobody's table").toEqual(nodes.map((node) => node.at))
  })

  it('tries again ever later while nobody is there, with one timer', () => {
    const stage = new Stage()
    stage.dht.setDoors([SOMEBODY])
    const tries: number[] = []
    for (let minute = 0; minute < 120; minute++) {
      stage.clock.advance(60_000)
      tries.push(stage.sent.splice(0).length)
      expect(stage.clock.pending).toBeLessThanOrEqual(1)
    }
    const all = tries.reduce((a, b) => a + b, 0)
    expect(all).toBeGreaterThan(8)
    expect(all).toBeLessThan(25)
    stage.dht.stop()
    expect(stage.clock.pending).toBe(0)
  })

  it('a search begun before anybody is known waits for the first nodes', () => {
    const stage = new Stage()
    stage.dht.setDoors([at(127, 0, 0, 1)])
    let over = false
    stage.dht.peersOf(HASH, { peers: () => undefined, done: () => (over = true) })
    expect(over).toBe(false)
    stage.answerAll(SOMEBODY)
    expect(stage.sent.at(-1)?.message).toMatchObject({ kind: 'query', method: 'get_peers', target: HASH })
  })
})

describe('a node that asks one other for much', () => {
  it('asks everything at last, and never so often that it is taken for a flood', () => {
    const stage = new Stage()
    stage.befriend(SOMEBODY)
    stage.sent.length = 0
    const asked: number[] = []
    let done = 0
    for (let i = 0; i < 100; i++) {
      stage.dht.peersOf(idFrom(random.bytes(20)), {
        peers: () => undefined,
        done: () => done++,
      })
    }
    for (let i = 0; i < 800; i++) {
      asked.push(...stage.sent.filter(({ message }) => message.kind === 'query').map(() => stage.clock.now()))
      stage.answerAll(at(9, 9, 9, 9))
      stage.clock.advance(100)
    }
    expect(done).toBe(100)
    const most = asked.map((from) => asked.filter((time) => time >= from && time < from + 10_000).length)
    expect(Math.max(...most)).toBeLessThanOrEqual(45)
    expect(Math.max(...most)).toBeGreaterThan(30)
  })
})
