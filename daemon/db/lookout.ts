/**
 * The store's thread looks after the main loop, as it lives anyway: it writes the line in the log, and where the loop
 * stands for too long it notes who was at work, as a crash does, and ends the process for its manager to start it anew.
 */
import { appendFileSync } from 'node:fs'
import { CRASHES_KEY, readCrashes, writeCrashes } from '../base/crash-notes.js'
import { Lookout, type LookoutPorts, type Standing } from '../base/lookout.js'
import { WatchShared } from '../base/watch.js'
import type { Millis } from '../../shared/units.js'
import type { LookoutInit } from './protocol.js'
import { getMeta, setMeta } from './records.js'
import type { Sql } from './sql.js'

export interface LookoutTools {
  readonly sql: Sql
  readonly after: LookoutPorts['after']
  /** Wall clock. */
  readonly now: () => Millis
  /** Ends the process at once, and not well. */
  readonly end: () => void
}

/** Levels as pino numbers them. */
const WARN = 40
const ERROR = 50

/** The result is called when the main loop turns again after a rest. */
export function lookoutOf(init: LookoutInit | null, { sql, after, now, end }: LookoutTools): () => void {
  if (init === null) return () => undefined
  const write = (level: number, { duration, phase, torrent }: Standing, ending: string): void => {
    const time = new Date(now()).toISOString()
    const whose = torrent === 0 ? {} : { torrent }
    const seconds = String(Math.round(duration / 1000))
    const msg = `the main loop has stood for ${seconds} s in ${phase}${ending}`
    attempt(() => {
      appendFileSync(init.log, `${JSON.stringify({ level, time, ms: duration, phase, ...whose, msg })}\n`)
    })
  }
  const lookout = new Lookout(
    { shared: new WatchShared(init.memory), every: init.every },
    {
      after,
      stands: (standing) => {
        write(WARN, standing, '')
      },
      over: (standing) => {
        write(ERROR, standing, ': the daemon ends and its manager starts it anew')
        attempt(() => {
          note(sql, standing.torrent, now())
        })
        end()
      },
    },
  )
  return () => {
    lookout.wake()
  }
}

function note(sql: Sql, torrent: number, at: Millis): void {
  const crashes = readCrashes(getMeta(sql, CRASHES_KEY))
  setMeta(sql, CRASHES_KEY, writeCrashes([...crashes, { at, torrent, alone: false }]))
}

/** A disk that fails keeps nothing from the end. */
function attempt(work: () => void): void {
  try {
    work()
  } catch {
    // There is nobody left to be told.
  }
}
