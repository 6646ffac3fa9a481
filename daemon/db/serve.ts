/**
 * The store's thread at work. Calls that wait at one wake-up share a transaction; what may wait (copies of .torrent
 * files, the daily backup, the reserve) is done between them, and only after something was written.
 */
import { writeFileSync } from 'node:fs'
import type { Millis, TorrentId } from '../../shared/units.js'
import { type BackupMade, StoreFault } from '../ports/store.js'
import { backupAside, newestBackupAt, nextBackupPath, pruneBackups } from './backups.js'
import { type Outcome, runBatch, type Transaction, type Work } from './batch.js'
import type { Carrier, CarryAsk, Carrying } from './carrier.js'
import { removeDatabase } from './files.js'
import { identityOf } from './foreign.js'
import { isWrite, perform, torrentsTouched } from './handlers.js'
import type { OpenedDatabase } from './open.js'
import type { FromThread, Request, StoreState, ToThread } from './protocol.js'
import { hashOf, knownHashes, readGoodMetainfo, saveCopy, withoutCopy } from './rebuild.js'
import { stageCopy } from './recovery.js'
import type { Reserve } from './reserve.js'
import { type Connection, faultOf, isDamage, transactionOf } from './sqlite.js'

/** Calls in one transaction: bounds how long the first waits for the last. */
const MOST_IN_BATCH = 256
const BACKUP_EVERY: Millis = 24 * 3600 * 1000
/** The first backup of a home comes so long after something was written. */
const FIRST_BACKUP: Millis = 600_000
/** Copies are written for so long before calls are looked at again. */
const SLICE: Millis = 20
/** What may be spent at the end on copies that are not written yet; the next start does the rest. */
const LAST_SLICE: Millis = 1000

export interface ThreadPort {
  post(message: FromThread): void
  /** The next message that is there already. */
  next(): ToThread | undefined
  onMessage(listener: (message: ToThread) => void): void
  end(): void
}

export interface ServeTools {
  readonly lock: Connection
  readonly reserve: Reserve
  /** Counts from anywhere. */
  readonly elapsed: () => Millis
  /** When the calls that wait have been served. */
  readonly soon: (call: () => void) => void
  /** Calls once; the result takes it back. The thread may end before. */
  readonly after: (delay: Millis, call: () => void) => () => void
  /** For files that a person names: what lies there may never answer. */
  readonly carry: Carrier
  /** The main loop is to be looked after. */
  readonly wake: () => void
}

export class Server {
  readonly #port: ThreadPort
  readonly #opened: OpenedDatabase
  readonly #tools: ServeTools
  readonly #tx: Transaction
  /** Torrents whose copy or note is not as their row. */
  readonly #stale: Set<TorrentId>
  /** A slice of copies is to come. */
  #sliceDue = false
  /** Copies cannot be written now: tried again after the next write that works. */
  #copiesFail = false
  /** The timer of the next daily backup; null while nothing was written since the last. */
  #backupTimer: (() => void) | null = null
  /** The backup under way. */
  #backup: Promise<unknown> | null = null
  /** Daily backups that failed in a row. */
  #missed = 0
  /** A file that a person named is being copied. */
  #carrying: Carrying | null = null
  /** A call of `backup` with a path or of `restore` is under way. */
  #named = false
  /** Damage was met: nothing is written any more. */
  #damage: StoreFault | null = null
  #closing = false
  #state: StoreState = { reserve: true, backup: null }

  constructor(port: ThreadPort, opened: OpenedDatabase, tools: ServeTools) {
    this.#port = port
    this.#opened = opened
    this.#tools = tools
    this.#tx = transactionOf(opened.db)
    // After a kill any note may be older than its row.
    const { sql, tools: files, inOrder } = opened
    this.#stale = new Set(inOrder ? withoutCopy(sql, files.copies) : knownHashes(sql).map(({ id }) => id))
  }

