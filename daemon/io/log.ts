/** The daemon's log: one JSON line an event, written by libuv's pool, so that a slow disk never holds the loop. */
import { pino, destination } from 'pino'
import type { Log } from '../base/log.js'
import type { LogLevel } from '../../shared/settings.js'

/** Longer texts of the outside are cut. */
const MOST_TEXT = 1024

export interface FileLog extends Log {
  setLevel(level: LogLevel): void
  /** Writes what is buffered, at the end of the program. */
  flush(): void
}

export function openLog(init: { readonly file: string; readonly level: LogLevel }): FileLog {
  const out = destination({ dest: init.file, sync: false, mkdir: true, minLength: 0 })
  // A full disk must not end the daemon: the line is lost, the torrents are not.
  out.on('error', () => undefined)
  const logger = pino(
    {
      level: init.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { log: (fields) => cut(fields) },
    },
    out,
  )
  return {
    ...over(logger),
    setLevel: (level) => {
      logger.level = level
    },
    flush: () => {
      try {
        out.flushSync()
      } catch {
        // Not opened yet, or the disk is gone: nothing can be said where it would be read.
      }
    },
  }
}

function over(logger: pino.Logger): Log {
  return {
    debug: (fields, message) => {
      logger.debug(fields, message)
    },
    info: (fields, message) => {
      logger.info(fields, message)
    },
    warn: (fields, message) => {
      logger.warn(fields, message)
    },
    error: (fields, message) => {
      logger.error(fields, message)
    },
    child: (bindings) => over(logger.child(bindings)),
  }
}

function cut(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      typeof value === 'string' && value.length > MOST_TEXT ? `${value.slice(0, MOST_TEXT)}…` : value,
    ]),
  )
}
