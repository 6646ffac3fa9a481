/** Backups in their folder: names with a date, the newest seven. Each is one file that nothing else belongs to. */
import { existsSync, linkSync, rmSync, statSync } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Millis } from '../../shared/units.js'
import { type BackupMade, StoreFault } from '../ports/store.js'
import { damageOf } from './examine.js'
import {
  createPrivate,
  makePrivateFolder,
  namesIn,
  removeDatabase,
  sizeOf,
  syncFile,
  syncFolder,
} from './files.js'
import { place, refuseToPut } from './foreign.js'
import { freeName, stamp, stampedAt } from './places.js'
import { type Connection, openDraft } from './sqlite.js'

const NAME = /^torrentino-\d{8}-\d{6}(-\w+)?\.db$/
const KEPT = 7
/** Pages copied before other calls are served again: 1 MiB. */
const PAGES_AT_ONCE = 256
/** A stranger who holds the database so long, in milliseconds, ends the backup. */
const STUCK: Millis = 5000
/** Up to so many bytes a backup is checked at once when it is made; a larger one when it is needed. */
const CHECKED_AT_ONCE = 64 * 1024 * 1024

/** Paths, the newest first. */
export function listBackups(dir: string): string[] {
  return namesIn(dir)
    .filter((name) => NAME.test(name))
    .reverse()
    .map((name) => join(dir, name))
}

/** Null: there is none. */
export function newestBackupAt(dir: string): Millis | null {
  const [newest] = listBackups(dir)
  return newest === undefined ? null : stampedAt(basename(newest))
}

/** The newest one that is whole and of a version we know, or null. A bad one is passed over and stays. */
export function newestGood(dir: string, steps: readonly string[]): string | null {
  for (const path of listBackups(dir)) if (isGood(path, steps)) return path
  return null
}

function isGood(path: string, steps: readonly string[]): boolean {
  try {
    return damageOf(path, { steps, thorough: true }) === null
  } catch {
    return false
  }
}

/** A path in the folder that no backup has. */
export function nextBackupPath(dir: string, now: Millis, ending = ''): string {
  makePrivateFolder(dir)
  const name = freeName(`torrentino-${stamp(now)}${ending}`, '.db', (taken) => existsSync(join(dir, taken)))
  return join(dir, name)
}

/** At the start, before anybody waits: in one go. */
export function backupNow(db: Connection, path: string): void {
  const part = `${path}.tmp`
  removeDatabase(part)
  createPrivate(part)
  db.prepare('VACUUM INTO ?').run(part)
  syncFile(part)
  linkSync(part, path)
  rmSync(part)
  syncFolder(dirname(path))
}

/**
 * A backup while the database is in use: a MiB at a time, and other calls are served in between. Rejects when the file
 * is there already, when it cannot be written, or as soon as `abandoned` says so.
 */
export async function backupAside(
  db: Connection,
  path: string,
  tools: { readonly steps: readonly string[]; readonly abandoned: () => boolean; readonly now: () => Millis },
): Promise<BackupMade> {
  refuseToPut(path, dirname(path))
  const part = `${path}.tmp`
  removeDatabase(part)
  try {
    createPrivate(part)
    await copyPages(db, part, tools)
    finishCopy(part)
    if (sizeOf(part) <= CHECKED_AT_ONCE) refuseDamage(part, tools.steps)
    await syncAside(part)
    place(part, path)
    await syncAside(dirname(path))
    return { path, bytes: sizeOf(path) }
  } finally {
    removeDatabase(part)
  }
}

async function copyPages(
  db: Connection,
  part: string,
  { abandoned, now }: { readonly abandoned: () => boolean; readonly now: () => Millis },
): Promise<void> {
  let left = -1
  let moved = now()
  await db.backup(part, {
    progress: ({ remainingPages }) => {
      if (abandoned()) throw new StoreFault('CLOSED', 'the store is closed')
      if (remainingPages !== left) moved = now()
      else if (now() - moved > STUCK)
        throw new StoreFault('SQLITE_BUSY', 'another program holds the database')
      left = remainingPages
      return PAGES_AT_ONCE
    },
  })
}

/** The copy says of itself that it has a log, as the original: it is to be one file. */
function finishCopy(part: string): void {
  openDraft(part).close()
}

function refuseDamage(part: string, steps: readonly string[]): void {
  const damage = damageOf(part, { steps, thorough: true })
  if (damage !== null) throw new StoreFault('SQLITE_CORRUPT', `the backup is damaged: ${damage}`)
  // Looking left these two beside it.
  for (const companion of ['-wal', '-shm']) rmSync(part + companion, { force: true })
}

/** In libuv's pool: a slow disk holds no other call. */
async function syncAside(path: string): Promise<void> {
  const handle = await openFile(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Deletes all but the newest; answers the date of the oldest that is left, or null. */
export function pruneBackups(dir: string): Millis | null {
  const all = listBackups(dir)
  for (const path of all.slice(KEPT)) rmSync(path, { force: true })
  const oldest = all.slice(0, KEPT).at(-1)
  return oldest === undefined ? null : (statSync(oldest, { throwIfNoEntry: false })?.mtimeMs ?? null)
}
