/** What keeps a torrent from going on: since when, and when to try again. */
import type { Millis } from '../../shared/units.js'
import type { DiskFault } from '../ports/disk.js'
import { type Fault, faultSentence } from './lifecycle.js'

/** The same trouble again so soon is the old one still. */
const SAME_TROUBLE: Millis = 60_000

/** A fault of our own is tried again after this, and after twice as long each time. */
const FIRST_AFTER_BUG: Millis = 60_000
const LONGEST_AFTER_BUG: Millis = 3_600_000
/** Without another for so long, the next counts as the first. */
const BUG_FORGOTTEN: Millis = 4 * 3_600_000

export class Trouble {
  /** Faults of our own in a row, and when the last one was. */
  #bugs = 0
  #bugAt: Millis = 0

  /** What it was last, since when, and when it was so last. */
  #last: { readonly reason: string; readonly since: Millis; readonly at: Millis } | null = null

  /** When this trouble began: a retry that fails alike goes on with it, and is no news. */
  since(by: Fault, now: Millis): Millis {
    // How much room is missing changes all the time.
    const reason = faultSentence(by.kind === 'space' ? { ...by, missing: null } : by)
    const last = this.#last
    const same = last !== null && last.reason === reason && now - last.at < SAME_TROUBLE
    const since = same ? last.since : now
    this.#last = { reason, since, at: now }
    return since
  }

  /** A fault of our own, with the time until it is tried again. */
  bug(error: unknown, now: Millis): Fault {
    this.#bugs = now - this.#bugAt > BUG_FORGOTTEN ? 1 : this.#bugs + 1
    this.#bugAt = now
    const retry = Math.min(LONGEST_AFTER_BUG, FIRST_AFTER_BUG * 2 ** Math.min(this.#bugs - 1, 10))
    return { kind: 'bug', error: oneLine(error), retry }
  }
}

function oneLine(error: unknown): string {
  return (String(error).split('\n')[0] ?? '').slice(0, 200)
}

/** Until the next look. */
export function retryDelay(by: Fault): Millis {
  if (by.kind === 'bug') return by.retry
  if (by.kind === 'metadata') return 60_000
  if (by.kind !== 'disk' && by.kind !== 'store') return 5000
  // The file is another one than it was: to be looked at again at once.
  if (by.kind === 'disk' && (by.fault.code === 'ESTALE' || by.fault.code === 'ENOENT')) return 1000
  if (by.kind === 'disk' && (by.fault.code === 'EMFILE' || by.fault.code === 'ENFILE')) return 1000
  return 15_000
}

/** The same, as it concerns the torrent: no room is no fault of one file, nor is a volume that is away. */
export function faultOfDisk(fault: DiskFault, dir: string): Fault {
  if (fault.code === 'ENOSPC' || fault.code === 'EDQUOT') return { kind: 'space', dir, missing: null }
  if (fault.code === 'ENODEV') return { kind: 'volume', dir }
  return { kind: 'disk', fault }
}
