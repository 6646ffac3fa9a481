/**
 * The file of the log, written by libuv's pool, so that a slow disk never holds the loop. At its cap it becomes `.1`,
 * the older ones move on, and the oldest is deleted. What is logged before `open` waits.
 */
import { rename, stat } from 'node:fs/promises'
import { destination } from 'pino'
import type { Bytes } from '../../shared/units.js'

/** A file is as large as this, about. */
const CAP: Bytes = 10 * 1024 * 1024
/** Files kept besides the one in use. */
const KEPT = 3
/** What waits for a disk that takes nothing; more is lost, and the torrents are not. */
const MOST_WAITING: Bytes = 4 * 1024 * 1024
/** Lines kept before the file is open. */
const MOST_EARLY = 1000

type Out = ReturnType<typeof destination>

export class LogFile {
  readonly #cap: Bytes
  /** Null before `open`. */
  #file: string | null = null
  #out: Out | null = null
  #early: string[] = []
  /** Bytes in the file in use. */
  #size: Bytes = 0
  #rotating = false
  /** The file in use is not the one that was opened. */
  #rotated = false

  constructor(init: { readonly cap?: Bytes } = {}) {
    this.#cap = init.cap ?? CAP
  }

  /** Makes the folder where it is not there. */
  open(file: string): void {
    this.#file = file
    const out = destination({ dest: file, sync: false, mkdir: true, minLength: 0, maxLength: MOST_WAITING })
    // A full disk must not end the daemon: the line is lost, the torrents are not.
    out.on('error', () => undefined)
    this.#out = out
    stat(file).then(
      ({ size }) => {
        // Some of what was written since may be in it: counted twice, the file would be changed too early.
        if (!this.#rotated) this.#size = Math.max(this.#size, size)
      },
      () => undefined,
    )
    for (const line of this.#early.splice(0)) this.write(line)
  }

  write(line: string): void {
    if (this.#out === null) {
      if (this.#early.length < MOST_EARLY) this.#early.push(line)
      return
    }
    this.#out.write(line)
    this.#size += Buffer.byteLength(line)
    if (this.#size >= this.#cap && !this.#rotating) void this.#rotate(this.#out)
  }

  /** Writes what is buffered, at the end of the program. */
  flush(): void {
    try {
      this.#out?.flushSync()
    } catch {
      // Not opened yet, or the disk is gone: nothing can be said where it would be read.
    }
  }

  /** Lines go on into the old file, under its new name, until the new one is open. */
  async #rotate(out: Out): Promise<void> {
    const file = this.#file
    if (file === null) return
    this.#rotating = this.#rotated = true
    for (let age = KEPT; age > 0; age--) {
      const from = age === 1 ? file : `${file}.${String(age - 1)}`
      await rename(from, `${file}.${String(age)}`).catch(() => undefined)
    }
    this.#size = 0
    out.reopen()
    this.#rotating = false
  }
}
