import { describe, expect, it } from 'vitest'
import { type Contact, type Endpoint, type NodeId, readKrpc } from '../../daemon/codec/krpc.js'
import { writeError, writeQuestion, writeReply } from '../../daemon/codec/krpc-writer.js'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const text = (packet: Buffer | null): string => packet?.toString('latin1') ?? 'nothing'
const ASKER = 'abcdefghij0123456789' as NodeId
const OTHER = 'mnopqrstuvwxyz123456' as NodeId
const HOME = '\x01\x02\x03\x04\x1a\xe1' as Endpoint
const HOME6 = '\x20\x01\x0d\xb8............\x1a\xe1' as Endpoint
const question = { transaction: 'aa', id: ASKER, version: '', readOnly: false } as const
const reply = { transaction: 'aa', id: OTHER, version: '', ip: HOME, most: 1024 } as const

describe('questions, as BEP 5 prints them', () => {
  const rows: readonly [string, Parameters<typeof writeQuestion>[0], string][] = [
    ['ping', { ...question, method: 'ping' }, 'd1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe'],
    [
      'find_node',
      { ...question, method: 'find_node', target: OTHER },
      'd1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe',
    ],
    [
      'get_peers',
      { ...question, method: 'get_peers', target: OTHER },
      'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe',
    ],
    [
      'announce_peer',
      {
        ...question,
        method: 'announce_peer',
        target: OTHER,
        announce: { port: 6881, token: 'aoeusnth', seed: false },
      },
      'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe',
    ],
    [
      'everything else',
      {
        ...question,
        version: 'TO01',
        readOnly: true,
        method: 'get_peers',
        target: OTHER,
        scrape: true,
        want: ['n4', 'n6'],
      },
      'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234566:scrapei1e4:wantl2:n42:n6ee1:q9:get_peers2:roi1e1:t2:aa1:v4:TO011:y1:qe',
    ],
  ]
  it.each(rows)('%s', (_name, value, wire) => {
    expect(text(writeQuestion(value))).toBe(wire)
    const read = readKrpc(bytes(wire))
    expect(read).toMatchObject({ kind: 'query', transaction: 'aa', method: value.method, id: ASKER })
    if (read?.kind !== 'query') throw new Error('no query')
    expect(read.target).toBe(value.target ?? null)
    expect(read.readOnly).toBe(value.readOnly)
    expect(read.scrape).toBe(value.scrape === true)
    expect(read.port).toBe(value.announce?.port ?? null)
  })

  it.each([1, 2, 3, 5, 8, 60, 99, 100, 120])('are padded to %i bytes more at least, by few', (more) => {
    const bare = { ...question, method: 'find_node', target: OTHER } as const
    const short = writeQuestion(bare).length
    const long = writeQuestion({ ...bare, least: short + more })
    expect(long.length).toBeGreaterThanOrEqual(short + more)
    expect(long.length).toBeLessThan(short + more + 8)
    expect(readKrpc(long)).toMatchObject({ kind: 'query', method: 'find_node', target: OTHER })
  })

  it('an implied port is 0, a seed says so', () => {
    const announce = { port: 0, token: 't', seed: true }
    const packet = writeQuestion({ ...question, method: 'announce_peer', target: OTHER, announce })
    expect(readKrpc(packet)).toMatchObject({ port: 0, token: 't', seed: true })
  })
})

describe('questions that cannot be served', () => {
  const rows: readonly [string, string, number][] = [
    ['no id', 'd1:ade1:q4:ping1:t2:aa1:y1:qe', 203],
    ['a short id', 'd1:ad2:id2:xxe1:q4:ping1:t2:aa1:y1:qe', 203],
    ['no arguments', 'd1:q4:ping1:t2:aa1:y1:qe', 203],
    ['no target', 'd1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe', 203],
    ['an unknown method', 'd1:ad2:id20:abcdefghij0123456789e1:q4:wave1:t2:aa1:y1:qe', 204],
    [
      'port 0',
      'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti0e5:token1:te1:q13:announce_peer1:t2:aa1:y1:qe',
      203,
    ],
    [
      'port 65536',
      'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti65536e5:token1:te1:q13:announce_peer1:t2:aa1:y1:qe',
      203,
    ],
  ]
  it.each(rows)('%s', (_name, wire, code) => {
    expect(readKrpc(bytes(wire))).toMatchObject({ kind: 'bad', transaction: 'aa', code })
  })
})

