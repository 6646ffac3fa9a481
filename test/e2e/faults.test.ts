/** Bad input, bad disks, bad peers: one sentence each, and every other torrent goes on. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encode } from '../../shared/torrent/bencode.js'
import { handshakeBytes } from '../../daemon/codec/handshake.js'
import type { SwarmKey } from '../../shared/units.js'
import { corpusDir, readTsv } from '../support/corpus.js'
import { type Daemon, makeHome, refusal } from '../support/daemon.js'
import { expectContent, type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { canMount, seenBy, withVolume } from '../support/own-mounts.js'
import { type SlowSeeder, slowSeeder } from '../support/slow-seeder.js'
import { metainfoOf, useStage } from '../support/stage.js'

const stage = useStage()
const MIB = 1024 * 1024
const NOBODY = 65_534

const isRoot = process.getuid?.() === 0
/** Root may write anywhere, so its daemon has to be somebody else's. */
const canBeLocked = !isRoot || spawnSync('setpriv', ['--reuid', String(NOBODY), 'true']).status === 0

interface Served {
  readonly torrent: MadeTorrent
  readonly seeder: SlowSeeder
  readonly metainfo: string
}

/** A torrent of one file with an honest seed, and the ports of other peers before it. */
async function served(name: string, size: number, rate: number, ...others: number[]): Promise<Served> {
  const made = { name, content: size }
  const seeder = await slowSeeder({ torrent: makeTorrent(stage.folder('made'), made), rate })
  stage.after(() => {
    seeder.close()
  })
  const trackers = [[await stage.trackerOf(...others, seeder.port)]]
  const torrent = makeTorrent(stage.folder('made'), { ...made, trackers })
  return { torrent, seeder, metainfo: metainfoOf(torrent) }
}

/** Another torrent is downloaded by the same daemon, start to end. */
async function othersGoOn(daemon: Daemon): Promise<void> {
  const { torrent, metainfo } = await served('other.bin', 300_000, 20 * MIB)
  const dir = stage.folder('others')
  const { id } = await daemon.call('torrent.add', { metainfo, dir })
  await daemon.seeds(id)
  expectContent(torrent, dir)
}

describe('what is asked for', () => {
  it('of a torrent that is not there, or of two, is refused', async () => {
    const daemon = await stage.daemon('home')
    expect(await refusal(daemon.call('torrent.get', { id: 7 }))).toMatchObject({
      code: 1010,
      data: { ref: 7 },
    })
    const [one, two] = twoOfOnePrefix()
    const dir = stage.folder('down')
    for (const { metainfo } of [one, two]) await daemon.call('torrent.add', { metainfo, dir, paused: true })
    const both = await refusal(daemon.call('torrent.get', { id: one.hash.slice(0, 4) }))
    expect(both).toMatchObject({ code: 1011, data: { ids: [1, 2] } })
    const long = await daemon.call('torrent.get', { id: one.hash })
    expect(long).toMatchObject({ id: 1, infoHash: one.hash })
    const { results } = await daemon.call('torrent.pause', { ids: [1, 99, 2] })
    expect(results.map((result) => result.ok)).toEqual([true, false, true])
  })

  it.skipIf(corpusDir() === null)('with a .torrent of the corpus holds its row of the table', async () => {
    const daemon = await stage.daemon('home')
    const dir = stage.folder('down')
    const outcome = async (file: string): Promise<string> => {
      const metainfo = metainfoOf(join(corpusDir() ?? '', file))
      try {
        const added = await daemon.call('torrent.add', { metainfo, dir: join(dir, file), paused: true })
        return added.infoHash ?? ''
      } catch (error) {
        return `${String((error as { code: number }).code)}: ${(error as Error).message}`
      }
    }
    for (const row of readTsv('EXPECT.tsv').filter(({ strict }) => strict === 'must')) {
      const got = `${row['file'] ?? ''} ${await outcome(row['file'] ?? '')}`
      // A machine with a small disk refuses the large ones for that.
      if (/ 1023: Not enough space/.test(got)) continue
      if (row['expect_v1only'] === 'reject') expect(got).toMatch(/ 1020: \S.*\.$/)
      else expect(got).toBe(`${row['file'] ?? ''} ${row['infohash_v1'] ?? ''}`)
    }
    const half = Buffer.from(await wholeTorrent(), 'base64').subarray(0, -9)
    for (const bad of [Buffer.from('<html>'), Buffer.alloc(0), half]) {
      const error = await refusal(daemon.call('torrent.add', { metainfo: bad.toString('base64'), dir }))
      expect(error.code).toBe(1020)
    }
    await othersGoOn(daemon)
  })
})

