import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeExtensionHandshake, encodeExtensionHandshake } from '../../daemon/codec/extension.js'
import { encode } from '../../shared/torrent/bencode.js'

const read = (value: Parameters<typeof encode>[0]): ReturnType<typeof decodeExtensionHandshake> =>
  decodeExtensionHandshake(encode(value))

describe('extension handshake', () => {
  it('goes there and back', () => {
    const own = {
      messages: { ut_metadata: 3, ut_pex: 0 },
      version: 'Torrentino 0.1.0',
      reqq: 2000,
      port: 6881,
      yourIp: Uint8Array.of(10, 0, 0, 1),
      metadataSize: 1234,
      uploadOnly: true,
    }
    expect(decodeExtensionHandshake(encodeExtensionHandshake(own))).toEqual({
      messages: new Map([
        ['ut_metadata', 3],
        ['ut_pex', 0],
      ]),
      version: 'Torrentino 0.1.0',
      reqq: 2000,
      port: 6881,
      yourIp: '10.0.0.1',
      metadataSize: 1234,
      uploadOnly: true,
    })
  })

  it('leaves out what we do not know, in canonical bencode', () => {
    const bytes = encodeExtensionHandshake({ messages: {}, version: 'x', reqq: 1, uploadOnly: false })
    expect(Buffer.from(bytes).toString()).toBe('d1:mde4:reqqi1e11:upload_onlyi0e1:v1:xe')
  })

  it('reads the example of BEP 10', () => {
    const text = 'd1:md11:LT_metadatai1e6:µT_PEXi2ee1:pi6881e1:v13:µTorrent 1.2e'
    const bytes = Buffer.from(text.replace('6:µT', '7:µT'))
    expect(decodeExtensionHandshake(bytes)).toMatchObject({ port: 6881, version: 'µTorrent 1.2' })
  })

  it.each([
    ['reqq below 1', { reqq: -5 }, { reqq: undefined }],
    ['reqq of 2^40', { reqq: 2 ** 40 }, { reqq: 100_000 }],
    ['reqq as text', { reqq: 'many' }, { reqq: undefined }],
    ['port 0', { p: 0 }, { port: undefined }],
    ['port 70000', { p: 70_000 }, { port: undefined }],
    ['metadata of 2 GB', { metadata_size: 2 ** 31 }, { metadataSize: undefined }],
    ['yourip of 5 bytes', { yourip: new Uint8Array(5) }, { yourIp: undefined }],
    ['yourip of 16 bytes', { yourip: Uint8Array.from([...new Uint8Array(15), 1]) }, { yourIp: '::1' }],
    ['a long v', { v: 'x'.repeat(1000) }, { version: 'x'.repeat(64) }],
    ['v as a number', { v: 3 }, { version: undefined }],
    ['message ids out of a byte', { m: { a: 256, b: -1, c: 255 } }, { messages: new Map([['c', 255]]) }],
    ['m as a list', { m: [] }, { messages: new Map() }],
    ['upload_only 0', { upload_only: 0 }, { uploadOnly: false }],
  ])('ignores or clamps %s', (_name, value, expected) => {
    expect(read(value)).toMatchObject(expected)
  })

  it('bounds a huge m', () => {
    const m = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${String(i)}`, 1]))
    expect(read({ m })?.messages.size).toBe(64)
  })

  it('is null for what is no dictionary, and never throws', () => {
    for (const text of ['', 'x', 'i5e', 'le', 'd', 'd1:m', 'd1:a'.repeat(50)]) {
      expect(decodeExtensionHandshake(Buffer.from(text))).toBeNull()
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeExtensionHandshake(bytes)))
  })
})
