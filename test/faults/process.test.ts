/** The process as a whole: it is signalled, crashes, has no descriptors or no port, and twins come along. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { handshakeBytes } from '../../daemon/codec/handshake.js'
import type { SwarmKey } from '../../shared/units.js'
import { type Daemon, makeHome, spawnDaemon } from '../support/daemon.js'
import { makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'
import { canTrace } from '../support/strace.js'

const stage = useStage()
const MIB = 1024 * 1024
/** Pairs of daemons that start at once; TORRENTINO_PAIRS=100 for the long form. */
const PAIRS = Number(process.env['TORRENTINO_PAIRS'] ?? 20)
const AT_ONCE = 5

interface Line {
  readonly msg: string
  readonly level: number
  readonly phase?: string
  readonly torrent?: number
  readonly ms?: number
  readonly error?: string
}

function logOf(home: string): Line[] {
  const text = readFileSync(join(home, 'logs', 'torrentinod.log'), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}

/** A torrent that has no peers and goes on wanting some. */
async function lonely(daemon: Daemon, name: string): Promise<number> {
  const torrent = makeTorrent(stage.folder('made'), { name, content: 300_000 })
  const { id } = await daemon.call('torrent.add', {
    metainfo: metainfoOf(torrent),
    dir: stage.folder(`down-${name}`),
  })
  await daemon.until(id, ({ state }) => state === 'downloading')
  return id
}

/** Ends it as a person does, and sees that it ends well and soon. */
async function endsWell(daemon: Pick<Daemon, 'stop'>): Promise<void> {
  const begun = performance.now()
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  expect(performance.now() - begun).toBeLessThan(5000)
}

describe('a main loop that is held up', () => {
  it('is told in one line with its phase, and in the status', async () => {
    const daemon = await stage.daemon('home', { env: { TORRENTINO_FAULT: 'disk:stall:2' } })
    const id = await lonely(daemon, 'one')
    const { stalls } = await daemon.call('session.status', {})
    expect(stalls.count).toBeGreaterThan(0)
    expect(stalls.longest).toBeGreaterThanOrEqual(300)
    await daemon.stop()
    const told = logOf(daemon.home).filter(
      ({ msg, torrent }) => msg.startsWith('the main loop') && torrent === id,
    )
    expect(told).toHaveLength(1)
    expect(told[0]).toMatchObject({ phase: 'disk', level: 40 })
    expect(told[0]?.ms).toBeGreaterThanOrEqual(300)
  })

  it('for ever is told by another thread, ends the daemon, and after three times its torrent comes back paused', async () => {
    const first = await stage.daemon('home')
    const other = await lonely(first, 'other')
    await first.call('torrent.pause', { ids: [other] })
    const id = await lonely(first, 'stuck')
    await first.stop()
    const env = { TORRENTINO_FAULT: 'disk:hang:1', TORRENTINO_LOOK_EVERY: '150' }
    for (let n = 0; n < 3; n++) {
      const run = spawnDaemon({ home: first.home, env })
      // No exit status, as no line of the main thread runs any more: managers take a signal for a failure.
      expect(await run.ended).toEqual({ code: null, signal: 'SIGKILL' })
    }
    const told = logOf(first.home).filter(({ msg, phase, torrent }) => {
      return msg.startsWith('the main loop has stood') && phase === 'disk' && torrent === id
    })
    expect(told.map(({ level }) => level).join()).toMatch(/^(40,){5,}50,(40,){5,}50,(40,){5,}50$/)
    const daemon = await stage.daemon('home')
    expect(await daemon.torrent(id)).toMatchObject({ state: 'paused', desired: 'paused' })
    expect((await daemon.torrent(id)).error).toMatch(/^Torrentino came down three times/)
    await endsWell(daemon)
  })
})

describe('a fault of our own', () => {
  it('in one torrent blocks it, and the others go on', async () => {
    const daemon = await stage.daemon('home', { env: { TORRENTINO_FAULT: 'disk:throw:2' } })
    const torrent = makeTorrent(stage.folder('made'), { name: 'one', content: 300_000 })
    const dir = stage.folder('down')
    const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir })
    const view = await daemon.until(id, ({ state }) => state === 'blocked')
    expect(view.error).toMatch(
      /^An internal fault of Torrentino stopped this torrent \(Error: a fault put in\); it is tried again after 1\S* ?m/,
    )
    await lonely(daemon, 'other')
    expect((await daemon.call('session.status', {})).faults).toEqual({ peers: 0, torrents: 1 })
    await endsWell(daemon)
    const [told] = logOf(daemon.home).filter(({ level }) => level === 50)
    expect(told).toMatchObject({ torrent: id })
    expect(told?.error).toContain('at ')
  })

  it('that nobody contains ends the daemon, and after three times its torrent comes back paused', async () => {
    const first = await stage.daemon('home')
    const id = await lonely(first, 'guilty')
    await first.stop()
    const env = { TORRENTINO_FAULT: 'disk:crash:1+' }
    for (let n = 0; n < 3; n++) {
      const run = spawnDaemon({ home: first.home, env })
      expect(await run.ended).toEqual({ code: 1, signal: null })
      expect(run.said()).toContain('a fault put in')
    }
    const crashed = logOf(first.home).filter(({ msg }) => msg.startsWith('a bug: '))
    expect(crashed.map(({ torrent }) => torrent)).toEqual([id, id, id])
    const daemon = await stage.daemon('home', { env })
    expect(await daemon.torrent(id)).toMatchObject({
      state: 'paused',
      desired: 'paused',
      error:
        'Torrentino came down three times while it worked on this torrent, so it was paused; "torrentinoctl resume" tries it again.',
    })
    await daemon.stop()
    const healed = await stage.daemon('home')
    await healed.call('torrent.resume', { ids: [id] })
    expect((await healed.until(id, ({ state }) => state === 'downloading')).error).toBeNull()
  })
})

