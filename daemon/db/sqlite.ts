/** SQLite itself: connections and what is in force on them, errors by their code. Loaded in the store's thread alone. */
import Database from 'better-sqlite3'
import { dirname } from 'node:path'
import { StoreFault } from '../ports/store.js'
import type { Transaction } from './batch.js'
import { makePrivate } from './files.js'
import type { Migratable } from './migrations.js'
import type { OpenFacts } from './protocol.js'
import type { Sql, SqlValue } from './sql.js'

/** Milliseconds to wait for a stranger who reads or writes the database (the lock keeps our own kind away). */
const BUSY_TIMEOUT = 250
/** The same at the start, where nobody waits for an answer yet. */
const BUSY_AT_START = 5000
/** Bytes the write-ahead log is cut back to after a checkpoint. */
const JOURNAL_LIMIT = 4 * 1024 * 1024

export type Connection = Database.Database

/** Held until the connection closes or the process dies, however it dies: nothing is left behind to go stale. */
export function takeLock(file: string): Connection {
  makePrivate(file)
  const lock = new Database(file, { timeout: 0 })
  try {
    lock.pragma('journal_mode = MEMORY')
    lock.pragma('locking_mode = EXCLUSIVE')
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    if (faultOf(error).code !== 'SQLITE_BUSY') throw error
    throw new StoreFault('LOCKED', `another torrentinod is using ${dirname(file)}`)
  }
}

/** Changes no byte of the database or its log. */
export function openToLook(file: string): Connection {
  return new Database(file, { readonly: true, fileMustExist: true, timeout: BUSY_AT_START })
}

/** Ends what a kill left in a rollback journal: the first read does it. */
export function rollBack(file: string): void {
  const db = new Database(file, { fileMustExist: true, timeout: BUSY_AT_START })
  try {
    userVersion(db)
  } finally {
    db.close()
  }
}

/** The live database. */
export function openToServe(file: string): Connection {
  makePrivate(file)
  const db = new Database(file, { timeout: BUSY_AT_START })
  try {
    setPragmas(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Once it serves, callers wait: a stranger is given up sooner. */
export function beImpatient(db: Connection): void {
  db.pragma(`busy_timeout = ${BUSY_TIMEOUT}`)
}

/** A database that is in nobody's use yet: one file, no log beside it once it is closed. */
export function openDraft(file: string): Connection {
  const db = new Database(file, { timeout: 0 })
  try {
    db.pragma('journal_mode = DELETE')
    db.pragma('synchronous = FULL')
    db.pragma('foreign_keys = ON')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** In memory, for what the tables of a version look like. */
export function openScratch(): Connection {
  return new Database(':memory:')
}

/** On every open: this build of SQLite falls back to synchronous=NORMAL when a WAL database is opened again. */
function setPragmas(db: Connection): void {
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.pragma('foreign_keys = ON')
  db.pragma(`journal_size_limit = ${JOURNAL_LIMIT}`)
  // macOS: a plain fsync stops at the drive's cache. Elsewhere these two do nothing.
  db.pragma('fullfsync = ON')
  db.pragma('checkpoint_fullfsync = ON')
  const { journalMode, synchronous } = factsOf(db)
  if (journalMode !== 'wal' || synchronous !== 2)
    throw new StoreFault(
      'UNSAFE',
      `the database cannot be kept safe here (journal ${journalMode}, synchronous ${synchronous}): put the home on a local disk`,
    )
}

export function userVersion(db: Connection): number {
  return Number(db.pragma('user_version', { simple: true }))
}

export function factsOf(db: Connection): OpenFacts {
  return {
    synchronous: Number(db.pragma('synchronous', { simple: true })),
    journalMode: String(db.pragma('journal_mode', { simple: true })),
    foreignKeys: db.pragma('foreign_keys', { simple: true }) === 1,
    fullfsync: db.pragma('fullfsync', { simple: true }) === 1,
    userVersion: userVersion(db),
  }
}

export function migratable(db: Connection): Migratable {
  return { userVersion: () => userVersion(db), exec: (text) => db.exec(text) }
}

/** Prepared statements by their text; the texts are constants of this room, so the map stays small. */
export function cachedSql(db: Connection): Sql {
  const statements = new Map<string, Database.Statement<SqlValue[]>>()
  const prepare = (text: string): Database.Statement<SqlValue[]> => {
    const known = statements.get(text)
    if (known !== undefined) return known
    const statement = db.prepare<SqlValue[]>(text)
    statements.set(text, statement)
    return statement
  }
  return {
    all: (text, ...values) => prepare(text).all(...values),
    get: (text, ...values) => prepare(text).get(...values),
    run: (text, ...values) => {
      const { changes, lastInsertRowid } = prepare(text).run(...values)
      return { changes, rowid: Number(lastInsertRowid) }
    },
  }
}

export function transactionOf(db: Connection): Transaction {
  const run = (text: string) => {
    const statement = db.prepare(text)
    return () => {
      statement.run()
    }
  }
  const rollbackTo = run('ROLLBACK TO one')
  const release = run('RELEASE one')
  return {
    begin: run('BEGIN IMMEDIATE'),
    commit: run('COMMIT'),
    rollback: run('ROLLBACK'),
    savepoint: run('SAVEPOINT one'),
    release,
    undo: () => {
      rollbackTo()
      release()
    },
    active: () => db.inTransaction,
    worthRetrying: (error) => faultOf(error).code === 'SQLITE_FULL',
  }
}

const UNBUILT =
  'its driver, better-sqlite3, is not built for this Node; install torrentino again, or run "npm rebuild better-sqlite3"'

/** The native module was built for another Node, or not at all: npm may run no install scripts. */
function isUnbuilt(error: Error): boolean {
  return (
    ('code' in error && error.code === 'ERR_DLOPEN_FAILED') ||
    error.message.startsWith('Could not locate the bindings file')
  )
}

/** SQLite's primary code: callers tell a full disk from a broken one, and no finer. */
export function faultOf(error: unknown): { code: string; message: string } {
  if (error instanceof StoreFault) return { code: error.code, message: error.message }
  if (!(error instanceof Error)) return { code: 'BUG', message: String(error) }
  if (error instanceof Database.SqliteError) {
    const code = /^SQLITE_[A-Z]+/.exec(error.code)?.[0] ?? error.code
    return { code, message: `${error.message} (${error.code})` }
  }
  if (isUnbuilt(error)) return { code: 'DRIVER', message: UNBUILT }
  const system = 'code' in error && typeof error.code === 'string' && !error.code.startsWith('ERR_')
  const code = system ? String(error.code) : 'BUG'
  return { code, message: code === 'BUG' ? (error.stack ?? error.message) : error.message }
}

/** The bytes of the database make no sense: it is no passing trouble. */
export function isDamage(code: string): boolean {
  return code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB'
}
