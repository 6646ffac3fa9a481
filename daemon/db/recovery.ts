/**
 * A database that cannot be used is never deleted: it is moved aside under its date, and another takes its place. Every
 * step can be the last one before a kill. What takes the place is made whole as a draft; once it is named `next` the
 * exchange goes on at whatever start comes then, and what is to be told of it stands in the new database itself.
 */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Millis } from '../../shared/units.js'
import { type Notice, StoreFault } from '../ports/store.js'
import { newestGood } from './backups.js'
import type { Copies } from './copies.js'
import { unfitToRestore } from './examine.js'
import {
  createPrivate,
  makePrivateFolder,
  namesIn,
  removeDatabase,
  sizeOf,
  syncFile,
  syncFolder,
  withCompanions,
} from './files.js'
import { identityOf, refuseToTake } from './foreign.js'
import { migrate } from './migrations.js'
import { dateOf, freeName, type Places, stamp, stampedAt } from './places.js'
import { addMissing, applySince, fitToToday, knownHashes, type Rebuilt } from './rebuild.js'
import { appendEvent, setMeta } from './records.js'
import type { Sql } from './sql.js'
import { cachedSql, faultOf, isDamage, migratable, openDraft, openToLook } from './sqlite.js'

/** The folder of an exchange that is under way ends with this. */
const MOVING = '.moving'
/** Where the notice for people stands, as JSON of `Notice`. */
const NOTICE = 'notice'

export interface RecoveryTools {
  readonly places: Places
  readonly copies: Copies
  readonly steps: readonly string[]
  /** Of the wall. */
  readonly now: () => Millis
  /** Where a torrent goes whose folder nobody knows any more. */
  readonly downloadDir: string
  /** Called between the steps; tests stop there. */
  readonly point: (name: string) => void
}

/** Puts the best that is left in the place of a database that cannot be used. */
export function recover(tools: RecoveryTools, why: string): void {
  const { places, point } = tools
  removeDatabase(places.draft)
  const backup = newestGood(places.backups, tools.steps)
  if (backup !== null) copyFileSync(backup, places.draft)
  point('backup copied')
  const aside = asideFolder(tools, 'damaged')
  fillDraft(tools, (sql) => {
    const gone = backup === null ? 0 : applySince(sql, tools.copies)
    const rebuilt = addMissing(sql, tools.copies, tools.downloadDir)
    const count = knownHashes(sql).length
    const facts = { why, backup, aside: withoutMoving(aside), count, gone, ...rebuilt }
    tell(sql, tools.now(), 'recovered', recoverySentence(facts), facts)
  })
  point('draft made')
  promote(tools)
  exchange(tools)
}

/** The draft is synced, then it is the next database, whatever comes. */
function promote({ places, point }: RecoveryTools): void {
  syncFile(places.draft)
  point('draft synced')
  renameSync(places.draft, places.next)
  syncFolder(places.home)
  point('next named')
}

/** Opens or makes the draft, brings it to this version and changes it in one transaction. */
function fillDraft(tools: RecoveryTools, change: (sql: Sql) => void): void {
  const db = openDraft(tools.places.draft)
  try {
    migrate(migratable(db), tools.steps)
    const sql = cachedSql(db)
    db.transaction(() => {
      fitToToday(sql, tools.copies)
      change(sql)
    })()
  } finally {
    db.close()
  }
}

/** Goes on with an exchange that was begun; without one it does nothing. */
export function exchange(tools: RecoveryTools): void {
  const { places, point } = tools
  if (!existsSync(places.next)) return
  const aside = asideFolder(tools, 'replaced')
  for (const path of withCompanions(places.database)) {
    if (sizeOf(path) < 0) continue
    renameSync(path, join(aside, basename(path)))
    point(`moved ${basename(path)}`)
  }
  syncFolder(aside)
  syncFolder(places.home)
  point('all moved')
  renameSync(places.next, places.database)
  syncFolder(places.home)
  point('exchanged')
  renameSync(aside, withoutMoving(aside))
  syncFolder(places.aside)
  point('aside named')
}

/** Of the exchange under way, or a new one that nobody has. */
function asideFolder({ places, now }: RecoveryTools, kind: 'damaged' | 'replaced'): string {
  const begun = namesIn(places.aside).find((name) => name.endsWith(MOVING))
  if (begun !== undefined) return join(places.aside, begun)
  makePrivateFolder(places.aside)
  const free = freeName(`${stamp(now())}-${kind}`, '', (name) => existsSync(join(places.aside, name)))
  const folder = join(places.aside, free + MOVING)
  mkdirSync(folder, { mode: 0o700 })
  syncFolder(places.aside)
  syncFolder(places.home)
  return folder
}