  begin(): void {
    this.#tools.reserve.restock()
    this.#tellState()
    this.#port.onMessage((message) => {
      this.#take(message)
    })
    this.#planSlice()
  }

  #take(first: ToThread): void {
    const requests: Request[] = []
    let message: ToThread | undefined = first
    while (message?.kind === 'call') {
      requests.push(message.request)
      message = requests.length < MOST_IN_BATCH ? this.#port.next() : undefined
    }
    this.#run(requests)
    if (message?.kind === 'wake') this.#tools.wake()
    else if (message?.kind === 'close') void this.#finish()
    else if (message?.kind === 'restock') this.#restock(message.id)
    else if (message?.kind === 'backup') this.#backUp(message.id, message.path)
    else if (message?.kind === 'restore') this.#restore(message.id, message.path)
  }

  #run(requests: readonly Request[]): void {
    if (requests.length === 0) return
    const works = requests.map((request) => this.#workOf(request))
    let outcomes = runBatch(works, this.#tx)
    if (outcomes.some(isFull) && this.#tools.reserve.giveUp()) outcomes = this.#again(works, outcomes)
    let wrote = false
    for (const [index, request] of requests.entries()) {
      const outcome = outcomes[index]
      if (outcome === undefined) continue
      if (outcome.ok && isWrite(request.method)) wrote = true
      if (outcome.ok) for (const id of torrentsTouched(request, outcome.value)) this.#stale.add(id)
      this.#answer(request.id, outcome)
    }
    if (wrote) this.#afterWrite()
    this.#tellState()
  }

  /** Those that failed, with the room that the reserve gave. */
  #again(works: readonly Work[], outcomes: readonly Outcome[]): Outcome[] {
    const failed = works.filter((_, index) => outcomes[index]?.ok === false)
    const second = runBatch(failed, this.#tx)
    return outcomes.map((outcome) => (outcome.ok ? outcome : (second.shift() ?? outcome)))
  }

  #workOf(request: Request): Work {
    const { sql, tools } = this.#opened
    const write = isWrite(request.method)
    const run = (): unknown => {
      if (write && this.#damage !== null) throw this.#damage
      if (request.method === 'remove') this.#retire(request as Request<'remove'>)
      if (request.method === 'add') this.#revive(request as Request<'add'>)
      if (request.method === 'metainfo')
        return readGoodMetainfo(sql, tools.copies, ...(request as Request<'metainfo'>).args)
      return perform(sql, request)
    }
    return { write, run }
  }

  /** The copy goes first: a row without one is removed again, a copy without a row would come back. */
  #retire(request: Request<'remove'>): void {
    const [id] = request.args
    const hash = hashOf(this.#opened.sql, id)
    if (hash !== null) this.#opened.tools.copies.retire(hash)
    this.#stale.delete(id)
  }

  /** A row beside the trace of an earlier removal would be removed again by the next start. */
  #revive(request: Request<'add'>): void {
    const { v1, v2 } = request.args[0].hashes
    const hash = v1 ?? v2
    if (hash !== undefined) this.#opened.tools.copies.revive(hash)
  }

  #answer(id: number, outcome: Outcome): void {
    if (outcome.ok) return this.#port.post({ kind: 'answer', id, value: outcome.value })
    const fault = faultOf(outcome.error)
    if (isDamage(fault.code)) this.#meetDamage(fault)
    this.#port.post({ kind: 'fault', id, ...fault })
  }

  /** Claims end at once; the next start looks at every page. */
  #meetDamage({ code, message }: { code: string; message: string }): void {
    this.#damage ??= new StoreFault(code, message)
    attempt(() => {
      writeFileSync(this.#opened.tools.places.suspect, `${message}\n`, { mode: 0o600 })
    })
  }

  #afterWrite(): void {
    this.#copiesFail = false
    this.#tools.reserve.restock()
    this.#planSlice()
    this.#planBackup()
  }

  #tellState(backup = this.#state.backup): void {
    const reserve = this.#tools.reserve.whole
    if (reserve === this.#state.reserve && backup === this.#state.backup) return
    this.#state = { reserve, backup }
    this.#port.post({ kind: 'state', state: this.#state })
  }

  #planSlice(): void {
    if (this.#sliceDue || this.#stale.size === 0 || this.#copiesFail || this.#closing) return
    this.#sliceDue = true
    this.#tools.soon(() => {
      this.#sliceDue = false
      this.#saveCopies(SLICE)
      this.#planSlice()
    })
  }

  #saveCopies(within: Millis): void {
    const { sql, tools } = this.#opened
    const until = this.#tools.elapsed() + within
    try {
      for (const id of this.#stale) {
        saveCopy(sql, tools.copies, id)
        this.#stale.delete(id)
        if (this.#tools.elapsed() > until) break
      }
      tools.copies.sync()
    } catch {
      // The row is recorded all the same; its copy follows when there is room.
      this.#copiesFail = true
    }
  }

  #planBackup(): void {
    if (this.#backupTimer !== null || this.#closing) return
    const { places, now } = this.#opened.tools
    const last = newestBackupAt(places.backups)
    const wait = last === null ? FIRST_BACKUP : Math.min(BACKUP_EVERY, last + BACKUP_EVERY - now())
    const again = this.#missed === 0 ? 0 : Math.min(BACKUP_EVERY, FIRST_BACKUP * 2 ** (this.#missed - 1))
    this.#backupTimer = this.#tools.after(Math.max(again, wait), () => {
      this.#backupTimer = null
      if (this.#backup === null) this.#backUpToday()
    })
  }

  /** One that fails is tried again later each time, whether anything is written or not. */
  #backUpToday(): void {
    const { places, now } = this.#opened.tools
    const failed = (error: unknown): void => {
      const fault = faultOf(error)
      if (isDamage(fault.code)) {
        this.#meetDamage(fault)
        this.#port.post({ kind: 'damaged', ...fault })
      } else if (!this.#closing) {
        this.#missed += 1
        this.#tellState(fault.message)
        this.#planBackup()
      }
    }
    try {
      this.#make(nextBackupPath(places.backups, now())).catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  #restock(id: number): void {
    this.#tools.reserve.restock()
    this.#tellState()
    this.#port.post({ kind: 'answer', id, value: undefined })
  }

  #backUp(id: number, path: string | null): void {
    const { places, now } = this.#opened.tools
    this.#answerWith(id, async () => {
      if (this.#backup !== null || this.#named) throw new StoreFault('SQLITE_BUSY', 'a backup is being made')
      if (path === null) return this.#make(nextBackupPath(places.backups, now()))
      return this.#forPerson(() => this.#export(path))
    })
  }

  #answerWith(id: number, work: () => Promise<unknown>): void {
    work().then(
      (value) => {
        this.#port.post({ kind: 'answer', id, value })
      },
      (error: unknown) => {
        this.#port.post({ kind: 'fault', id, ...faultOf(error) })
      },
    )
  }

  /** Into the folder of backups. */
  async #make(path: string): Promise<BackupMade> {
    const { tools } = this.#opened
    const made = await this.#copyAside(path)
    this.#missed = 0
    this.#tellState(null)
    const oldest = pruneBackups(tools.places.backups)
    if (oldest !== null) tools.copies.forgetRemovalsBefore(oldest)
    return made
  }

  #copyAside(path: string): Promise<BackupMade> {
    const { db, tools } = this.#opened
    const made = backupAside(db, path, {
      steps: tools.steps,
      abandoned: () => this.#closing,
      now: this.#tools.elapsed,
    })
    this.#backup = made
    const ended = (): void => {
      this.#backup = null
    }
    made.then(ended, ended)
    return made
  }

  async #forPerson<T>(work: () => Promise<T>): Promise<T> {
    this.#named = true
    try {
      return await work()
    } finally {
      this.#named = false
      this.#carrying = null
    }
  }

  #carry(ask: Omit<CarryAsk, 'own'>): Promise<number> {
    if (this.#closing) throw new StoreFault('CLOSED', 'the store is closed')
    this.#carrying = this.#tools.carry({ ...ask, own: identityOf(this.#opened.tools.places.database) })
    return this.#carrying.done
  }

  /** Made in the home, then brought there. */
  async #export(path: string): Promise<BackupMade> {
    const { outgoing } = this.#opened.tools.places
    removeDatabase(outgoing)
    try {
      await this.#copyAside(outgoing)
      return { path, bytes: await this.#carry({ way: 'put', from: outgoing, to: path }) }
    } finally {
      removeDatabase(outgoing)
    }
  }

  #restore(id: number, path: string): void {
    this.#answerWith(id, async () => {
      if (this.#named) throw new StoreFault('SQLITE_BUSY', 'another backup is being copied')
      await this.#forPerson(() => this.#import(path))
    })
  }

  /** Brought into the home, then looked at. */
  async #import(path: string): Promise<void> {
    const { tools } = this.#opened
    const { incoming } = tools.places
    removeDatabase(incoming)
    try {
      await this.#carry({ way: 'take', from: path, to: incoming })
      stageCopy(tools, incoming, path)
    } finally {
      removeDatabase(incoming)
    }
  }

  async #finish(): Promise<void> {
    this.#closing = true
    this.#backupTimer?.()
    await this.#backup?.catch(() => undefined)
    this.#carrying?.abandon()
    if (this.#stale.size > 0) this.#saveCopies(LAST_SLICE)
    const { db } = this.#opened
    // A checkpoint that fails costs nothing: the log is read again at the next start.
    attempt(() => db.pragma('wal_checkpoint(TRUNCATE)'))
    attempt(() => db.close())
    attempt(() => this.#tools.lock.close())
    this.#port.post({ kind: 'closed' })
    this.#port.end()
  }
}

function isFull(outcome: Outcome): boolean {
  return !outcome.ok && /^(SQLITE_FULL|SQLITE_IOERR|ENOSPC|EDQUOT)$/.test(faultOf(outcome.error).code)
}

function attempt(work: () => unknown): void {
  try {
    work()
  } catch {
    // Said at the call: nothing depends on it.
  }
}
