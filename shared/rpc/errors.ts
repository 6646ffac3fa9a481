/** What can go wrong in a call: a closed list. A code is never reused; each names the exit status of ctl. */
import type { Bytes, TorrentId } from '../units.js'

/** Exit statuses of torrentinoctl. */
export const EXIT = {
  ok: 0,
  fault: 1,
  /** Usage, or a file that is not a torrent. */
  usage: 2,
  noSuchTorrent: 3,
  ambiguous: 4,
  noDaemon: 5,
  alreadyRunning: 6,
  partly: 7,
  waitTimedOut: 8,
  otherContract: 9,
} as const

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT]

/** Name to JSON-RPC code and exit status. Below -32000 are the codes JSON-RPC 2.0 itself defines. */
export const ERRORS = {
  parseError: { code: -32700, exit: EXIT.fault },
  invalidRequest: { code: -32600, exit: EXIT.fault },
  methodNotFound: { code: -32601, exit: EXIT.usage },
  invalidParams: { code: -32602, exit: EXIT.usage },
  internal: { code: -32603, exit: EXIT.fault },
  /** A line above the cap, nesting above 64, a batch above 100; the connection may be closed after it. */
  tooLarge: { code: 1001, exit: EXIT.fault },
  /** Another call came before `session.hello`. */
  helloFirst: { code: 1002, exit: EXIT.fault },
  otherContract: { code: 1003, exit: EXIT.otherContract },
  tooManyConnections: { code: 1004, exit: EXIT.fault },
  shuttingDown: { code: 1005, exit: EXIT.noDaemon },
  noSuchTorrent: { code: 1010, exit: EXIT.noSuchTorrent },
  ambiguous: { code: 1011, exit: EXIT.ambiguous },
  /** Never given out, or ended long ago. */
  noSuchJob: { code: 1012, exit: EXIT.fault },
  /** Not a .torrent, a damaged one, or one of a kind that is not supported. */
  badTorrent: { code: 1020, exit: EXIT.usage },
  /** A file index that the torrent does not have, or an empty choice. */
  badSelection: { code: 1021, exit: EXIT.usage },
  /** The folder cannot be made or written. */
  badFolder: { code: 1022, exit: EXIT.fault },
  noSpace: { code: 1023, exit: EXIT.fault },
  /** Another torrent writes, or would write, one of the paths. */
  pathTaken: { code: 1024, exit: EXIT.fault },
  /** The verb cannot be done in the torrent's present state. */
  wrongState: { code: 1025, exit: EXIT.fault },
  /** A magnet link whose metadata have not come yet. */
  noMetadata: { code: 1026, exit: EXIT.fault },
  /** An unknown key, or a value the key does not take. */
  badSetting: { code: 1030, exit: EXIT.usage },
  /** The daemon could not make it durable (its disk is full, I/O error). */
  storeFailed: { code: 1040, exit: EXIT.fault },
  /** A file that was to be made is there already. */
  fileTaken: { code: 1041, exit: EXIT.fault },
  /** Not a database of Torrentino, a damaged one, or one of a later version. */
  badBackup: { code: 1042, exit: EXIT.usage },
} as const

export type ErrorName = keyof typeof ERRORS

/** What an error carries for programs, by name; a name that is not here carries nothing. */
export interface ErrorData {
  /** The daemon's contract and version. */
  otherContract: { contract: string; version: string }
  /** Where in the parameters, dots between keys: `ids.0`. */
  invalidParams: { field: string }
  noSuchTorrent: { ref: number | string }
  ambiguous: { ref: number | string; ids: TorrentId[] }
  badFolder: { dir: string; reason: string }
  noSpace: { dir: string; needed: Bytes; free: Bytes }
  pathTaken: { path: string; torrent: TorrentId }
  badSetting: { key: string }
}

type DataOf<N extends ErrorName> = N extends keyof ErrorData ? [data: ErrorData[N]] : []

/** The user's fault, or a limit: it crosses the socket with its code, its sentence and its data. */
export class RpcError extends Error {
  readonly errorName: ErrorName
  /** JSON-RPC error code. */
  readonly code: number
  readonly data: Readonly<Record<string, unknown>> | undefined

  /** `sentence` says what is wrong and what to do; it is shown as it is, after `error: `. */
  constructor(name: ErrorName, sentence: string, data?: Readonly<Record<string, unknown>>) {
    super(sentence)
    this.name = 'RpcError'
    this.errorName = name
    this.code = ERRORS[name].code
    this.data = data
  }
}

/** An RpcError whose data has the shape that its name promises. */
export function rpcError<N extends ErrorName>(name: N, sentence: string, ...data: DataOf<N>): RpcError {
  return new RpcError(name, sentence, data[0])
}

/** The exit status for a code from the wire; an unknown code is a fault. */
export function exitOfCode(code: number): ExitStatus {
  for (const error of Object.values(ERRORS)) if (error.code === code) return error.exit
  return EXIT.fault
}
