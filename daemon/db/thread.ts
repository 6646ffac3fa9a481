/** The store's thread: the one place that opens SQLite. Takes the lock, opens, migrates, then serves calls. */
import Database from 'better-sqlite3'
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { makeFolders } from '../../shared/folders.js'
import { StoreFault } from '../ports/store.js'
import { runBatch, type Outcome, type Transaction, type Work } from './batch.js'
import { isWrite, perform } from './handlers.js'
import { migrate, refuseNewer } from './migrations.js'
import type { FromThread, OpenFacts, Request, ThreadInit, ToThread } from './protocol.js'
import type { Sql, SqlValue } from './sql.js'

/** Milliseconds to wait for a stranger who reads or writes the database (the lock keeps our own kind away). */
const BUSY_TIMEOUT = 250
/** Bytes the write-ahead log is cut back to after a checkpoint. */
const JOURNAL_LIMIT = 4 * 1024 * 1024
/** Calls in one transaction: bounds how long the first waits for the last. */
const MOST_IN_BATCH = 256

type Connection = Database.Database

/** One file in a folder of ours that nobody else may read. */
function makePrivate(file: string): void {
  makeFolders(dirname(file), {
    mkdir: (path) => {
      mkdirSync(path, { mode: 0o700 })
    },
    isFolder: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  })
  closeSync(openSync(file, 'a', 0o600))
  if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600)
}

/** Held until the connection closes or the process dies, however it dies: nothing is left behind to go stale. */
function takeLock(file: string): Connection {
  makePrivate(file)
  const lock = new Database(file, { timeout: 0 })
  try {
    lock.pragma('journal_mode = MEMORY')
    lock.pragma('locking_mode = EXCLUSIVE')
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    if (!isBusy(error)) throw error
    throw new StoreFault('LOCKED', `another torrentinod is using ${dirname(file)}`)
  }
}

/** Looks without writing first: a newer version's database must not be touched, not even by a checkpoint. */
function refuseNewerFile(file: string): void {
  const log = `${file}-wal`
  // Without a log the header tells all, and no helper file appears beside it.
  if (!existsSync(log) || statSync(log).size === 0) {
    refuseNewer(headerVersion(file))
    return
  }
  const db = new Database(file, { readonly: true, timeout: BUSY_TIMEOUT })
  try {
    refuseNewer(userVersion(db))
  } finally {
    db.close()
  }
}

/** user_version as the file's header has it, at byte 60 (SQLite file format 1.3); 0 for what is no database. */
function headerVersion(file: string): number {
  const header = Buffer.alloc(100)
  const fd = openSync(file, 'r')
  try {
    readSync(fd, header, 0, header.length, 0)
  } finally {
    closeSync(fd)
  }
  return header.toString('latin1', 0, 16) === 'SQLite format 3\0' ? header.readUInt32BE(60) : 0
}

function openDatabase(file: string): Connection {
  makePrivate(file)
  refuseNewerFile(file)
  const db = new Database(file, { timeout: BUSY_TIMEOUT })
  try {
    setPragmas(db)
    migrate({ userVersion: () => userVersion(db), exec: (text) => db.exec(text) })
    return db
  } catch (error) {
    db.close()
    throw error
  }
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

function userVersion(db: Connection): number {
  return Number(db.pragma('user_version', { simple: true }))
}

function factsOf(db: Connection): OpenFacts {
  return {
    synchronous: Number(db.pragma('synchronous', { simple: true })),
    journalMode: String(db.pragma('journal_mode', { simple: true })),
    foreignKeys: db.pragma('foreign_keys', { simple: true }) === 1,
    fullfsync: db.pragma('fullfsync', { simple: true }) === 1,
    userVersion: userVersion(db),
  }
}

/** Prepared statements by their text; the texts are constants of this room, so the map stays small. */
function cachedSql(db: Connection): Sql {
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

function transactionOf(db: Connection): Transaction {
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

function isBusy(error: unknown): boolean {
  return faultOf(error).code === 'SQLITE_BUSY'
}

/** SQLite's primary code: callers tell a full disk from a broken one, and no finer. */
function faultOf(error: unknown): { code: string; message: string } {
  if (error instanceof StoreFault) return { code: error.code, message: error.message }
  if (!(error instanceof Error)) return { code: 'BUG', message: String(error) }
  if (error instanceof Database.SqliteError) {
    const code = /^SQLITE_[A-Z]+/.exec(error.code)?.[0] ?? error.code
    return { code, message: `${error.message} (${error.code})` }
  }
  const system = 'code' in error && typeof error.code === 'string' && !error.code.startsWith('ERR_')
  const code = system ? String(error.code) : 'BUG'
  return { code, message: code === 'BUG' ? (error.stack ?? error.message) : error.message }
}

interface Port {
  post(message: FromThread): void
  /** The next message that is there already. */
  next(): ToThread | undefined
  onMessage(listener: (message: ToThread) => void): void
  end(): void
}

function portOfThread(): Port {
  const port = parentPort
  if (port === null) throw new Error('the store runs in a worker thread')
  return {
    post: (message) => {
      port.postMessage(message)
    },
    next: () => (receiveMessageOnPort(port) as { message: ToThread } | undefined)?.message,
    onMessage: (listener) => {
      port.on('message', listener)
    },
    end: () => {
      port.close()
    },
  }
}

function serve(port: Port, db: Connection, lock: Connection): void {
  const sql = cachedSql(db)
  const tx = transactionOf(db)
  const finish = () => {
    // A checkpoint that fails costs nothing: the log is read again at the next start.
    attempt(() => db.pragma('wal_checkpoint(TRUNCATE)'))
    attempt(() => db.close())
    attempt(() => lock.close())
    port.post({ kind: 'closed' })
    port.end()
  }
  port.onMessage((first) => {
    const requests: Request[] = []
    let message: ToThread | undefined = first
    while (message?.kind === 'call') {
      requests.push(message.request)
      message = requests.length < MOST_IN_BATCH ? port.next() : undefined
    }
    const outcomes = runBatch(
      requests.map((request) => workOf(sql, request)),
      tx,
    )
    for (const [index, request] of requests.entries()) answer(port, request.id, outcomes[index])
    if (message?.kind === 'close') finish()
  })
}

function workOf(sql: Sql, request: Request): Work {
  return { write: isWrite(request.method), run: () => perform(sql, request) }
}

function answer(port: Port, id: number, outcome: Outcome | undefined): void {
  if (outcome === undefined) return
  if (outcome.ok) port.post({ kind: 'answer', id, value: outcome.value })
  else port.post({ kind: 'fault', id, ...faultOf(outcome.error) })
}

function attempt(work: () => unknown): void {
  try {
    work()
  } catch {
    // Said at the call: nothing depends on it.
  }
}

function start(init: ThreadInit): void {
  const port = portOfThread()
  let lock: Connection | null = null
  try {
    lock = takeLock(init.lockFile)
    const db = openDatabase(init.file)
    port.post({ kind: 'opened', facts: factsOf(db) })
    serve(port, db, lock)
  } catch (error) {
    lock?.close()
    port.post({ kind: 'refused', ...faultOf(error) })
    port.end()
  }
}

start(workerData as ThreadInit)
