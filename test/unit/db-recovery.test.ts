/** Fault 14: whatever became of the database, a start ends with every torrent, and says what was done. */
import Database from 'better-sqlite3'
import { MIGRATIONS } from '../../daemon/db/migrations.js'
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
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { listTorrents, readMetainfo, setDesired, setMetainfo, setOrder } from '../../daemon/db/torrents.js'
import type { NewTorrent } from '../../daemon/ports/store.js'
import type { Args, FromThread, Method, ToThread } from '../../daemon/db/protocol.js'
import { damageOf } from '../../daemon/db/examine.js'
import { Reserve } from '../../daemon/db/reserve.js'
import { Server, type ThreadPort } from '../../daemon/db/serve.js'
import { hashOf, saveCopy } from '../../daemon/db/rebuild.js'
import { stageRestore } from '../../daemon/db/recovery.js'
import type { FileIndex, InfoHashV1, TorrentId } from '../../shared/units.js'
import { setGoals, setRanks } from '../../daemon/db/goals.js'
import { setLimits } from '../../daemon/db/limits.js'
import { markWriting, recordRound } from '../../daemon/db/records.js'
import {
  add,
  backUp,
  copyUnclosed,
  DatabaseKit,
  databaseOf,
  names,
  NOON,
  realTorrent,
  saveCopies,
} from '../support/database-kit.js'

const kit = new DatabaseKit()
const STEP = 512
const ALL = ['one', 'two', 'three']
const DAY = 24 * 3600 * 1000

let home: string
beforeEach(() => {
  home = kit.folder()
})

/** A backup knows `one` and `two`, the copies all three. The log of a killed daemon holds the last of them. */
function makeKilled(what: { copies: boolean; backup: boolean }): void {
  const work = kit.folder()
  const opened = kit.open(work)
  add(opened, realTorrent('one'), realTorrent('two', { desired: 'paused', dir: '/elsewhere' }))
  if (!what.copies) add(opened, realTorrent('three'))
  opened.db.pragma('wal_checkpoint(TRUNCATE)')
  if (what.copies) saveCopies(opened)
  if (what.backup) backUp(opened, NOON - DAY)
  if (what.copies) {
    add(opened, realTorrent('three'))
    saveCopies(opened)
  } else setDesired(opened.sql, [1 as TorrentId], 'paused')
  copyUnclosed(work, home)
  opened.db.close()
}

function aside(of = home): string[] {
  const dir = join(of, 'aside')
  return existsSync(dir) ? readdirSync(dir).sort() : []
}

/** Opens a copy of the home after `harm`; answers what was said, null where nothing had to be. */
function startAfter(harm: (file: string) => void): { list: string[]; said: string | null } {
  const hurt = kit.copyOf(home)
  harm(databaseOf(hurt))
  const outcome = kit.with(hurt, (opened) => ({
    list: names(opened).sort(),
    said: opened.notice?.sentence ?? null,
  }))
  rmSync(hurt, { recursive: true })
  return outcome
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = (bytes[at] ?? 0) ^ 0xff
  writeFileSync(file, bytes)
}

describe.each([
  { copies: true, backup: true },
  { copies: true, backup: false },
  { copies: false, backup: true },
])('a start with $copies copies and $backup backup', (what) => {
  const all = [...ALL].sort()
  beforeEach(() => {
    makeKilled(what)
  })

  it.each(['', '-wal'])(
    'after a cut at every 512 bytes of torrentino.db%s has every torrent',
    (part) => {
      const size = statSync(databaseOf(home) + part).size
      expect(size).toBeGreaterThan(8 * STEP)
      let told = 0
      for (let at = 0; at < size; at += STEP) {
        const { list, said } = startAfter((file) => {
          truncateSync(file + part, at)
        })
        expect([at, list]).toEqual([at, all])
        if (said !== null) told += 1
      }
      expect(part === '' ? told : 1).toBeGreaterThan(0)
    },
    60_000,
  )

  it.each(['', '-wal'])(
    'after a flip at every 512 bytes of torrentino.db%s has every torrent',
    (part) => {
      const size = statSync(databaseOf(home) + part).size
      for (let at = 0; at < size; at += STEP) {
        const { list } = startAfter((file) => {
          flip(file + part, at)
        })
        expect([at, list]).toEqual([at, all])
      }
    },
    60_000,
  )

  it.each([
    ['no database but its log', '', null],
    ['an empty database', '', 0],
    ['garbage beside it', '-shm', 40_000],
    ['a log of garbage', '-wal', 40_000],
    ['another file in its place', '', 40_000],
  ])('with %s has every torrent', (_, part, size) => {
    const { list } = startAfter((file) => {
      rmSync(file + part, { force: true })
      if (size !== null) writeFileSync(file + part, Buffer.alloc(size, 'garbage'))
    })
    expect(list).toEqual(all)
  })

  it('with an empty database and no log has every torrent', () => {
    const { list } = startAfter((file) => {
      rmSync(`${file}-wal`)
      truncateSync(file, 0)
    })
    expect(list).toEqual(all)
  })
})

