/** From saved copies to rows: what an older database does not know, or knows only as it once was. */
import { createHash } from 'node:crypto'
import type { TorrentId } from '../../shared/units.js'
import { type Magnet, MagnetError, parseMagnet } from '../../shared/torrent/magnet.js'
import { type Metainfo, MetainfoError, parseMetainfo } from '../../shared/torrent/metainfo.js'
import { goodNames, NO_NAMES } from '../../shared/torrent/names.js'
import type { Desired } from '../../shared/views.js'
import type { NewTorrent, TrackerRow, TrashRow } from '../ports/store.js'
import type { Copies, CopyNote } from './copies.js'
import { goodLabels, setLabels } from './labels.js'
import { readNames, setNames } from './names.js'
import { applyNoted, notedOf } from './noted.js'
import type { Sql } from './sql.js'
import { addTorrent, listTorrents, readMetainfo } from './torrents.js'
import { endTrash, setTrash, trashOf } from './trash.js'

/** More events than a day brings. */
const EVENTS_SKIPPED = 50_000

/** What was done to the rows. */
export interface Rebuilt {
  /** Torrents added from their copies. */
  readonly added: number
  /** Copies that hold no torrent any more. */
  readonly unreadable: number
}

interface Known {
  readonly id: TorrentId
  readonly hash: string
}

/** The name that a torrent's copy has: its v1 hash, or the v2 hash where there is no other. */
export function knownHashes(sql: Sql): Known[] {
  return sql.all('SELECT id, coalesce(hash_v1, hash_v2) AS hash FROM torrent') as Known[]
}

export function hashOf(sql: Sql, id: TorrentId): string | null {
  const row = sql.get('SELECT coalesce(hash_v1, hash_v2) AS hash FROM torrent WHERE id = ?', id) as
    { hash: string } | undefined
  return row?.hash ?? null
}

/** Every copy without a row becomes one, unchecked: its data are hashed before anything is claimed of them. */
export function addMissing(sql: Sql, copies: Copies, downloadDir: string): Rebuilt {
  const known = new Set(knownHashes(sql).map(({ hash }) => hash))
  let added = 0
  let unreadable = 0
  for (const hash of copies.list().torrents) {
    if (known.has(hash)) continue
    if (addFromCopy(sql, copies, hash, downloadDir)) added += 1
    else unreadable += 1
  }
  return { added, unreadable }
}

function addFromCopy(sql: Sql, copies: Copies, hash: string, downloadDir: string): boolean {
  const bytes = copies.torrent(hash)
  if (bytes !== null && copies.hasLink(hash)) return addLink(sql, copies, hash, bytes, downloadDir)
  const meta = bytes === null ? null : readMeta(bytes)
  if (bytes === null || meta === null || (meta.hashes.v1 ?? meta.hashes.v2) !== hash) return false
  const note = copies.note(hash)
  // Under the number that people know it by.
  const id = addTorrent(sql, rowOf(bytes, meta, note, downloadDir), note?.id ?? null)
  setLabels(sql, [{ torrent: id, labels: goodLabels(note?.labels) }])
  applyNoted(sql, id, note ?? {})
  fitNames(sql, id, note)
  fitTrash(sql, id, note)
  return true
}

/** A magnet link whose metadata had not come. */
function addLink(sql: Sql, copies: Copies, hash: string, bytes: Buffer, downloadDir: string): boolean {
  const magnet = readLink(bytes)
  if (magnet === null || (magnet.hashes.v1 ?? magnet.hashes.v2) !== hash) return false
  const note = copies.note(hash)
  const row: NewTorrent = {
    hashes: magnet.hashes,
    name: magnet.name === '' ? hash : magnet.name,
    private: false,
    pieceLength: 0,
    pieceCount: 0,
    total: 0,
    wanted: 0,
    info: new Uint8Array(),
    infoStart: 0,
    torrent: bytes,
    ...noted(note, downloadDir),
    trackers: note?.trackers ?? magnet.trackers.map((url, tier) => ({ tier, url, source: 'metainfo' })),
  }
  const id = addTorrent(sql, row, note?.id ?? null)
  setLabels(sql, [{ torrent: id, labels: goodLabels(note?.labels) }])
  applyNoted(sql, id, note ?? {})
  fitTrash(sql, id, note)
  return true
}

