/** What only the real store promises: safety of the files, the lock, versions, full disks. */
import Database from 'better-sqlite3'
import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore, type OpenedStore } from '../../daemon/db/store.js'
import { MIGRATIONS } from '../../daemon/db/migrations.js'
import { StoreFault } from '../../daemon/ports/store.js'
import { FakeClock } from '../support/fake-clock.js'
import { newTorrent } from '../support/store-rows.js'

const WORKER = new URL('../../dist/daemon/db/thread.js', import.meta.url)
const CHILD = fileURLToPath(new URL('../support/store-child.mjs', import.meta.url))

type Child = ChildProcessByStdio<null, Readable, null>

let home: string
let bugs: Error[]
let damaged: StoreFault[]
let stores: OpenedStore[]
let children: Child[]

beforeEach(() => {
  expect(existsSync(WORKER), 'run `npx tsc -b` first').toBe(true)
  home = mkdtempSync(join(tmpdir(), 'store-'))
  bugs = []
  damaged = []
  stores = []
  children = []
})

afterEach(async () => {
  for (const store of stores) await store.close()
  for (const child of children) await kill(child)
  rmSync(home, { recursive: true })
  expect(bugs).toEqual([])
})

async function open(dir: string = home): Promise<OpenedStore> {
  const store = await openStore(
    {
      file: join(dir, 'torrentino.db'),
      lockFile: join(dir, 'lock'),
      workerUrl: WORKER,
      downloadDir: '/data',
      onBug: (error) => bugs.push(error),
      onDamaged: (fault) => damaged.push(fault),
    },
    { clock: new FakeClock() },
  )
  stores.push(store)
  return store
}

/** A store over a thread of this source. */
function openOver(source: string, dead: Error[], clock = new FakeClock()): Promise<OpenedStore> {
  const workerUrl = new URL(`data:text/javascript,${encodeURIComponent(source)}`)
  return openStore(
    {
      file: '/home/torrentino.db',
      lockFile: 'none',
      downloadDir: '/data',
      workerUrl,
      onBug: (error) => dead.push(error),
      onDamaged: (fault) => dead.push(fault),
    },
    { clock },
  )
}

async function faultOf(promise: Promise<unknown>): Promise<StoreFault> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (error instanceof StoreFault) return error
  throw new Error(`no StoreFault but ${String(error)}`)
}

/** Starts a child and resolves with its first line. */
async function start(mode: 'hold' | 'write'): Promise<{ child: Child; first: string; lines: string[] }> {
  const child = spawn(process.execPath, [CHILD, home, mode], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const lines: string[] = []
  const first = await new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line)
      if (lines.length === 1) resolve(line)
    })
  })
  return { child, first, lines }
}

async function kill(child: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await gone
}

function digests(dir: string): Record<string, string> {
  const names = readdirSync(dir).filter((name) => name !== 'lock' && !name.endsWith('-shm'))
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(dir, name)))
        .digest('hex'),
    ]),
  )
}

