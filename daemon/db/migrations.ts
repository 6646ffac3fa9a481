/** The way from any older version of the database to this one; PRAGMA user_version counts the steps done. */
import { StoreFault } from '../ports/store.js'
import { SCHEMA_1, SCHEMA_2, SCHEMA_3 } from './schema.js'

/** Step n (from 0) leads from version n to n + 1. A step that was released is never edited. */
export const MIGRATIONS: readonly string[] = [SCHEMA_1, SCHEMA_2, SCHEMA_3]

/** What a migration needs of a database. */
export interface Migratable {
  userVersion(): number
  exec(sql: string): void
}

/** Throws StoreFault NEWER when a later version of the program wrote the database. */
export function refuseNewer(version: number, known: number = MIGRATIONS.length): void {
  if (version <= known) return
  throw new StoreFault(
    'NEWER',
    `it has version ${version}, and this torrentinod knows up to ${known}; nothing was touched: start the newer torrentinod again, or put back the backup from before the update with torrentinoctl restore`,
  )
}

/** Does the steps that are missing, each in one transaction with its version: a kill leaves a whole version. */
export function migrate(db: Migratable, steps: readonly string[] = MIGRATIONS): void {
  const version = db.userVersion()
  refuseNewer(version, steps.length)
  for (const [done, step] of steps.entries()) if (done >= version) applyStep(db, step, done + 1)
}

function applyStep(db: Migratable, step: string, version: number): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    db.exec(step)
    db.exec(`PRAGMA user_version = ${version}`)
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}
