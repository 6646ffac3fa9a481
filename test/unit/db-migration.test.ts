/** Fault 17: from one version of the database to the next, back, and a kill in between. */
import Database from 'better-sqlite3'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it } from 'vitest'
import { MIGRATIONS } from '../../daemon/db/migrations.js'
import { eventsSince, readHave } from '../../daemon/db/records.js'
import { listTorrents } from '../../daemon/db/torrents.js'
import type { TorrentId } from '../../shared/units.js'
import { backUp, copyUnclosed, DatabaseKit, databaseOf, NOON } from '../support/database-kit.js'
import { writeGolden } from '../support/golden-database.js'

const kit = new DatabaseKit()
const CHILD = fileURLToPath(new URL('../support/migrate-child.mjs', import.meta.url))
const NEXT = 'ALTER TABLE torrent ADD COLUMN extra TEXT; UPDATE torrent SET extra = name'
/** What a later program does. */
const LATER = [...MIGRATIONS, NEXT]

let home: string
beforeEach(() => {
  home = kit.folder()
  writeGolden(databaseOf(home), 1)
})

function rows(file: string): Record<string, unknown[]> {
  const db = new Database(file, { readonly: true })
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all()
    return Object.fromEntries(
      (tables as { name: string }[]).map(({ name }) => [name, db.prepare(`SELECT * FROM ${name}`).all()]),
    )
  } finally {
    db.close()
  }
}

it('a step that somebody may have taken stays as it was', () => {
  // Of each step but the last: a home of a checkout has been through it. A change is a step of its own.
  const hashes = MIGRATIONS.slice(0, 2).map((step) =>
    createHash('sha1').update(step).digest('hex').slice(0, 12),
  )
  expect(hashes).toEqual(['6d831c72ccb5', 'a0306b2e1625'])
})

it('a database of version 2 gets what came after it, and keeps what it has', () => {
  kit.open(home, { steps: MIGRATIONS.slice(0, 2) }).db.close()
  const before = rows(databaseOf(home))['torrent']
  kit.open(home).db.close()
  const after = rows(databaseOf(home))
  expect(after['torrent']).toMatchObject(before ?? [])
  expect(after['trash']).toEqual([])
})

