/** What can happen to the database under a whole daemon: full, held, damaged, put back. Nobody has to help. Each test
 * has a stage of its own, and all run side by side. */
import Database from 'better-sqlite3'
import { execFile, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Daemon, refusal, spawnDaemon } from '../support/daemon.js'
import { expectContent, makeTorrent } from '../support/make-torrent.js'
import { canMount, seenBy, withVolume } from '../support/own-mounts.js'
import { slowSeeder } from '../support/slow-seeder.js'
import { metainfoOf, type Stage, stageFor } from '../support/stage.js'
import { canTrace, hold as holdCalls } from '../support/strace.js'

const MIB = 1024 * 1024
const ROOT = resolve(import.meta.dirname, '../..')
const CTL = join(ROOT, 'dist/ctl/torrentinoctl.js')

beforeAll(() => {
  expect(spawnSync(process.execPath, [join(ROOT, '.ci/bundle-ctl.mjs')], { cwd: ROOT }).status).toBe(0)
})

async function eventually<T>(
  ask: () => T | Promise<T>,
  is: (value: T) => boolean,
  within = 90_000,
): Promise<T> {
  const end = performance.now() + within
  for (;;) {
    const value = await ask()
    if (is(value)) return value
    if (performance.now() > end) throw new Error(`not within ${String(within)} ms: ${JSON.stringify(value)}`)
    await delay(100)
  }
}

async function problemOf(daemon: Daemon): Promise<string | null> {
  return (await daemon.call('session.status', {})).database.problem
}

/** Adds torrents whose data lie there already. */
async function seeding(stage: Stage, daemon: Daemon, ...files: string[]): Promise<void> {
  for (const name of files) {
    const torrent = makeTorrent(stage.folder('made'), { name, content: 200_000 })
    const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
    await daemon.seeds(id)
  }
}

/** Not in one go with this process: a daemon of ours that ends is there until we have seen it end. */
function ctl(home: string, ...words: string[]): Promise<{ status: number | null; said: string }> {
  const env = { PATH: process.env['PATH'], HOME: home, TORRENTINO_NET: 'loopback' }
  return new Promise((done) => {
    execFile(process.execPath, [CTL, '--home', home, ...words], { env }, (error, stdout, stderr) => {
      done({ status: error === null ? 0 : Number(error.code), said: stdout + stderr })
    })
  })
}

describe.skipIf(!canMount)('a full volume of the database', { concurrent: true }, () => {
  it('stops no download; what is wanted is recorded as soon as there is room', async (context) => {
    const stage = stageFor(context)
    const home = join(stage.dir, 'home')
    mkdirSync(home)
    const begin =
      'mkdir -p "$0/logs" && printf "[listen]\\nhost = \\"127.0.0.1\\"\\n" > "$0/config.toml" && exec "$@"'
    const daemon = await stage.daemon('home', {
      under: [...withVolume(home, 'size=8m,mode=700'), 'sh', '-c', begin, home],
      socket: (pid) => seenBy(pid, join(home, 'torrentino.sock')),
    })
    const inside = (name: string): string => seenBy(daemon.pid, join(home, name))
    await eventually(() => existsSync(inside('torrentino.db.reserve')), Boolean)
    expect(statSync(inside('torrentino.db.reserve')).blocks * 512).toBeGreaterThan(MIB / 2)
    await seeding(stage, daemon, 'idle.bin')

    const made = { name: 'big.bin', content: 8 * MIB }
    const seeder = await slowSeeder({ torrent: makeTorrent(stage.folder('made2'), made), rate: 0.75 * MIB })
    stage.after(() => {
      seeder.close()
    })
    const trackers = [[await stage.trackerOf(seeder.port)]]
    const torrent = makeTorrent(stage.folder('made2'), { ...made, trackers })
    const dir = stage.folder('down')
    const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir })
    await daemon.until(id, (view) => view.doneBytes > 0)

    // The reserve goes first; whoever fills the volume takes that, too.
    const filler = inside('filler')
    const fill = (): void => {
      fillUp(filler)
    }
    let flips = 0
    const fillAndAsk = async (): Promise<string | null> => {
      fill()
      await daemon.call(flips++ % 2 === 0 ? 'torrent.verify' : 'torrent.pause', { ids: [1] })
      await daemon.call('torrent.resume', { ids: [1] })
      return problemOf(daemon)
    }
    await eventually(fillAndAsk, (problem) => problem !== null)
    // A page that comes free now and then lets a write through: what is full stays so only while it is filled.
    expect(await eventually(fillAndAsk, (problem) => problem?.includes('is full') === true)).toBe(
      `The volume of ${home} is full: make room for the database; nothing is recorded until then, and it goes on by itself.`,
    )
    expect(existsSync(inside('torrentino.db.reserve'))).toBe(false)
    const pauseAgain = async () => {
      await daemon.call('torrent.resume', { ids: [1] })
      fill()
      return daemon.call('torrent.pause', { ids: [1] })
    }
    const paused = await eventually(pauseAgain, ({ durable }) => !durable)
    expect(paused.reason).toBe(
      'The volume of the database is full: make room on it; what is done now is not recorded until it can be.',
    )
    // It goes on in memory, says so, and claims nothing.
    const view = await eventually(
      () => {
        fill()
        return daemon.torrent(id)
      },
      ({ error }) => error?.includes('database is full') === true,
    )
    expect(view.state).toBe('downloading')
    const { downloaded } = view
    const later = await daemon.until(id, (now) => now.downloaded > downloaded)
    expect(later.doneBytes).toBeLessThan(later.downloaded)
    expect((await daemon.call('torrent.list', {})).torrents).toHaveLength(2)

    rmSync(filler)
    await eventually(
      () => problemOf(daemon),
      (problem) => problem === null,
    )
    await daemon.seeds(id, 90_000)
    expectContent(torrent, dir)
    // As a start would find it.
    const copy = stage.folder('copy')
    for (const name of ['torrentino.db', 'torrentino.db-wal']) copyFileSync(inside(name), join(copy, name))
    const db = new Database(join(copy, 'torrentino.db'), { readonly: true })
    expect(db.prepare('SELECT desired FROM torrent ORDER BY id').all()).toEqual([
      { desired: 'paused' },
      { desired: 'running' },
    ])
    db.close()
  }, 240_000)
})

