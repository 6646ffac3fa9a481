/** Is this database whole? Looks without changing a byte of it or its log; only a rollback that is due is done. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { StoreFault } from '../ports/store.js'
import { sizeOf } from './files.js'
import { migrate, refuseNewer } from './migrations.js'
import {
  type Connection,
  faultOf,
  isDamage,
  migratable,
  openScratch,
  openToLook,
  rollBack,
  userVersion,
} from './sqlite.js'

/** Up to so many bytes every page and index is checked at the start: that takes a fraction of a second. */
const WHOLE_CHECK = 64 * 1024 * 1024
/** No version will ever be so high: what says so is damaged. */
const NO_VERSION = 10_000
/** Checked in larger ones too: who the torrents are. What is bulky is read, and so checked, by the daily backup. */
const VITAL = ['torrent', 'meta', 'tracker', 'totals']

export interface Exam {
  /** The migrations that this program knows. */
  readonly steps: readonly string[]
  /** Every page, however long it takes. */
  readonly thorough: boolean
}

/**
 * Null, or what is wrong with the file in a few words. Throws StoreFault NEWER when a later version wrote it, and what
 * says nothing of its bytes (held by another program, an I/O error).
 */
export function damageOf(file: string, exam: Exam): string | null {
  const header = headerOf(file)
  if (header === null) return 'it is no SQLite database'
  if (header.version >= NO_VERSION) return 'its header makes no sense'
  const log = `${file}-wal`
  // Without a log the header tells all, and no helper file appears beside what must not be touched.
  if (!existsSync(log) || sizeOf(log) === 0) refuseNewer(header.version, exam.steps.length)
  try {
    const db = lookAt(file)
    try {
      refuseNewer(userVersion(db), exam.steps.length)
      return damageIn(db, exam.steps, exam.thorough || sizeOf(file) <= WHOLE_CHECK)
    } finally {
      db.close()
    }
  } catch (error) {
    const { code } = faultOf(error)
    if (isDamage(code))
      return code === 'SQLITE_NOTADB' ? 'it is no SQLite database' : 'its pages make no sense'
    throw error
  }
}

/**
 * A kill before the database had its log leaves a rollback journal, and a connection that may only read can do nothing
 * with it: it is rolled back first, as any opening would.
 */
function lookAt(file: string): Connection {
  const db = openToLook(file)
  try {
    userVersion(db)
    return db
  } catch (error) {
    db.close()
    if (!faultOf(error).code.startsWith('SQLITE_READONLY')) throw error
    rollBack(file)
    return openToLook(file)
  }
}

/** SQLite file format 1.3: the first 16 bytes are a word, user_version is at byte 60. */
function headerOf(file: string): { readonly version: number } | null {
  const header = Buffer.alloc(100)
  const fd = openSync(file, 'r')
  try {
    readSync(fd, header, 0, header.length, 0)
  } finally {
    closeSync(fd)
  }
  return header.toString('latin1', 0, 16) === 'SQLite format 3\0'
    ? { version: header.readUInt32BE(60) }
    : null
}

function damageIn(db: Connection, steps: readonly string[], whole: boolean): string | null {
  if (shapeOf(db) !== shapeAt(steps, userVersion(db))) return 'its tables are not those of its version'
  const found = whole
    ? firstLine(db, 'integrity_check(1)')
    : VITAL.map((table) => firstLine(db, `integrity_check(${table})`)).find((line) => line !== 'ok')
  return found === undefined || found === 'ok'
    ? null
    : `its pages make no sense: ${found.split('\n').at(-1) ?? ''}`
}

function firstLine(db: Connection, pragma: string): string {
  return String(db.pragma(pragma, { simple: true }))
}

/** Names and kinds, and not the text: a comment may change. */
function shapeOf(db: Connection): string {
  const rows = db.prepare(
    `SELECT s.type, s.name AS holder, c.name, c.type AS kind, c."notnull", c.pk
       FROM sqlite_schema AS s LEFT JOIN pragma_table_info(s.name) AS c ORDER BY s.name, c.cid`,
  )
  return JSON.stringify(rows.all())
}

/** How the tables of a version look. */
function shapeAt(steps: readonly string[], version: number): string {
  const db = openScratch()
  try {
    migrate(migratable(db), steps.slice(0, version))
    return shapeOf(db)
  } finally {
    db.close()
  }
}

/** Null when the file can be put back, or one sentence why not, where it is called `name`; it never throws. */
export function unfitToRestore(file: string, steps: readonly string[], name = file): string | null {
  try {
    const header = headerOf(file)
    if (header === null || header.version === 0) return `${name} is no database of Torrentino.`
    const damage = damageOf(file, { steps, thorough: true })
    if (damage === null) return null
    return damage.startsWith('its tables')
      ? `${name} is no database of Torrentino.`
      : `${name} is damaged (${damage}); choose an older backup.`
  } catch (error) {
    if (error instanceof StoreFault) return `${name} cannot be taken: ${error.message}.`
    return `${name} cannot be read: ${faultOf(error).message}.`
  }
}
