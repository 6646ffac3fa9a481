/** What is true of a torrent now. What the user wants (`desired`) is kept apart, in the store and the session. */
import { formatBytes, formatDuration } from '../../shared/text.js'
import type { Bytes, Millis } from '../../shared/units.js'
import type { DiskFault } from '../ports/disk.js'

/** Why a torrent cannot go on though it should. Each recovers by itself: see `Torrent`'s retry. */
export type Fault =
  /** The disk refused an operation. */
  | { readonly kind: 'disk'; readonly fault: DiskFault }
  /** The download folder itself is gone: an unplugged volume, most likely. */
  | { readonly kind: 'folder'; readonly dir: string }
  /** Recorded files are not where they were. */
  | { readonly kind: 'files'; readonly count: number; readonly example: string }
  /** Its volume is not there, or another one is in its place; `silent`: it does not answer. */
  | { readonly kind: 'volume'; readonly dir: string; readonly silent?: true }
  /** No room for what is missing; null: it is not known how much. */
  | {
      readonly kind: 'space'
      readonly dir: string
      readonly missing: Bytes | null
      /** What the trash holds there; not there: nothing. */
      readonly trash?: Bytes
    }
  /** Finished files were changed by somebody: they are neither served nor written over. */
  | { readonly kind: 'changed'; readonly count: number; readonly example: string }
  /** What a magnet link names cannot be added; the sentence says why. */
  | { readonly kind: 'metadata'; readonly reason: string }
  /** The store cannot commit. */
  | { readonly kind: 'store'; readonly code: string }
  /** A fault of our own in its handling. */
  | { readonly kind: 'bug'; readonly error: string; readonly retry: Millis }
  /** It is to be removed, and its volume is away (with its files, then), or has not answered yet, or the store refused. */
  | { readonly kind: 'removal'; readonly dir: string; readonly waits: 'volume' | 'answer' | 'store' }

export type TorrentState =
  | { readonly kind: 'paused' }
  | { readonly kind: 'queued'; readonly for: 'check' | 'download' | 'seed' }
  | { readonly kind: 'fetchingMetadata' }
  | {
      readonly kind: 'checking'
      /** How many of `total` pieces were looked at. */
      readonly done: number
      readonly total: number
      readonly why: CheckReason
    }
  | { readonly kind: 'downloading' }
  | { readonly kind: 'seeding' }
  /** Its files are brought elsewhere; `done` and `total` are bytes, or files where nothing is copied. */
  | { readonly kind: 'moving'; readonly job: number; readonly done: number; readonly total: number }
  | { readonly kind: 'stopping'; readonly then: 'paused' | 'removed' | 'blocked' | 'exit' }
  | { readonly kind: 'blocked'; readonly by: Fault; readonly since: Millis; readonly retryAt: Millis }

export type CheckReason = 'added' | 'asked' | 'changed' | 'crash'

/** One sentence that says what is wrong and what helps. */
export function faultSentence(by: Fault): string {
  switch (by.kind) {
    case 'disk':
      return diskSentence(by.fault)
    case 'folder':
      return `The folder ${by.dir} is not there; the download goes on by itself when it comes back.`
    case 'files':
      return `${by.count === 1 ? 'A file is' : `${String(by.count)} files are`} missing or shorter than recorded (${by.example}); put it back, or run "torrentinoctl verify" to fetch it again.`
    case 'volume':
      if (by.silent === true)
        return `${by.dir} does not answer; see whether its volume is well: the torrent goes on by itself when it does.`
      return `The volume of ${by.dir} is not there, or another one is in its place; the torrent goes on by itself when it is back, or with what is there now after "torrentinoctl verify".`
    case 'space':
      return `No space left in ${by.dir}${by.missing === null ? '' : `: ${formatBytes(by.missing)} more are needed`}; ${trashHint(by.trash ?? 0)}the download goes on by itself when there is room.`
    case 'changed':
      return `${by.count === 1 ? 'A finished file was' : `${String(by.count)} finished files were`} changed by another program (${by.example}); put the old content back, or run "torrentinoctl verify" to fetch it again over the change.`
    case 'bug':
      return `An internal fault of Torrentino stopped this torrent (${by.error}); it is tried again after ${formatDuration(by.retry / 1000)}, and the log says more.`
    case 'removal':
      if (by.waits === 'answer')
        return `It is being removed, and ${by.dir} has not answered yet; the removal goes on by itself.`
      if (by.waits === 'store')
        return 'It is being removed and waits for the database, which refused; the removal goes on by itself.'
      return `It is being removed with its files and waits for the volume of ${by.dir}; "torrentinoctl remove" without --data forgets it at once.`
    case 'metadata':
      return by.reason
    case 'store':
      return `${storeSentence(by.code)}; what is done now is not recorded until it can be.`
  }
}

function trashHint(trash: Bytes): string {
  return trash === 0
    ? ''
    : `the trash holds ${formatBytes(trash)} there, which "torrentinoctl trash --empty" frees; `
}

function storeSentence(code: string): string {
  if (/^(SQLITE_FULL|ENOSPC|EDQUOT)$/.test(code)) return 'The volume of the database is full: make room on it'
  if (code === 'SQLITE_BUSY') return 'Another program holds the database: end it'
  if (code === 'SILENT') return 'The database does not answer: look after its disk'
  return `The database cannot be written (${code})`
}

function diskSentence(fault: DiskFault): string {
  switch (fault.code) {
    case 'EMFILE':
    case 'ENFILE':
      return `Too many files are open, and ${fault.path} cannot be; it is tried again by itself.`
    case 'EPERM':
      // Not by the bits of the file: macOS guards folders from programs (TCC), Linux files that are immutable.
      return `The system keeps torrentinod from ${fault.path} whatever its permissions say; on macOS allow its node under System Settings, Privacy & Security, Full Disk Access, and the torrent goes on by itself.`
    case 'EACCES':
      return `No permission to ${fault.operation} ${fault.path}; change that and the torrent goes on by itself.`
    case 'EROFS':
      return `The volume of ${fault.path} is read-only; the download goes on by itself when it can be written to.`
    case 'ESTALE':
      return `${fault.path} was changed by another program; it is checked again.`
    case 'EEXIST':
      return `Another file lies at ${fault.path}; move it away and the download finishes by itself.`
    case 'ELOOP':
      return `A symbolic link is in the way of ${fault.path}; Torrentino does not write through links.`
    default:
      return `The disk failed to ${fault.operation} ${fault.path} (${fault.code}); it is tried again by itself, and should be looked at if that does not help.`
  }
}
