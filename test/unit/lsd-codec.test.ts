/** Announces to the local network (BEP 14) as clients write them. */
import { describe, expect, it } from 'vitest'
import { MOST_KEYS, readLsd, writeLsd } from '../../daemon/codec/lsd.js'
import type { SwarmKey } from '../../shared/units.js'

const KEY = 'ab12cd34ef'.repeat(4) as SwarmKey
const OTHER = '0123456789'.repeat(4) as SwarmKey
const read = (...lines: string[]): ReturnType<typeof readLsd> => readLsd(Buffer.from(lines.join('\r\n')))

describe('what we write', () => {
  it('is what the BEP shows', () => {
    expect(writeLsd(4, { port: 6881, keys: [KEY, OTHER], cookie: 'c0ffee' }).toString()).toBe(
      'BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n' +
        `Infohash: ${KEY}\r\nInfohash: ${OTHER}\r\ncookie: c0ffee\r\n\r\n\r\n`,
    )
    expect(writeLsd(6, { port: 1, keys: [KEY], cookie: '' }).toString()).toContain(
      'Host: [ff15::efc0:988f]:6771\r\n',
    )
  })
  it.each([4, 6] as const)('is at most 1400 bytes, whatever it carries (IPv%i)', (family) => {
    const keys = Array.from({ length: 100 }, (_, at) => at.toString(16).padStart(40, '0') as SwarmKey)
    const packet = writeLsd(family, { port: 65_535, keys, cookie: 'f'.repeat(100) })
    expect(packet.length).toBeLessThanOrEqual(1400)
    expect(readLsd(packet)?.keys).toEqual(keys.slice(0, MOST_KEYS))
    expect(MOST_KEYS).toBeGreaterThan(20)
  })
  it('is read again as it was', () => {
    const said = { port: 51_413, keys: [KEY, OTHER], cookie: 'abc123' }
    expect(readLsd(writeLsd(6, said))).toEqual(said)
  })
})

describe('what others write', () => {
  it.each([
    ['without a cookie', ['BT-SEARCH * HTTP/1.1', 'Host: x', 'Port: 6881', `Infohash: ${KEY}`, '', '', '']],
    ['in capitals', ['BT-SEARCH * HTTP/1.1', 'PORT: 6881', `INFOHASH: ${KEY.toUpperCase()}`, '', '']],
    ['in small letters', ['bt-search * http/1.1', 'port:6881', `infohash:${KEY}`]],
    [
      'with lines of their own',
      ['BT-SEARCH * HTTP/1.0', 'X: y', 'no colon', 'Port: 6881', `Infohash: ${KEY}`],
    ],
  ])('%s', (_, lines) => {
    expect(read(...lines)).toEqual({ port: 6881, keys: [KEY], cookie: '' })
  })
  it('with bare line feeds', () => {
    expect(readLsd(Buffer.from(`BT-SEARCH * HTTP/1.1\nPort: 9\nInfohash: ${KEY}\ncookie: me\n\n`))).toEqual({
      port: 9,
      keys: [KEY],
      cookie: 'me',
    })
  })
  it('names a torrent twice, or one that is none', () => {
    const lines = [KEY, KEY.toUpperCase(), 'xyz', 'f'.repeat(64), OTHER].map((hash) => `Infohash: ${hash}`)
    expect(read('BT-SEARCH * HTTP/1.1', 'Port: 1', ...lines)?.keys).toEqual([KEY, OTHER])
  })
  it.each([
    ['another verb', ['M-SEARCH * HTTP/1.1', 'Port: 1', `Infohash: ${KEY}`]],
    ['no port', ['BT-SEARCH * HTTP/1.1', `Infohash: ${KEY}`]],
    ['port 0', ['BT-SEARCH * HTTP/1.1', 'Port: 0', `Infohash: ${KEY}`]],
    ['a port that is too high', ['BT-SEARCH * HTTP/1.1', 'Port: 65536', `Infohash: ${KEY}`]],
    ['a port that is none', ['BT-SEARCH * HTTP/1.1', 'Port: 1e3', `Infohash: ${KEY}`]],
    ['no torrent', ['BT-SEARCH * HTTP/1.1', 'Port: 1']],
    ['nothing', ['']],
  ])('%s is nothing', (_, lines) => {
    expect(read(...lines)).toBeNull()
  })
  it('a datagram that is too long is not read', () => {
    const said = `BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: ${KEY}\r\n`
    expect(readLsd(Buffer.from(said + 'x'.repeat(4096 - said.length)))).not.toBeNull()
    expect(readLsd(Buffer.from(said + 'x'.repeat(4097 - said.length)))).toBeNull()
  })
})
