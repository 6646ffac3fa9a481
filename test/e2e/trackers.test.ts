/** Trackers of every kind, good and bad, as the daemon meets them. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { answerText } from '../../ctl/render/trackers.js'
import type { TrackerView } from '../../shared/views.js'
import type { Daemon } from '../support/daemon.js'
import { httpTracker, packet, reply, SELF_SIGNED, udpTracker } from '../support/fake-tracker.js'
import { expectContent, type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

const stage = useStage()
const IPV6 = '[listen]\nhost = "::1"\n'

/** A seed and a leech that know one tracker: the leech has the content at the end. */
async function transfer(url: string): Promise<void> {
  const torrent = makeTorrent(stage.folder('made'), { name: 'f.bin', content: 500_000, trackers: [[url]] })
  const seed = await stage.daemon('seed')
  const metainfo = metainfoOf(torrent)
  const given = await seed.call('torrent.add', { metainfo, dir: torrent.dir })
  await seed.seeds(given.id)
  await tracker(seed, given.id, ({ status }) => status === 'working')
  const leech = await stage.daemon('leech')
  const dir = stage.folder('down')
  const { id } = await leech.call('torrent.add', { metainfo, dir })
  await leech.seeds(id)
  expectContent(torrent, dir)
  const view = await tracker(leech, id, ({ status }) => status === 'working')
  expect(view).toMatchObject({ message: null, url })
}

/** The first tracker, once `is` holds. */
async function tracker(daemon: Daemon, id: number, is: (view: TrackerView) => boolean): Promise<TrackerView> {
  let found: TrackerView | undefined
  for (let tries = 0; tries < 400 && (found === undefined || !is(found)); tries++) {
    await new Promise((done) => setTimeout(done, 25))
    found = (await daemon.call('torrent.trackers', { id })).trackers[0]
  }
  if (found === undefined || !is(found)) throw new Error(`the tracker: ${JSON.stringify(found)}`)
  return found
}

describe('a real tracker', () => {
  it('is reached over HTTP', async () => {
    await transfer((await stage.tracker()).http)
  })

  it('is reached over UDP and IPv4', async () => {
    await transfer((await stage.tracker()).udp)
  })

  it('is reached over UDP and IPv6', async () => {
    const { udp6, server } = await stage.tracker()
    const made = { name: 'f.bin', content: 50_000, trackers: [[udp6]] }
    const torrent = makeTorrent(stage.folder('made'), made)
    const seed = await stage.daemon('seed', { config: IPV6 })
    const { id } = await seed.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
    // This server knows the seed by its IPv6 address, and names only IPv4 peers over UDP.
    const view = await tracker(seed, id, ({ status }) => status === 'working')
    expect(view).toMatchObject({ message: null, seeds: 1, leechers: 0, url: udp6 })
    expect(server.torrents[torrent.infoHash]).toMatchObject({ complete: 1 })
  })

  it('names IPv6 peers where it is asked over IPv6', async () => {
    const peers: Buffer[] = []
    const fake = await udpTracker((asked, send) => {
      const action = asked.readUInt32BE(8)
      const transaction = asked.subarray(12, 16)
      const connection = Buffer.alloc(8, 7)
      if (action === 0) send(packet(0, transaction, connection))
      else send(packet(1, transaction, 1800, 0, 1, ...peers))
    }, '::1')
    stage.after(() => {
      fake.close()
    })
    const trackers = [[`udp://[::1]:${String(fake.port)}/announce`]]
    const torrent = makeTorrent(stage.folder('made'), { name: 'f.bin', content: 500_000, trackers })
    const seed = await stage.daemon('seed', { config: IPV6 })
    const metainfo = metainfoOf(torrent)
    await seed.seeds((await seed.call('torrent.add', { metainfo, dir: torrent.dir })).id)
    const { listen } = await seed.call('session.status', {})
    const loopback = Buffer.alloc(16)
    loopback[15] = 1
    peers.push(loopback, Buffer.from([listen.port >> 8, listen.port & 255]))
    const leech = await stage.daemon('leech', { config: IPV6 })
    const dir = stage.folder('down')
    const { id } = await leech.call('torrent.add', { metainfo, dir })
    await leech.seeds(id)
    expectContent(torrent, dir)
  })
})

