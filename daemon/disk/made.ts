/**
 * Which `.part` files a lane has made, main side: no worker writes to a file before. One job for all that is wanted
 * in a turn.
 */
import type { FileIndex } from '../../shared/units.js'
import type { DiskFault } from '../ports/disk.js'
import type { Made } from './jobs.js'

export interface MadePorts {
  /** The lane's job. */
  readonly make: (files: readonly FileIndex[], done: (made: Made) => void) => void
  /** After the table changed: `again` were made before, older descriptors of theirs lead elsewhere. */
  readonly onMade: (made: Made, again: readonly FileIndex[]) => void
}

export class MadeFiles {
  /** Files a worker may write to, with the ino they had when they were made. */
  private readonly ready = new Set<FileIndex>()
  /** Known since the storage was opened, ready or not. */
  private readonly inos = new Map<FileIndex, string>()
  /** Asked of the lane, or about to be. */
  private readonly asked = new Set<FileIndex>()
  /** To be asked at the end of the turn. */
  private wanted: FileIndex[] = []
  /** Made again and not the same: what was written to the one before is gone. */
  private lost = new Set<FileIndex>()

  constructor(private readonly ports: MadePorts) {}

  isReady(file: FileIndex): boolean {
    return this.ready.has(file)
  }

  inoOf(file: FileIndex): string | null {
    return this.inos.get(file) ?? null
  }

  want(file: FileIndex): void {
    if (this.ready.has(file) || this.asked.has(file)) return
    this.asked.add(file)
    this.wanted.push(file)
    if (this.wanted.length > 1) return
    queueMicrotask(() => {
      const files = this.wanted
      this.wanted = []
      this.ports.make(files, (made) => {
        this.take(files, made)
      })
    })
  }

  /** The name may have changed: the next write has it made again. */
  invalidate(file: FileIndex): void {
    this.ready.delete(file)
  }

  /** Files that were replaced since the last call: a fault for the next round. */
  takeLost(): FileIndex[] {
    const lost = [...this.lost]
    this.lost = new Set()
    return lost
  }

  private take(files: readonly FileIndex[], made: Made): void {
    for (const file of files) this.asked.delete(file)
    const again: FileIndex[] = []
    for (const { file, ino } of made.made) {
      const before = this.inos.get(file)
      if (before !== undefined) again.push(file)
      if (before !== undefined && before !== ino) this.lost.add(file)
      this.inos.set(file, ino)
      this.ready.add(file)
    }
    this.ports.onMade(made, again)
  }
}

/** The first of these files that could not be made, with its fault. */
export function failureOf(made: Made, files: readonly FileIndex[]): DiskFault | null {
  return made.failed.find(({ file }) => files.includes(file))?.fault ?? null
}
