/** `database.backup` and `database.restore`, and what `session.status` says of the database. */
import type { Params, Result } from '../../shared/rpc/contract.js'
import { rpcError } from '../../shared/rpc/errors.js'
import type { Millis } from '../../shared/units.js'
import type { DaemonView } from '../../shared/views.js'
import { type Database, StoreFault } from '../ports/store.js'

/** A recovery or a restore is told of for so long. */
const NOTICE_FOR: Millis = 24 * 3600 * 1000

export function databaseView(
  { problem, unsaved, notice }: Pick<Database, 'problem' | 'unsaved' | 'notice'>,
  now: Millis,
): DaemonView['database'] {
  const fresh = notice !== null && Math.abs(now - notice.at) < NOTICE_FOR
  return { problem: problem() ?? unsaved(), notice: fresh ? notice.sentence : null }
}

export async function backUp(
  database: Pick<Database, 'backup'>,
  { path }: Params<'database.backup'>,
): Promise<Result<'database.backup'>> {
  try {
    return await database.backup(path ?? null)
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error
    if (error.code === 'EEXIST') throw rpcError('fileTaken', `${error.message}; name another file.`)
    throw rpcError('storeFailed', `No backup was made: ${error.message}.`)
  }
}

export async function stageRestore(
  database: Pick<Database, 'restore'>,
  { path }: Params<'database.restore'>,
): Promise<Result<'database.restore'>> {
  try {
    await database.restore(path)
    return { path }
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error
    if (error.code === 'BAD_BACKUP') throw rpcError('badBackup', error.message)
    throw rpcError('storeFailed', `${path} was not restored: ${error.message}.`)
  }
}
