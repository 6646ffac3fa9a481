/** A home with a small database of real torrents, opened in this process without a thread. */
import { copyFileSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { backupNow, nextBackupPath } from '../../daemon/db/backups.js'
import { openDatabase, type OpenedDatabase, type OpenPorts } from '../../daemon/db/open.js'
import { saveCopy, withoutCopy } from '../../daemon/db/rebuild.js'
import { Reserve } from '../../daemon/db/reserve.js'
import { addTorrent } from '../../daemon/db/torrents.js'
import type { NewTorrent } from '../../daemon/ports/store.js'
import { encode } from '../../shared/torrent/bencode.js'
import { parseMetainfo } from '../../shared/torrent/metainfo.js'

/** 2026-11-22 10:00 UTC. */
export const NOON = Date.UTC(2026, 10, 22, 10)

/** A torrent of one small file whose .torrent is real. */
export function realTorrent(name: string, change: Partial<NewTorrent> = {}): NewTorrent {
  const info = { length: 1000, name, 'piece length': 16_384, pieces: Buffer.alloc(20, name) }
  const torrent = Buffer.from(encode({ announce: 'http://127.0.0.1:1/announce', info }))
  const meta = parseMetainfo(torrent)
  return {
    hashes: meta.hashes,
    name,
    dir: '/data',
    volume: '2049',
    private: false,
    pieceLength: meta.pieceLength,
    pieceCount: meta.pieceCount,
    total: meta.contentSize,
    wanted: meta.contentSize,
    desired: 'running',
    addedAt: 1_700_000_000_000,
    info: torrent.subarray(meta.infoStart, meta.infoEnd),
    infoStart: meta.infoStart,
    torrent,
    trackers: [{ tier: 0, url: 'http://127.0.0.1:1/announce', source: 'metainfo' }],
    wishes: [],
    ...change,
  }
}

export class DatabaseKit {
  readonly #folders: string[] = []

  constructor() {
    afterEach(() => {
      for (const folder of this.#folders.splice(0)) rmSync(folder, { recursive: true, force: true })
    })
  }

  /** In memory where the machine has such a volume: thousands of syncs. */
  folder(): string {
    const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'torrentino-db-'))
    this.#folders.push(folder)
    return folder
  }

  copyOf(home: string): string {
    const copy = this.folder()
    cpSync(home, copy, { recursive: true })
    return copy
  }

  open(home: string, ports: Partial<OpenPorts> = {}): OpenedDatabase {
    const file = databaseOf(home)
    const reserve = new Reserve(`${file}.reserve`, () => 0)
    return openDatabase({ file, downloadDir: '/downloads' }, { now: () => NOON, reserve, ...ports })
  }

  /** Opens, works and closes in order. */
  with<T>(home: string, work: (opened: OpenedDatabase) => T): T {
    const opened = this.open(home)
    try {
      return work(opened)
    } finally {
      opened.db.close()
    }
  }

  /** Names by id; the database is opened for it as at a start. */
  names(home: string): string[] {
    return this.with(home, names)
  }
}

export function databaseOf(home: string): string {
  return join(home, 'torrentino.db')
}

export function names({ sql }: OpenedDatabase): string[] {
  const rows = sql.all('SELECT name FROM torrent ORDER BY id') as { name: string }[]
  return rows.map(({ name }) => name)
}

export function add(opened: OpenedDatabase, ...torrents: NewTorrent[]): void {
  for (const torrent of torrents) addTorrent(opened.sql, torrent)
}

/** As the thread does it between calls. */
export function saveCopies({ sql, tools }: OpenedDatabase): void {
  for (const id of withoutCopy(sql, tools.copies)) saveCopy(sql, tools.copies, id)
}

export function backUp({ db, tools }: OpenedDatabase, at = NOON): void {
  backupNow(db, nextBackupPath(tools.places.backups, at))
}

/** What a kill leaves of an open database. */
export function copyUnclosed(home: string, to: string): void {
  for (const name of readdirSync(home)) {
    const path = join(home, name)
    if (name.endsWith('-shm')) continue
    if (/^torrentino\.db(-wal)?$/.test(name)) copyFileSync(path, join(to, name))
    else cpSync(path, join(to, name), { recursive: true })
  }
}
