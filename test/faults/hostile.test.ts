/** A daemon among the hostile: what they say reaches no terminal and no log as it is, and its socket serves who comes next. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { encode } from '../../shared/torrent/bencode.js'
import { Daemon, makeHome } from '../support/daemon.js'
import { type FakeTracker, httpTracker, reply } from '../support/fake-tracker.js'
import { rssOf } from '../support/floods.js'
import * as raw from '../support/raw-peer.js'

const MIB = 1024 * 1024
const onLinux = process.platform === 'linux'
const CTL = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
/** Sets the title, clears the screen, goes to the start of the line, turns the direction of writing. */
const EVIL = '\x1b]0;owned\x07\x1b[2J\r\u202eevil\u0085\u2028'
/** All but the line feeds that a text has of its own. */
const HARMFUL = /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/
const PASSKEY = '0123456789abcdef0123456789abcdef'

const dir = mkdtempSync(join(tmpdir(), 'tor-hostile-'))
const home = join(dir, 'home')
const file = join(dir, 'evil.torrent')
let daemon: Daemon
let tracker: FakeTracker
let peer: net.Socket
let id = 0

beforeAll(async () => {
  makeHome(home, '[listen]\nhost = "127.0.0.1"\n[log]\nlevel = "debug"\n')
  daemon = await Daemon.start({ home })
  tracker = await httpTracker((socket) => {
    reply(socket, Buffer.from(encode({ 'failure reason': `${EVIL} no http://t.test/${PASSKEY}/announce` })))
  })
  const info = {
    name: `name${EVIL}`,
    'piece length': 16_384,
    pieces: new Uint8Array(20),
    files: [{ length: 5, path: ['..', `file${EVIL}`] }],
  }
  const bytes = encode({
    announce: `http://127.0.0.1:${String(tracker.port)}/announce/${PASSKEY}?passkey=${PASSKEY}`,
    comment: `comment${EVIL}`,
    'created by': `author${EVIL}`,
    'url-list': `http://seed.test/${EVIL}`,
    info,
  })
  writeFileSync(file, bytes)
  const metainfo = Buffer.from(bytes).toString('base64')
  id = (await daemon.call('torrent.add', { metainfo, dir: join(dir, 'down') })).id
  await daemon.until(id, ({ state }) => state === 'downloading')
  const { port } = (await daemon.call('session.status', {})).listen
  peer = net.connect(port, '127.0.0.1')
  peer.on('error', () => undefined).resume()
  const hello = Buffer.alloc(68)
  hello.write('\x13BitTorrent protocol', 0, 'latin1')
  hello[25] = 0x10
  hello.write(createHash('sha1').update(encode(info)).digest('hex'), 28, 20, 'hex')
  hello.write(`-\x1b[2J${EVIL}`, 48, 20, 'latin1')
  const says = Buffer.from(encode({ v: `client${EVIL}`, m: { [EVIL]: 3 } })).toString('latin1')
  peer.write(Buffer.concat([hello, raw.extended(0, says)]))
  await vi.waitFor(async () => {
    const { peers } = await daemon.call('torrent.peers', { id })
    const { trackers } = await daemon.call('torrent.trackers', { id })
    if (peers[0]?.client.includes('client') !== true) throw new Error(`peers: ${JSON.stringify(peers)}`)
    if (trackers[0]?.status !== 'failing') throw new Error(`trackers: ${JSON.stringify(trackers)}`)
  }, 20_000)
})

afterAll(async () => {
  peer.destroy()
  tracker.close()
  await daemon.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function ctl(...words: readonly string[]): Promise<{ out: string; err: string }> {
  const ran = promisify(execFile)(process.execPath, [CTL, '--home', home, ...words])
  return ran.then(
    ({ stdout, stderr }) => ({ out: stdout, err: stderr }),
    (error: unknown) => {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      return { out: stdout, err: stderr }
    },
  )
}

describe('what others say, in a pipe', () => {
  const verbs: readonly (readonly string[])[] = [
    ['list'],
    ['show', '1'],
    ['files', '1'],
    ['peers', '1'],
    ['trackers', '1'],
    ['inspect', file],
    ['add', file],
    ['show', `name${EVIL}`],
    ['inspect', join(dir, `no${EVIL}.torrent`)],
    ['add', `magnet:?dn=${EVIL}`],
    ['config', 'get', EVIL],
    [EVIL],
  ]

  it.each(verbs.map((words, at) => [at, words[0] === EVIL ? 'evil' : words[0], words] as const))(
    '%i %s',
    async (_at, _verb, words) => {
      const { out, err } = await ctl(...words)
      expect(out + err).not.toBe('')
      expect(out + err).not.toMatch(HARMFUL)
      expect(out + err).not.toContain(PASSKEY)
    },
  )

  it.each(['list', 'show 1', 'files 1', 'peers 1', 'trackers 1'])(
    '%s --json is JSON without a control',
    async (words) => {
      const { out } = await ctl(...words.split(' '), '--json')
      expect(() =>
        out
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
      ).not.toThrow()
      expect(out).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f]/)
      expect(out).not.toContain(PASSKEY)
    },
  )

  it('has come through: name, file, client, tracker', async () => {
    expect((await ctl('list')).out).toContain('name')
    expect((await ctl('files', '1')).out).toContain('file')
    expect((await ctl('peers', '1')).out).toContain('client\\x1b]0;owned\\x07')
    expect((await ctl('trackers', '1')).out).toMatch(/evil.*no http:\/\/t\.test\/\*\*\*/)
  })

  it('and the log has a line for each event, no control and no passkey', () => {
    const log = readFileSync(join(home, 'logs/torrentinod.log'), 'utf8')
    const lines = log.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(1)
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('msg')
    expect(log).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f]/)
    expect(log + daemon.said()).not.toContain(PASSKEY)
  })
})

const files = (): number => readdirSync(`/proc/${String(daemon.pid)}/fd`).length

/** A connection to the daemon's socket that writes what it is given until it is closed. */
function client(): net.Socket {
  const socket = net.connect(join(home, 'torrentino.sock'))
  socket.on('error', () => undefined)
  return socket
}

const closed = (socket: net.Socket): Promise<void> =>
  new Promise((done) => {
    socket.once('close', () => {
      done()
    })
    if (socket.destroyed) done()
  })

describe.skipIf(!onLinux)('the socket', () => {
  it('takes 64 MiB without a line end for what they are, and another is served', async () => {
    const quiet = rssOf(daemon.pid)
    const socket = client().resume()
    const over = closed(socket)
    const chunk = Buffer.alloc(MIB, 0x61)
    for (let sent = 0; sent < 64 && !socket.destroyed; sent += 1) {
      socket.write(chunk)
      await daemon.call('session.status', {})
    }
    await over
    expect(rssOf(daemon.pid) - quiet).toBeLessThan(64 * MIB)
  })

  it('survives 2000 connections at once, and gives every descriptor back', { timeout: 60_000 }, async () => {
    const before = files()
    const crowd = Array.from({ length: 2000 }, () => client().resume())
    for (let n = 0; n < 20; n += 1) await daemon.call('session.status', {})
    const ended = crowd.map(closed)
    for (const socket of crowd) socket.destroy()
    await Promise.all(ended)
    await expect.poll(files, { timeout: 20_000 }).toBeLessThanOrEqual(before)
    expect((await ctl('list')).out).toContain('name')
  })
})
