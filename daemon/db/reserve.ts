/** Bytes really written beside the database, given up when its volume is full so that what matters can be recorded. */
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Millis } from '../../shared/units.js'
import { sizeOf } from './files.js'

const MOST = 4 * 1024 * 1024
const STEP = 64 * 1024
/** Of what is free, so much at most. */
const SHARE = 8
/** It is not made again sooner. */
const AGAIN_AFTER: Millis = 10_000

export class Reserve {
  readonly #file: string
  readonly #now: () => Millis
  /** When it was last given up or could not be made. */
  #missedAt = -Infinity

  /** `now` counts from anywhere. */
  constructor(file: string, now: () => Millis) {
    this.#file = file
    this.#now = now
  }

  get whole(): boolean {
    return sizeOf(this.#file) >= STEP
  }

  /** False when there was nothing to give. */
  giveUp(): boolean {
    const had = this.whole
    rmSync(this.#file, { force: true })
    this.#missedAt = this.#now()
    return had
  }

  /** Makes it where it is missing and there is room; to be called now and then while the database is written. */
  restock(): void {
    if (this.whole || this.#now() - this.#missedAt < AGAIN_AFTER) return
    this.#missedAt = this.#now()
    const bytes = Math.min(MOST, Math.floor(free(this.#file) / SHARE / STEP) * STEP)
    if (bytes >= STEP) fill(this.#file, bytes)
  }
}

function free(file: string): number {
  try {
    const { bavail, bsize } = statfsSync(dirname(file))
    return bavail * bsize
  } catch {
    return 0
  }
}

/** Whole, or not at all. */
function fill(file: string, bytes: number): void {
  try {
    const fd = openSync(file, 'w', 0o600)
    try {
      // No zeros: some file systems leave holes for them.
      const chunk = Buffer.alloc(STEP, 'reserve ')
      for (let at = 0; at < bytes; at += STEP) writeSync(fd, chunk)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch {
    rmSync(file, { force: true })
  }
}