/** Down to the last page. */
function fillUp(file: string): void {
  for (const size of [MIB, 64 * 1024, 4096]) {
    for (let n = 0; n < 20; n += 1) {
      try {
        writeFileSync(file, Buffer.alloc(size, 'x'), { flag: 'a' })
      } catch {
        break
      }
    }
  }
}

describe('a foreign program that holds the database', { concurrent: true }, () => {
  function hold(home: string): Database.Database {
    const stranger = new Database(join(home, 'torrentino.db'))
    stranger.exec('BEGIN EXCLUSIVE')
    return stranger
  }

  it('stops neither answers nor the daemon; it is named, and what waited is recorded when it lets go', async (context) => {
    const stage = stageFor(context)
    const daemon = await stage.daemon('home')
    await seeding(stage, daemon, 'one.bin')
    const stranger = hold(daemon.home)
    const paused = await daemon.call('torrent.pause', { ids: [1] })
    expect(paused).toMatchObject({
      durable: false,
      reason: expect.stringMatching(/^Another program holds/) as string,
    })
    expect(await problemOf(daemon)).toBe(
      `Another program holds ${daemon.home}/torrentino.db: end it; nothing is recorded until then, and it goes on by itself.`,
    )
    expect((await daemon.torrent(1)).desired).toBe('paused')
    expect((await ctl(daemon.home, 'status')).said).toContain('Another program holds')
    stranger.exec('ROLLBACK')
    stranger.close()
    await eventually(
      () => problemOf(daemon),
      (problem) => problem === null,
    )
    const look = new Database(join(daemon.home, 'torrentino.db'), { readonly: true })
    const wish = look.prepare('SELECT desired FROM torrent').pluck()
    await eventually(
      () => wish.get(),
      (desired) => desired === 'paused',
    )
    look.close()
    await daemon.kill9()
    const again = await stage.daemon('home')
    expect((await again.torrent(1)).desired).toBe('paused')
  }, 120_000)

  it('is waited for at the start, not for ever, and then named', async (context) => {
    const stage = stageFor(context)
    const first = await stage.daemon('home')
    await seeding(stage, first, 'one.bin')
    await first.stop()
    const stranger = hold(first.home)
    const run = spawnDaemon({ home: first.home })
    expect((await run.ended).code).toBe(1)
    expect(run.said()).toBe(
      `The database ${first.home}/torrentino.db: another program holds ${first.home}/torrentino.db: end it (a shell of sqlite3, a backup program) and start torrentinod again\n`,
    )
    stranger.close()
    const again = await stage.daemon('home')
    expect((await again.call('torrent.list', {})).torrents).toHaveLength(1)
  }, 60_000)
})