describe('SIGTERM', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s before it is ready ends it with 0', async (signal) => {
    const home = makeHome(join(stage.dir, 'home'))
    const run = spawnDaemon({ home })
    stage.after(() => run.child.kill('SIGKILL'))
    while (!existsSync(join(home, 'torrentino.lock'))) await delay(2)
    const begun = performance.now()
    run.child.kill(signal)
    expect(await run.ended).toEqual({ code: 0, signal: null })
    expect(performance.now() - begun).toBeLessThan(5000)
  })

  it('in the middle of a check ends it, and the next start goes on with it', async () => {
    const made = { name: 'big', content: 8 * MIB, pieceLength: 64 * 1024 }
    const torrent = makeTorrent(stage.folder('made'), made)
    const dir = stage.folder('down')
    // Wrong, and long to hash: what is checked is the file's length, not the torrent's.
    writeFileSync(join(dir, 'big'), '')
    truncateSync(join(dir, 'big'), 8 * MIB)
    const under = canTrace
      ? [
          'strace',
          '-f',
          '-o',
          '/dev/null',
          '-e',
          'trace=preadv,pread64',
          '-e',
          'inject=preadv,pread64:delay_enter=20000',
        ]
      : []
    const daemon = await stage.daemon('home', { under })
    const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir })
    await daemon.until(id, ({ state }) => state === 'checking' || state === 'downloading')
    await endsWell(daemon)
    const again = await stage.daemon('home')
    await again.until(id, ({ state }) => state === 'downloading')
  })

  it.skipIf(!canTrace)(
    'on a disk whose syncs take a second ends it, with what was done recorded',
    async () => {
      const torrent = makeTorrent(stage.folder('made'), { name: 'one', content: 4 * MIB })
      const under = [
        'strace',
        '-f',
        '-o',
        '/dev/null',
        '-e',
        'trace=fdatasync',
        '-e',
        'inject=fdatasync:delay_enter=1000000',
      ]
      const daemon = await stage.daemon('home', { under })
      const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
      await daemon.seeds(id)
      await endsWell(daemon)
      const again = await stage.daemon('home')
      expect(await again.torrent(id)).toMatchObject({ state: 'seeding', progress: 1 })
    },
  )

  it('twice means now', async () => {
    const daemon = await stage.daemon('home')
    await lonely(daemon, 'one')
    process.kill(daemon.pid, 'SIGTERM')
    await delay(1)
    process.kill(daemon.pid, 'SIGTERM')
    expect(await daemon.ended).toEqual({ code: 0, signal: null })
  })
})