it('announce asks before the regular time, and no earlier than is polite', async () => {
  let asked = 0
  const fake = await httpTracker((socket) => {
    asked++
    reply(socket, 'd8:intervali1800e5:peers0:e')
  })
  stage.after(() => {
    fake.close()
  })
  const trackers = [[`http://127.0.0.1:${String(fake.port)}/announce`]]
  const torrent = makeTorrent(stage.folder('made'), { name: 'f.bin', content: 50_000, trackers })
  const daemon = await stage.daemon('home')
  const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
  const before = await tracker(daemon, id, ({ status }) => status === 'working')
  expect((before.nextAnnounceAt ?? 0) - Date.now()).toBeGreaterThan(1_700_000)
  const ctl = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
  const { stdout } = await promisify(execFile)(process.execPath, [
    ctl,
    '--home',
    daemon.home,
    'announce',
    'all',
  ])
  expect(stdout).toMatch(/^1 f\.bin: its trackers are asked in \d+s, as soon as they allow\n$/)
  const after = await tracker(daemon, id, () => true)
  expect((after.nextAnnounceAt ?? Infinity) - Date.now()).toBeLessThan(61_000)
  expect(asked).toBe(1)
})

describe('trackers added and removed while it runs', () => {
  /** A tracker that answers well and keeps the event of each announce. */
  async function listening(): Promise<{ readonly url: string; readonly events: string[] }> {
    const events: string[] = []
    const fake = await httpTracker((socket, head) => {
      // What the setting peers.encryption says by default.
      expect(head).toMatch(/&supportcrypto=1&(?!requirecrypto)/)
      events.push(/[?&]event=([a-z]+)/.exec(head)?.[1] ?? 'regular')
      reply(socket, 'd8:completei3e10:downloadedi9e10:incompletei4e8:intervali1800e5:peers0:e')
    })
    stage.after(() => {
      fake.close()
    })
    return { url: `http://127.0.0.1:${String(fake.port)}/announce?passkey=0123456789abcdef`, events }
  }
  const CTL = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
  const say = async (daemon: Daemon, ...words: string[]): Promise<string> => {
    const env = { ...process.env, COLUMNS: '80' }
    const { stdout } = await promisify(execFile)(process.execPath, [CTL, '--home', daemon.home, ...words], {
      env,
    })
    return stdout
  }
  async function heard(events: readonly string[], wanted: readonly string[]): Promise<void> {
    for (let tries = 0; tries < 400 && events.length < wanted.length; tries++)
      await new Promise((done) => setTimeout(done, 25))
    expect(events).toEqual(wanted)
  }

  it('an added one is asked at once, a removed one hears stopped once, and a kill -9 changes neither', async () => {
    const [first, second] = [await listening(), await listening()]
    const made = { name: 'f.bin', content: 50_000, trackers: [[first.url]] }
    const torrent = makeTorrent(stage.folder('made'), made)
    const daemon = await stage.daemon('home')
    await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
    await heard(first.events, ['started'])
    const added = await say(daemon, 'trackers', '1', '--add', second.url, '--tier', '5')
    expect(added).toContain('is asked now')
    await heard(second.events, ['started'])
    await tracker(daemon, 1, ({ status }) => status === 'working')
    const shown = first.url.replace(/passkey=.*/, 'passkey=***')
    const removed = await say(daemon, 'trackers', '1', '--remove', shown)
    expect(removed).toMatch(/^TIER +TRACKER +SEEDS +LEECHERS +DOWNLOADS +NEXT\n +5 +http:.*\n +ok, 0 peers, /)
    expect(removed).toMatch(/ 3 +4 +9 +\d+m/)
    await heard(first.events, ['started', 'stopped'])
    await daemon.kill9()
    const again = await stage.daemon('home')
    const { trackers } = await again.call('torrent.trackers', { id: 1 })
    expect(trackers.map(({ tier, url }) => [tier, url])).toEqual([
      [4, second.url.replace(/passkey=.*/, 'passkey=***')],
    ])
    await heard(second.events, ['started', 'started'])
    await again.stop()
    await heard(second.events, ['started', 'started', 'stopped'])
    expect(first.events).toEqual(['started', 'stopped'])
  })
})

