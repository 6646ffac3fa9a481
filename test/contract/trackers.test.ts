import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { Server } from 'bittorrent-tracker'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type {
  AnnounceAnswer,
  AnnounceFault,
  AnnounceRequest,
  AnnounceResult,
  ScrapeResult,
} from '../../daemon/codec/announce.js'
import { systemClock } from '../../daemon/io/clock.js'
import { createNetwork } from '../../daemon/io/net.js'
import type { Network, NetworkInit } from '../../daemon/io/net.js'
import { systemRandom } from '../../daemon/io/random.js'
import { encode } from '../../shared/torrent/bencode.js'
import type { SwarmKey } from '../../shared/units.js'
import { httpTracker, packet, reply, SELF_SIGNED, udpTracker } from '../support/fake-tracker.js'
import type { FakeTracker } from '../support/fake-tracker.js'

const REQUEST: AnnounceRequest = {
  swarmKey: 'ff00112233445566778899aabbccddeeff001122' as SwarmKey,
  peerId: Buffer.from('-TO0100-abcdefghijkl'),
  port: 6881,
  uploaded: 0,
  downloaded: 0,
  left: 1000,
  event: 'started',
  numwant: 80,
  key: 7,
  trackerId: null,
}

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

function network(over: Partial<NetworkInit> = {}): Network {
  const { http, ...rest } = over
  const net = createNetwork(
    {
      scope: 'loopback',
      localHosts: [],
      udp: { firstTimeout: 100, retries: 1 },
      ...rest,
      http: { userAgent: 'Torrentino/test', timeout: 2000, ...http },
    },
    { clock: systemClock(), random: systemRandom() },
  )
  closers.push(() => {
    net.close()
  })
  return net
}

function announce(net: Network, url: string, over: Partial<AnnounceRequest> = {}): Promise<AnnounceResult> {
  return new Promise((resolve) => {
    net.trackers.announce(url, { ...REQUEST, ...over }, resolve)
  })
}

async function good(net: Network, url: string, over: Partial<AnnounceRequest> = {}): Promise<AnnounceAnswer> {
  const result = await announce(net, url, over)
  if (!result.ok) throw new Error(result.fault.message)
  return result.answer
}

async function bad(net: Network, url: string): Promise<AnnounceFault> {
  const result = await announce(net, url)
  if (result.ok) throw new Error('the announce went well')
  return result.fault
}

function scrape(net: Network, url: string, keys: readonly SwarmKey[]): Promise<ScrapeResult> {
  return new Promise((resolve) => {
    net.trackers.scrape(url, keys, resolve)
  })
}

async function http(
  answer: Parameters<typeof httpTracker>[0],
  secure?: Parameters<typeof httpTracker>[1],
): Promise<FakeTracker & { readonly url: string }> {
  const tracker = await httpTracker(answer, secure)
  closers.push(() => {
    tracker.close()
  })
  const scheme = secure === undefined ? 'http' : 'https'
  return { ...tracker, url: `${scheme}://127.0.0.1:${String(tracker.port)}/announce` }
}

async function udp(...how: Parameters<typeof udpTracker>): Promise<FakeTracker & { readonly url: string }> {
  const tracker = await udpTracker(...how)
  closers.push(() => {
    tracker.close()
  })
  const host = how[1] === '::1' ? '[::1]' : '127.0.0.1'
  return { ...tracker, url: `udp://${host}:${String(tracker.port)}` }
}

/** A scrape answer; `encode` writes keys as UTF-8, and these are bytes. */
function latin1Dict(files: Readonly<Record<string, { readonly complete: number }>>): Buffer {
  const entries = Object.entries(files).map(
    ([key, { complete }]) => `${String(key.length)}:${key}d8:completei${String(complete)}ee`,
  )
  return Buffer.from(`d5:filesd${entries.join('')}ee`, 'latin1')
}