describe('the folder', () => {
  it.skipIf(!existsSync('/proc/self'))('refuses a folder that nobody can make, and goes on', async () => {
    const daemon = await stage.daemon('home')
    const metainfo = await wholeTorrent()
    const error = await refusal(daemon.call('torrent.add', { metainfo, dir: '/proc/x/y' }))
    expect(error).toMatchObject({ code: 1022, data: { dir: '/proc/x/y', reason: 'ENOENT' } })
    const { id } = await daemon.call('torrent.add', { metainfo, dir: stage.folder('data') })
    expect((await daemon.until(id, (view) => view.state === 'downloading')).error).toBeNull()
  })

  it.skipIf(!canBeLocked)('that may not be written to is refused at add', async () => {
    const ids = [`--reuid=${String(NOBODY)}`, `--regid=${String(NOBODY)}`, '--clear-groups']
    const home = makeHome(join(stage.dir, 'home'))
    const own = [home, join(home, 'config.toml'), stage.folder('others')]
    for (const path of isRoot ? own : []) chownSync(path, NOBODY, NOBODY)
    const locked = stage.folder('locked')
    chmodSync(locked, 0o555)
    const daemon = await stage.daemon('home', isRoot ? { under: ['setpriv', ...ids] } : {})
    const metainfo = await wholeTorrent()
    for (const dir of [locked, join(locked, 'below')]) {
      const error = await refusal(daemon.call('torrent.add', { metainfo, dir }))
      expect(error).toMatchObject({ code: 1022, data: { dir, reason: 'EACCES' } })
      expect(error.message).toBe(
        `There is no permission to write to ${dir}; choose another folder with --dir.`,
      )
    }
    await othersGoOn(daemon)
  })

  it.skipIf(!canMount)('that has too little room is refused at add, with the figures', async () => {
    const dir = stage.folder('small')
    const daemon = await stage.daemon('home', { under: withVolume(dir, 'size=8m') })
    const { metainfo } = await served('big.bin', 20 * MIB, MIB)
    const error = await refusal(daemon.call('torrent.add', { metainfo, dir }))
    expect(error).toMatchObject({ code: 1023, data: { dir, needed: 20 * MIB, free: 8 * MIB } })
    expect(error.message).toMatch(/^Not enough space in \S+: 20\S* MiB needed, 8\S* MiB free;/)
    expect((await daemon.call('torrent.list', {})).torrents).toEqual([])
    await othersGoOn(daemon)
  })

  it.skipIf(!canMount)(
    'that fills up blocks the download, which goes on by itself',
    async () => {
      const dir = stage.folder('small')
      const daemon = await stage.daemon('home', { under: withVolume(dir, 'size=48m') })
      const { torrent, metainfo, seeder } = await served('big.bin', 36 * MIB, 8 * MIB)
      const { id } = await daemon.call('torrent.add', { metainfo, dir })
      await daemon.until(id, (view) => view.doneBytes > 0)
      const filler = seenBy(daemon.pid, join(dir, 'filler'))
      fill(filler)
      const view = await daemon.until(id, ({ state }) => state === 'blocked')
      expect(view.error).toMatch(
        /^No space left in \S+small(: \S+ [KM]iB more are needed)?; the download goes on by itself when there is room\.$/,
      )
      await othersGoOn(daemon)
      expect((await daemon.torrent(id)).state).toBe('blocked')
      rmSync(filler)
      seeder.rate = 100 * MIB
      await daemon.seeds(id, 45_000)
      expectContent(torrent, seenBy(daemon.pid, dir))
    },
    60_000,
  )
})

describe('a file', () => {
  it('that is gone blocks its torrent when a peer asks, until it is back', async () => {
    const { http } = await stage.tracker()
    const made = { name: 'f.bin', content: 600_000, trackers: [[http]] }
    const torrent = makeTorrent(stage.folder('made'), made)
    const metainfo = metainfoOf(torrent)
    const first = await stage.daemon('seed')
    const { id } = await first.call('torrent.add', { metainfo, dir: torrent.dir })
    await first.seeds(id)
    await first.stop()
    const path = join(torrent.dir, 'f.bin')
    renameSync(path, `${path}.away`)
    const seed = await stage.daemon('seed')
    const leech = await stage.daemon('leech')
    const dir = stage.folder('down')
    const got = await leech.call('torrent.add', { metainfo, dir })
    const view = await seed.until(id, ({ state }) => state === 'blocked')
    expect(view.error).toBe(
      'A file is missing or shorter than recorded (f.bin); put it back, or run "torrentinoctl verify" to fetch it again.',
    )
    await othersGoOn(seed)
    renameSync(`${path}.away`, path)
    await seed.seeds(id)
    // A daemon that starts knows nothing of the pause after a peer that hung up.
    await leech.stop()
    const again = await stage.daemon('leech')
    await again.seeds(got.id)
    expectContent(torrent, dir)
  })
})