describe('a bad tracker', () => {
  /** A torrent with that tracker, seeded by a daemon, and what the daemon says of the tracker. */
  async function told(
    url: string,
    is: (view: TrackerView) => boolean,
  ): Promise<{ view: TrackerView; daemon: Daemon; torrent: MadeTorrent }> {
    const torrent = makeTorrent(stage.folder('made'), { name: 'f.bin', content: 50_000, trackers: [[url]] })
    const daemon = await stage.daemon('home')
    const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
    await daemon.seeds(id)
    return { view: await tracker(daemon, id, is), daemon, torrent }
  }
  const fails = ({ status }: TrackerView): boolean => status === 'failing'

  async function answering(
    answer: Parameters<typeof httpTracker>[0],
    secure?: typeof SELF_SIGNED,
  ): Promise<string> {
    const fake = await httpTracker(answer, secure)
    stage.after(() => {
      fake.close()
    })
    return `${secure === undefined ? 'http' : 'https'}://127.0.0.1:${String(fake.port)}/announce`
  }

  it('whose certificate nobody vouches for is not used, and the reason is said', async () => {
    const url = await answering((socket) => {
      reply(socket, 'd8:intervali1800e5:peers0:e')
    }, SELF_SIGNED)
    const { view } = await told(url, fails)
    expect(view.message).toMatch(/certificate/i)
    expect(view.lastAnswerAt).toBeNull()
  })

  it('that answers HTML is named so', async () => {
    const url = await answering((socket) => {
      reply(socket, '<!doctype html><title>It works!</title>', ['Content-Type: text/html'])
    })
    const { view } = await told(url, fails)
    expect(view.message).toMatch(/web page|HTML/i)
  })

  it('that answers more than 2 MB is cut off', async () => {
    let taken = 0
    const url = await answering((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      const pump = (): void => {
        while (taken < 64e6 && socket.writable) {
          taken += 65_536
          if (!socket.write(Buffer.alloc(65_536, 'x'))) return void socket.once('drain', pump)
        }
      }
      pump()
    })
    const { view } = await told(url, fails)
    expect(view.message).toMatch(/2 M|too (large|long|big)|more than/i)
    // What the buffers of both sides hold may have come on top.
    expect(taken).toBeLessThan(32e6)
  })

  it('that says nothing holds up nobody else', async () => {
    const url = await answering(() => undefined)
    const { view, daemon } = await told(url, ({ status }) => status === 'announcing')
    expect(view.message).toBeNull()
    const { http } = await stage.tracker()
    const other = makeTorrent(stage.folder('made'), { name: 'g.bin', content: 400_000, trackers: [[http]] })
    const leech = await stage.daemon('leech')
    const metainfo = metainfoOf(other)
    await daemon.seeds((await daemon.call('torrent.add', { metainfo, dir: other.dir })).id)
    const { id } = await leech.call('torrent.add', { metainfo, dir: stage.folder('down') })
    await leech.seeds(id)
    expectContent(other, join(stage.dir, 'down'))
    expect((await daemon.call('torrent.trackers', { id: 1 })).trackers[0]?.status).toBe('announcing')
  })
})