describe('opening', () => {
  it('is in full durability, the second time too', async () => {
    const facts = {
      synchronous: 2,
      journalMode: 'wal',
      foreignKeys: true,
      fullfsync: true,
      userVersion: MIGRATIONS.length,
    }
    const first = await open()
    expect(first.facts).toEqual(facts)
    await first.close()
    expect((await open()).facts).toEqual(facts)
  })

  it('makes what it makes readable to the owner alone', async () => {
    const dir = join(home, 'a', 'state')
    const store = await open(dir)
    await store.setMeta('a', 'b')
    const mode = (path: string) => statSync(path).mode & 0o777
    expect(mode(dir)).toBe(0o700)
    for (const name of readdirSync(dir)) expect([name, mode(join(dir, name))]).toEqual([name, 0o600])
    expect(readdirSync(dir).sort()).toEqual([
      'lock',
      'torrentino.db',
      'torrentino.db-shm',
      'torrentino.db-wal',
      'torrentino.db.reserve',
    ])
  })

  it('takes away what others were allowed on the database', async () => {
    await (await open()).close()
    chmodSync(join(home, 'torrentino.db'), 0o644)
    await open()
    expect(statSync(join(home, 'torrentino.db')).mode & 0o777).toBe(0o600)
  })

  it('migrates an empty file', async () => {
    writeFileSync(join(home, 'torrentino.db'), '')
    const store = await open()
    expect(store.facts.userVersion).toBe(MIGRATIONS.length)
    expect(await store.add(newTorrent(1))).toBe(1)
  })

  it('leaves one file, its reserve and an empty lock behind after close', async () => {
    const store = await open()
    await store.setMeta('a', 'b')
    await store.close()
    expect(readdirSync(home).sort()).toEqual(['lock', 'torrentino.db', 'torrentino.db.reserve'])
    expect(statSync(join(home, 'lock')).size).toBe(0)
  })

  it('moves a file that is no database aside, byte for byte, and says so', async () => {
    writeFileSync(join(home, 'torrentino.db'), 'This is my shopping list. '.repeat(100))
    const before = digests(home)
    const store = await open()
    expect(store.notice?.sentence).toContain('it is no SQLite database')
    const [folder = ''] = readdirSync(join(home, 'aside'))
    expect(folder).toMatch(/^\d{8}-\d{6}-damaged$/)
    expect(digests(join(home, 'aside', folder))).toEqual(before)
    expect(await store.eventsSince(0, 10)).toMatchObject([{ kind: 'recovered', data: { count: 0 } }])
  })

  it('names a folder that it may not make', async () => {
    writeFileSync(join(home, 'file'), '')
    const fault = await faultOf(open(join(home, 'file', 'state')))
    expect(fault.code).toBe('ENOTDIR')
    expect(fault.message).toContain(join(home, 'file', 'state'))
  })
})

describe('a database of a newer version', () => {
  it('is refused and no byte of it changes', async () => {
    await (await open()).close()
    const db = new Database(join(home, 'torrentino.db'))
    db.pragma('user_version = 999')
    db.close()
    const before = digests(home)
    const fault = await faultOf(open())
    expect(fault.code).toBe('NEWER')
    expect(fault.message).toContain('999')
    expect(digests(home)).toEqual(before)
  })

  it('is refused untouched where the version stands in the log of a killed process', async () => {
    await (await open()).close()
    const db = new Database(join(home, 'torrentino.db'))
    db.pragma('journal_mode = WAL')
    db.pragma('user_version = 999')
    const copy = join(home, 'copy')
    mkdirSync(copy)
    for (const name of ['torrentino.db', 'torrentino.db-wal'])
      copyFileSync(join(home, name), join(copy, name))
    db.close()
    const before = digests(copy)
    expect(Object.keys(before)).toHaveLength(2)
    expect((await faultOf(open(copy))).code).toBe('NEWER')
    expect(digests(copy)).toEqual(before)
  })
})

describe('one instance', () => {
  it('refuses a second one in the same process and leaves the first at work', async () => {
    const first = await open()
    expect((await faultOf(open())).code).toBe('LOCKED')
    await first.setMeta('a', 'b')
    await first.close()
    expect(await (await open()).getMeta('a')).toBe('b')
  })

  it('refuses a second process and is free at once after kill -9', async () => {
    const one = await start('hold')
    expect(one.first).toBe('open')
    expect((await faultOf(open())).code).toBe('LOCKED')
    expect((await start('hold')).first).toBe('refused LOCKED')
    await kill(one.child)
    await (await open()).setMeta('a', 'b')
  })

  it('lets one of several that start at once through', async () => {
    const all = await Promise.all([1, 2, 3, 4].map(() => start('hold')))
    expect(all.map(({ first }) => first).sort()).toEqual([
      'open',
      'refused LOCKED',
      'refused LOCKED',
      'refused LOCKED',
    ])
  })
})

