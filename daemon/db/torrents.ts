/** The rows of torrents and what is set on them by a user's verb. Runs in the store's thread. */
import { createHash } from 'node:crypto'
import { NO_LABELS } from '../../shared/labels.js'
import type { Hashes, InfoHashV1, InfoHashV2, TorrentId } from '../../shared/units.js'
import type { Desired } from '../../shared/views.js'
import { type GoalColumns, toGoals } from './goals.js'
import { type LimitColumns, toLimits } from './limits.js'
import {
  StoreFault,
  type FileWishRow,
  type KnownMetainfo,
  type NewTorrent,
  type PieceOrder,
  type StoredMetainfo,
  type TorrentRow,
  type TotalsRow,
  type TrackerRow,
} from '../ports/store.js'
import { labelsByTorrent } from './labels.js'
import { readNames } from './names.js'
import type { Sql } from './sql.js'

interface TorrentColumns extends GoalColumns, LimitColumns {
  readonly id: TorrentId
  readonly hash_v1: InfoHashV1 | null
  readonly hash_v2: InfoHashV2 | null
  readonly name: string
  readonly dir: string
  readonly volume: string
  readonly private: number
  readonly piece_length: number
  readonly piece_count: number
  readonly total: number
  readonly wanted: number
  readonly done: number
  readonly desired: string
  readonly checked: number
  readonly added_at: number
  readonly completed_at: number | null
  readonly fault: string | null
  readonly sequential: number
  readonly first_last: number
  readonly queue_rank: number | null
  readonly reached: string | null
}

interface TrackerColumns extends TrackerRow {
  readonly torrent_id: TorrentId
}

interface TotalsColumns {
  readonly torrent_id: TorrentId
  readonly downloaded: number
  readonly uploaded: number
  readonly wasted: number
  readonly seeding_ms: number
}

const DESIRED: readonly string[] = ['running', 'forced', 'paused', 'removed', 'removedWithData', 'trashed']

/** Throws NOT_FOUND for a torrent that is not there. */
export function pieceCount(sql: Sql, id: TorrentId): number {
  const row = sql.get('SELECT piece_count FROM torrent WHERE id = ?', id) as
    { piece_count: number } | undefined
  if (row === undefined) throw new StoreFault('NOT_FOUND', `no torrent ${id} in the store`)
  return row.piece_count
}

/** All of them, or one. */
export function listTorrents(sql: Sql, only: TorrentId | null = null): TorrentRow[] {
  const trackers = new Map<TorrentId, TrackerRow[]>()
  const trackerRows = sql.all(
    `SELECT torrent_id, tier, url, source FROM tracker ${only === null ? '' : 'WHERE torrent_id = ?'}
       ORDER BY torrent_id, tier, pos`,
    ...these(only),
  ) as TrackerColumns[]
  for (const { torrent_id, tier, url, source } of trackerRows) {
    const list = trackers.get(torrent_id) ?? []
    if (list.push({ tier, url, source }) === 1) trackers.set(torrent_id, list)
  }
  const totals = new Map<TorrentId, TotalsColumns>()
  const totalsRows = sql.all(
    `SELECT torrent_id, downloaded, uploaded, wasted, seeding_ms FROM totals ${only === null ? '' : 'WHERE torrent_id = ?'}`,
    ...these(only),
  ) as TotalsColumns[]
  for (const row of totalsRows) totals.set(row.torrent_id, row)
  const rows = sql.all(
    `SELECT id, hash_v1, hash_v2, name, dir, volume, private, piece_length, piece_count, total, wanted, done,
       desired, checked, added_at, completed_at, fault, sequential, first_last, queue_rank, goal_ratio, goal_time, goal_idle, reached,
       down_limit, up_limit
       FROM torrent ${only === null ? '' : 'WHERE id = ?'}
       ORDER BY id`,
    ...these(only),
  ) as TorrentColumns[]
  const labels = labelsByTorrent(sql, only)
  return rows.map((row) => ({
    ...toRow(row, totals.get(row.id), trackers.get(row.id) ?? []),
    labels: labels.get(row.id) ?? NO_LABELS,
  }))
}

function these(only: TorrentId | null): TorrentId[] {
  return only === null ? [] : [only]
}

