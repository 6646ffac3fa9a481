/** Torrents that were judged and are being recorded: many adds at once share commits. Whoever touches one waits. */
import type { SwarmKey } from '../../shared/units.js'
import { neighbours } from './claims.js'

interface Recording {
  readonly keys: readonly SwarmKey[]
  readonly dir: string
  readonly root: string
  /** Recorded, or refused. */
  readonly ended: Promise<unknown>
}

export class Recordings {
  readonly #open = new Set<Recording>()

  /** It counts until `done` settles. */
  add(coming: Omit<Recording, 'ended'>, done: Promise<unknown>): void {
    const ended = done.catch(() => undefined)
    const recording = { ...coming, ended }
    this.#open.add(recording)
    void ended.then(() => this.#open.delete(recording))
  }

  /** Waits for the same torrent. */
  async same(keys: readonly SwarmKey[]): Promise<void> {
    for (const other of [...this.#open]) if (isSame(other, keys)) await other.ended
  }

  /** Waits for the same torrent, and for those that may write the same files. */
  async touched(coming: Omit<Recording, 'ended'>): Promise<void> {
    const near = new Set(neighbours(coming, this.#open))
    for (const other of [...this.#open]) {
      if (near.has(other) || isSame(other, coming.keys)) await other.ended
    }
  }
}

function isSame(recording: Recording, keys: readonly SwarmKey[]): boolean {
  return recording.keys.some((key) => keys.includes(key))
}
