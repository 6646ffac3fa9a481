/** A database that somebody edited: the daemon starts, hashes what it cannot believe, and claims nothing that is not so. */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import type { TorrentView } from '../../shared/views.js'
import { CallError } from '../support/daemon.js'
import { expectContent, type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

const stage = useStage()

interface Edit {
  readonly name: string
  /** What is done to the rows of the torrent `?`. */
  readonly sql: string
  /** How it is found after the start. */
  readonly then: (view: TorrentView) => boolean
}

const seeding = (view: TorrentView): boolean => view.state === 'seeding' && view.progress === 1
const blocked = (view: TorrentView): boolean =>
  view.state === 'blocked' && /^[A-Z].*\.$/.test(view.error ?? '')
/** What is in the database beside it brings it back, or it is not believed. */
const eitherOf = (view: TorrentView): boolean => seeding(view) || blocked(view)
const paused = (view: TorrentView): boolean => view.state === 'paused'

const HAVE = 'UPDATE have SET bits = '
const TORRENT = 'UPDATE torrent SET '
const METAINFO = 'UPDATE metainfo SET '
const ITS = ' WHERE torrent_id = ?'

const EDITS: readonly Edit[] = [
  { name: 'a bitfield of a wrong length', sql: `${HAVE}x'ffffff'${ITS}`, then: seeding },
  { name: 'a bitfield with spare bits', sql: `${HAVE}x'ff'${ITS}`, then: seeding },
  { name: 'a chunk from nowhere', sql: `INSERT INTO have VALUES (?, 9000000, x'ff')`, then: seeding },
  { name: 'no bitfield', sql: `DELETE FROM have${ITS}`, then: seeding },
  { name: 'a time that is no number', sql: `UPDATE file_stat SET mtime_ns = 'x'${ITS}`, then: seeding },
  { name: 'a size below zero', sql: `UPDATE file_stat SET size = -1${ITS}`, then: seeding },
  {
    name: 'facts of a file that is not',
    sql: `INSERT INTO file_stat VALUES (?, 4000000000, 1, '1', '1', 1)`,
    then: seeding,
  },
  {
    name: 'a wish for a file that is not',
    sql: 'INSERT INTO file_wish VALUES (?, 4000000000, 0, NULL)',
    then: seeding,
  },
  { name: 'a word nobody knows', sql: `${TORRENT}desired = 'x' WHERE id = ?`, then: paused },
  { name: 'a billion pieces', sql: `${TORRENT}piece_count = 1000000000 WHERE id = ?`, then: blocked },
  { name: 'pieces below zero', sql: `${TORRENT}piece_count = -1 WHERE id = ?`, then: blocked },
  {
    name: 'impossible totals',
    sql: 'INSERT INTO totals (torrent_id, downloaded, uploaded) VALUES (?, -5, -7)',
    then: seeding,
  },
  {
    name: 'more done than there is',
    sql: `${TORRENT}done = 9007199254740991, total = -1 WHERE id = ?`,
    then: seeding,
  },
  {
    name: 'a tracker that is none',
    sql: `INSERT INTO tracker VALUES (?, 0, 0, 'file:///etc/passwd', 'x')`,
    then: seeding,
  },
  {
    name: 'a byte of the metainfo',
    sql: `${METAINFO}info = CAST(replace(hex(info), '31', '32') AS BLOB)${ITS}`,
    then: eitherOf,
  },
  { name: 'metainfo that is none', sql: `${METAINFO}info = x'00'${ITS}`, then: eitherOf },
  { name: 'metainfo behind its end', sql: `${METAINFO}info_start = 1000000000000${ITS}`, then: eitherOf },
  { name: 'no metainfo', sql: `DELETE FROM metainfo${ITS}`, then: eitherOf },
  { name: 'a relative folder', sql: `${TORRENT}dir = '../x' WHERE id = ?`, then: blocked },
  { name: 'a hash that is none', sql: `${TORRENT}hash_v1 = '${'z'.repeat(40)}' WHERE id = ?`, then: blocked },
  {
    name: 'an event that is no JSON',
    sql: `INSERT INTO event (at, torrent_id, kind, caller, data) VALUES (1, ?, 'x', 'x', '{')`,
    then: seeding,
  },
]

describe('rows that were edited', () => {
  it('are hashed again, or block their torrent, and the others go on', { timeout: 120_000 }, async () => {
    const first = await stage.daemon('home')
    const torrents: { readonly edit: Edit; readonly id: number; readonly made: MadeTorrent }[] = []
    for (const edit of EDITS) {
      const made = makeTorrent(stage.folder('made'), { name: edit.name, content: 90_000 })
      const { id } = await first.call('torrent.add', { metainfo: metainfoOf(made), dir: made.dir })
      torrents.push({ edit, id, made })
    }
    for (const { id } of torrents) await first.seeds(id)
    await first.stop()

    const db = new Database(join(stage.dir, 'home/torrentino.db'))
    for (const { edit, id } of torrents) expect(db.prepare(edit.sql).run(id).changes, edit.name).toBe(1)
    db.close()

    const second = await stage.daemon('home')
    for (const { edit, id } of torrents) {
      // Whatever is asked of it is answered, and its data are read anew.
      for (const asked of [second.call('torrent.get', { id }), second.call('torrent.files', { id })]) {
        await asked.catch((error: unknown) => {
          expect(error, edit.name).toBeInstanceOf(CallError)
        })
      }
      await second.call('torrent.verify', { ids: [id] })
      await second.until(id, edit.then).catch((error: unknown) => {
        throw new Error(edit.name, { cause: error })
      })
    }
    expect((await second.call('events.since', { seq: 0 })).events.length).toBeGreaterThan(EDITS.length)
    for (const { made } of torrents) expectContent(made, made.dir)
  })
})