describe('bad trackers all at once', () => {
  const MIB = 1 << 20

  /** Writes without end for as long as somebody reads, up to `most` bytes. */
  function pour(socket: Socket, head: string, chunk: Buffer, most: number, poured: { bytes: number }): void {
    socket.write(head)
    const pump = (): void => {
      while (poured.bytes < most && socket.writable) {
        poured.bytes += chunk.length
        if (!socket.write(chunk)) return void socket.once('drain', pump)
      }
    }
    pump()
  }

  const poured = { body: { bytes: 0 }, sized: { bytes: 0 }, headers: { bytes: 0 } }
  const GIB = 1 << 30
  const interval = (seconds: number) => (socket: Socket) => {
    reply(socket, `d8:completei3e10:incompletei4e8:intervali${String(seconds)}e5:peers0:e`)
  }
  /** What each does, and what is said of it in `trackers` and in the log. */
  const CASES: readonly [name: string, answer: (socket: Socket) => void, said: RegExp][] = [
    [
      'interval 0',
      interval(0),
      /^ok, .*; note: its interval of 0s is not kept to, it is asked every 1m 00s$/,
    ],
    ['interval -1', interval(-1), /^ok, .*; note: its interval of -1 s cannot be$/],
    [
      'interval 2^40',
      interval(2 ** 40),
      /^ok, .*; note: its interval of \d+d \d+h is not kept to, it is asked every 1d 0h$/,
    ],
    [
      'gzip bomb',
      (socket) => {
        reply(socket, gzipSync(Buffer.alloc(256 * MIB)), ['Content-Encoding: gzip'])
      },
      /^failed, .*: The tracker could not be asked: .*larger than 2 MiB/,
    ],
    [
      'a body without end',
      (socket) => {
        pour(socket, 'HTTP/1.1 200 OK\r\n\r\n', Buffer.alloc(65_536, 'x'), GIB, poured.body)
      },
      /^failed, .*: The tracker could not be asked: .*larger than 2 MiB/,
    ],
    [
      'a body of 1 GiB',
      (socket) => {
        const head = `HTTP/1.1 200 OK\r\nContent-Length: ${String(GIB)}\r\n\r\n`
        pour(socket, head, Buffer.alloc(65_536, 'x'), GIB, poured.sized)
      },
      /^failed, .*: The tracker could not be asked: .*larger than 2 MiB/,
    ],
    [
      'headers without end',
      (socket) => {
        const chunk = Buffer.from(`X-Filler: ${'x'.repeat(1000)}\r\n`.repeat(64))
        pour(socket, 'HTTP/1.1 200 OK\r\n', chunk, GIB, poured.headers)
      },
      /^failed, .*: The tracker could not be asked: .*(headers?|head)/,
    ],
    [
      'HTML',
      (socket) => {
        reply(socket, '<!doctype html><title>It works!</title>', ['Content-Type: text/html'])
      },
      /^failed, .*: The tracker answered with a web page; its address may be wrong or out of date\.$/,
    ],
  ]

  it('each has a line that says what is wrong, here and in the log, and nothing else is disturbed', async () => {
    const good = await stage.tracker()
    const daemon = await stage.daemon('home')
    const first = makeTorrent(stage.folder('made'), {
      name: 'good.bin',
      content: 50_000,
      trackers: [[good.http]],
    })
    await daemon.seeds((await daemon.call('torrent.add', { metainfo: metainfoOf(first), dir: first.dir })).id)
    await tracker(daemon, 1, ({ status }) => status === 'working')
    const before = (await daemon.call('session.status', {})).rssBytes
    const ids: number[] = []
    for (const [at, [, answer]] of CASES.entries()) {
      const fake = await httpTracker(answer)
      stage.after(() => {
        fake.close()
      })
      const url = `http://127.0.0.1:${String(fake.port)}/announce?case=${String(at)}`
      const made = { name: `f${String(at)}.bin`, content: 20_000, trackers: [[url]] }
      const torrent = makeTorrent(stage.folder('made'), made)
      ids.push((await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })).id)
    }
    const peak = { rss: 0 }
    for (const [at, id] of ids.entries()) {
      const [name, , said] = CASES[at] ?? ['', null, /^$/]
      const view = await tracker(daemon, id, ({ message }) => message !== null)
      expect({ name, text: answerText(view, Date.now()) }).toEqual({
        name,
        text: expect.stringMatching(said) as string,
      })
      const next = (view.nextAnnounceAt ?? 0) - Date.now()
      expect(next, name).toBeGreaterThan(5_000)
      expect(next, name).toBeLessThanOrEqual(86_400_000)
      peak.rss = Math.max(peak.rss, (await daemon.call('session.status', {})).rssBytes)
    }
    // What the buffers of both sides hold may have come on top of the 2 MiB.
    for (const { bytes } of Object.values(poured)) expect(bytes).toBeLessThan(32 * MIB)
    expect(peak.rss - before).toBeLessThan(96 * MIB)
    const log = readFileSync(join(daemon.home, 'logs/torrentinod.log'), 'utf8')
    const lines = log.split('\n').flatMap((line) => {
      const fields = line === '' ? {} : (JSON.parse(line) as Record<string, unknown>)
      return typeof fields['tracker'] === 'string' ? [fields] : []
    })
    for (const [at, id] of ids.entries()) {
      const [name = '', , said] = CASES[at] ?? []
      const mine = lines.filter(({ torrent }) => torrent === id)
      expect(
        mine.map(({ msg }) => msg),
        name,
      ).toEqual([
        said?.source.startsWith('^ok') === true ? 'a tracker answers with a remark' : 'a tracker fails',
      ])
      expect(mine[0]?.['reason'], name).toEqual(expect.any(String))
    }
    const all = await daemon.call('torrent.list', {})
    expect(all.torrents.every(({ state }) => state === 'seeding')).toBe(true)
    expect((await daemon.call('torrent.trackers', { id: 1 })).trackers[0]).toMatchObject({
      status: 'working',
      message: null,
    })
  })
})
