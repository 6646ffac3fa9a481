/** How a run ends: its status, and one sentence where something went wrong. */
import { EXIT, exitOfCode, type ExitStatus } from '../shared/rpc/errors.js'

export { EXIT, type ExitStatus } from '../shared/rpc/errors.js'

/** A run that ends early: the sentence says what to do. */
export class Failure extends Error {
  readonly exit: ExitStatus
  constructor(exit: ExitStatus, sentence: string) {
    super(sentence)
    this.name = 'Failure'
    this.exit = exit
  }
}

/** An error that the daemon answered. */
export class RemoteError extends Error {
  /** JSON-RPC error code. */
  readonly code: number
  readonly data: unknown
  constructor(code: number, sentence: string, data: unknown) {
    super(sentence)
    this.name = 'RemoteError'
    this.code = code
    this.data = data
  }
}

/** Errors of other rooms that are one sentence for the user, and the status each ends with. */
const USERS_FAULTS: ReadonlyMap<string, ExitStatus> = new Map([
  ['HomeError', EXIT.usage],
  ['ConfigError', EXIT.usage],
  ['ServiceError', EXIT.fault],
])

export interface Ending {
  readonly status: ExitStatus
  readonly sentence: string
}

/** What an error that ended a run means. */
export function endingOf(error: unknown): Ending {
  if (error instanceof Failure) return { status: error.exit, sentence: error.message }
  if (error instanceof RemoteError) return { status: exitOfCode(error.code), sentence: error.message }
  if (!(error instanceof Error)) return { status: EXIT.fault, sentence: String(error) }
  const status = USERS_FAULTS.get(error.name)
  if (status === undefined) return { status: EXIT.fault, sentence: `torrentinoctl failed: ${error.message}` }
  return { status, sentence: error.message }
}

/**
 * The status of a run over several things: 0 when all went well, 7 when some did, else the one that all the failed
 * share, or 1.
 */
export function combined(statuses: readonly ExitStatus[]): ExitStatus {
  const failed = statuses.filter((status) => status !== EXIT.ok)
  const [first] = failed
  if (first === undefined) return EXIT.ok
  if (failed.length < statuses.length) return EXIT.partly
  return failed.every((status) => status === first) ? first : EXIT.fault
}