describe('descriptors', () => {
  /** A daemon with a complete torrent, and 60 strangers that connect to it and say nothing. */
  async function crowded(limit: (daemon: Daemon) => void, under: readonly string[] = []): Promise<Daemon> {
    const daemon = await stage.daemon('home', { under })
    const torrent = makeTorrent(stage.folder('made'), { name: 'one', content: 300_000 })
    const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
    await daemon.seeds(id)
    limit(daemon)
    const { port } = (await daemon.call('session.status', {})).listen
    const sockets = Array.from({ length: 60 }, () =>
      net.connect(port, '127.0.0.1').on('error', () => undefined),
    )
    await Promise.all(
      sockets.map((socket) => new Promise((done) => socket.once('connect', done).once('close', done))),
    )
    expect((await daemon.call('session.status', {})).torrents.total).toBe(1)
    stage.after(() => {
      for (const socket of sockets) socket.destroy()
    })
    if (under.length === 0) for (const socket of sockets) socket.destroy()
    expect(await greeted(daemon)).toContain('"result"')
    for (const socket of sockets) socket.destroy()
    expect(await shaken(port, torrent.infoHash as SwarmKey)).toBe('BitTorrent protocol')
    return daemon
  }

  /** What a new client of the socket is answered. */
  function greeted(daemon: Daemon): Promise<string> {
    const client = net.connect(join(daemon.home, 'torrentino.sock'))
    client.write(
      '{"jsonrpc":"2.0","id":1,"method":"session.hello","params":{"client":"t","contract":"1.0"}}\n',
    )
    stage.after(() => client.destroy())
    return new Promise((done, failed) => {
      client.once('data', (text) => {
        done(String(text))
      })
      client.once('error', failed)
    })
  }

  /** What a new peer is answered; it tries until there is room for it. */
  async function shaken(port: number, key: SwarmKey): Promise<string> {
    for (let attempt = 0; attempt < 100; attempt++) {
      const peer = net.connect(port, '127.0.0.1')
      peer.write(handshakeBytes(key, Buffer.from('-XX0000-abcdefghijkl')))
      const hello = await new Promise<Buffer | null>((done) => {
        peer.once('data', done)
        peer.on('error', () => undefined)
        peer.once('close', () => {
          done(null)
        })
      })
      peer.destroy()
      if (hello !== null) return hello.toString('latin1', 1, 20)
      await delay(100)
    }
    return 'nothing'
  }

  it('that are few are left to others: sockets of strangers do not take them all', async () => {
    const daemon = await crowded(() => undefined, ['sh', '-c', 'ulimit -n 200 && exec "$0" "$@"'])
    await endsWell(daemon)
  })

  it('that run out cost connections, and not the daemon', async () => {
    const daemon = await crowded(({ pid }) => {
      const open = readdirSync(`/proc/${String(pid)}/fd`).length
      const run = spawnSync('prlimit', ['--pid', String(pid), `--nofile=${String(open + 20)}`])
      expect(run.status).toBe(0)
    })
    await endsWell(daemon)
  })
})

describe('two daemons at once', () => {
  it(`on one home: one goes on, the other says so and ends with 6, ${String(PAIRS)} times`, async () => {
    const pair = async (n: number): Promise<void> => {
      const home = makeHome(join(stage.dir, `h${String(n)}`))
      const twins = [spawnDaemon({ home }), spawnDaemon({ home })] as const
      for (const { child } of twins) stage.after(() => child.kill('SIGKILL'))
      const loser = await Promise.race(twins.map(async (twin) => ({ twin, ended: await twin.ended })))
      expect(loser.ended).toEqual({ code: 6, signal: null })
      expect(loser.twin.said()).toBe(`A torrentinod is already running on ${home}.\n`)
      const winner = twins.find((twin) => twin !== loser.twin)
      expect(winner?.child.exitCode).toBeNull()
      winner?.child.kill('SIGTERM')
      expect(await winner?.ended).toEqual({ code: 0, signal: null })
    }
    mkdirSync(stage.dir, { recursive: true })
    for (let n = 0; n < PAIRS; n += AT_ONCE) {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, PAIRS - n) }, (_, i) => pair(n + i)))
    }
  }, 600_000)
})
