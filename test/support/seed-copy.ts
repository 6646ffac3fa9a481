import { cpSync } from 'node:fs'
import type { Daemon } from './daemon.js'
import type { MadeTorrent } from './make-torrent.js'
import { metainfoOf } from './stage.js'

/** Has a daemon seed a copy of a torrent's files in `dir`, so that a test may do with them what it likes. Answers its id. */
export async function seedCopy(daemon: Daemon, torrent: MadeTorrent, dir: string): Promise<number> {
  cpSync(torrent.dir, dir, { recursive: true, preserveTimestamps: true })
  const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir })
  await daemon.seeds(id)
  return id
}
