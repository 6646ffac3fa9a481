/** The names that were given to a torrent and its files. Runs in the store's thread. */
import type { CalledNames, GivenNames, GivenPath } from '../../shared/torrent/names.js'
import type { TorrentId } from '../../shared/units.js'
import type { Sql } from './sql.js'

export function readNames(sql: Sql, id: TorrentId): GivenNames {
  const row = sql.get('SELECT root FROM torrent WHERE id = ?', id) as { root: string | null } | undefined
  const paths = sql.all(
    'SELECT idx AS file, path FROM file_wish WHERE torrent_id = ? AND path IS NOT NULL ORDER BY idx',
    id,
  ) as GivenPath[]
  return { root: row?.root ?? null, paths }
}

/** Instead of those that were given before. `name`: what the torrent is called. */
export function setNames(sql: Sql, id: TorrentId, names: CalledNames): void {
  sql.run('UPDATE torrent SET name = ?, root = ? WHERE id = ?', names.name, names.root, id)
  sql.run('UPDATE file_wish SET path = NULL WHERE torrent_id = ?', id)
  for (const { file, path } of names.paths)
    sql.run(
      `INSERT INTO file_wish (torrent_id, idx, path) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET path = excluded.path`,
      id,
      file,
      path,
    )
  sql.run('DELETE FROM file_wish WHERE torrent_id = ? AND priority = 1 AND path IS NULL', id)
}