describe.skipIf(!canTrace)('a disk that does not answer under the database', { concurrent: true }, () => {
  it('holds up no answer and no pause; it is told of, and what waited is recorded when it answers', async (context) => {
    const stage = stageFor(context)
    const daemon = await stage.daemon('home', { env: { TORRENTINO_LOOK_EVERY: '500' } })
    await seeding(stage, daemon, 'one.bin')
    const letGo = await holdCalls(daemon.pid, join(daemon.home, 'torrentino.db-wal'), 'fsync')
    stage.after(letGo)
    const waits = refusal(daemon.call('torrent.label', { ids: [1], add: ['y'] }))
    expect(await daemon.call('torrent.pause', { ids: [1] })).toMatchObject({
      durable: false,
      reason:
        'The database does not answer: look after its disk; what is done now is not recorded until it can be.',
    })
    expect((await waits).message).toBe(
      'The database does not answer: look after its disk; what was asked may still be done when it answers.',
    )
    expect(await problemOf(daemon)).toBe(
      `The disk of ${daemon.home} does not answer: look after it; nothing is recorded until then, and it goes on by itself.`,
    )
    expect((await refusal(daemon.call('torrent.label', { ids: [1], add: ['x'] }))).message).toMatch(
      /^The labels could not be recorded \(SILENT\)/,
    )
    expect((await daemon.call('torrent.list', {})).torrents).toMatchObject([{ id: 1, desired: 'paused' }])
    await letGo()
    await eventually(
      () => problemOf(daemon),
      (problem) => problem === null,
    )
    const log = (): string => readFileSync(join(daemon.home, 'logs/torrentinod.log'), 'utf8')
    await eventually(log, (text) => text.includes('the database can be written again'))
    expect(log()).toContain('does not answer: look after it')
    await daemon.kill9()
    const again = await stage.daemon('home')
    expect(await again.torrent(1)).toMatchObject({ desired: 'paused', labels: ['y'] })
  }, 120_000)

  it('does not keep the daemon from its end', async (context) => {
    const stage = stageFor(context)
    const daemon = await stage.daemon('home')
    await seeding(stage, daemon, 'one.bin')
    const letGo = await holdCalls(daemon.pid, join(daemon.home, 'torrentino.db-wal'), 'fsync')
    stage.after(letGo)
    void daemon.call('torrent.pause', { ids: [1] }).catch(() => undefined)
    process.kill(daemon.pid, 'SIGTERM')
    // It has killed itself by then; what traces it lets it die only now.
    await delay(6000)
    await letGo()
    expect(await daemon.ended).toEqual({ code: null, signal: 'SIGKILL' })
    const again = await stage.daemon('home')
    expect((await again.call('torrent.list', {})).torrents).toHaveLength(1)
  }, 60_000)
})

describe('damage', { concurrent: true }, () => {
  it('found at the start is told of, and every torrent is there and seeds', async (context) => {
    const stage = stageFor(context)
    const first = await stage.daemon('home')
    await seeding(stage, first, 'one.bin', 'two.bin')
    await first.call('torrent.pause', { ids: [2] })
    await first.stop()
    const file = join(first.home, 'torrentino.db')
    truncateSync(file, statSync(file).size / 2)
    const daemon = await stage.daemon('home')
    await daemon.seeds(1)
    expect(await daemon.torrent(2)).toMatchObject({ desired: 'paused', state: 'paused' })
    const { database } = await daemon.call('session.status', {})
    expect(database.problem).toBeNull()
    expect(database.notice).toMatch(
      /^The database could not be used \(.*\) and lies in .*-damaged: there was no good backup, and 2 torrents came back/,
    )
    expect((await ctl(daemon.home, 'status')).said).toContain('2 torrents came back')
    const { events } = await daemon.call('events.since', { seq: 0 })
    expect(events.find(({ kind }) => kind === 'recovered')?.data['sentence']).toBe(database.notice)
    expect(readFileSync(join(daemon.home, 'logs/torrentinod.log'), 'utf8')).toContain('2 torrents came back')
  }, 60_000)

  it('met at work ends claims and the daemon in order, and the next start recovers', async (context) => {
    const stage = stageFor(context)
    const first = await stage.daemon('home')
    await seeding(stage, first, 'one.bin', 'two.bin')
    await first.call('database.backup', {})
    await first.stop()
    const daemon = await stage.daemon('home')
    const file = join(daemon.home, 'torrentino.db')
    const { size } = statSync(file)
    // In place: SQLite has not read all of it yet.
    writeFileSync(file, Buffer.alloc(size - 4096, 0xff), { flag: 'r+' })
    const db = readFileSync(file)
    expect(db[100]).toBe(0xff)
    const answer = refusal(daemon.call('torrent.export', { id: 2 }))
    expect((await answer).message).not.toBe('')
    expect((await daemon.ended).code).toBe(1)
    expect(readFileSync(join(daemon.home, 'logs/torrentinod.log'), 'utf8')).toContain(
      'the database is damaged',
    )
    const again = await stage.daemon('home')
    for (const id of [1, 2]) await again.seeds(id)
    expect((await again.call('session.status', {})).database.notice).toContain('came back')
  }, 60_000)
})

