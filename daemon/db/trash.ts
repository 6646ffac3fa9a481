/** Torrents that were removed and are not yet gone. Runs in the store's thread. */
import type { TorrentId } from '../../shared/units.js'
import type { Desired } from '../../shared/views.js'
import type { TrashedRow, TrashRow } from '../ports/store.js'
import type { Sql } from './sql.js'
import { type HashColumns, pieceCount, toDesired, toHashes } from './torrents.js'

interface TrashColumns {
  readonly torrent_id: TorrentId
  readonly at: number
  readonly until: number
  readonly data: number
  readonly dir: string
  readonly desired: string
  readonly phase: TrashRow['phase']
  readonly caller: string
}

export function listTrash(sql: Sql): TrashedRow[] {
  const rows = sql.all(
    `SELECT torrent_id, at, until, data, trash.dir AS dir, trash.desired AS desired, phase, caller, hash_v1, hash_v2, name, done
       FROM trash JOIN torrent ON id = torrent_id ORDER BY torrent_id`,
  ) as (TrashColumns & HashColumns & { readonly name: string; readonly done: number })[]
  return rows.map(({ hash_v1, hash_v2, ...row }) => ({
    ...toRow(row),
    hashes: toHashes({ hash_v1, hash_v2 }),
    name: row.name,
    done: row.done,
  }))
}

export function trashOf(sql: Sql, id: TorrentId): TrashRow | null {
  const row = sql.get(
    'SELECT torrent_id, at, until, data, dir, desired, phase, caller FROM trash WHERE torrent_id = ?',
    id,
  ) as TrashColumns | undefined
  return row === undefined ? null : toRow(row)
}

function toRow(row: TrashColumns): TrashRow {
  const { torrent_id: torrent, at, until, data, dir, desired, phase, caller } = row
  return { torrent, at, until, data: data === 1, dir, desired: before(toDesired(desired)), phase, caller }
}

/** What a torrent says when it comes back: no more than that it runs or not. */
function before(desired: Desired): Desired {
  return desired === 'running' || desired === 'forced' ? desired : 'paused'
}

export function setTrash(sql: Sql, row: TrashRow): void {
  pieceCount(sql, row.torrent)
  sql.run(
    `INSERT INTO trash (torrent_id, at, until, data, dir, desired, phase, caller) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET at = excluded.at, until = excluded.until, data = excluded.data, dir = excluded.dir,
         desired = excluded.desired, phase = excluded.phase, caller = excluded.caller`,
    row.torrent,
    row.at,
    row.until,
    row.data ? 1 : 0,
    row.dir,
    before(row.desired),
    row.phase,
    row.caller,
  )
  sql.run("UPDATE torrent SET desired = 'trashed' WHERE id = ?", row.torrent)
}

/** Nothing where it is not in the trash. */
export function endTrash(sql: Sql, id: TorrentId): void {
  const row = trashOf(sql, id)
  if (row === null) return
  sql.run('DELETE FROM trash WHERE torrent_id = ?', id)
  sql.run('UPDATE torrent SET desired = ? WHERE id = ?', row.desired, id)
}