/** Its files are called as they were when the note was written last. */
function fitNames(sql: Sql, id: TorrentId, note: CopyNote | null): void {
  const names = goodNames(note?.names)
  if (names !== null) return setNames(sql, id, names)
  const { root, paths } = readNames(sql, id)
  if (note === null || (root === null && paths.length === 0)) return
  const name = readMeta(readMetainfo(sql, id).torrent)?.name
  if (name !== undefined) setNames(sql, id, { ...NO_NAMES, name })
}

/** A torrent is in the trash where its note says so: its files lie where the note was written last. */
function fitTrash(sql: Sql, id: TorrentId, note: CopyNote | null): void {
  const trash = note?.trash
  if (note !== null && trash === undefined) endTrash(sql, id)
  if (trash !== undefined && isTrash(trash)) setTrash(sql, { ...trash, torrent: id })
}

function isTrash(row: Partial<TrashRow> | null): row is TrashRow {
  return (
    row !== null &&
    typeof row.at === 'number' &&
    typeof row.until === 'number' &&
    typeof row.data === 'boolean' &&
    typeof row.dir === 'string' &&
    row.dir.startsWith('/') &&
    typeof row.desired === 'string' &&
    (row.phase === 'going' || row.phase === 'there' || row.phase === 'back') &&
    typeof row.caller === 'string'
  )
}

function readLink(bytes: Buffer): Magnet | null {
  try {
    return parseMagnet(bytes.toString())
  } catch (error) {
    if (error instanceof MagnetError) return null
    throw error
  }
}

/** What the note tells, or stands for it. */
function noted(note: CopyNote | null, downloadDir: string) {
  return {
    dir: note?.dir ?? downloadDir,
    volume: note?.volume ?? '0',
    desired: safeDesire(note?.desired),
    addedAt: note?.addedAt ?? 0,
    wishes: note?.wishes ?? [],
  }
}

function readMeta(bytes: Uint8Array): Metainfo | null {
  try {
    return parseMetainfo(bytes)
  } catch (error) {
    if (error instanceof MetainfoError) return null
    throw error
  }
}

function rowOf(bytes: Buffer, meta: Metainfo, note: CopyNote | null, downloadDir: string): NewTorrent {
  const wishes = note?.wishes ?? []
  const unwanted = new Set(wishes.filter(({ priority }) => priority === 0).map(({ file }) => file))
  return {
    hashes: meta.hashes,
    name: meta.name,
    private: meta.private,
    pieceLength: meta.pieceLength,
    pieceCount: meta.pieceCount,
    total: meta.contentSize,
    wanted: meta.files.reduce(
      (sum, file, index) => (file.pad || unwanted.has(index) ? sum : sum + file.length),
      0,
    ),
    info: bytes.subarray(meta.infoStart, meta.infoEnd),
    infoStart: meta.infoStart,
    torrent: bytes,
    ...noted(note, downloadDir),
    trackers: note?.trackers ?? trackersOf(meta),
  }
}

/** A removal that was under way is not taken up again from a copy: it could delete what was added since. */
function safeDesire(desired: Desired | undefined): Desired {
  return desired === 'running' || desired === 'forced' ? desired : 'paused'
}

function trackersOf(meta: Metainfo): TrackerRow[] {
  return meta.trackers.flatMap((urls, tier) =>
    urls.map((url) => ({ tier, url, source: 'metainfo' as const })),
  )
}

/** What is true of a database of the past whoever asked for it. */
export function fitToToday(sql: Sql, copies: Copies): void {
  // The data may have changed in every way since: only size, mtime and inode can vouch for a bit, no mark can.
  sql.run('UPDATE file_stat SET writing = 0')
  sql.run('UPDATE torrent SET checked = 0 WHERE completed_at IS NULL OR done < wanted')
  sql.run(
    "UPDATE torrent SET desired = 'paused' WHERE desired NOT IN ('running', 'forced') AND id NOT IN (SELECT torrent_id FROM trash)",
  )
  sql.run("INSERT INTO meta (key, value) VALUES ('clean', 'no') ON CONFLICT DO UPDATE SET value = 'no'")
  // Whoever has seen later events of the database that is gone must not take the new ones for those.
  sql.run(`UPDATE sqlite_sequence SET seq = seq + ${EVENTS_SKIPPED} WHERE name = 'event'`)
  // A job was done or undone since; what it left lies where the copy says.
  sql.run('DELETE FROM job')
  for (const { id, hash } of knownHashes(sql)) {
    const note = copies.note(hash)
    if (note !== null)
      sql.run('UPDATE torrent SET dir = ?, volume = ? WHERE id = ?', note.dir, note.volume, id)
    fitNames(sql, id, note)
    fitTrash(sql, id, note)
  }
}