describe('torrentinoctl', { concurrent: true }, () => {
  it('makes a backup, refuses what is there, and puts it back with the daemon at work', async (context) => {
    const stage = stageFor(context)
    const daemon = await stage.daemon('home')
    await seeding(stage, daemon, 'one.bin')
    const file = join(stage.dir, 'list.db')
    expect(await ctl(daemon.home, 'backup', file)).toEqual({ status: 0, said: `${file}\n` })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await ctl(daemon.home, 'backup', file)).toEqual({
      status: 1,
      said: `error: ${file} is there already; name another file.\n`,
    })
    expect((await ctl(daemon.home, 'backup', join(stage.dir, 'nowhere', 'x.db'))).status).toBe(1)
    const usual = (await ctl(daemon.home, 'backup')).said.trim()
    expect(usual).toMatch(/\/home\/backups\/torrentino-\d{8}-\d{6}\.db$/)
    await daemon.call('torrent.remove', { ids: [1], data: false, now: true })
    expect(readdirSync(join(daemon.home, 'torrents'))).toHaveLength(1)

    const wrong = await ctl(daemon.home, 'restore', CTL)
    expect(wrong).toEqual({ status: 2, said: `error: ${CTL} is no database of Torrentino.\n` })
    const restored = await ctl(daemon.home, 'restore', file)
    expect(restored.said).toMatch(
      /^torrentinod was started anew with 1 torrent\. The list was restored from /,
    )
    expect(restored.status).toBe(0)
    const again = await pidOf(stage, daemon.home)
    expect(again).not.toBe(daemon.pid)
    expect(readdirSync(join(daemon.home, 'aside'))).toEqual([expect.stringMatching(/-replaced$/)])
    expect((await ctl(daemon.home, 'daemon', 'stop')).status).toBe(0)
  }, 120_000)

  it.skipIf(!canTrace)(
    'and a backup to a volume that does not answer hold nothing up',
    async (context) => {
      const stage = stageFor(context)
      const file = join(stage.dir, 'list.db')
      const daemon = await stage.daemon('home', {
        under: [
          ...['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-P', `${file}.tmp`, '-e', 'signal=none'],
          ...['-e', 'trace=openat', '-e', 'inject=openat:delay_enter=10000000:when=1'],
        ],
      })
      const made = daemon.call('database.backup', { path: file })
      for (let i = 0; i < 3; i++) await daemon.call('events.since', { seq: 0 })
      // The answers did not wait for the first call on that volume.
      expect(existsSync(`${file}.tmp`) || existsSync(file)).toBe(false)
      expect((await made).path).toBe(file)
      expect(statSync(file).mode & 0o777).toBe(0o600)
    },
    60_000,
  )

  it('puts a backup in place for the next start where no daemon runs', async (context) => {
    const stage = stageFor(context)
    const first = await stage.daemon('home')
    await seeding(stage, first, 'one.bin')
    const { path } = await first.call('database.backup', {})
    await first.call('torrent.remove', { ids: [1], data: false, now: true })
    await first.stop()
    expect((await ctl(first.home, 'restore', CTL)).status).toBe(2)
    expect(await ctl(first.home, 'restore', path)).toEqual({
      status: 0,
      said: `torrentinod takes ${path} when it starts next.\n`,
    })
    const again = await stage.daemon('home')
    await again.seeds(1)
    expect((await again.call('session.status', {})).database.notice).toContain(`restored from ${path}`)
  }, 60_000)
})

async function pidOf(stage: Stage, home: string): Promise<number> {
  const { said } = await ctl(home, 'rpc', 'session.status', '{}')
  const { pid } = JSON.parse(said) as { pid: number }
  stage.after(() => ctl(home, 'daemon', 'stop'))
  return pid
}
