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

/** Name to JSON-RPC code, exit status and meaning. Below -32000 are the codes JSON-RPC 2.0 itself defines. */
export const ERRORS = {
  parseError: { code: -32700, exit: EXIT.fault, means: 'A line is not JSON.' },
  invalidRequest: { code: -32600, exit: EXIT.fault, means: 'It is JSON, but no call.' },
  methodNotFound: { code: -32601, exit: EXIT.usage, means: 'There is no such method.' },
  invalidParams: {
    code: -32602,
    exit: EXIT.usage,
    means: 'A parameter is missing, unknown or not of its kind.',
  },
  internal: { code: -32603, exit: EXIT.fault, means: 'A fault of Torrentino; the log has it.' },
  /** A line above the cap, nesting above 64, a batch above 100; the connection may be closed after it. */
  tooLarge: {
    code: 1001,
    exit: EXIT.fault,
    means: 'A line, a batch or a nesting is above its limit; the connection may be closed.',
  },
  helloFirst: { code: 1002, exit: EXIT.fault, means: 'Another call came before session.hello.' },
  otherContract: { code: 1003, exit: EXIT.otherContract, means: 'The daemon speaks another contract.' },
  tooManyConnections: { code: 1004, exit: EXIT.fault, means: 'There is no room for one more connection.' },
  shuttingDown: { code: 1005, exit: EXIT.noDaemon, means: 'The daemon is stopping.' },
  noSuchTorrent: { code: 1010, exit: EXIT.noSuchTorrent, means: 'No torrent has that number or hash.' },
  ambiguous: { code: 1011, exit: EXIT.ambiguous, means: 'The beginning of a hash fits several torrents.' },
  noSuchJob: { code: 1012, exit: EXIT.fault, means: 'The job was never given out, or ended long ago.' },
  badTorrent: {
    code: 1020,
    exit: EXIT.usage,
    means: 'Not a torrent, a damaged one, or one of a kind that is not supported.',
  },
  badSelection: {
    code: 1021,
    exit: EXIT.usage,
    means: 'The torrent has no such file, or nothing was chosen.',
  },
  badFolder: { code: 1022, exit: EXIT.fault, means: 'The folder cannot be made or written.' },
  noSpace: { code: 1023, exit: EXIT.fault, means: 'The disk has too little room.' },
  pathTaken: { code: 1024, exit: EXIT.fault, means: 'Another torrent writes one of the files.' },
  wrongState: {
    code: 1025,
    exit: EXIT.fault,
    means: 'It cannot be done in the present state of the torrent.',
  },
  noMetadata: { code: 1026, exit: EXIT.fault, means: 'The metadata of a magnet link have not come yet.' },
  badTracker: {
    code: 1027,
    exit: EXIT.usage,
    means: 'Not the address of a tracker, or one that is there already, or is not there.',
  },
  badName: {
    code: 1028,
    exit: EXIT.usage,
    means: 'No file can have this name, or another file of the torrent has it.',
  },
  badSetting: {
    code: 1030,
    exit: EXIT.usage,
    means: 'There is no such setting, or it does not take that value.',
  },
  /** The daemon could not make it durable (its disk is full, I/O error). */
  storeFailed: { code: 1040, exit: EXIT.fault, means: 'The database could not keep it.' },
  fileTaken: { code: 1041, exit: EXIT.fault, means: 'A file that was to be made is there already.' },
  badBackup: {
    code: 1042,
    exit: EXIT.usage,
    means: 'Not a database of Torrentino, a damaged one, or one of a later version.',
  },
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