describe.skipIf(!canMount)('the home', () => {
  it('that is full forbids no pause, and takes the records once there is room', async () => {
    const home = makeHome(join(stage.dir, 'full'))
    const daemon = await stage.daemon('full', {
      under: withVolume(home, 'size=6m,mode=0700'),
      env: { TORRENTINO_OWNER: 'person' },
      socket: (pid) => seenBy(pid, join(home, 'torrentino.sock')),
    })
    const { torrent, metainfo } = await served('big.bin', 24 * MIB, 6 * MIB)
    const dir = stage.folder('down')
    const { id } = await daemon.call('torrent.add', { metainfo, dir })
    await daemon.until(id, (view) => view.downloaded > MIB)
    const filler = seenBy(daemon.pid, join(home, 'filler'))
    // The daemon gives up its reserve first: that is filled, too.
    const told = await daemon.until(id, ({ error }) => {
      fill(filler)
      return error !== null
    })
    expect(told.state).toBe('downloading')
    expect(told.error).toMatch(/^The volume of the database is full: /)
    const paused = await daemon.call('torrent.pause', { ids: [id] })
    expect(paused).toMatchObject({ durable: false, results: [{ ok: true }] })
    expect(paused.reason).toMatch(/^The volume of the database is full/)
    await daemon.until(id, ({ state }) => state === 'paused')
    rmSync(filler)
    expect(await daemon.call('torrent.resume', { ids: [id] })).toMatchObject({ durable: true })
    const done = await daemon.seeds(id)
    expect(done.error).toBeNull()
    expectContent(torrent, dir)
  })
})

describe('a peer', () => {
  it('that sends wrong bytes is thrown out, and the content is right', async () => {
    const made = { name: 'big.bin', content: 8 * MIB, pieceLength: MIB / 4 }
    const liar = await slowSeeder({
      torrent: makeTorrent(stage.folder('made'), made),
      rate: 50 * MIB,
      lies: (piece) => piece % 2 === 1,
    })
    const honest = await slowSeeder({ torrent: makeTorrent(stage.folder('made'), made), rate: 4 * MIB })
    stage.after(() => {
      liar.close()
      honest.close()
    })
    const trackers = [[await stage.trackerOf(liar.port, honest.port)]]
    const torrent = makeTorrent(stage.folder('made'), { ...made, trackers })
    const daemon = await stage.daemon('home')
    const dir = stage.folder('down')
    const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir })
    await daemon.until(id, () => liar.sent > 0 && liar.connections === 0)
    await othersGoOn(daemon)
    honest.rate = 50 * MIB
    await daemon.seeds(id)
    expectContent(torrent, dir)
    expect((await daemon.call('torrent.get', { id })).wasted).toBeGreaterThan(0)
  })

  it('that lies about lengths is closed, and costs nobody else anything', async () => {
    const messages = {
      huge: Buffer.from('ffffffff07', 'hex'),
      'short have': Buffer.from('0000000204ff', 'hex'),
      'long bitfield': Buffer.concat([Buffer.from('0000ffff05', 'hex'), Buffer.alloc(0xffff)]),
      'no protocol': null,
    }
    const closed: string[] = []
    const ports: number[] = []
    // The info hash does not depend on the trackers.
    const { infoHash } = makeTorrent(stage.folder('made'), { name: 'big.bin', content: 4 * MIB })
    for (const [name, message] of Object.entries(messages)) {
      const server = net.createServer((socket) => {
        socket.on('error', () => undefined)
        socket.on('close', () => closed.push(name))
        if (message === null) socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')
        else {
          const hello = handshakeBytes(infoHash as SwarmKey, Buffer.from(`-XX0000-${name}`.padEnd(20, '.')))
          socket.write(Buffer.concat([hello, message]))
        }
        socket.resume()
      })
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
      stage.after(() => server.close())
      ports.push((server.address() as net.AddressInfo).port)
    }
    const { torrent, metainfo } = await served('big.bin', 4 * MIB, 4 * MIB, ...ports)
    const daemon = await stage.daemon('home')
    const dir = stage.folder('down')
    const { id } = await daemon.call('torrent.add', { metainfo, dir })
    await daemon.until(id, () => new Set(closed).size === 4, 10_000)
    await daemon.seeds(id)
    expectContent(torrent, dir)
  })
})

/** A small .torrent in base64. */
function wholeTorrent(): Promise<string> {
  return Promise.resolve(metainfoOf(makeTorrent(stage.folder('made'), { name: 'w.bin', content: 100_000 })))
}

/** Two torrents whose hashes begin with the same 4 digits. */
function twoOfOnePrefix(): [Tiny, Tiny] {
  const seen = new Map<string, Tiny>()
  for (let n = 0; n < 100_000; n++) {
    const tiny = tinyTorrent(`t${String(n)}`)
    const other = seen.get(tiny.hash.slice(0, 4))
    if (other !== undefined) return [other, tiny]
    seen.set(tiny.hash.slice(0, 4), tiny)
  }
  throw new Error('no two alike')
}

interface Tiny {
  readonly hash: string
  readonly metainfo: string
}

function tinyTorrent(name: string): Tiny {
  const info = { length: 1, name, 'piece length': 16_384, pieces: Buffer.alloc(20) }
  return {
    hash: createHash('sha1').update(encode(info)).digest('hex'),
    metainfo: Buffer.from(encode({ info })).toString('base64'),
  }
}

/** Writes until the volume is full. */
function fill(path: string): void {
  const chunk = Buffer.alloc(64 * 1024)
  try {
    for (let n = 0; n < 10_000; n++) writeFileSync(path, chunk, { flag: 'a' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return
    throw error
  }
  throw new Error('the volume does not fill')
}
