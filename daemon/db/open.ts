/**
 * From files to a database in use: an exchange that was begun is ended, damage is recovered from, the version is
 * brought up, and torrents that only their copies know come back.
 */
import { existsSync, rmSync } from 'node:fs'
import type { Millis } from '../../shared/units.js'
import { type Notice, StoreFault } from '../ports/store.js'
import { backupNow, listBackups, nextBackupPath } from './backups.js'
import { Copies } from './copies.js'
import { damageOf } from './examine.js'
import { makePrivateFolder, sizeOf } from './files.js'
import { migrate, MIGRATIONS } from './migrations.js'
import { type Places, placesOf } from './places.js'
import { addMissing, resumeRemovals } from './rebuild.js'
import { exchange, nameAside, noticeOf, recover, type RecoveryTools, tellFound } from './recovery.js'
import { setMeta } from './records.js'
import type { Reserve } from './reserve.js'
import type { Sql } from './sql.js'
import {
  beImpatient,
  cachedSql,
  type Connection,
  faultOf,
  migratable,
  openToServe,
  userVersion,
} from './sqlite.js'

export interface OpenInit {
  readonly file: string
  /** Where a torrent goes whose folder nobody knows any more. */
  readonly downloadDir: string
}

export interface OpenPorts {
  /** Milliseconds since 1970. */
  readonly now: () => Millis
  readonly reserve: Reserve
  /** Called between the steps; tests stop there. */
  readonly point?: (name: string) => void
  /** Of another version, for tests. */
  readonly steps?: readonly string[]
}

export interface OpenedDatabase {
  readonly db: Connection
  readonly sql: Sql
  readonly tools: RecoveryTools
  /** What people should know of the last recovery or restore, however old; null: there was none. */
  readonly notice: Notice | null
  /** The last run put its log away: what it wrote into copies it wrote to the end. */
  readonly inOrder: boolean
}

export function toolsOf(init: OpenInit, ports: Omit<OpenPorts, 'reserve'>): RecoveryTools {
  const places = placesOf(init.file)
  return {
    places,
    copies: new Copies(places.copies),
    steps: ports.steps ?? MIGRATIONS,
    now: ports.now,
    downloadDir: init.downloadDir,
    point: ports.point ?? (() => undefined),
  }
}

/** Throws StoreFault; a full volume gets the reserve and is tried once more. */
export function openDatabase(init: OpenInit, ports: OpenPorts): OpenedDatabase {
  const tools = toolsOf(init, ports)
  makePrivateFolder(tools.places.home)
  try {
    return openOnce(tools)
  } catch (error) {
    const { code } = faultOf(error)
    if (code === 'SQLITE_BUSY') throw held(init.file)
    if (!/^(SQLITE_FULL|SQLITE_IOERR|ENOSPC|EDQUOT)$/.test(code) || !ports.reserve.giveUp()) throw error
    return openOnce(tools)
  }
}

function openOnce(tools: RecoveryTools): OpenedDatabase {
  exchange(tools)
  nameAside(tools)
  const { places } = tools
  const damage = damageAt(places, tools)
  if (damage !== null) recover(tools, damage)
  if (damage !== null && damageAt(places, tools) !== null)
    throw new StoreFault(
      'SQLITE_CORRUPT',
      `what was put in its place is damaged, too: look after the disk of ${places.home}`,
    )
  rmSync(places.suspect, { force: true })
  const inOrder = sizeOf(`${places.database}-wal`) <= 0
  const db = openToServe(places.database)
  try {
    bringUp(db, tools)
    // A stranger who holds it is told of now, and not at the first torrent.
    db.exec('BEGIN IMMEDIATE')
    db.exec('ROLLBACK')
    const sql = cachedSql(db)
    db.transaction(() => {
      reconcile(sql, tools, inOrder)
    })()
    beImpatient(db)
    return { db, sql, tools, notice: noticeOf(sql), inOrder }
  } catch (error) {
    db.close()
    throw error
  }
}

/** Null when it is whole, or when nothing was here ever. */
function damageAt(places: Places, { steps, copies }: RecoveryTools): string | null {
  const size = sizeOf(places.database)
  if (size > 0) return damageOf(places.database, { steps, thorough: existsSync(places.suspect) })
  const traces =
    sizeOf(`${places.database}-wal`) > 0 ||
    listBackups(places.backups).length > 0 ||
    copies.list().torrents.size > 0
  if (!traces) return null
  return size < 0 ? 'its file is gone' : 'its file is empty'
}

/** Each version in one transaction; before the first of them a backup. */
function bringUp(db: Connection, { places, steps, now, point }: RecoveryTools): void {
  const version = userVersion(db)
  if (version > 0 && version < steps.length) {
    backupNow(db, nextBackupPath(places.backups, now(), `-v${version}`))
    point('backup made')
  }
  const plain = migratable(db)
  const exec = (text: string): void => {
    plain.exec(text)
    point('migrating')
  }
  migrate({ userVersion: () => plain.userVersion(), exec }, steps)
}

function reconcile(sql: Sql, { copies, now, downloadDir }: RecoveryTools, inOrder: boolean): void {
  // A log that was not put away tells of a kill, whatever else is written: the files are looked at.
  if (!inOrder) setMeta(sql, 'clean', 'no')
  resumeRemovals(sql, copies)
  const found = addMissing(sql, copies, downloadDir)
  if (found.added > 0) tellFound(sql, now(), found)
}

function held(file: string): StoreFault {
  return new StoreFault(
    'HELD',
    `another program holds ${file}: end it (a shell of sqlite3, a backup program) and start torrentinod again`,
  )
}