function toRow(
  row: TorrentColumns,
  totals: TotalsColumns | undefined,
  trackers: TrackerRow[],
): Omit<TorrentRow, 'labels'> {
  return {
    id: row.id,
    hashes: toHashes(row),
    name: row.name,
    dir: row.dir,
    volume: row.volume,
    private: row.private === 1,
    pieceLength: row.piece_length,
    pieceCount: row.piece_count,
    total: row.total,
    wanted: row.wanted,
    done: row.done,
    desired: toDesired(row.desired),
    checked: row.checked === 1,
    addedAt: row.added_at,
    completedAt: row.completed_at,
    fault: row.fault,
    rank: row.queue_rank,
    goals: toGoals(row),
    reached: row.reached,
    limits: toLimits(row),
    seedingMs: totals?.seeding_ms ?? 0,
    downloaded: totals?.downloaded ?? 0,
    uploaded: totals?.uploaded ?? 0,
    wasted: totals?.wasted ?? 0,
    order: { sequential: row.sequential === 1, firstLast: row.first_last === 1 },
    trackers,
  }
}

export type HashColumns = Pick<TorrentColumns, 'hash_v1' | 'hash_v2'>

export function toHashes(row: HashColumns): Hashes {
  return {
    ...(row.hash_v1 === null ? {} : { v1: row.hash_v1 }),
    ...(row.hash_v2 === null ? {} : { v2: row.hash_v2 }),
  }
}

/** A word that an edited database brings in does the least harm as a pause. */
export function toDesired(word: string): Desired {
  return DESIRED.includes(word) ? (word as Desired) : 'paused'
}