describe('a torrent that is removed and added again', () => {
  it('is there after a kill that came before its new copy was written', () => {
    const opened = kit.open(home)
    const told: FromThread[] = []
    let tell: (message: ToThread) => void = () => undefined
    const port: ThreadPort = {
      post: (message) => told.push(message),
      next: () => undefined,
      onMessage: (listener) => (tell = listener),
      end: () => undefined,
    }
    const reserve = new Reserve(join(home, 'reserve'), () => 0)
    const tools = {
      lock: opened.db,
      reserve,
      elapsed: () => 0,
      soon: () => undefined,
      after: () => () => undefined,
      carry: () => ({ done: Promise.resolve(0), abandon: () => undefined }),
      wake: () => undefined,
    }
    new Server(port, opened, tools).begin()
    const call = <M extends Method>(id: number, method: M, ...args: Args<M>): void => {
      tell({ kind: 'call', request: { id, method, args } })
    }
    const torrent = realTorrent('one')
    call(1, 'add', torrent)
    saveCopies(opened)
    call(2, 'remove', 1 as TorrentId)
    call(3, 'add', torrent)
    expect(told.map(({ kind }) => kind)).toEqual(['answer', 'answer', 'answer'])
    const killed = kit.folder()
    copyUnclosed(home, killed)
    opened.db.close()
    kit.with(killed, ({ sql }) => {
      expect(listTorrents(sql)).toMatchObject([{ name: 'one', desired: 'running' }])
    })
  })
})

describe('a rollback journal that a kill left', () => {
  it('is rolled back by the next start', () => {
    const made = join(kit.folder(), 'torrentino.db')
    const db = new Database(made)
    db.pragma('cache_size = 1')
    db.exec('CREATE TABLE filler (bytes BLOB); BEGIN; DELETE FROM filler')
    for (let n = 0; n < 200; n++) db.prepare('INSERT INTO filler VALUES (zeroblob(4000))').run()
    db.exec('UPDATE filler SET bytes = NULL')
    for (const end of ['', '-journal']) copyFileSync(`${made}${end}`, join(home, `torrentino.db${end}`))
    db.close()
    expect(damageOf(join(home, 'torrentino.db'), { steps: [], thorough: true })).toBe(
      'its tables are not those of its version',
    )
    expect(existsSync(join(home, 'torrentino.db-journal'))).toBe(false)
  })
})

describe('the bytes kept for a full volume', () => {
  it('are made again ten seconds after they were given up, and not at each write', () => {
    let now = 0
    const reserve = new Reserve(join(home, 'reserve'), () => now)
    reserve.restock()
    expect(reserve.whole).toBe(true)
    expect(reserve.giveUp()).toBe(true)
    for (const [at, whole] of [
      [9999, false],
      [10_000, true],
    ] as const) {
      now = at
      reserve.restock()
      expect(reserve.whole).toBe(whole)
    }
  })
})

