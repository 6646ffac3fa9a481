/**
 * Where a torrent is between start and stop: its state, what follows the stop under way, and its epoch. What was begun
 * in an earlier epoch is dropped when it ends.
 */
import type { TorrentState } from './lifecycle.js'

/** What follows a stop. */
export type After = 'pause' | 'exit' | 'start' | 'verify' | 'more' | 'move' | 'wait'

export interface CoursePorts {
  /** It is in another state. */
  turned(): void
}

export class Course {
  #state: TorrentState = { kind: 'paused' }
  /** Rises at every start and stop. */
  #epoch = 0
  /** What follows the stop under way; null: none is. */
  after: After | null = null
  readonly #ports: CoursePorts

  constructor(ports: CoursePorts) {
    this.#ports = ports
  }

  get state(): TorrentState {
    return this.#state
  }
  get isRunning(): boolean {
    return this.#state.kind === 'downloading' || this.#state.kind === 'seeding'
  }
  get epoch(): number {
    return this.#epoch
  }

  set(state: TorrentState): void {
    this.#state = state
    this.#ports.turned()
  }

  /** Begins another epoch: what is under way is void. */
  next(): void {
    this.#epoch++
  }

  /** What was begun in that epoch may go on: there was no start or stop since. */
  holds(epoch: number): boolean {
    return epoch === this.#epoch && this.after === null
  }
}
