/** What trackers answer, and the URLs they are named by. */
import assert from 'node:assert/strict'
import { MOST_PEERS } from '../../../daemon/codec/announce.js'
import { parseScrape, scrapeUrl } from '../../../daemon/codec/http-scrape.js'
import { parseAnnounce } from '../../../daemon/codec/http-tracker.js'
import { readLsd, writeLsd } from '../../../daemon/codec/lsd.js'
import { parseUdpReply } from '../../../daemon/codec/udp-tracker.js'
import { encode } from '../../../shared/torrent/bencode.js'
import { redactText, redactTracker, redactWebSeed } from '../../../shared/torrent/redact.js'
import { escapeText } from '../../../shared/text.js'
import type { SwarmKey } from '../../../shared/units.js'
import { packet } from '../../support/fake-tracker.js'
import { bencoded } from '../seeds.js'
import type { Target } from '../target.js'

const LINE = /^[^\p{Cc}]{0,240}$/u
const isTime = (value: unknown): boolean =>
  value === null || (typeof value === 'number' && Number.isFinite(value) && value >= 0)

const http: Target = {
  name: 'http tracker',
  seeds: [
    encode({
      interval: 1800,
      'min interval': 60,
      complete: 5,
      incomplete: 7,
      peers: new Uint8Array(12).fill(9),
    }),
    encode({
      interval: 2 ** 40,
      peers: [{ ip: '127.0.0.1', port: 6881 }],
      peers6: new Uint8Array(36).fill(3),
    }),
    encode({ 'failure reason': 'not registered\r\n\x1b[2J', 'retry in': 'never' }),
    encode({ 'failure reason': 'busy', 'retry in': 5 }),
    encode({ 'warning message': 'x'.repeat(300), 'tracker id': 'abc', interval: -1, peers: 'xxxxx' }),
    Buffer.from('<html><body>hello</body></html>'),
    ...bencoded,
  ],
  check: (body) => {
    const result = parseAnnounce(body)
    if (!result.ok) {
      assert.match(result.fault.message, LINE)
      assert.ok(result.fault.retryIn === 'never' || isTime(result.fault.retryIn))
      return
    }
    const { answer } = result
    assert.ok(isTime(answer.interval) && isTime(answer.minInterval))
    assert.ok(isTime(answer.seeds) && isTime(answer.leechers))
    assert.ok(
      answer.peers.length <= MOST_PEERS && answer.peers.every(({ port }) => port > 0 && port < 65_536),
    )
    assert.ok((answer.trackerId?.length ?? 0) <= 256)
    assert.match(answer.warning ?? '', LINE)
  },
}

const SCRAPED = ['ab'.repeat(20), '61'.repeat(20)] as SwarmKey[]

const scrape: Target = {
  name: 'http scrape',
  seeds: [
    encode({
      files: { aaaaaaaaaaaaaaaaaaaa: { complete: 5, downloaded: 2 ** 40, incomplete: 7 } },
      flags: { min_request_interval: 900 },
    }),
    encode({ files: { aaaaaaaaaaaaaaaaaaaa: { complete: -1, downloaded: 'x', incomplete: [] } } }),
    encode({ files: [1, 2], 'failure reason': 'no scrapes\r\n\x1b[2J' }),
    encode({ files: {}, flags: { min_request_interval: 2 ** 52 } }),
    Buffer.from('<html><body>hello</body></html>'),
    ...bencoded,
  ],
  check: (body) => {
    const result = parseScrape(body, SCRAPED)
    if (!result.ok) {
      assert.match(result.fault.message, LINE)
      return
    }
    assert.ok(result.counts.size <= SCRAPED.length && isTime(result.again))
    for (const [key, { seeds, leechers, downloads }] of result.counts) {
      assert.ok(SCRAPED.includes(key))
      assert.ok([seeds, leechers, downloads].every((value) => isTime(value) && Number(value) <= 1e8))
    }
  },
}

const udp: Target = {
  name: 'udp tracker',
  seeds: [
    packet(0, 7, Buffer.alloc(8, 1)),
    packet(1, 7, 1800, 3, 4, Buffer.alloc(60, 9)),
    packet(2, 7, 1, 2, 3, 4, 5, 6),
    packet(3, 7, Buffer.from('go away\0\x1b[2J')),
  ],
  check: (bytes) => {
    for (const family of [4, 6] as const) {
      const reply = parseUdpReply(bytes, family)
      if (reply?.kind === 'error') assert.match(reply.message, LINE)
      if (reply?.kind === 'scrape') assert.ok(reply.counts.length <= 74)
      if (reply?.kind !== 'announce') continue
      assert.ok(reply.answer.peers.length <= Math.min(MOST_PEERS, bytes.length / 6))
      assert.ok(reply.answer.peers.every((peer) => peer.family === family && peer.port > 0))
    }
  },
}

const lsd: Target = {
  name: 'local discovery',
  seeds: [
    writeLsd(4, {
      port: 6881,
      keys: ['ab'.repeat(20) as SwarmKey, '0'.repeat(40) as SwarmKey],
      cookie: 'c0ffee',
    }),
    Buffer.from(`bt-search * http/1.0\nport:1\ninfohash:${'AB'.repeat(20)}\nX: y\n\n`),
    Buffer.from(`BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n${`Infohash: ${'0'.repeat(40)}\r\n`.repeat(90)}`),
  ],
  check: (bytes) => {
    const said = readLsd(bytes)
    if (said === null) return
    assert.ok(said.port > 0 && said.port < 65_536 && Number.isInteger(said.port))
    assert.ok(said.keys.length > 0 && said.keys.length <= bytes.length / 40 && said.cookie.length <= 64)
    assert.ok(said.keys.every((key) => /^[0-9a-f]{40}$/.test(key)))
  },
}

/** 32 hex digits: whatever is around them, they are not shown. */
const PASSKEY = '0123456789abcdef0123456789abcdef'

const urls: Target = {
  name: 'tracker urls',
  seeds: [
    Buffer.from(`https://tracker.test/${PASSKEY}/announce`),
    Buffer.from(`http://user:pass@tracker.test:80/announce.php?passkey=${PASSKEY}&x=1#f`),
    Buffer.from(`udp://[::1]:6969/announce?auth=${PASSKEY}`),
    Buffer.from(`the tracker http://a.test/${PASSKEY} said "no" to http://b.test/x?key=1`),
  ],
  check: (bytes) => {
    const text = bytes.toString('utf8')
    for (const shown of [redactTracker(text), redactWebSeed(text), redactText(text)]) {
      assert.ok(shown.length <= 8 * text.length + 16)
    }
    assert.match(escapeText(text), /^[^\p{Cc}]*$/u)
    assert.ok((scrapeUrl(text, SCRAPED) ?? '/scrape').includes('/scrape'))
    const path = text.replace(/[^a-z/]/g, '')
    assert.ok(!redactTracker(`http://t.test/${path}/${PASSKEY}`).includes(PASSKEY))
    assert.ok(!redactText(`no: http://t.test/${path}?p=${PASSKEY}`).includes(PASSKEY))
  },
}

export const trackerTargets: readonly Target[] = [http, scrape, udp, lsd, urls]