describe('what is no message', () => {
  const rows: readonly [string, string][] = [
    ['nothing', ''],
    ['a number', 'i1e'],
    ['a list', 'l1:ae'],
    ['no transaction', 'd1:y1:re'],
    ['an empty transaction', 'd1:t0:1:y1:qe'],
    ['a transaction of 33 bytes', `d1:t33:${'x'.repeat(33)}1:y1:qe`],
    ['another kind', 'd1:t2:aa1:y1:xe'],
    ['an answer without a body', 'd1:t2:aa1:y1:re'],
    ['an answer of nobody', 'd1:rde1:t2:aa1:y1:re'],
    ['nested deeper than five', `d1:a${'l'.repeat(5)}${'e'.repeat(5)}1:t2:aa1:y1:qe`],
    ['a packet above 1500 bytes', `d1:t2:aa1:x1500:${'x'.repeat(1500)}1:y1:qe`],
    ['bytes after the end', 'd1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qexx'],
  ]
  it.each(rows)('%s', (_name, wire) => {
    expect(readKrpc(bytes(wire))).toBeNull()
  })
})

describe('answers', () => {
  const node = (first: string, at: Endpoint): Contact => ({ id: `${first}noprstuvwxyz1234567` as NodeId, at })

  it('carry nodes of both families, peers, a token and who asked', () => {
    const nodes = [node('a', HOME), node('b', HOME)]
    const nodes6 = [node('c', HOME6)]
    const values = ['\x05\x06\x07\x08\x00\x01' as Endpoint]
    const packet = writeReply({ ...reply, version: 'TO01', token: 'tok', nodes, nodes6, values })
    const read = readKrpc(bytes(text(packet)))
    expect(read).toMatchObject({ kind: 'answer', id: OTHER, version: 'TO01', ip: HOME, token: 'tok', values })
    expect(read?.kind === 'answer' && read.nodes).toEqual([...nodes, ...nodes6])
  })

  it('leave out what does not fit, peers of port 0 and nodes of port 0', () => {
    const many = Array.from({ length: 8 }, (_, i) => node(String(i), HOME))
    const packet = writeReply({ ...reply, most: 150, nodes: many })
    expect(packet?.length).toBeLessThanOrEqual(150)
    const read = readKrpc(bytes(text(packet)))
    expect(read?.kind === 'answer' && read.nodes.length).toBe(2)
    expect(writeReply({ ...reply, most: 40 })).toBeNull()
    const values = Array.from(
      { length: 100 },
      (_, i) => `\x05\x06\x07${String.fromCharCode(i)}\x00\x01` as Endpoint,
    )
    for (const some of [1, 100]) {
      for (let most = 100; most <= 1400; most++) {
        const answer = { ...reply, token: 'toke', most, nodes: many, values: values.slice(0, some) }
        const length = writeReply(answer)?.length ?? 0
        expect([most, length <= most]).toEqual([most, true])
      }
    }
    const nobody = '\x05\x06\x07\x08\x00\x00' as Endpoint
    const none = readKrpc(bytes(text(writeReply({ ...reply, nodes: [node('a', nobody)], values: [nobody] }))))
    expect(none).toMatchObject({ nodes: [], values: [] })
  })

  it('carry filters and samples', () => {
    const filters = { seeds: Buffer.alloc(256, 3), peers: Buffer.alloc(256, 200) }
    const read = readKrpc(bytes(text(writeReply({ ...reply, filters }))))
    expect(read?.kind === 'answer' && read.filters).toEqual(filters)
    const samples = { hashes: [ASKER, OTHER], num: 7, interval: 300 }
    const other = readKrpc(bytes(text(writeReply({ ...reply, samples }))))
    expect(other?.kind === 'answer' && other.samples).toEqual(samples)
  })

  it('with cut nodes, filters or samples are read as far as they are whole', () => {
    const wire = `d1:rd4:BFpe1:x4:BFsd1:x2:id20:${OTHER}5:nodes27:${'n'.repeat(27)}7:samples3:abce1:t2:aa1:y1:re`
    const read = readKrpc(bytes(wire))
    expect(read).toMatchObject({ kind: 'answer', filters: null, samples: null, values: null, token: null })
    expect(read?.kind === 'answer' && read.nodes.length).toBe(1)
  })

  it('errors', () => {
    const wire = text(
      writeError({ transaction: 'aa', version: '', ip: HOME, code: 203, message: 'bad token' }),
    )
    expect(wire).toBe(`d1:eli203e9:bad tokene2:ip6:${HOME}1:t2:aa1:y1:ee`)
    const expected = { kind: 'error', code: 203, message: 'bad token', ip: HOME }
    expect(readKrpc(bytes(wire))).toMatchObject(expected)
    expect(readKrpc(bytes('d1:e3:odd1:t2:aa1:y1:ee'))).toMatchObject({
      kind: 'error',
      code: 201,
      message: '',
    })
  })
})