describe('a real tracker', () => {
  const server = new Server({ ws: false, stats: false, interval: 120_000 })
  const urls: Record<string, string> = {}
  beforeAll(async () => {
    await new Promise<void>((resolve) => {
      server.listen(0, { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' }, resolve)
    })
    urls['http'] = `http://127.0.0.1:${String((server.http.address() as AddressInfo).port)}/announce`
    urls['udp4'] = `udp://127.0.0.1:${String(server.udp4.address().port)}`
    urls['udp6'] = `udp://[::1]:${String(server.udp6.address().port)}`
  })
  afterAll(async () => {
    await new Promise<void>((resolve) => {
      server.close(resolve)
    })
  })

  it.each(['http', 'udp4', 'udp6'])('tells two peers of each other over %s', async (kind) => {
    const net = network()
    const url = urls[kind] ?? ''
    const swarmKey = (kind === 'http' ? 'e0' : kind === 'udp4' ? 'e4' : 'e6').repeat(20) as SwarmKey
    const other = { swarmKey, peerId: Buffer.from('-TO0100-zzzzzzzzzzzz'), port: 7000, left: 0 }
    const first = await good(net, url, other)
    expect(first).toMatchObject({ interval: 120_000, seeds: 1, leechers: 0 })
    const second = await good(net, url, { swarmKey })
    expect(second).toMatchObject({ interval: 120_000, seeds: 1, leechers: 1 })
    // This tracker keeps IPv6 peers to itself over UDP: their 18 bytes come from the fake one below.
    if (kind !== 'udp6') expect(second.peers).toContainEqual({ host: '127.0.0.1', port: 7000, family: 4 })
    await good(net, url, { swarmKey, event: 'completed', left: 0 })
    expect(server.torrents[swarmKey]).toMatchObject({ complete: 2, incomplete: 0 })
    await good(net, url, { ...other, event: 'stopped', numwant: 0 })
    expect(server.torrents[swarmKey]).toMatchObject({ complete: 1, incomplete: 0 })
  })

  it.each(['http', 'udp4', 'udp6'])('tells of many swarms in one scrape over %s', async (kind) => {
    const net = network()
    const url = urls[kind] ?? ''
    // Over HTTP this server makes UTF-8 of the bytes of a hash: only those below 0x80 come back as they were.
    const family = { http: '10', udp4: '14', udp6: '16' }[kind] ?? ''
    const hash = (digit: number): SwarmKey => `${family}0${String(digit)}${'41'.repeat(18)}` as SwarmKey
    const [one, two, unknown] = [hash(1), hash(2), hash(3)]
    const other = { peerId: Buffer.from('-TO0100-zzzzzzzzzzzz'), port: 7000 }
    await good(net, url, { ...other, swarmKey: one, left: 0 })
    await good(net, url, { swarmKey: one })
    await good(net, url, { ...other, swarmKey: two })
    const result = await scrape(net, url, [one, two, unknown])
    if (!result.ok) throw new Error(result.fault.message)
    expect(result.counts.get(one)).toMatchObject({ seeds: 1, leechers: 1 })
    expect(result.counts.get(two)).toMatchObject({ seeds: 0, leechers: 1 })
    // This tracker makes a swarm of what it is asked for, and says that nobody is there.
    expect(result.counts.get(unknown)?.seeds ?? 0).toBe(0)
  })

  it('says what the tracker says against it', async () => {
    const tracker = new Server({
      ws: false,
      udp: true,
      stats: false,
      filter: (_hash, _params, done) => {
        done(new Error('unregistered torrent'))
      },
    })
    await new Promise<void>((resolve) => {
      tracker.listen(0, { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' }, resolve)
    })
    tracker.on('warning', () => undefined)
    closers.push(() => {
      tracker.close(() => undefined)
    })
    const net = network()
    const expected = { kind: 'refused', message: 'The tracker refused: unregistered torrent' }
    const web = (tracker.http.address() as AddressInfo).port
    expect(await bad(net, `http://127.0.0.1:${String(web)}/announce`)).toMatchObject(expected)
    const datagrams = tracker.udp4.address().port
    expect(await bad(net, `udp://127.0.0.1:${String(datagrams)}`)).toMatchObject(expected)
  })
})

describe('odd HTTP trackers', () => {
  const ok = Buffer.from(encode({ interval: 60, peers: Uint8Array.of(127, 0, 0, 9, 0, 80) }))

  it('asks as BEP 3 has it', async () => {
    const tracker = await http((socket) => {
      reply(socket, ok)
    })
    await good(network(), tracker.url)
    const head = tracker.seen[0]?.toString('latin1') ?? ''
    expect(head).toMatch(
      /^GET \/announce\?info_hash=%FF%00%11%223DUfw%88%99%AA%BB%CC%DD%EE%FF%00%11%22&peer_id=/,
    )
    expect(head).toContain('&port=6881&')
    expect(head).toContain('User-Agent: Torrentino/test\r\n')
    expect(head).toContain('Accept-Encoding: gzip\r\n')
    expect(head).toMatch(/Host: 127\.0\.0\.1:\d+\r\n/)
  })

  it('takes a bare-LF HTTP/1.0 answer without a length', async () => {
    const tracker = await http((socket) => {
      socket.end(Buffer.concat([Buffer.from('HTTP/1.0 200 OK\nContent-Type: text/plain\n\n'), ok]))
    })
    expect((await good(network(), tracker.url)).peers).toHaveLength(1)
  })

  it('takes a gzip answer', async () => {
    const tracker = await http((socket) => {
      reply(socket, gzipSync(ok), ['Content-Encoding: gzip'])
    })
    expect((await good(network(), tracker.url)).peers).toHaveLength(1)
  })

  it.each([
    ['a web page', 'bad-answer', /web page/, '<html>hello</html>', [], '200 OK'],
    ['a status', 'bad-answer', /HTTP status 503/, 'busy', [], '503 Busy'],
    ['a failure reason with a status', 'refused', /refused: no/, 'd14:failure reason2:noe', [], '400 Bad'],
    ['3 MB', 'bad-answer', /larger than 2 MiB/, Buffer.alloc(3_000_000), [], '200 OK'],
    [
      'a gzip bomb',
      'bad-answer',
      /larger than 2 MiB/,
      gzipSync(Buffer.alloc(64_000_000)),
      ['Content-Encoding: gzip'],
      '200 OK',
    ],
    ['gzip that is none', 'bad-answer', /packed wrongly/, 'xxxx', ['Content-Encoding: gzip'], '200 OK'],
    ['file:', 'unreachable', /file:\/\/ is not supported/, '', ['Location: file:///etc/passwd'], '302 Found'],
  ] as const)('tells of %s', async (_name, kind, message, body, headers, status) => {
    const tracker = await http((socket) => {
      reply(socket, body, headers, status)
    })
    const fault = await bad(network(), tracker.url)
    expect(fault.kind).toBe(kind)
    expect(fault.message).toMatch(message)
  })

  it.each([
    ['says nothing', () => undefined],
    [
      'drips',
      (socket: { write: (text: string) => unknown; on: (event: 'close', fn: () => void) => unknown }) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n')
        const timer = setInterval(() => socket.write('d'), 20)
        socket.on('close', () => {
          clearInterval(timer)
        })
      },
    ],
  ])('gives up on one that %s', async (_name, answer) => {
    const tracker = await http(answer)
    const fault = await bad(network({ http: { userAgent: 'x', timeout: 300 } }), tracker.url)
    expect(fault).toMatchObject({
      kind: 'unreachable',
      message: expect.stringMatching(/no whole answer within/) as string,
    })
  })

  it('tells of one that is not there, breaks off, or does not speak HTTP', async () => {
    const gone = await http(() => undefined)
    gone.close()
    expect((await bad(network(), gone.url)).message).toMatch(/refused the connection/)
    const torn = await http((socket) => socket.destroy())
    expect((await bad(network(), torn.url)).message).toMatch(/broke off/)
    const cut = await http((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd8:'))
    expect((await bad(network(), cut.url)).message).toMatch(/broke off/)
    const ssh = await http((socket) => socket.end('SSH-2.0-OpenSSH\r\n'))
    expect((await bad(network(), ssh.url)).message).toMatch(/not HTTP/)
  })

  it('scrapes where the announce is called scrape, and keeps off other paths of this machine', async () => {
    const net = network()
    const key = REQUEST.swarmKey
    const tracker = await http((socket, head) => {
      const files = { [Buffer.from(key, 'hex').toString('latin1')]: { complete: 3 } }
      if (head.startsWith('GET /scrape?key=1&info_hash=%FF%00')) reply(socket, latin1Dict(files))
      else reply(socket, '', ['Location: /admin?info_hash=x'], '302 Found')
    })
    const counted = await scrape(net, `${tracker.url}?key=1`, [key])
    expect(counted.ok && counted.counts.get(key)).toEqual({ seeds: 3, leechers: null, downloads: null })
    const led = await scrape(net, tracker.url, [key])
    expect(led).toMatchObject({
      ok: false,
      fault: { message: expect.stringMatching(/begin with \/scrape/) as string },
    })
    expect(tracker.seen).toHaveLength(2)
    const other = await scrape(net, tracker.url.replace('/announce', '/tell'), [key])
    expect(other).toMatchObject({ ok: false, fault: { kind: 'refused', retryIn: 'never' } })
    const near = await scrape(net, tracker.url.replace('/announce', '/x/announce'), [key])
    expect(near).toMatchObject({ ok: false, fault: { kind: 'unreachable' } })
    expect(tracker.seen).toHaveLength(2)
  })

  it('follows redirects, five at most', async () => {
    let left = 5
    const tracker = await http((socket, head) => {
      left -= 1
      if (left >= 0) reply(socket, '', [`Location: /announce/${String(left)}`], '301 Moved')
      else reply(socket, head.startsWith('GET /announce/0 ') ? ok : 'wrong path')
    })
    expect((await good(network(), tracker.url)).peers).toHaveLength(1)
    expect(tracker.seen).toHaveLength(6)
    const loop = await http((socket) => {
      reply(socket, '', ['Location: /announce'], '302 Found')
    })
    expect((await bad(network(), loop.url)).message).toMatch(/redirects more than 5 times/)
    expect(loop.seen).toHaveLength(6)
  })

  it('verifies certificates, and takes one that an authority signed', async () => {
    const tracker = await http((socket) => {
      reply(socket, ok)
    }, SELF_SIGNED)
    // Node's own switch for all servers at once does not reach us.
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    const fault = await bad(network(), tracker.url)
    vi.unstubAllEnvs()
    expect(fault).toMatchObject({
      kind: 'bad-answer',
      message: expect.stringMatching(/certificate is not valid/) as string,
    })
    expect(tracker.seen).toHaveLength(0)
    const trusting = network({
      http: { userAgent: 'x', ca: SELF_SIGNED.cert },
      lookup: async () => ({ addresses: [{ host: '127.0.0.1', family: 4 }], reason: null }),
    })
    expect((await good(trusting, tracker.url)).peers).toHaveLength(1)
    const named = `https://tracker.test:${String(tracker.port)}/announce`
    expect((await good(trusting, named)).peers).toHaveLength(1)
    const other = `https://other.test:${String(tracker.port)}/announce`
    expect((await bad(trusting, other)).message).toMatch(/ALTNAME/)
  })

  it('looks names up, and tells when there is none', async () => {
    const tracker = await http((socket) => {
      reply(socket, ok)
    })
    const net = network({
      lookup: async (host) =>
        host === 'tracker.test'
          ? { addresses: [{ host: '127.0.0.1', family: 4 }], reason: null }
          : { addresses: [], reason: 'ENOTFOUND' },
    })
    await good(net, `http://Tracker.Test.:${String(tracker.port)}/announce`)
    expect((await bad(net, 'http://nowhere.test/announce')).message).toMatch(/looked up \(ENOTFOUND\)/)
    expect((await bad(net, 'udp://nowhere.test:1')).message).toMatch(/looked up \(ENOTFOUND\)/)
  })

  it('binds our side to the address it was given', async () => {
    const tracker = await http((socket) => {
      reply(socket, socket.remoteAddress ?? '')
    })
    const fetched = await new Promise((resolve) => {
      network({ localHosts: ['127.0.0.7'] }).http.get(tracker.url, () => null, resolve)
    })
    expect(fetched).toMatchObject({ ok: true, body: Buffer.from('127.0.0.7') })
  })

  it('lets HTTP announces wait for a place, and forgets those that were cancelled', async () => {
    const held: Parameters<Parameters<typeof httpTracker>[0]>[0][] = []
    const tracker = await http((socket) => held.push(socket))
    const net = network()
    const places: ((() => number) | null)[] = []
    const cancels = Array.from({ length: 60 }, () =>
      net.trackers.announce(
        tracker.url,
        REQUEST,
        () => undefined,
        (before) => places.push(before),
      ),
    )
    expect(places.map((before) => before?.())).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    net.trackers.announce(
      tracker.url,
      REQUEST,
      () => undefined,
      (before) => places.push(before),
      true,
    )()
    cancels.push(
      net.trackers.announce(
        tracker.url,
        REQUEST,
        () => undefined,
        (before) => places.push(before),
        true,
      ),
    )
    expect([places[11]?.(), places[0]?.()]).toEqual([0, 1])
    await expect.poll(() => held.length).toBe(50)
    const last = announce(net, tracker.url, { event: 'stopped' })
    cancels.forEach((cancel) => {
      cancel()
    })
    await expect.poll(() => held.length).toBe(51)
    expect(places.filter((before) => before === null)).toHaveLength(11)
    reply(held[50]!, ok)
    expect((await last).ok).toBe(true)
  })
})

describe('scope and redirects', () => {
  const ok = Buffer.from(encode({ interval: 60 }))
  /** Names of the lab; those of the internet are never reached: only loopback is dialled here. */
  const lookup: NonNullable<NetworkInit['lookup']> = async (host) => {
    const known: Record<string, string> = { near: '127.0.0.1', lan: '10.77.0.1', far: '203.0.113.9' }
    const address = known[host]
    return address === undefined
      ? { addresses: [], reason: 'ENOTFOUND' }
      : { addresses: [{ host: address, family: 4 }], reason: null }
  }

  it.each([
    'http://lan/announce',
    'http://far/announce',
    'http://10.77.0.1/announce',
    'udp://lan:6969',
    'udp://[ff02::1]:80',
  ])('does not ask %s outside the scope', async (url) => {
    expect((await bad(network({ lookup }), url)).message).toMatch(/net\.scope/)
  })

  it('checks each redirect', async () => {
    const tracker = await http((socket) => {
      reply(socket, '', ['Location: http://far/announce'], '302 Found')
    })
    expect((await bad(network({ lookup }), tracker.url)).message).toMatch(/net\.scope/)
  })

  it('asks only announce paths on this machine', async () => {
    const tracker = await http((socket) => {
      reply(socket, ok)
    })
    const base = `http://127.0.0.1:${String(tracker.port)}`
    expect((await bad(network(), `${base}/admin`)).message).toMatch(/only paths that begin with \/announce/)
    expect(tracker.seen).toHaveLength(0)
    expect((await announce(network(), `${base}/announce.php`)).ok).toBe(true)
  })

  it.each([
    'http://near/announce?info_hash=abc',
    'http://near/announce?x=1&iNfo_HaSh=a',
    'http://near/announce?EvEnT=a',
  ])('does not ask %s, which sets what is ours', async (url) => {
    expect(await bad(network({ lookup }), url)).toMatchObject({ retryIn: 'never' })
  })

  it.each([
    'wss://near/announce',
    'ftp://near/',
    'nonsense',
    'udp://near',
    'udp://near:0',
    'udp://near:70000',
    'http://:80',
  ])('answers %s with a sentence', async (url) => {
    expect((await bad(network({ lookup }), url)).message).toMatch(/^(The|Trackers) .*\.$/)
  })
})

describe('odd UDP trackers', () => {
  const CONNECTION = Buffer.from('0102030405060708', 'hex')
  const peers = Buffer.from('7f0000090050', 'hex')
  const answerTo = (asked: Buffer): Buffer => {
    const transaction = asked.readUInt32BE(12)
    return asked.readUInt32BE(8) === 0
      ? packet(0, transaction, CONNECTION)
      : packet(1, transaction, 1800, 2, 3, peers)
  }

  it('connects once for announces within a minute', async () => {
    const tracker = await udp((asked, send) => {
      send(answerTo(asked))
    })
    const net = network()
    expect(await good(net, tracker.url)).toMatchObject({ interval: 1_800_000, leechers: 2, seeds: 3 })
    await good(net, `${tracker.url}/announce?key=1`)
    expect(tracker.seen.map((asked) => asked.readUInt32BE(8))).toEqual([0, 1, 1])
    expect(tracker.seen[2]?.subarray(98).toString('latin1')).toBe('\x02\x0f/announce?key=1')
  })

  it('asks again where a packet was lost, and gives up where all are', async () => {
    let lost = 0
    const tracker = await udp((asked, send) => {
      lost += 1
      if (lost % 2 === 0) send(answerTo(asked))
    })
    expect((await good(network(), tracker.url)).peers).toHaveLength(1)
    expect(tracker.seen.map((asked) => asked.readUInt32BE(8))).toEqual([0, 0, 1, 1])
    const silent = await udp(() => undefined)
    expect(await bad(network(), silent.url)).toMatchObject({
      kind: 'unreachable',
      message: 'The tracker did not answer.',
    })
    expect(silent.seen).toHaveLength(2)
  })

  it('drops forged answers: another transaction, another kind, another sender, too short', async () => {
    const forger = await udpTracker(() => undefined)
    closers.push(() => {
      forger.close()
    })
    const stranger = (await import('node:dgram')).createSocket('udp4')
    closers.push(() => stranger.close())
    const evil = Buffer.from('7f0000420050', 'hex')
    const tracker = await udp((asked, send, from) => {
      const transaction = asked.readUInt32BE(12)
      const forged = packet(1, transaction, 60, 0, 0, evil)
      if (asked.readUInt32BE(8) === 0) {
        send(forged)
        send(packet(0, transaction ^ 1, Buffer.alloc(8, 9)))
        send(packet(0, transaction))
      } else {
        send(packet(1, transaction ^ 1, 60, 0, 0, evil))
        send(packet(0, transaction, Buffer.alloc(8, 9)))
        send(packet(3, transaction ^ 1, Buffer.from('go away')))
      }
      stranger.send(forged, from.port, from.address, () => {
        send(answerTo(asked))
      })
    })
    const answer = await good(network(), tracker.url)
    expect(answer.peers).toEqual([{ host: '127.0.0.9', port: 80, family: 4 }])
    expect(tracker.seen[1]?.subarray(0, 8).equals(CONNECTION)).toBe(true)
  })

  it('asks for a new connection id when the one it kept is no longer known', async () => {
    let valid = Buffer.alloc(8, 1)
    const tracker = await udp((asked, send) => {
      const transaction = asked.readUInt32BE(12)
      if (asked.readUInt32BE(8) === 0) send(packet(0, transaction, valid))
      else if (asked.subarray(0, 8).equals(valid)) send(packet(1, transaction, 60, 0, 0))
      else send(packet(3, transaction, Buffer.from('Connection ID missmatch.\0')))
    })
    const net = network()
    await good(net, tracker.url)
    valid = Buffer.alloc(8, 2)
    expect((await announce(net, tracker.url)).ok).toBe(true)
    expect(tracker.seen.map((asked) => asked.readUInt32BE(8))).toEqual([0, 1, 1, 0, 1])
  })

  it('reads the 18 bytes of a peer over IPv6', async () => {
    const tracker = await udp((asked, send) => {
      const transaction = asked.readUInt32BE(12)
      if (asked.readUInt32BE(8) === 0) send(packet(0, transaction, CONNECTION))
      else
        send(
          packet(1, transaction, 60, 0, 0, Buffer.from('20010db8' + '00'.repeat(11) + '01' + '0050', 'hex')),
        )
    }, '::1')
    expect((await good(network(), tracker.url)).peers).toEqual([{ host: '2001:db8::1', port: 80, family: 6 }])
  })

  const both: NonNullable<NetworkInit['lookup']> = async () => ({
    addresses: [
      { host: '::1', family: 6 },
      { host: '127.0.0.1', family: 4 },
    ],
    reason: null,
  })

  it('takes the answer of one family where the other has nobody', async () => {
    const tracker = await udp((asked, send) => {
      send(answerTo(asked))
    })
    const answer = await good(network({ lookup: both }), `udp://both.test:${String(tracker.port)}`)
    expect(answer.peers).toHaveLength(1)
  })

  it('leaves the family alone for which no local address is named', async () => {
    const tracker = await udp((asked, send, from) => {
      expect(from.address).toBe('127.0.0.7')
      send(answerTo(asked))
    })
    const net = network({ lookup: both, localHosts: ['127.0.0.7'] })
    expect((await good(net, `udp://both.test:${String(tracker.port)}`)).peers).toHaveLength(1)
    expect((await bad(net, 'udp://[::1]:9')).message).toMatch(/no-local-address/)
  })

  it('is silent once cancelled', async () => {
    const tracker = await udp(() => undefined)
    const net = network()
    let told = 0
    const cancel = net.trackers.announce(tracker.url, REQUEST, () => (told += 1))
    await expect.poll(() => tracker.seen.length).toBe(1)
    cancel()
    await bad(net, tracker.url)
    expect(told).toBe(0)
    expect(tracker.seen).toHaveLength(3)
  })
})
