/** Files where a person wants a backup to lie or takes one from: never over another file, and never our own. */
import { copyFileSync, existsSync, linkSync, statSync } from 'node:fs'
import { StoreFault } from '../ports/store.js'

/** `st_dev/st_ino` of a file; empty where there is none. */
export function identityOf(path: string): string {
  const seen = statSync(path, { throwIfNoEntry: false, bigint: true })
  return seen === undefined ? '' : `${String(seen.dev)}/${String(seen.ino)}`
}

/**
 * Throws StoreFault BAD_BACKUP. To open a file of the live database, `own`, and close it again would take away SQLite's
 * locks on it.
 */
export function refuseToTake(from: string, own: string): void {
  const asked = statSync(from, { throwIfNoEntry: false })
  if (asked === undefined) throw new StoreFault('BAD_BACKUP', `There is no file ${from}.`)
  if (!asked.isFile()) throw new StoreFault('BAD_BACKUP', `${from} is no file.`)
  if (own !== '' && own === identityOf(from))
    throw new StoreFault('BAD_BACKUP', `${from} is the database in use; there is nothing to restore.`)
}

/** Gives a whole file its name. Never over another file; not every file system has links. */
export function place(part: string, path: string): void {
  try {
    linkSync(part, path)
  } catch (error) {
    if (existsSync(path)) throw taken(path)
    if (!(
      error instanceof Error &&
      'code' in error &&
      /^(EPERM|ENOTSUP|EOPNOTSUPP|EMLINK|ENOSYS)$/.test(String(error.code))
    ))
      throw error
    copyFileSync(part, path)
  }
}

export function taken(path: string): StoreFault {
  return new StoreFault('EEXIST', `${path} is there already`)
}

export function refuseToPut(path: string, folder: string): void {
  if (existsSync(path)) throw taken(path)
  if (!existsSync(folder)) throw new StoreFault('ENOENT', `there is no folder ${folder}`)
}
