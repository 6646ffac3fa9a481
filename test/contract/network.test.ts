import net from 'node:net'
import { existsSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import type { PeerAddress, Scope } from '../../daemon/base/address.js'
import { inScope } from '../../daemon/base/address.js'
import { parseIp } from '../../daemon/base/ip.js'
import type { AnnounceRequest, AnnounceResult } from '../../daemon/codec/announce.js'
import { systemClock } from '../../daemon/io/clock.js'
import { SocketDialer } from '../../daemon/io/dialer.js'
import type { DialOptions } from '../../daemon/io/dialer.js'
import { Http, type HttpResult } from '../../daemon/io/http.js'
import { nearWithoutQuery } from '../../daemon/io/http-checks.js'
import { systemRandom } from '../../daemon/io/random.js'
import { Resolver } from '../../daemon/io/resolver.js'
import { NetTrackers } from '../../daemon/io/tracker-transport.js'
import { Datagrams } from '../../daemon/io/udp.js'
import { encode } from '../../shared/torrent/bencode.js'
import { redactTracker } from '../../shared/torrent/redact.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { httpTracker, reply } from '../support/fake-tracker.js'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function server(): Promise<{ address: PeerAddress; accepted: net.Socket[] }> {
  const accepted: net.Socket[] = []
  const listening = net.createServer((socket) => {
    socket.on('error', () => undefined)
    accepted.push(socket)
  })
  await new Promise<void>((resolve) => {
    listening.listen(0, '127.0.0.1', resolve)
  })
  closers.push(() => {
    for (const socket of accepted) socket.destroy()
    listening.close()
  })
  return {
    address: { host: '127.0.0.1', port: (listening.address() as net.AddressInfo).port, family: 4 },
    accepted,
  }
}

type Dialled = { socket: net.Socket | null; reason: string }

function dial(
  address: PeerAddress,
  init: { scope?: Scope; localHosts?: string[] } = {},
  options: Partial<DialOptions> = {},
): Promise<Dialled> {
  const dialer = new SocketDialer({ scope: 'loopback', localHosts: [], ...init }, { clock: systemClock() })
  return new Promise((resolve) => {
    dialer.dial(address, { timeout: 2000, ...options }, (socket, reason) => {
      if (socket !== null) closers.push(() => socket.destroy())
      resolve({ socket, reason })
    })
  })
}

describe('SocketDialer', () => {
  it('connects, from the local address it was given', async () => {
    const { address, accepted } = await server()
    const { socket } = await dial(address, { localHosts: ['127.0.0.8', '::1'] })
    expect(socket?.remotePort).toBe(address.port)
    await expect.poll(() => accepted[0]?.remoteAddress).toBe('127.0.0.8')
    expect(socket?.listenerCount('error')).toBe(0)
  })

  it('hands socket options on: bytes come into the buffer of the caller', async () => {
    const { address, accepted } = await server()
    const buffer = Buffer.alloc(64)
    let got = ''
    const onread: net.OnReadOpts = {
      buffer,
      callback: (count, view) => {
        got += Buffer.from(view.buffer, view.byteOffset, count).toString()
        return true
      },
    }
    const options: net.SocketConstructorOpts & { onread: net.OnReadOpts } = { onread }
    const { socket } = await dial(address, {}, { socket: options })
    socket?.resume()
    await expect.poll(() => accepted.length).toBe(1)
    accepted[0]?.write('hello')
    await expect.poll(() => got).toBe('hello')
    expect(buffer.toString('utf8', 0, 5)).toBe('hello')
  })

  it.each([
    ['10.77.0.1', 80, 'loopback'],
    ['203.0.113.1', 80, 'private'],
    ['0.0.0.0', 80, 'internet'],
    ['224.0.0.1', 80, 'internet'],
    ['127.0.0.1', 0, 'internet'],
  ] as const)('does not dial %s:%i in the scope %s', async (host, port, scope) => {
    expect(await dial({ host, port, family: 4 }, { scope })).toEqual({ socket: null, reason: 'out-of-scope' })
  })

  it('tells why it could not', async () => {
    const { address } = await server()
    closers.splice(0).forEach((close) => {
      close()
    })
    expect((await dial(address)).reason).toBe('ECONNREFUSED')
    expect((await dial({ ...address, host: '::1', family: 6 }, { localHosts: ['127.0.0.8'] })).reason).toBe(
      'no-local-address',
    )
    expect((await dial(address, { localHosts: ['203.0.113.1'] })).reason).toBe('EADDRNOTAVAIL')
  })

  it('gives up in time, and is silent once cancelled', async () => {
    const { address, accepted } = await server()
    const clock = new FakeClock()
    const dialer = new SocketDialer({ scope: 'loopback', localHosts: [] }, { clock })
    const told: string[] = []
    dialer.dial(address, { timeout: 100 }, (_socket, reason) => told.push(reason))
    const cancel = dialer.dial(address, { timeout: 100 }, (_socket, reason) => told.push(`second ${reason}`))
    cancel()
    clock.advance(100)
    expect(told).toEqual(['timeout'])
    await new Promise((resolve) => setImmediate(resolve))
    expect([told.length, clock.pending, accepted.filter((socket) => !socket.destroyed).length]).toEqual([
      1, 0, 0,
    ])
  })
})

