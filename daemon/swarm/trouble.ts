/** What keeps a torrent from going on: since when, and when to try again. */
import type { Millis } from '../../shared/units.js'
import { type Fault, faultSentence } from './lifecycle.js'

/** The same trouble again so soon is the old one still. */
const SAME_TROUBLE: Millis = 60_000

export class Trouble {
  /** What it was last, since when, and when it was so last. */
  #last: { readonly reason: string; readonly since: Millis; readonly at: Millis } | null = null

  /** When this trouble began: a retry that fails alike goes on with it, and is no news. */
  since(by: Fault, now: Millis): Millis {
    const reason = faultSentence(by)
    const last = this.#last
    const same = last !== null && last.reason === reason && now - last.at < SAME_TROUBLE
    const since = same ? last.since : now
    this.#last = { reason, since, at: now }
    return since
  }
}

/** Until the next look. */
export function retryDelay(by: Fault): Millis {
  if (by.kind === 'folder' || by.kind === 'files' || by.kind === 'changed') return 5000
  // The file is another one than it was: to be looked at again at once.
  if (by.kind === 'disk' && (by.fault.code === 'ESTALE' || by.fault.code === 'ENOENT')) return 1000
  if (by.kind === 'disk' && (by.fault.code === 'EMFILE' || by.fault.code === 'ENFILE')) return 1000
  return isFull(by) ? 5000 : 15_000
}

/** No room on the volume. */
export function isFull(by: Fault): boolean {
  return by.kind === 'disk' && (by.fault.code === 'ENOSPC' || by.fault.code === 'EDQUOT')
}
