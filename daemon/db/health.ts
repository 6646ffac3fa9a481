/** How the database is, by the outcomes of writes, and the one sentence that people read of it. */
import { dirname } from 'node:path'
import type { StoreFault } from '../ports/store.js'
import type { StoreState } from './protocol.js'

const DAMAGE = /^SQLITE_(CORRUPT|NOTADB)$/
const TROUBLE = /^(SQLITE_(FULL|IOERR|BUSY|READONLY|CANTOPEN|CORRUPT|NOTADB)|E[A-Z]+)$/

export class Health {
  readonly #file: string
  /** The code of the last write, where it failed for the disk's sake; null: it was committed. */
  #code: string | null = null
  /** Damage was met: that stays until the next start. */
  #damaged = false
  /** The bytes kept for a full volume are there. */
  #reserve = true
  /** The thread hangs in a call. */
  #silent = false
  /** Why there is no backup of today; null: there is, or it is not yet time. */
  #backup: string | null = null
  #listener: () => void = () => undefined

  constructor(file: string) {
    this.#file = file
  }

  /** The last write failed. */
  get failing(): boolean {
    return this.#code !== null
  }

  /** Called when trouble begins, and at once where it has begun. */
  watch(listener: () => void): void {
    this.#listener = listener
    if (this.problem() !== null) listener()
  }

  state({ reserve, backup }: StoreState): void {
    this.#reserve = reserve
    this.#backup = backup
    if (!reserve) this.#listener()
  }

  /** The thread does not answer, or does again. */
  silence(silent: boolean): void {
    this.#silent = silent
    if (silent) this.#listener()
  }

  /** True when this is the first damage that was met. */
  outcome(write: boolean, fault: StoreFault | null): boolean {
    if (fault === null) {
      if (write) this.#code = null
      return false
    }
    if (!TROUBLE.test(fault.code)) return false
    const first = DAMAGE.test(fault.code) && !this.#damaged
    if (DAMAGE.test(fault.code)) this.#damaged = true
    if (write) {
      this.#code = fault.code
      this.#listener()
    }
    return first
  }

  /** It is no trouble of what is written: nobody tries that again because of it. */
  unsaved(): string | null {
    return this.#backup === null
      ? null
      : `The daily backup of the database could not be made (${this.#backup}); it is tried again by itself.`
  }

  problem(): string | null {
    if (this.#damaged)
      return 'The database is damaged: torrentinod ends, and a backup comes back at its next start.'
    if (this.#silent) return sentenceOf('SILENT', this.#file)
    if (this.#code !== null) return sentenceOf(this.#code, this.#file)
    return this.#reserve
      ? null
      : `The volume of ${dirname(this.#file)} is nearly full: make room for the database.`
  }
}

function sentenceOf(code: string, file: string): string {
  const until = 'nothing is recorded until then, and it goes on by itself.'
  switch (code) {
    case 'SQLITE_FULL':
    case 'ENOSPC':
    case 'EDQUOT':
      return `The volume of ${dirname(file)} is full: make room for the database; ${until}`
    case 'SQLITE_BUSY':
      return `Another program holds ${file}: end it; ${until}`
    case 'SILENT':
      return `The disk of ${dirname(file)} does not answer: look after it; ${until}`
    case 'SQLITE_READONLY':
      return `${file} cannot be written: its volume or the file is read-only; ${until}`
    default:
      return `The disk of ${dirname(file)} fails (${code}): look after it; ${until}`
  }
}
