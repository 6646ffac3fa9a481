/** Tells when somebody has changed config.toml: editors write it, or put another file in its place. */
import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { Millis } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'

/** An editor makes several steps; what is read between them may be half a file. */
const SETTLED: Millis = 300

/** Nothing is told where its folder is not there or cannot be watched. */
export function watchConfig(path: string, changed: () => void, clock: Clock): Cancel {
  let timer: Cancel | null = null
  let watcher: FSWatcher | null = null
  try {
    watcher = watch(dirname(path), { persistent: false }, (_, name) => {
      if (name !== null && name !== basename(path)) return
      timer?.()
      timer = clock.after(SETTLED, changed)
    })
    // The folder went.
    watcher.on('error', () => watcher?.close())
  } catch {
    return () => undefined
  }
  return () => {
    timer?.()
    watcher.close()
  }
}