describe('a magnet link', () => {
  const HASH = 'c'.repeat(40) as InfoHashV1
  const link = (hash: InfoHashV1): NewTorrent => ({
    ...realTorrent('link'),
    hashes: { v1: hash },
    name: 'wanted',
    pieceLength: 0,
    pieceCount: 0,
    total: 0,
    wanted: 0,
    info: new Uint8Array(),
    infoStart: 0,
    torrent: Buffer.from(`magnet:?xt=urn:btih:${hash}&dn=wanted&tr=udp://t:1`),
  })

  it('comes back from its copy as the link that it was', () => {
    kit.with(home, (opened) => {
      add(opened, link(HASH))
      saveCopies(opened)
    })
    writeFileSync(databaseOf(home), 'garbage')
    kit.with(home, (opened) => {
      expect(listTorrents(opened.sql)).toMatchObject([
        { id: 1, name: 'wanted', pieceCount: 0, hashes: { v1: HASH } },
      ])
      expect(Buffer.from(readMetainfo(opened.sql, 1 as TorrentId).torrent).toString()).toMatch(/^magnet:/)
    })
  })

  it('whose metadata came comes back with them', () => {
    const known = realTorrent('known')
    kit.with(home, (opened) => {
      add(opened, link(known.hashes.v1 ?? HASH))
      saveCopies(opened)
      setMetainfo(opened.sql, 1 as TorrentId, known)
      saveCopy(opened.sql, opened.tools.copies, 1 as TorrentId)
    })
    writeFileSync(databaseOf(home), 'garbage')
    kit.with(home, (opened) => {
      const { name, pieceCount, total, hashes } = known
      expect(listTorrents(opened.sql)).toMatchObject([{ id: 1, name, pieceCount, total, hashes }])
    })
  })
})

describe('what is damaged', () => {
  it('lies aside byte for byte with its log, a folder for each time, and is never overwritten', () => {
    makeKilled({ copies: true, backup: true })
    for (const time of [1, 2, 3]) {
      const file = databaseOf(home)
      truncateSync(file, statSync(file).size - 4096 * time)
      const before = ['', '-wal'].map((part) => (existsSync(file + part) ? readFileSync(file + part) : null))
      expect(kit.names(home)).toHaveLength(3)
      expect(aside()).toHaveLength(time)
      const folder = join(home, 'aside', aside().at(-1) ?? '')
      for (const [index, part] of ['', '-wal'].entries()) {
        const moved = join(folder, `torrentino.db${part}`)
        // To look at it SQLite makes an empty log where there is none.
        const bytes = existsSync(moved) ? readFileSync(moved) : Buffer.alloc(0)
        expect(bytes.equals(before[index] ?? Buffer.alloc(0))).toBe(true)
      }
    }
    expect(aside()).toEqual([
      '20261122-100000-damaged',
      '20261122-100000-damaged-2',
      '20261122-100000-damaged-3',
    ])
  })

  it('is told of in an event and in a sentence, with the backup, the copies and where it lies', () => {
    makeKilled({ copies: true, backup: true })
    truncateSync(databaseOf(home), 5000)
    kit.with(home, (opened) => {
      expect(opened.notice).toEqual({
        at: NOON,
        sentence: `The database could not be used (its pages make no sense) and lies in ${home}/aside/20261122-100000-damaged: the backup of 2026-11-21 10:00 UTC came back, and 1 torrent came back from saved .torrent files; the list has 3 torrents, and data are checked where they may have changed.`,
      })
      const events = opened.sql.all("SELECT kind, data FROM event WHERE kind = 'recovered'")
      expect(events).toMatchObject([{ kind: 'recovered' }])
    })
    // The next start does nothing more, and has it still.
    kit.with(home, (opened) => {
      expect(opened.notice?.at).toBe(NOON)
      expect(opened.sql.all("SELECT 1 FROM event WHERE kind = 'recovered'")).toHaveLength(1)
    })
  })

  it('gives way to the newest good backup; bad ones and strangers are passed over and stay', () => {
    const opened = kit.open(home)
    add(opened, realTorrent('one'))
    backUp(opened, NOON - 3 * DAY)
    add(opened, realTorrent('two'))
    backUp(opened, NOON - 2 * DAY)
    backUp(opened, NOON - DAY)
    opened.db.close()
    const backups = join(home, 'backups')
    const newest = readdirSync(backups).sort().at(-1) ?? ''
    flip(join(backups, newest), 0)
    writeFileSync(join(backups, 'torrentino-20261122-090000.db'), 'no database')
    writeFileSync(databaseOf(home), 'no database either')
    kit.with(home, (again) => {
      expect(names(again)).toEqual(['one', 'two'])
      expect(again.notice?.sentence).toContain('the backup of 2026-11-20 10:00 UTC came back')
    })
    expect(readdirSync(backups)).toHaveLength(4)
  })

  it('makes an error of what comes back damaged, too', () => {
    const hopeless = ['CREATE TABLE torrent (id); CREATE TABLE torrent_2 (id)']
    writeFileSync(databaseOf(home), 'no database')
    expect(() => kit.open(home, { steps: hopeless })).toThrow()
    expect(readFileSync(databaseOf(home), 'utf8')).toBe('no database')
  })
})