describe('a database of version 1', () => {
  it('has the tables that this program makes, and a row in each', () => {
    const fresh = kit.folder()
    kit.open(fresh).db.close()
    // What later versions have besides.
    const tables = Object.keys(rows(databaseOf(fresh))).filter((table) => table !== 'trash')
    expect(Object.keys(rows(databaseOf(home)))).toEqual(tables)
    for (const [table, found] of Object.entries(rows(databaseOf(home))))
      expect([table, found.length]).not.toEqual([table, 0])
  })

  it('is read as it was written, and nothing of it is lost', () => {
    const before = rows(databaseOf(home))
    kit.with(home, ({ sql, notice }) => {
      expect(notice).toBeNull()
      expect(listTorrents(sql)).toMatchObject([
        {
          id: 3,
          name: 'three',
          desired: 'running',
          done: 30_000,
          uploaded: 60_000,
          checked: true,
          private: false,
        },
        {
          id: 7,
          name: 'seven',
          desired: 'paused',
          wanted: 20_000,
          checked: false,
          private: true,
          fault: 'no space',
        },
      ])
      expect(readHave(sql, 3 as TorrentId)).toMatchObject({
        bits: Uint8Array.of(0xc0),
        files: [{ file: 0, size: 30_000, mtimeNs: '1700000000123456789', ino: '42', writing: false }],
      })
      expect(eventsSince(sql, 0, 9)).toMatchObject([{ seq: 1, kind: 'added', data: { name: 'three' } }])
    })
    // The tables have columns more, with what was so before; nothing else is another.
    const { torrent = [], ...others } = before
    const goals = { goal_ratio: null, goal_time: null, goal_idle: null, reached: null }
    const usual = { sequential: 0, first_last: 0, down_limit: null, up_limit: null, root: null, ...goals }
    expect(rows(databaseOf(home))).toEqual({
      ...others,
      trash: [],
      torrent: torrent.map((row) => ({ ...(row as object), ...usual })),
    })
  })

  it('becomes the next one in one transaction, after a backup that is as it was', () => {
    const before = rows(databaseOf(home))
    kit.open(home, { steps: LATER }).db.close()
    const [backup = '', ...others] = readdirSync(join(home, 'backups'))
    expect(others).toEqual([])
    expect(backup).toBe('torrentino-20261122-100000-v1.db')
    expect(rows(join(home, 'backups', backup))).toEqual(before)
    expect(rows(databaseOf(home))['torrent']).toMatchObject([{ extra: 'three' }, { extra: 'seven' }])
    // Once: the next start finds it done.
    kit.open(home, { steps: LATER }).db.close()
    expect(readdirSync(join(home, 'backups'))).toEqual([backup])
  })

  it('stays whole where a step fails, and the start is refused', () => {
    kit.open(home).db.close()
    const before = rows(databaseOf(home))
    expect(() =>
      kit.open(home, { steps: [...MIGRATIONS, 'DROP TABLE label; SELECT * FROM nowhere'] }),
    ).toThrow('nowhere')
    expect(rows(databaseOf(home))).toEqual(before)
  })

  it('survives kill -9 at every step of it, and the next start ends it', () => {
    const before = rows(databaseOf(home))
    let kills = 0
    for (let n = 1; n < 20; n += 1) {
      const hurt = kit.copyOf(home)
      const { stdout, signal, status, stderr } = spawnSync(process.execPath, [CHILD, hurt, String(n)], {
        encoding: 'utf8',
      })
      if (stdout === 'open\n') break
      expect([signal, status, stderr]).toEqual(['SIGKILL', null, ''])
      kills += 1
      kit.open(hurt, { steps: LATER }).db.close()
      expect(rows(databaseOf(hurt))['torrent']).toMatchObject([{ extra: 'three' }, { extra: 'seven' }])
      const saved = readdirSync(join(hurt, 'backups')).filter((name) => name.endsWith('-v1.db'))
      expect(rows(join(hurt, 'backups', saved[0] ?? ''))).toEqual(before)
      expect(existsSync(join(hurt, 'aside'))).toBe(false)
    }
    // The backup; for each step BEGIN, the step, its number, COMMIT.
    expect(kills).toBe(1 + 4 * (LATER.length - 1))
  })

  it('that is damaged comes back from a backup of its version, and becomes the next one', () => {
    kit.with(home, (opened) => {
      backUp(opened, NOON - 1000)
    })
    writeFileSync(databaseOf(home), readFileSync(databaseOf(home)).fill(0xff, 4096, 8192))
    const again = kit.open(home, { steps: LATER })
    expect(again.notice?.at).toBe(NOON)
    expect(again.sql.all('SELECT extra FROM torrent')).toEqual([{ extra: 'three' }, { extra: 'seven' }])
    again.db.close()
  })
})

describe('a database of a newer version', () => {
  it.each(['closed', 'killed'] as const)('is refused, and no byte of it is touched: %s', (end) => {
    const opened = kit.open(home, { steps: LATER })
    opened.sql.run("UPDATE torrent SET name = 'changed'")
    const left = kit.folder()
    copyUnclosed(home, left)
    opened.db.close()
    const place = end === 'closed' ? home : left
    const log = `${databaseOf(place)}-wal`
    const read = (file: string): Buffer | null => (existsSync(file) ? readFileSync(file) : null)
    const before = [read(databaseOf(place)), read(log)]
    expect(() => kit.open(place)).toThrow(
      expect.objectContaining({
        code: 'NEWER',
        message: expect.stringMatching(
          new RegExp(
            `^it has version ${LATER.length}, and this torrentinod knows up to ${MIGRATIONS.length}; nothing was touched: `,
          ),
        ) as string,
      }),
    )
    expect([read(databaseOf(place)), read(log)]).toEqual(before)
    expect(existsSync(join(place, 'aside'))).toBe(false)
  })
})
