/** The daemon's log: one JSON line an event, bounded in what a line holds, how often it comes, and how much is kept. */
import { pino } from 'pino'
import type { Log, LogFields } from '../base/log.js'
import { withoutRepeats } from '../base/repeats.js'
import type { Bytes, Millis } from '../../shared/units.js'
import type { LogLevel } from '../../shared/settings.js'
import { LogFile } from './log-file.js'

/** Longer texts of the outside are cut. */
const MOST_TEXT = 1024
/** Fields of a value, and values in values, that are written. */
const MOST_FIELDS = 30
const MOST_DEPTH = 4

export interface FileLog extends Log {
  setLevel(level: LogLevel): void
  /** Until then lines wait in memory. */
  open(file: string): void
  /** Writes what is buffered, at the end of the program. */
  flush(): void
}

export function createLog(
  init: { readonly level: LogLevel; readonly cap?: Bytes },
  ports: { readonly now: () => Millis },
): FileLog {
  const out = new LogFile(init.cap === undefined ? {} : { cap: init.cap })
  const logger = pino({ level: init.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, out)
  const log = withoutRepeats(over(logger), ports.now)
  return {
    ...log,
    setLevel: (level) => {
      logger.level = level
    },
    open: (file) => {
      out.open(file)
    },
    flush: () => {
      log.settle()
      out.flush()
    },
  }
}

function over(logger: pino.Logger): Log {
  return {
    debug: (fields, message) => {
      if (logger.isLevelEnabled('debug')) logger.debug(cut(fields), cutText(message))
    },
    info: (fields, message) => {
      logger.info(cut(fields), cutText(message))
    },
    warn: (fields, message) => {
      logger.warn(cut(fields), cutText(message))
    },
    error: (fields, message) => {
      logger.error(cut(fields), cutText(message))
    },
    child: (bindings) => over(logger.child(cut(bindings))),
  }
}

function cut(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, cutValue(value, 1)]))
}

function cutText(text: string): string {
  return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text
}

function cutValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cutText(value)
  if (value instanceof Error) return cutText(value.stack ?? value.message)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MOST_DEPTH) return '…'
  if (Array.isArray(value)) return value.slice(0, MOST_FIELDS).map((each) => cutValue(each, depth + 1))
  const entries = Object.entries(value).slice(0, MOST_FIELDS)
  return Object.fromEntries(entries.map(([key, each]) => [key, cutValue(each, depth + 1)]))
}