describe('a torrent that comes back', () => {
  const one = 1 as TorrentId
  const done = {
    torrent: one,
    chunks: [{ chunk: 0, bits: Uint8Array.of(128) }],
    files: [{ file: 0 as FileIndex, size: 1000, mtimeNs: '5', ino: '6', writing: false }],
    done: 1000,
    completedAt: 7,
    checked: true,
  }
  const row = (what = 'checked, done, desired, dir'): unknown =>
    kit.with(home, ({ sql }) => sql.get(`SELECT ${what} FROM torrent WHERE id = 1`))

  function damageAfter(work: (opened: ReturnType<DatabaseKit['open']>) => void): void {
    const opened = kit.open(home)
    work(opened)
    opened.db.close()
    truncateSync(databaseOf(home), 5000)
  }

  it('from a copy is unchecked, has its number, its folder, its trackers and what was wanted of it', () => {
    damageAfter((opened) => {
      add(opened, realTorrent('zero'), realTorrent('gone'))
      opened.sql.run('DELETE FROM torrent WHERE id = 2')
      const wishes = [{ file: 0 as FileIndex, priority: 0 }]
      const trackers = [{ tier: 1, url: 'http://127.0.0.1:2/mine', source: 'user' as const }]
      add(opened, realTorrent('one', { desired: 'paused', dir: '/far', trackers, wishes }))
      saveCopies(opened)
    })
    kit.with(home, ({ sql }) => {
      expect(
        sql.all('SELECT id, name, dir, desired, checked, wanted, done, added_at FROM torrent ORDER BY id'),
      ).toEqual([
        {
          id: 1,
          name: 'zero',
          dir: '/data',
          desired: 'running',
          checked: 0,
          wanted: 1000,
          done: 0,
          added_at: 1_700_000_000_000,
        },
        {
          id: 3,
          name: 'one',
          dir: '/far',
          desired: 'paused',
          checked: 0,
          wanted: 0,
          done: 0,
          added_at: 1_700_000_000_000,
        },
      ])
      expect(sql.all('SELECT url, source FROM tracker WHERE torrent_id = 3')).toEqual([
        { url: 'http://127.0.0.1:2/mine', source: 'user' },
      ])
    })
  })

  it('from a copy without its note lands in the download folder, paused', () => {
    damageAfter((opened) => {
      add(opened, realTorrent('one'))
      saveCopies(opened)
    })
    for (const name of readdirSync(join(home, 'torrents')))
      if (name.endsWith('.json')) writeFileSync(join(home, 'torrents', name), '{"id": 1')
    expect(row()).toEqual({ checked: 0, done: 0, desired: 'paused', dir: '/downloads' })
  })

  it('from a backup keeps what only size, mtime and inode have to confirm', () => {
    damageAfter((opened) => {
      add(opened, realTorrent('one'))
      recordRound(opened.sql, done)
      backUp(opened)
    })
    expect(row()).toEqual({ checked: 1, done: 1000, desired: 'running', dir: '/data' })
    kit.with(home, ({ sql }) => {
      expect(sql.all('SELECT size, mtime_ns, ino, writing FROM file_stat')).toEqual([
        { size: 1000, mtime_ns: '5', ino: '6', writing: 0 },
      ])
      expect(sql.get("SELECT value FROM meta WHERE key = 'clean'")).toEqual({ value: 'no' })
    })
  })

  it('from a backup that saw it half done is hashed anew, and no mark vouches for its bits', () => {
    damageAfter((opened) => {
      add(opened, realTorrent('one'))
      recordRound(opened.sql, { ...done, done: 0, completedAt: null })
      markWriting(opened.sql, one, [0])
      backUp(opened)
    })
    expect(row()).toMatchObject({ checked: 0 })
    kit.with(home, ({ sql }) => {
      expect(sql.all('SELECT writing FROM file_stat')).toEqual([{ writing: 0 }])
    })
  })

  it('from a copy has its rank, goals, order and limits, and nothing of them that cannot be', () => {
    const said = (change: object): unknown => {
      home = kit.folder()
      damageAfter((opened) => {
        add(opened, realTorrent('one'))
        setRanks(opened.sql, [{ torrent: one, rank: -512 }])
        setGoals(opened.sql, one, { ratio: 2.5, time: 'none', idle: 3600 })
        setOrder(opened.sql, one, { sequential: false, firstLast: true })
        setLimits(opened.sql, [{ torrent: one, down: null, up: 4096 }])
        saveCopies(opened)
      })
      for (const file of readdirSync(join(home, 'torrents')).filter((name) => name.endsWith('.json'))) {
        const path = join(home, 'torrents', file)
        const note = JSON.parse(readFileSync(path, 'utf8')) as object
        writeFileSync(path, JSON.stringify({ ...note, ...change }))
      }
      return kit.with(home, ({ sql }) => {
        const { rank, goals, order, limits } = listTorrents(sql, one)[0] ?? {}
        return { rank, goals, order, limits }
      })
    }
    expect(said({})).toEqual({
      rank: -512,
      goals: { ratio: 2.5, time: 'none', idle: 3600 },
      order: { sequential: false, firstLast: true },
      limits: { down: null, up: 4096 },
    })
    const usual = { rank: null, goals: null, order: { sequential: false, firstLast: false }, limits: null }
    expect(said({ rank: 'first', goals: [1], order: 'none', limits: 7 })).toEqual(usual)
    const goals = { ratio: -1, time: 1.5, idle: {} }
    expect(said({ rank: 1.5, goals, order: { sequential: 'yes' }, limits: { down: -1, up: '2' } })).toEqual(
      usual,
    )
  })

  it('from an older backup has the folder and the wish of today', () => {
    damageAfter((opened) => {
      add(opened, realTorrent('one'))
      backUp(opened)
      opened.sql.run("UPDATE torrent SET dir = '/moved', desired = 'paused'")
      saveCopies(opened)
    })
    expect(row('dir, desired')).toEqual({ dir: '/moved', desired: 'paused' })
  })

  it('does not come back when it was removed since; without a trace of a removal it does', () => {
    damageAfter((opened) => {
      add(opened, realTorrent('one'), realTorrent('two'))
      saveCopies(opened)
      backUp(opened)
      opened.tools.copies.retire(hashOf(opened.sql, one) ?? '')
    })
    const before = kit.copyOf(home)
    expect(kit.names(home)).toEqual(['two'])
    rmSync(join(before, 'torrents'), { recursive: true })
    expect(kit.names(before)).toEqual(['one', 'two'])
  })

  it('is never deleted with its data because a backup fell into its removal', () => {
    damageAfter((opened) => {
      add(opened, realTorrent('one'), realTorrent('two'))
      saveCopies(opened)
      setDesired(opened.sql, [one], 'removedWithData')
      backUp(opened)
      setDesired(opened.sql, [one], 'running')
    })
    expect(row('desired')).toEqual({ desired: 'running' })
  })

  it('whose removal was lost with the log is removed again, and its data stay', () => {
    const opened = kit.open(home)
    add(opened, realTorrent('one'), realTorrent('two'))
    saveCopies(opened)
    opened.tools.copies.retire(hashOf(opened.sql, one) ?? '')
    opened.db.close()
    expect(row('desired')).toEqual({ desired: 'removed' })
  })
})

