import { describe, expect, it } from 'vitest'
import {
  decodeMetadata,
  encodeMetadataData,
  encodeMetadataReject,
  encodeMetadataRequest,
} from '../../daemon/codec/metadata.js'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('messages of BEP 9', () => {
  it('are written as the specification shows them', () => {
    expect(Buffer.from(encodeMetadataRequest(0)).toString()).toBe('d8:msg_typei0e5:piecei0ee')
    expect(Buffer.from(encodeMetadataReject(3)).toString()).toBe('d8:msg_typei2e5:piecei3ee')
    expect(Buffer.from(encodeMetadataData(0, 3425, bytes('xxxx'))).toString()).toBe(
      'd8:msg_typei1e5:piecei0e10:total_sizei3425eexxxx',
    )
  })

  it('are read back', () => {
    expect(decodeMetadata(encodeMetadataRequest(7))).toEqual({ kind: 'request', piece: 7 })
    expect(decodeMetadata(encodeMetadataReject(7))).toEqual({ kind: 'reject', piece: 7 })
    const data = decodeMetadata(encodeMetadataData(1, 20_000, bytes('d1:xe')))
    expect(data).toMatchObject({ kind: 'data', piece: 1, total: 20_000 })
    expect(data?.kind === 'data' ? Buffer.from(data.data).toString() : '').toBe('d1:xe')
  })

  it.each([
    ['nothing', ''],
    ['no dictionary', 'i1e'],
    ['cut', 'd8:msg_typei0e5:pie'],
    ['no piece', 'd8:msg_typei0ee'],
    ['a piece below 0', 'd8:msg_typei0e5:piecei-1ee'],
    ['a piece beyond 2^53', 'd8:msg_typei0e5:piecei99999999999999999ee'],
    ['a kind nobody knows', 'd8:msg_typei3e5:piecei0ee'],
    ['no kind', 'd5:piecei0ee'],
    ['deep', `d8:msg_typei0e5:piece${'l'.repeat(50)}${'e'.repeat(50)}e`],
  ])('that cannot be meant are none: %s', (_, text) => {
    expect(decodeMetadata(bytes(text))).toBeNull()
  })
})
