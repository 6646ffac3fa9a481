import { describe, expect, it } from 'vitest'
import { type Item, readMessage } from '../../daemon/rpc/guard.js'
import { jsonParts, SLICE_ROWS } from '../../daemon/rpc/slices.js'

const read = (text: string) => readMessage(Buffer.from(text))

function single(text: string): Item {
  const message = read(text)
  if (message.kind !== 'single') throw new Error(`not single: ${message.kind}`)
  return message.item
}

function refusal(text: string): { code: number; id: unknown } {
  const item = single(text)
  if (item.ok) throw new Error('accepted')
  return { code: item.reply.error.code, id: item.reply.id }
}

describe('readMessage', () => {
  it('passes a request on with its own fields only', () => {
    expect(single('{"jsonrpc":"2.0","id":7,"method":"a.b","params":{"x":1},"extra":true}')).toEqual({
      ok: true,
      request: { jsonrpc: '2.0', id: 7, method: 'a.b', params: { x: 1 } },
    })
    expect(single('{"jsonrpc":"2.0","method":"a.b"}')).toEqual({
      ok: true,
      request: { jsonrpc: '2.0', method: 'a.b', params: {} },
    })
  })

  it.each([
    ['{"jsonrpc":"2.0","id":1', -32700, null],
    ['nonsense', -32700, null],
    ['null', -32600, null],
    ['1', -32600, null],
    ['"x"', -32600, null],
    ['{}', -32600, null],
    ['[]', -32600, null],
    ['{"jsonrpc":"1.0","id":1,"method":"a"}', -32600, 1],
    ['{"jsonrpc":"2.0","id":1,"method":1}', -32600, 1],
    ['{"jsonrpc":"2.0","id":"x","method":"a","params":null}', -32600, 'x'],
    ['{"jsonrpc":"2.0","id":"x","method":"a","params":"p"}', -32600, 'x'],
    ['{"jsonrpc":"2.0","id":1,"method":"a","result":1}', -32600, 1],
    ['{"jsonrpc":"2.0","id":9007199254740993,"method":"a"}', -32600, null],
    ['{"jsonrpc":"2.0","id":1.5,"method":"a"}', -32600, null],
    ['{"jsonrpc":"2.0","id":null,"method":"a"}', -32600, null],
    ['{"jsonrpc":"2.0","id":{},"method":"a"}', -32600, null],
    [`{"jsonrpc":"2.0","id":"${'x'.repeat(257)}","method":"a"}`, -32600, null],
    ['{"__proto__":{"jsonrpc":"2.0","method":"a"},"id":1}', -32600, 1],
  ])('refuses %s', (text, code, id) => {
    expect(refusal(text)).toEqual({ code, id })
  })

  it('refuses bytes that are not UTF-8', () => {
    const message = readMessage(Buffer.from([0x22, 0xff, 0x22]))
    expect(message).toMatchObject({ kind: 'single', item: { ok: false, reply: { error: { code: -32700 } } } })
  })

  it('refuses depth before it parses', () => {
    expect(refusal('['.repeat(1_000_000)).code).toBe(1001)
  })

  it('answers each element of a batch, and refuses one that is too long', () => {
    const message = read('[null,1,[],{"jsonrpc":"2.0","id":1,"method":"a"}]')
    expect(message.kind === 'batch' ? message.items.map((item) => item.ok) : message).toEqual([
      false,
      false,
      false,
      true,
    ])
    expect(refusal(`[${Array(101).fill('1').join(',')}]`).code).toBe(1001)
    expect(read(`[${Array(100).fill('1').join(',')}]`).kind).toBe('batch')
  })

  it('ignores blank lines and answers to calls that were never made', () => {
    for (const text of [
      '',
      '\r',
      '{"jsonrpc":"2.0","id":1,"result":1}',
      '{"jsonrpc":"2.0","id":1,"error":{}}',
    ]) {
      expect(read(text).kind).toBe('nothing')
    }
  })
})

describe('jsonParts', () => {
  const rows = (count: number) => Array.from({ length: count }, (_, at) => ({ at, text: `"\n${at}` }))
  const reply = (result: unknown) => ({ jsonrpc: '2.0', id: 1, result })

  it.each([
    ['short', reply({ rev: 1, rows: rows(SLICE_ROWS) }), 1],
    ['long', reply({ rev: 1, rows: rows(1001), more: false, gone: undefined }), 8],
    ['long and alone', reply({ rows: rows(201) }), 4],
    ['no result', { jsonrpc: '2.0', id: 1, error: { code: 1, message: 'x' } }, 1],
    ['null', reply(null), 1],
    ['a list', reply(rows(300)), 1],
  ])('%s: the parts are the line', (_, message, parts) => {
    const made = [...jsonParts(message)]
    expect(made).toHaveLength(parts)
    const line = made.join('')
    expect(line.indexOf('\n')).toBe(line.length - 1)
    expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(message)))
  })

  it('writes a batch as an array', () => {
    const batch = [reply({ rows: rows(300) }), reply(1)]
    const line = [...jsonParts(batch)].join('')
    expect(line.endsWith(']\n')).toBe(true)
    expect(JSON.parse(line)).toEqual(batch)
  })
})