describe('a kill -9', () => {
  /** Copies of the home as each step left it, the way a kill at that step would. */
  function stopsOf(work: (point: (name: string) => void) => void): Map<string, string> {
    const stops = new Map<string, string>()
    work((name) => {
      const copy = kit.folder()
      copyUnclosed(home, copy)
      stops.set(`${stops.size} ${name}`, copy)
    })
    return stops
  }

  it('at every step of a recovery leaves a start that ends it, with nothing lost', () => {
    makeKilled({ copies: true, backup: true })
    truncateSync(databaseOf(home), 5000)
    const damaged = readFileSync(databaseOf(home))
    const log = readFileSync(`${databaseOf(home)}-wal`)
    const stops = stopsOf((point) => {
      kit.open(home, { point }).db.close()
    })
    expect([...stops.keys()].map((name) => name.replace(/^\d+ /, ''))).toEqual([
      'backup copied',
      'draft made',
      'draft synced',
      'next named',
      'moved torrentino.db-wal',
      'moved torrentino.db-shm',
      'moved torrentino.db',
      'all moved',
      'exchanged',
      'aside named',
    ])
    for (const [name, copy] of stops) {
      expect([name, kit.names(copy).sort()]).toEqual([name, [...ALL].sort()])
      const folder = join(copy, 'aside', '20261122-100000-damaged')
      expect([name, aside(copy)]).toEqual([name, ['20261122-100000-damaged']])
      expect(readFileSync(join(folder, 'torrentino.db')).equals(damaged)).toBe(true)
      expect(readFileSync(join(folder, 'torrentino.db-wal')).equals(log)).toBe(true)
      expect(readdirSync(copy).filter((left) => /next|draft/.test(left))).toEqual([])
      kit.with(copy, ({ notice }) => {
        expect(notice?.sentence).toContain('the backup of 2026-11-21 10:00 UTC came back')
      })
    }
  })

  it('at every step of a restore leaves the old list or the new one', () => {
    const opened = kit.open(home)
    add(opened, realTorrent('one'))
    backUp(opened)
    opened.sql.run("UPDATE torrent SET name = 'renamed'")
    opened.db.close()
    const from = join(home, 'backups', 'torrentino-20261122-100000.db')
    const seen: string[] = []
    const stops = stopsOf((point) => {
      const live = kit.open(home)
      stageRestore({ ...live.tools, point }, from)
      expect(names(live)).toEqual(['renamed'])
      live.db.close()
      kit.open(home, { point }).db.close()
    })
    for (const [name, copy] of stops) {
      const [list] = kit.names(copy)
      seen.push(list ?? '')
      if (!existsSync(join(copy, 'aside'))) continue
      const kept = join(copy, 'aside', aside(copy)[0] ?? '', 'torrentino.db')
      expect([name, existsSync(kept)]).toEqual([name, true])
    }
    expect(new Set(seen)).toEqual(new Set(['renamed', 'one']))
    expect(kit.names(home)).toEqual(['one'])
  })
})