describe('Datagrams', () => {
  it('sends both ways over both families, and refuses what is out of scope or no port', async () => {
    const heard: string[] = []
    const receiver = new Datagrams({ scope: 'loopback', localHosts: [] }, () => undefined)
    const sender = new Datagrams({ scope: 'loopback', localHosts: [] }, (packet, from) => {
      heard.push(`${packet.toString()} ${String(from.family)}`)
    })
    closers.push(() => {
      receiver.close()
      sender.close()
    })
    const refused: string[] = []
    for (const [host, port] of [
      ['10.0.0.1', 80],
      ['127.0.0.1', 0],
      ['127.0.0.1', 65_536],
      ['127.0.0.1', -1],
      ['127.0.0.1', 1.5],
    ] as const) {
      sender.send(Buffer.from('x'), { host, port, family: 4 }, (reason) => refused.push(reason))
    }
    await expect.poll(() => refused.length).toBe(5)
    expect(new Set(refused)).toEqual(new Set(['out-of-scope']))
    const dgram = await import('node:dgram')
    for (const [type, host] of [
      ['udp4', '127.0.0.1'],
      ['udp6', '::1'],
    ] as const) {
      const echo = dgram.createSocket(type)
      echo.on('message', (packet, from) => {
        echo.send(packet, from.port, from.address)
      })
      await new Promise<void>((resolve) => {
        echo.bind(0, host, resolve)
      })
      closers.push(() => echo.close())
      sender.send(
        Buffer.from('echo'),
        { host, port: echo.address().port, family: type === 'udp4' ? 4 : 6 },
        (reason) => heard.push(reason),
      )
    }
    await expect.poll(() => heard.toSorted()).toEqual(['echo 4', 'echo 6'])
    sender.close()
    sender.send(Buffer.from('x'), { host: '127.0.0.1', port: 9, family: 4 }, (reason) => refused.push(reason))
    await expect.poll(() => refused.length).toBe(6)
  })
})

describe('Datagrams that cannot be bound', () => {
  it('tell each sender once, and again at the next try', async () => {
    const datagrams = new Datagrams({ scope: 'loopback', localHosts: ['203.0.113.1'] }, () => undefined)
    const told: string[] = []
    const to = { host: '127.0.0.1', port: 9, family: 4 } as const
    datagrams.send(Buffer.from('x'), to, (reason) => told.push(`a ${reason}`))
    datagrams.send(Buffer.from('x'), to, (reason) => told.push(`b ${reason}`))
    await expect.poll(() => told).toEqual(['a EADDRNOTAVAIL', 'b EADDRNOTAVAIL'])
    datagrams.send(Buffer.from('x'), to, (reason) => told.push(`c ${reason}`))
    await expect.poll(() => told.length).toBe(3)
    datagrams.close()
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toHaveLength(3)
  })
})