describe('kill -9', () => {
  it('loses nothing that was answered', async () => {
    let last = 0
    for (let run = 0; run < 5; run += 1) {
      const { child, lines } = await start('write')
      await new Promise<void>((resolve) => {
        child.stdout.on('data', () => {
          if (lines.length > 20 + run * 7) resolve()
        })
      })
      await kill(child)
      const answered = Number(lines.at(-1))
      expect(answered).toBeGreaterThanOrEqual(20)
      const store = await open()
      const n = Number(await store.getMeta('n'))
      const events = await store.eventsSince(last, 1_000_000)
      // Of the two calls that were on their way when the kill came, none, one or both may be there too.
      expect(n).toBeGreaterThanOrEqual(answered)
      expect(n).toBeLessThanOrEqual(answered + 1)
      expect(events.length).toBeGreaterThanOrEqual(answered)
      expect(events.length).toBeLessThanOrEqual(n)
      expect(events.map((event) => event.data['n'])).toEqual(events.map((_, at) => at + 1))
      last = events.at(-1)?.seq ?? last
      await store.close()
    }
  })
})

describe('errors', () => {
  it.skipIf(process.getuid?.() !== 0)('lives through a full disk and works again afterwards', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', home])
    try {
      const filler = join(home, 'filler')
      writeFileSync(filler, Buffer.alloc(400 * 1024))
      const store = await open()
      const id = await store.add(newTorrent(1))
      const stored: number[] = []
      let full: StoreFault | null = null
      for (let n = 0; n < 1000 && full === null; n += 1)
        full = await store.setMeta(`key ${n}`, 'x'.repeat(8192)).then(
          () => (stored.push(n), null),
          (fault: unknown) => (fault instanceof StoreFault ? fault : null),
        )
      expect(full?.code).toBe('SQLITE_FULL')
      expect(stored.length).toBeGreaterThan(5)
      expect((await store.torrents()).map((row) => row.id)).toEqual([id])
      rmSync(filler)
      await store.setDesired([id], 'paused')
      await store.setMeta('after', 'space came back')
      await store.close()
      const again = await open()
      expect((await again.torrents())[0]?.desired).toBe('paused')
      for (const n of stored) expect(await again.getMeta(`key ${n}`)).toHaveLength(8192)
      await again.close()
    } finally {
      for (const store of stores) await store.close()
      execFileSync('umount', [home])
    }
  })

  it.skipIf(process.getuid?.() !== 0)('lets the small writes pass that fit beside a large one', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', home])
    try {
      const store = await open()
      const results = await Promise.allSettled([
        store.setMeta('a', 'b'),
        store.setMeta('big', 'x'.repeat(3 * 1024 * 1024)),
        store.setMeta('c', 'd'),
        store.getMeta('a'),
      ])
      expect(results.map((result) => result.status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'fulfilled',
      ])
      expect(await store.getMeta('c')).toBe('d')
      await store.close()
    } finally {
      for (const store of stores) await store.close()
      execFileSync('umount', [home])
    }
  })

  it('gives up soon on a stranger who holds the database, and goes on when he leaves', async () => {
    const store = await open()
    const stranger = new Database(join(home, 'torrentino.db'))
    stranger.exec('BEGIN IMMEDIATE')
    expect((await faultOf(store.setMeta('a', 'b'))).code).toBe('SQLITE_BUSY')
    expect(await store.getMeta('a')).toBeNull()
    stranger.exec('ROLLBACK')
    stranger.close()
    await store.setMeta('a', 'b')
  })

  it('tells of a thread that cannot start', async () => {
    const dead: Error[] = []
    expect((await faultOf(openOver('throw new Error("broken")', dead))).code).toBe('CRASHED')
    expect(dead.map((error) => error.message)).toEqual(['broken'])
  })

  it('tells of a thread that died, once, and refuses what waits and what comes', async () => {
    for (const end of ['throw new Error("broken")', 'process.exit(3)']) {
      const dead: Error[] = []
      const store = await openOver(
        `import { parentPort } from 'node:worker_threads'
         parentPort.on('message', () => { ${end} })
         parentPort.postMessage({ kind: 'opened', facts: {} })`,
        dead,
      )
      const waiting = [faultOf(store.setMeta('a', 'b')), faultOf(store.torrents())]
      expect((await Promise.all(waiting)).map((fault) => fault.code)).toEqual(['CRASHED', 'CRASHED'])
      expect((await faultOf(store.torrents())).code).toBe('CRASHED')
      await store.close()
      expect(dead).toHaveLength(1)
    }
  })

  it('that does not answer is told of; what waits is done when it does, and nothing more is asked', async () => {
    const clock = new FakeClock()
    // Holds every call until it is woken.
    const store = await openOver(
      `import { parentPort } from 'node:worker_threads'
       const held = []
       parentPort.on('message', (message) => {
         if (message.kind === 'call') held.push(message.request)
         if (message.kind === 'wake')
           for (const { id, method } of held.splice(0)) parentPort.postMessage({ kind: 'answer', id, value: method })
         if (message.kind !== 'close') return
         parentPort.postMessage({ kind: 'closed' })
         parentPort.close()
       })
       parentPort.postMessage({ kind: 'opened', facts: {} })`,
      bugs,
      clock,
    )
    stores.push(store)
    const told: (string | null)[] = []
    store.watch(() => told.push(store.problem()))
    const waiting = store.setMeta('a', 'b')
    clock.advance(19_999)
    expect([store.silent(), store.problem()]).toEqual([false, null])
    clock.advance(1)
    const sentence =
      'The disk of /home does not answer: look after it; nothing is recorded until then, and it goes on by itself.'
    expect([store.silent(), store.problem(), told]).toEqual([true, sentence, [sentence]])
    expect((await faultOf(store.setMeta('c', 'd'))).code).toBe('SILENT')
    expect((await faultOf(store.backup(null))).code).toBe('SILENT')
    expect(await store.probe()).toBe(false)
    store.wake()
    await expect(waiting).resolves.toBe('setMeta')
    expect([store.silent(), store.problem()]).toEqual([false, null])
  })

  it('tells of a call that only a bug can have made, and lives on', async () => {
    const store = await open()
    const event = { at: 1, torrent: null, kind: 'k', caller: 'c', data: { big: 1n } }
    expect((await faultOf(store.appendEvent(event))).code).toBe('BUG')
    expect(bugs.splice(0).map((error) => error.message)).toEqual([expect.stringContaining('BigInt')])
    await store.setMeta('a', 'b')
  })

  it('calls an edited bitfield unknown', async () => {
    const first = await open()
    const id = await first.add(newTorrent(1))
    await first.recordRound({
      torrent: id,
      chunks: [{ chunk: 0, bits: new Uint8Array(13) }],
      files: [],
      done: 0,
      completedAt: null,
      checked: true,
    })
    await first.close()
    const db = new Database(join(home, 'torrentino.db'))
    db.exec("UPDATE have SET bits = x'ff'; UPDATE torrent SET desired = 'flying'")
    db.close()
    const store = await open()
    expect((await store.have(id)).bits).toBeNull()
    expect((await store.torrents())[0]?.desired).toBe('paused')
  })
})

describe('ten thousand torrents', () => {
  it('are listed from three queries, in order', async () => {
    const store = await open()
    const ids = await Promise.all(
      Array.from({ length: 10_000 }, (_, n) =>
        store.add(newTorrent(n, { trackers: [{ tier: 0, url: 'http://a', source: 'metainfo' }] })),
      ),
    )
    const rows = await store.torrents()
    expect(rows.map((row) => row.id)).toEqual(ids)
    expect(rows.every((row) => row.trackers.length === 1)).toBe(true)
  }, 30_000)
})