describe('a restore', () => {
  it('refuses what is no database of ours, a damaged one, a newer one, the one in use, and touches nothing', () => {
    const opened = kit.open(home)
    add(opened, realTorrent('one'))
    const file = join(home, 'given.db')
    const refusal = (): string => {
      try {
        stageRestore(opened.tools, file)
        return ''
      } catch (error) {
        return (error as Error).message
      }
    }
    expect(refusal()).toBe(`There is no file ${file}.`)
    writeFileSync(file, 'a list of shops')
    expect(refusal()).toBe(`${file} is no database of Torrentino.`)
    const other = new Database(`${file}2`)
    other.exec('CREATE TABLE shop (name TEXT); PRAGMA user_version = 1')
    other.close()
    copyFileSync(`${file}2`, file)
    expect(refusal()).toBe(`${file} is no database of Torrentino.`)
    backUp(opened)
    const good = join(home, 'backups', 'torrentino-20261122-100000.db')
    copyFileSync(good, file)
    truncateSync(file, statSync(file).size - 4096)
    expect(refusal()).toMatch(/is damaged \(its pages make no sense.*\); choose an older backup\.$/)
    const newer = readFileSync(good)
    newer.writeUInt32BE(99, 60)
    writeFileSync(file, newer)
    expect(refusal()).toContain(
      `cannot be taken: it has version 99, and this torrentinod knows up to ${MIGRATIONS.length};`,
    )
    rmSync(file)
    mkdirSync(file)
    expect(refusal()).toBe(`${file} is no file.`)
    expect(() => {
      stageRestore(opened.tools, databaseOf(home))
    }).toThrow('is the database in use')
    opened.db.close()
    expect(kit.names(home)).toEqual(['one'])
    expect(aside()).toEqual([])
  })

  it('brings back what was removed since, and keeps what was added since', () => {
    const opened = kit.open(home)
    add(opened, realTorrent('one'))
    saveCopies(opened)
    backUp(opened)
    opened.tools.copies.retire(hashOf(opened.sql, 1 as TorrentId) ?? '')
    opened.sql.run('DELETE FROM torrent')
    add(opened, realTorrent('two'))
    saveCopies(opened)
    stageRestore(opened.tools, join(home, 'backups', 'torrentino-20261122-100000.db'))
    opened.db.close()
    kit.with(home, (again) => {
      expect(names(again)).toEqual(['one', 'two'])
      expect(again.sql.all('SELECT DISTINCT desired FROM torrent')).toEqual([{ desired: 'running' }])
    })
    expect(aside()).toEqual(['20261122-100000-replaced'])
  })
})