describe('system clock and randomness', () => {
  it('has whole milliseconds that go on, and timers that can be taken back', async () => {
    const clock = systemClock()
    const start = clock.now()
    expect(Number.isInteger(start)).toBe(true)
    expect(Math.abs(clock.wall() - Date.now())).toBeLessThan(1000)
    const seen: string[] = []
    clock.after(1, () => seen.push('cancelled'))()
    const stop = clock.every(1, () => seen.push('every'))
    await new Promise<void>((resolve) => {
      clock.after(20, resolve)
    })
    stop()
    expect(seen).toContain('every')
    expect(seen).not.toContain('cancelled')
    // Above what setTimeout takes it would fire at once.
    let early = false
    const far = clock.after(2 ** 31 + 5, () => (early = true))
    await new Promise<void>((resolve) => {
      clock.after(10, resolve)
    })
    far()
    expect(early).toBe(false)
    expect(clock.now()).toBeGreaterThan(start)
  })

  it('draws in range', () => {
    const random = systemRandom()
    expect(new Set(Array.from({ length: 300 }, () => random.int(4)))).toEqual(new Set([0, 1, 2, 3]))
    for (let i = 0; i < 100; i += 1) expect(random.float()).toSatisfy((x: number) => x >= 0 && x < 1)
    expect(random.bytes(20)).toHaveLength(20)
  })
})

/** What the names of the table resolve to; every address is answered by one server on loopback. */
const NAMES: Readonly<Record<string, string>> = {
  localhost: '127.0.0.1',
  'tracker.com': '3.3.3.3',
  'redirector.com': '3.3.3.4',
  'local-network.com': '192.168.1.13',
  '3.server.com': '3.3.3.3',
  'xn--tracker-.com': '3.3.3.5',
}

/** `dialled`: every address that was connected to. `lookup`: addresses with blanks between. */
async function behindNat(
  answer: Parameters<typeof httpTracker>[0],
  lookup = (host: string): string => NAMES[host] ?? '',
): Promise<{ http: Http; resolver: Resolver; dialled: string[] }> {
  const dialled: string[] = []
  const tracker = await httpTracker(answer)
  closers.push(() => {
    tracker.close()
  })
  const clock = systemClock()
  const real = new SocketDialer({ scope: 'loopback', localHosts: [] }, { clock })
  const resolver = new Resolver(
    {
      lookup: async (host) => {
        const addresses = lookup(host)
          .split(' ')
          .flatMap((text) => parseIp(text) ?? [])
        return { addresses, reason: addresses.length === 0 ? 'ENOTFOUND' : null }
      },
    },
    { clock },
  )
  const dialer: Pick<SocketDialer, 'allows' | 'dial'> = {
    allows: (address) => inScope(address, 'internet'),
    dial: (address, options, done) => {
      dialled.push(address.host)
      return real.dial({ host: '127.0.0.1', port: tracker.port, family: 4 }, options, done)
    },
  }
  return { http: new Http({ userAgent: 'x', timeout: 2000 }, { clock, dialer, resolver }), resolver, dialled }
}

describe('redirects', () => {
  it.each([
    ['http://3.3.3.3/a', 'http://local-network.com/b', 'redirect-near'],
    ['http://3.3.3.3/a', 'http://192.168.1.13/b', 'redirect-near'],
    ['http://3.3.3.3/a', 'http://[::1]/b', 'redirect-near'],
    ['http://3.3.3.3/a', 'http://[::ffff:10.0.0.1]/b', 'redirect-near'],
    ['http://192.168.1.13/a', 'http://127.0.0.1/b', 'redirect-near'],
    ['http://3.3.3.3/a', 'ftp://3.3.3.3/b', 'unsupported'],
    ['http://3.3.3.3/a', 'http://3.server.com/b', null],
    ['http://192.168.1.13/a', 'http://3.3.3.3/b', null],
    ['http://192.168.1.13/a', 'http://192.168.1.14/b', null],
  ])('%s to %s: %s', async (from, to, expected) => {
    const { http } = await behindNat((socket, head) => {
      if (head.startsWith('GET /a')) reply(socket, '', [`Location: ${to}`], '302 Found')
      else reply(socket, 'there')
    })
    const result = await new Promise((resolve) => {
      http.get(from, () => null, resolve)
    })
    if (expected === null) expect(result).toMatchObject({ ok: true, body: Buffer.from('there') })
    else expect(result).toMatchObject({ ok: false, fault: { code: expected } })
  })
})

const TABLE = new URL('../../../shared/corpus/SSRF.tsv', import.meta.url)
type Row = readonly [kind: string, url: string, to: string, verdict: string]
const ROWS: readonly Row[] = existsSync(TABLE)
  ? readFileSync(TABLE, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split('\t'))
      .map(([kind = '', url = '', to = '', verdict = '']): Row => [kind, url, to, verdict])
  : []
