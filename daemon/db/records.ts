/** What is claimed of the data on the disk, and what happened. Runs in the store's thread. */
import type { FileIndex, TorrentId } from '../../shared/units.js'
import {
  StoreFault,
  type EventRow,
  type FileStatRow,
  type FileWishRow,
  type HaveRound,
} from '../ports/store.js'
import { assemble, chunkBytes, type Chunk } from './chunks.js'
import type { Sql } from './sql.js'
import { pieceCount } from './torrents.js'

/** Events kept, the newest ones. */
const EVENTS_KEPT = 100_000
/** Milliseconds an event is kept. */
const EVENT_AGE = 30 * 24 * 3600 * 1000
/** One append in this many also prunes. */
const PRUNE_EVERY = 1000

export function readHave(
  sql: Sql,
  id: TorrentId,
): { bits: Uint8Array | null; files: FileStatRow[]; wishes: FileWishRow[] } {
  const pieces = pieceCount(sql, id)
  const chunks = sql.all('SELECT chunk, bits FROM have WHERE torrent_id = ?', id) as Chunk[]
  const files = sql.all(
    'SELECT idx, size, mtime_ns, ino, writing FROM file_stat WHERE torrent_id = ? ORDER BY idx',
    id,
  ) as { idx: FileIndex; size: number; mtime_ns: string; ino: string; writing: number }[]
  const wishes = sql.all(
    'SELECT idx AS file, priority FROM file_wish WHERE torrent_id = ? AND priority <> 1 ORDER BY idx',
    id,
  ) as FileWishRow[]
  return {
    bits: assemble(pieces, chunks),
    files: files.map(({ idx, size, mtime_ns, ino, writing }) => ({
      file: idx,
      size,
      mtimeNs: mtime_ns,
      ino,
      writing: writing === 1,
    })),
    wishes,
  }
}

export function markWriting(sql: Sql, id: TorrentId, files: readonly FileIndex[]): void {
  pieceCount(sql, id)
  for (const file of files)
    sql.run(
      `INSERT INTO file_stat (torrent_id, idx, size, mtime_ns, ino, writing) VALUES (?, ?, 0, '0', '0', 1)
         ON CONFLICT DO UPDATE SET writing = 1`,
      id,
      file,
    )
}

export function recordRound(sql: Sql, round: HaveRound): void {
  const pieces = pieceCount(sql, round.torrent)
  for (const chunk of round.chunks) putChunk(sql, round.torrent, pieces, chunk)
  for (const file of round.files) putFile(sql, round.torrent, file)
  sql.run(
    'UPDATE torrent SET done = ?, completed_at = ?, checked = max(checked, ?) WHERE id = ?',
    round.done,
    round.completedAt,
    round.checked ? 1 : 0,
    round.torrent,
  )
}

function putChunk(sql: Sql, id: TorrentId, pieces: number, { chunk, bits }: Chunk): void {
  if (bits.length === 0 || bits.length !== chunkBytes(pieces, chunk))
    throw new StoreFault('INVALID', `chunk ${chunk} of the bitfield has ${bits.length} bytes`)
  sql.run(
    'INSERT INTO have (torrent_id, chunk, bits) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET bits = excluded.bits',
    id,
    chunk,
    bits,
  )
}

export function putFile(sql: Sql, id: TorrentId, file: FileStatRow): void {
  sql.run(
    `INSERT INTO file_stat (torrent_id, idx, size, mtime_ns, ino, writing) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, ino = excluded.ino,
         writing = excluded.writing`,
    id,
    file.file,
    file.size,
    file.mtimeNs,
    file.ino,
    file.writing ? 1 : 0,
  )
}

/** `checked` falls too: a kill before the new check ends must lead to a check, not to a fresh download. */
export function clearHave(sql: Sql, id: TorrentId): void {
  pieceCount(sql, id)
  sql.run('DELETE FROM have WHERE torrent_id = ?', id)
  sql.run('DELETE FROM file_stat WHERE torrent_id = ?', id)
  sql.run('UPDATE torrent SET done = 0, checked = 0 WHERE id = ?', id)
}

export function appendEvent(sql: Sql, event: Omit<EventRow, 'seq'>): number {
  const seq = sql.run(
    'INSERT INTO event (at, torrent_id, kind, caller, data) VALUES (?, ?, ?, ?, ?)',
    event.at,
    event.torrent,
    event.kind,
    event.caller,
    JSON.stringify(event.data),
  ).rowid
  if (seq % PRUNE_EVERY === 0)
    sql.run('DELETE FROM event WHERE seq <= ? OR at < ?', seq - EVENTS_KEPT, event.at - EVENT_AGE)
  return seq
}

interface StoredEvent {
  readonly seq: number
  readonly at: number
  readonly torrent_id: TorrentId | null
  readonly kind: string
  readonly caller: string
  readonly data: string
}

export function eventsSince(sql: Sql, seq: number, limit: number): EventRow[] {
  const rows = sql.all(
    'SELECT seq, at, torrent_id, kind, caller, data FROM event WHERE seq > ? ORDER BY seq LIMIT ?',
    seq,
    Math.max(0, limit),
  ) as StoredEvent[]
  return rows.map(eventOf)
}

export function lastEvent(sql: Sql, torrent: TorrentId, kind: string): EventRow | null {
  const row = sql.get(
    'SELECT seq, at, torrent_id, kind, caller, data FROM event WHERE torrent_id = ? AND kind = ? ORDER BY seq DESC LIMIT 1',
    torrent,
    kind,
  ) as StoredEvent | undefined
  return row === undefined ? null : eventOf(row)
}

/** One pass over the journal: for the start. */
export function blocked(sql: Sql): ReadonlyMap<TorrentId, string> {
  const rows = sql.all(
    `SELECT torrent_id, kind, data, max(seq) FROM event
      WHERE kind IN ('blocked', 'recovered') AND torrent_id IS NOT NULL GROUP BY torrent_id`,
  ) as Pick<StoredEvent, 'torrent_id' | 'kind' | 'data'>[]
  return new Map(
    rows.flatMap(({ torrent_id, kind, data }) => {
      const { reason } = readData(data)
      return kind === 'blocked' && torrent_id !== null && typeof reason === 'string'
        ? [[torrent_id, reason]]
        : []
    }),
  )
}

function eventOf({ seq, at, torrent_id, kind, caller, data }: StoredEvent): EventRow {
  return { seq, at, torrent: torrent_id, kind, caller, data: readData(data) }
}

/** What was noted; nothing where somebody edited it. */
function readData(text: string): EventRow['data'] {
  try {
    const data: unknown = JSON.parse(text)
    return typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as EventRow['data']) : {}
  } catch {
    return {}
  }
}

/** Of AUTOINCREMENT's own table: it knows the number also after the event was pruned. */
export function lastSeq(sql: Sql): number {
  const rows = sql.all("SELECT seq FROM sqlite_sequence WHERE name = 'event'") as { seq: number }[]
  return rows[0]?.seq ?? 0
}

export function getMeta(sql: Sql, key: string): string | null {
  const row = sql.get('SELECT value FROM meta WHERE key = ?', key) as { value: string } | undefined
  return row?.value ?? null
}

export function setMeta(sql: Sql, key: string, value: string): void {
  sql.run(
    'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
    key,
    value,
  )
}
