/** How fast a torrent may be. Runs in the store's thread. */
import type { LimitRow, TorrentLimits } from '../ports/store.js'
import type { Sql } from './sql.js'

export interface LimitColumns {
  readonly down_limit: number | null
  readonly up_limit: number | null
}

export function toLimits({ down_limit: down, up_limit: up }: LimitColumns): TorrentLimits | null {
  return down === null && up === null ? null : { down, up }
}

/** Torrents that are not there any more are left out. */
export function setLimits(sql: Sql, rows: readonly LimitRow[]): void {
  for (const { torrent, down, up } of rows)
    sql.run('UPDATE torrent SET down_limit = ?, up_limit = ? WHERE id = ?', down, up, torrent)
}
