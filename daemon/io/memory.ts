/** Bytes of memory that the process holds. */
import type { Bytes } from '../../shared/units.js'

export interface MemoryPorts {
  readonly rss: () => number
}

/** The system tells it by a file: while no descriptor is left, what it last said stands. */
export function residentMemory({ rss }: MemoryPorts = { rss: () => process.memoryUsage.rss() }): () => Bytes {
  let last = 0
  return () => {
    try {
      last = rss()
    } catch {
      // EMFILE: the figure is a little old.
    }
    return last
  }
}
