import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Contact, type Endpoint, METHODS, type NodeId, readKrpc } from '../../daemon/codec/krpc.js'
import { writeQuestion, writeReply } from '../../daemon/codec/krpc-writer.js'

const chars = (count: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: count, maxLength: count }).map((raw) => Buffer.from(raw).toString('latin1'))
const id = chars(20) as fc.Arbitrary<NodeId>
const endpoint = fc.constantFrom(6, 18).chain((size) => chars(size)) as fc.Arbitrary<Endpoint>
const contact: fc.Arbitrary<Contact> = fc.record({ id, at: chars(6) as fc.Arbitrary<Endpoint> })

const asked = fc
  .record({
    transaction: chars(4),
    method: fc.constantFrom(...METHODS),
    id,
    version: fc.constantFrom('', 'TO01'),
    readOnly: fc.boolean(),
    target: id,
    least: fc.nat({ max: 400 }),
    port: fc.nat({ max: 65_535 }),
    token: chars(4),
    seed: fc.boolean(),
  })
  .map(({ port, token, seed, ...rest }) =>
    writeQuestion(
      rest.method === 'announce_peer' ? { ...rest, announce: { port, token, seed } } : { ...rest },
    ),
  )
const told = fc
  .record({
    transaction: chars(4),
    id,
    version: fc.constantFrom('', 'TO01'),
    ip: endpoint,
    most: fc.integer({ min: 60, max: 1024 }),
    token: chars(4),
    nodes: fc.array(contact, { maxLength: 8 }),
    values: fc.array(chars(6) as fc.Arbitrary<Endpoint>, { maxLength: 100 }),
  })
  .map((reply) => ({ packet: writeReply(reply), most: reply.most }))

describe('KRPC', () => {
  it('whatever is written is read, and fits', () => {
    fc.assert(
      fc.property(asked, told, (question, { packet, most }) => {
        expect(readKrpc(question)?.kind).toBe('query')
        if (packet === null) return
        expect(packet.length).toBeLessThanOrEqual(most)
        expect(readKrpc(packet)?.kind).toBe('answer')
      }),
      { numRuns: 500 },
    )
  })

  it('never throws, whatever comes, and what it makes of it is bounded', () => {
    const changes = fc.array(
      fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.constantFrom('set', 'cut', 'twice')),
      {
        maxLength: 6,
      },
    )
    const mutated = fc
      .tuple(
        fc.oneof(
          asked,
          told.map(({ packet }) => packet ?? Buffer.alloc(0)),
        ),
        changes,
      )
      .map(([packet, all]) => {
        let bytes = Buffer.from(packet)
        for (const [where, value, how] of all) {
          const at = bytes.length === 0 ? 0 : where % bytes.length
          if (how === 'set' && bytes.length > 0) bytes[at] = value
          if (how === 'cut') bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + (value % 9))])
          if (how === 'twice') {
            bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - value))])
          }
        }
        return bytes
      })
    const raw = fc.uint8Array({ maxLength: 1600 }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(fc.oneof(mutated, raw), (packet) => {
        const read = readKrpc(packet)
        if (read === null) return
        expect(read.transaction.length).toBeLessThanOrEqual(32)
        if (read.kind === 'answer') {
          expect(read.nodes.length).toBeLessThanOrEqual(64)
          expect(read.id.length).toBe(20)
          for (const node of read.nodes) expect([6, 18]).toContain(node.at.length)
        }
        if (read.kind === 'query') expect(read.target === null).toBe(read.method === 'ping')
      }),
      { numRuns: 5000 },
    )
  })
})
