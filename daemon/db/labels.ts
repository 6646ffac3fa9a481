/** Labels of torrents. Runs in the store's thread. */
import { isLabel, MOST_LABELS, sortLabels } from '../../shared/labels.js'
import type { TorrentId } from '../../shared/units.js'
import { type LabelsRow, StoreFault } from '../ports/store.js'
import type { Sql } from './sql.js'

export function setLabels(sql: Sql, rows: readonly LabelsRow[]): void {
  for (const { torrent, labels } of rows) {
    refuseNobody(sql, torrent)
    sql.run('DELETE FROM label WHERE torrent_id = ?', torrent)
    for (const name of labels) sql.run('INSERT INTO label (torrent_id, name) VALUES (?, ?)', torrent, name)
  }
}

/** Of all torrents that have any, or of one. */
export function labelsByTorrent(sql: Sql, only: TorrentId | null = null): Map<TorrentId, readonly string[]> {
  const rows = (
    only === null
      ? sql.all('SELECT torrent_id, name FROM label')
      : sql.all('SELECT torrent_id, name FROM label WHERE torrent_id = ?', only)
  ) as { readonly torrent_id: TorrentId; readonly name: string }[]
  const found = new Map<TorrentId, string[]>()
  for (const { torrent_id, name } of rows) {
    const list = found.get(torrent_id)
    if (list === undefined) found.set(torrent_id, [name])
    else list.push(name)
  }
  return new Map([...found].map(([id, names]) => [id, sortLabels(names)]))
}

/** What a saved copy says, as far as it can be true. */
export function goodLabels(labels: unknown): readonly string[] {
  if (!Array.isArray(labels)) return []
  return labels.filter((each) => typeof each === 'string' && isLabel(each)).slice(0, MOST_LABELS) as string[]
}

function refuseNobody(sql: Sql, id: TorrentId): void {
  if (sql.get('SELECT 1 FROM torrent WHERE id = ?', id) !== undefined) return
  throw new StoreFault('NOT_FOUND', `no torrent ${id} in the store`)
}
