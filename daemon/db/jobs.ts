/** Long work that outlives a kill: what is to be done, and how far it has come. Runs in the store's thread. */
import type { TorrentId } from '../../shared/units.js'
import { StoreFault, type JobRow, type NewJob, type Relocation } from '../ports/store.js'
import { setNames } from './names.js'
import { putFile } from './records.js'
import type { Sql } from './sql.js'
import { pieceCount, setDesired } from './torrents.js'

interface JobColumns {
  readonly id: number
  readonly torrent_id: TorrentId
  readonly kind: string
  readonly step: string
  readonly args: string
  readonly caller: string
}

export function listJobs(sql: Sql): JobRow[] {
  const rows = sql.all(
    'SELECT id, torrent_id, kind, step, args, caller FROM job WHERE torrent_id IS NOT NULL ORDER BY id',
  ) as JobColumns[]
  return rows.map(({ torrent_id, ...row }) => ({ ...row, torrent: torrent_id, args: readArgs(row.args) }))
}

/** What an edited database brings in is no reason not to start. */
function readArgs(text: string): JobRow['args'] {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as JobRow['args']) : {}
  } catch {
    return {}
  }
}

/** AUTOINCREMENT: the number of a job names its temporary files, and is never that of another. */
export function addJob(sql: Sql, { torrent, kind, step, args, caller, desired }: NewJob): number {
  pieceCount(sql, torrent)
  if (desired !== undefined) setDesired(sql, [torrent], desired)
  return sql.run(
    'INSERT INTO job (torrent_id, kind, step, args, caller) VALUES (?, ?, ?, ?, ?)',
    torrent,
    kind,
    step,
    JSON.stringify(args),
    caller,
  ).rowid
}

/** Throws NOT_FOUND for a job that is not there. */
export function setJob(sql: Sql, id: number, step: string, args: JobRow['args']): void {
  const { changes } = sql.run(
    'UPDATE job SET step = ?, args = ? WHERE id = ?',
    step,
    JSON.stringify(args),
    id,
  )
  if (changes === 0) throw new StoreFault('NOT_FOUND', `no job ${String(id)} in the store`)
}

export function endJob(sql: Sql, id: number): void {
  sql.run('DELETE FROM job WHERE id = ?', id)
}

export function relocate(sql: Sql, relocation: Relocation): void {
  const { torrent, dir, volume, files, names, job, step, args } = relocation
  pieceCount(sql, torrent)
  sql.run('UPDATE torrent SET dir = ?, volume = ? WHERE id = ?', dir, volume, torrent)
  for (const file of files) putFile(sql, torrent, file)
  if (names !== undefined) setNames(sql, torrent, names)
  setJob(sql, job, step, args)
}