/** Ends the name of a folder whose exchange was done when the kill came; one that got nothing goes. */
export function nameAside({ places }: RecoveryTools): void {
  for (const name of namesIn(places.aside).filter((folder) => folder.endsWith(MOVING))) {
    const folder = join(places.aside, name)
    if (namesIn(folder).length === 0) rmdirSync(folder)
    else renameSync(folder, withoutMoving(folder))
  }
}

function withoutMoving(folder: string): string {
  return folder.endsWith(MOVING) ? folder.slice(0, -MOVING.length) : folder
}

/**
 * Makes a database of `from` that takes the place of the present one at the next start. Throws StoreFault BAD_BACKUP
 * with one sentence, or what the disk says. The file itself stays as it is.
 */
export function stageRestore(tools: RecoveryTools, from: string): void {
  refuseToTake(from, identityOf(tools.places.database))
  stageCopy(tools, from, from)
}

/** The same of a copy of it. */
export function stageCopy(tools: RecoveryTools, copy: string, from: string): void {
  const { places } = tools
  const unfit = unfitToRestore(copy, tools.steps, from)
  if (unfit !== null) throw new StoreFault('BAD_BACKUP', unfit)
  removeDatabase(places.draft)
  copyWithLog(copy, places.draft, from)
  fillDraft(tools, (sql) => {
    // Who restores a list wants what was removed since.
    for (const { hash } of knownHashes(sql)) tools.copies.forgetRemoval(hash)
    const count = knownHashes(sql).length
    const sentence = `The list was restored from ${from}, with ${torrents(count)}; the database before it lies in ${places.aside}.`
    tell(sql, tools.now(), 'restored', sentence, { from, count })
  })
  promote(tools)
}

/** With what its log holds, and without touching it. */
function copyWithLog(copy: string, to: string, from: string): void {
  const source = openToLook(copy)
  try {
    createPrivate(to)
    source.prepare('VACUUM INTO ?').run(to)
  } catch (error) {
    const { code, message } = faultOf(error)
    if (isDamage(code))
      throw new StoreFault('BAD_BACKUP', `${from} is damaged (${message}); choose an older backup.`)
    throw error
  } finally {
    source.close()
  }
}

/** Torrents that the database had lost came back from their copies at an ordinary start. */
export function tellFound(sql: Sql, now: Millis, { added, unreadable }: Rebuilt): void {
  const sentence = `${torrents(added)} that the database had lost came back from saved .torrent files; the data are checked.`
  tell(sql, now, 'recovered', sentence, { added, unreadable })
}

/** An event that stays, and the notice that is shown for a day; one that is as new stays in it. */
function tell(
  sql: Sql,
  now: Millis,
  kind: string,
  sentence: string,
  data: Readonly<Record<string, unknown>>,
): void {
  const at = Math.round(now)
  appendEvent(sql, { at, torrent: null, kind, caller: '', data: { sentence, ...data } })
  const before = noticeOf(sql)
  const both =
    before !== null && Math.abs(at - before.at) < 60_000 ? `${before.sentence} ${sentence}` : sentence
  setMeta(sql, NOTICE, JSON.stringify({ at, sentence: both } satisfies Notice))
}

export function noticeOf(sql: Sql): Notice | null {
  const row = sql.get('SELECT value FROM meta WHERE key = ?', NOTICE) as { value: string } | undefined
  try {
    return row === undefined ? null : (JSON.parse(row.value) as Notice)
  } catch {
    return null
  }
}

function recoverySentence(facts: {
  why: string
  backup: string | null
  aside: string
  count: number
  added: number
  unreadable: number
}): string {
  const { why, backup, aside, count, added, unreadable } = facts
  const at = backup === null ? null : stampedAt(basename(backup))
  const source = at === null ? 'there was no good backup' : `the backup of ${dateOf(at)} came back`
  const saved = added === 0 ? '' : `, and ${torrents(added)} came back from saved .torrent files`
  const lost = unreadable === 0 ? '' : ` ${unreadable} saved .torrent files could not be read.`
  return `The database could not be used (${why}) and lies in ${aside}: ${source}${saved}; the list has ${torrents(count)}, and data are checked where they may have changed.${lost}`
}

function torrents(count: number): string {
  return count === 1 ? '1 torrent' : `${count} torrents`
}