/** What only a backup that nobody asked for needs: the newer word of the user. Answers how many were removed since. */
export function applySince(sql: Sql, copies: Copies): number {
  const { torrents, removed } = copies.list()
  let gone = 0
  for (const { id, hash } of knownHashes(sql)) {
    if (removed.has(hash) && !torrents.has(hash)) {
      sql.run('DELETE FROM torrent WHERE id = ?', id)
      gone += 1
    }
    const note = copies.note(hash)
    if (note !== null && note.trash === undefined)
      sql.run('UPDATE torrent SET desired = ? WHERE id = ?', safeDesire(note.desired), id)
  }
  return gone
}

/** A removal whose row came back, with an older log or by a kill, is taken up again; the data stay. */
export function resumeRemovals(sql: Sql, copies: Copies): void {
  const { torrents, removed } = copies.list()
  for (const { id, hash } of removed.size === 0 ? [] : knownHashes(sql)) {
    if (!removed.has(hash) || torrents.has(hash)) continue
    sql.run("UPDATE torrent SET desired = 'removed' WHERE id = ? AND desired NOT LIKE 'removed%'", id)
  }
}

/** Numbers of torrents whose copy or note is not there. A torrent about to be removed gets none. */
export function withoutCopy(sql: Sql, copies: Copies): TorrentId[] {
  const { torrents, notes } = copies.list()
  const rows = sql.all(
    "SELECT id, coalesce(hash_v1, hash_v2) AS hash FROM torrent WHERE desired NOT LIKE 'removed%'",
  ) as Known[]
  return rows.filter(({ hash }) => !torrents.has(hash) || !notes.has(hash)).map(({ id }) => id)
}

/** Writes the copy of a torrent that has none, and its note as it is now. */
export function saveCopy(sql: Sql, copies: Copies, id: TorrentId): void {
  const row = listTorrents(sql, id)[0]
  const hash = hashOf(sql, id)
  if (row === undefined || hash === null || row.desired.startsWith('removed')) return
  const wishes = sql.all(
    'SELECT idx AS file, priority FROM file_wish WHERE torrent_id = ? AND priority <> 1 ORDER BY idx',
    id,
  ) as CopyNote['wishes']
  const { dir, volume, desired, addedAt, trackers } = row
  const trash = trashOf(sql, id)
  const names = readNames(sql, id)
  const isRenamed = names.root !== null || names.paths.length > 0
  const note: CopyNote = {
    ...{ id, dir, volume, desired, addedAt, trackers, wishes },
    ...notedOf(row),
    ...(row.labels.length === 0 ? {} : { labels: row.labels }),
    ...(isRenamed ? { names: { name: row.name, ...names } } : {}),
    ...(trash === null ? {} : { trash }),
  }
  const saved = copies.has(hash) && (row.pieceCount === 0 || !copies.hasLink(hash))
  copies.save(hash, note, saved ? null : readMetainfo(sql, id).torrent)
}

/** The .torrent as it came: the copy where the one in the database is not what its hash says. */
export function readGoodMetainfo(sql: Sql, copies: Copies, id: TorrentId): ReturnType<typeof readMetainfo> {
  const found = readMetainfo(sql, id)
  const hash = hashOf(sql, id)
  const info = found.torrent.subarray(found.infoStart, found.infoEnd)
  if (hash?.length !== 40 || createHash('sha1').update(info).digest('hex') === hash) return found
  const bytes = copies.torrent(hash)
  const meta = bytes === null ? null : readMeta(bytes)
  if (bytes === null || meta?.hashes.v1 !== hash) return found
  const { infoStart, infoEnd } = meta
  return { torrent: new Uint8Array(bytes), infoStart, infoEnd, names: found.names }
}