/** Under this number where it is given and free. */
export function addTorrent(sql: Sql, torrent: NewTorrent, wanted: TorrentId | null = null): TorrentId {
  const { v1 = null, v2 = null } = torrent.hashes
  if (sql.get('SELECT id FROM torrent WHERE hash_v1 = ? OR hash_v2 = ?', v1, v2) !== undefined)
    throw new StoreFault('DUPLICATE', 'this torrent is in the store already')
  const id = sql.run(
    `INSERT INTO torrent (id, hash_v1, hash_v2, name, dir, volume, private, piece_length, piece_count, total, wanted,
       desired, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    freeNumber(sql, wanted),
    v1,
    v2,
    torrent.name,
    torrent.dir,
    torrent.volume,
    torrent.private ? 1 : 0,
    torrent.pieceLength,
    torrent.pieceCount,
    torrent.total,
    torrent.wanted,
    torrent.desired,
    torrent.addedAt,
  ).rowid as TorrentId
  insertMetainfo(sql, id, torrent)
  appendTrackers(sql, id, torrent.trackers)
  insertWishes(sql, id, torrent.wishes)
  return id
}

/** Null: the next one. */
function freeNumber(sql: Sql, wanted: TorrentId | null): TorrentId | null {
  if (wanted === null || wanted < 1) return null
  return sql.get('SELECT 1 FROM torrent WHERE id = ?', wanted) === undefined ? wanted : null
}

export function verifyInfo(sql: Sql, id: TorrentId, info: Uint8Array): boolean {
  const row = sql.get('SELECT hash_v1, hash_v2 FROM torrent WHERE id = ?', id) as
    Pick<TorrentColumns, 'hash_v1' | 'hash_v2'> | undefined
  if (row === undefined) return false
  const is = (algorithm: string, hash: string | null): boolean =>
    hash === null || createHash(algorithm).update(info).digest('hex') === hash
  return is('sha1', row.hash_v1) && is('sha256', row.hash_v2)
}

export function setMetainfo(sql: Sql, id: TorrentId, known: KnownMetainfo): void {
  if (pieceCount(sql, id) > 0) throw new StoreFault('INVALID', `torrent ${id} has its metainfo`)
  sql.run(
    'UPDATE torrent SET name = ?, private = ?, piece_length = ?, piece_count = ?, total = ?, wanted = ? WHERE id = ?',
    known.name,
    known.private ? 1 : 0,
    known.pieceLength,
    known.pieceCount,
    known.total,
    known.wanted,
    id,
  )
  sql.run('DELETE FROM metainfo WHERE torrent_id = ?', id)
  insertMetainfo(sql, id, known)
  insertWishes(sql, id, known.wishes)
}

function insertMetainfo(
  sql: Sql,
  id: TorrentId,
  { torrent, info, infoStart }: Pick<NewTorrent, 'torrent' | 'info' | 'infoStart'>,
): void {
  const infoEnd = infoStart + info.length
  if (infoStart < 0 || Buffer.compare(torrent.subarray(infoStart, infoEnd), info) !== 0)
    throw new StoreFault('INVALID', 'info does not lie in the torrent at infoStart')
  const rest = Buffer.concat([torrent.subarray(0, infoStart), torrent.subarray(infoEnd)])
  sql.run(
    'INSERT INTO metainfo (torrent_id, info, info_start, rest) VALUES (?, ?, ?, ?)',
    id,
    info,
    infoStart,
    rest,
  )
}

export function readMetainfo(sql: Sql, id: TorrentId): StoredMetainfo {
  const row = sql.get('SELECT info, info_start, rest FROM metainfo WHERE torrent_id = ?', id) as
    { info: Uint8Array; info_start: number; rest: Uint8Array } | undefined
  if (row === undefined) throw new StoreFault('NOT_FOUND', `no torrent ${id} in the store`)
  if (row.info_start < 0 || row.info_start > row.rest.length)
    throw new StoreFault('INVALID', `the metainfo of torrent ${id} was damaged`)
  const infoEnd = row.info_start + row.info.length
  const torrent = new Uint8Array(row.rest.length + row.info.length)
  torrent.set(row.rest.subarray(0, row.info_start))
  torrent.set(row.info, row.info_start)
  torrent.set(row.rest.subarray(row.info_start), infoEnd)
  return { torrent, infoStart: row.info_start, infoEnd, names: readNames(sql, id) }
}

export function setDesired(sql: Sql, ids: readonly TorrentId[], desired: Desired): void {
  const unless = desired.startsWith('removed') ? '' : ' AND id NOT IN (SELECT torrent_id FROM trash)'
  for (const id of ids)
    sql.run(`UPDATE torrent SET desired = ?, reached = NULL WHERE id = ?${unless}`, desired, id)
}

export function setFault(sql: Sql, id: TorrentId, fault: string | null): void {
  pieceCount(sql, id)
  sql.run('UPDATE torrent SET fault = ? WHERE id = ?', fault, id)
}

export function setWishes(
  sql: Sql,
  id: TorrentId,
  wishes: readonly FileWishRow[],
  wanted: number,
  done: number,
  order?: PieceOrder,
): void {
  pieceCount(sql, id)
  if (order !== undefined) setOrder(sql, id, order)
  sql.run('UPDATE torrent SET wanted = ?, done = ? WHERE id = ?', wanted, done, id)
  sql.run('DELETE FROM file_wish WHERE torrent_id = ? AND path IS NULL', id)
  sql.run('UPDATE file_wish SET priority = 1 WHERE torrent_id = ?', id)
  insertWishes(sql, id, wishes)
}

export function setOrder(sql: Sql, id: TorrentId, { sequential, firstLast }: PieceOrder): void {
  sql.run(
    'UPDATE torrent SET sequential = ?, first_last = ? WHERE id = ?',
    sequential ? 1 : 0,
    firstLast ? 1 : 0,
    id,
  )
}

function insertWishes(sql: Sql, id: TorrentId, wishes: readonly FileWishRow[]): void {
  for (const { file, priority } of wishes)
    if (priority !== 1)
      sql.run(
        `INSERT INTO file_wish (torrent_id, idx, priority) VALUES (?, ?, ?)
           ON CONFLICT DO UPDATE SET priority = excluded.priority`,
        id,
        file,
        priority,
      )
}

export function changeTrackers(
  sql: Sql,
  id: TorrentId,
  added: readonly TrackerRow[],
  removed: readonly string[],
): void {
  pieceCount(sql, id)
  for (const url of removed) sql.run('DELETE FROM tracker WHERE torrent_id = ? AND url = ?', id, url)
  appendTrackers(sql, id, added)
}

/** At the end of their tiers; an address that is there already is left where it is. */
function appendTrackers(sql: Sql, id: TorrentId, trackers: readonly TrackerRow[]): void {
  for (const { tier, url, source } of trackers) {
    if (sql.get('SELECT 1 FROM tracker WHERE torrent_id = ? AND url = ?', id, url) !== undefined) continue
    sql.run(
      `INSERT INTO tracker (torrent_id, tier, pos, url, source)
         SELECT ?, ?, coalesce(max(pos), -1) + 1, ?, ? FROM tracker WHERE torrent_id = ? AND tier = ?`,
      id,
      tier,
      url,
      source,
      id,
      tier,
    )
  }
}

/** A torrent that was removed in the meantime is passed over. */
export function saveTotals(sql: Sql, rows: readonly TotalsRow[]): void {
  for (const { torrent, downloaded, uploaded, wasted, seedingMs } of rows)
    sql.run(
      `INSERT INTO totals (torrent_id, downloaded, uploaded, wasted, seeding_ms)
         SELECT id, ?, ?, ?, ? FROM torrent WHERE id = ?
         ON CONFLICT DO UPDATE SET downloaded = excluded.downloaded, uploaded = excluded.uploaded,
           wasted = excluded.wasted, seeding_ms = excluded.seeding_ms`,
      downloaded,
      uploaded,
      wasted,
      Math.round(seedingMs),
      torrent,
    )
}

export function removeTorrent(sql: Sql, id: TorrentId): void {
  sql.run('DELETE FROM torrent WHERE id = ?', id)
}