/** Rows that another client blocks for the look of the host name; here it is asked, and shown as it is (punycode). */
const isIdn = ([, url, to]: Row): boolean => /xn--/.test(url + to)

const REQUEST: AnnounceRequest = {
  swarmKey: 'aa'.repeat(20) as SwarmKey,
  peerId: Buffer.alloc(20, 1),
  port: 1,
  uploaded: 0,
  downloaded: 0,
  left: 0,
  event: null,
  numwant: 0,
  key: 0,
  trackerId: null,
}

/** The first request is redirected to `to`, where there is one; every other one gets `body`. */
function answering(to: string, body: Buffer): Parameters<typeof httpTracker>[0] {
  let first = to !== ''
  return (socket) => {
    if (first) reply(socket, '', [`Location: ${to}`], '302 Found')
    else reply(socket, body)
    first = false
  }
}

describe.skipIf(!existsSync(TABLE))('the table SSRF.tsv', () => {
  const trackers = ROWS.filter(([kind]) => kind === 'tracker')
  const webSeeds = ROWS.filter(([kind]) => kind === 'webseed')

  it('has rows, and each is a test here', () => {
    expect([trackers.length, webSeeds.length]).toEqual([13, 10])
    expect(trackers.length + webSeeds.length).toBe(ROWS.length)
  })

  it.each(trackers)('%s %s %s', async (...row) => {
    const [, url, to, verdict] = row
    const { http, resolver } = await behindNat(answering(to, Buffer.from(encode({ interval: 60 }))))
    const ports = {
      http,
      resolver,
      udp: { announce: () => () => undefined, scrape: () => () => undefined },
      allows: () => true,
    }
    const net = new NetTrackers({ clock: systemClock(), ...ports })
    const result = await new Promise<AnnounceResult>((resolve) => {
      net.announce(url, REQUEST, resolve)
    })
    expect(result.ok ? 'allow' : 'block').toBe(isIdn(row) ? 'allow' : verdict)
    if (isIdn(row)) expect(redactTracker(to === '' ? url : to)).toContain('xn--tracker-.com')
  })

  it.each(webSeeds)('%s %s %s', async (_kind, url, to, verdict) => {
    const { http } = await behindNat(answering(to, Buffer.from('piece')))
    const result = await new Promise<HttpResult>((resolve) => {
      http.get(url, nearWithoutQuery, resolve)
    })
    expect(result.ok ? 'allow' : 'block').toBe(verdict)
  })
})

describe('a name', () => {
  it('that stands for another address with each question is asked once, and that address is dialled', async () => {
    let asked = 0
    const answers = ['3.3.3.3', '127.0.0.1', '192.168.1.1']
    const { http, dialled } = await behindNat(
      (socket) => {
        reply(socket, 'there')
      },
      () => answers[asked++] ?? '',
    )
    for (let turn = 0; turn < 3; turn++) {
      const result = await new Promise<HttpResult>((resolve) => {
        http.get('http://rebind.test:80/x', nearWithoutQuery, resolve)
      })
      expect(result.ok).toBe(true)
    }
    expect([asked, new Set(dialled)]).toEqual([1, new Set(['3.3.3.3'])])
  })

  it('that stands for near and far: only what may be asked is dialled', async () => {
    const { http, dialled } = await behindNat(
      (socket) => {
        reply(socket, 'there')
      },
      () => '192.168.1.13 3.3.3.3 127.0.0.1',
    )
    await new Promise((resolve) => {
      http.get('http://both.test/x?command=1', nearWithoutQuery, resolve)
    })
    expect(dialled).toEqual(['3.3.3.3'])
  })

  it('to which a redirect leads is looked up before it is asked', async () => {
    const { http, dialled } = await behindNat(
      answering('http://inside.test/admin', Buffer.from('secret')),
      (host) => (host === 'inside.test' ? '10.0.0.1' : '3.3.3.3'),
    )
    const result = await new Promise<HttpResult>((resolve) => {
      http.get('http://outside.test/x', () => null, resolve)
    })
    expect([result, dialled]).toMatchObject([{ ok: false, fault: { code: 'redirect-near' } }, ['3.3.3.3']])
  })
})
