/**
 * A log that says the same thing a few times and then counts: whoever makes us complain a thousand times a second
 * writes a few lines a minute. No timer runs: the count is told with the next line of that kind, or at the end.
 */
import type { Millis } from '../../shared/units.js'
import type { Log, LogFields } from './log.js'

/** Lines of one cause that are written in a window. */
const MOST = 10
const WINDOW: Millis = 60_000
/** Causes that are told apart; the one that is longest there makes room. */
const MOST_CAUSES = 500

interface Cause {
  since: Millis
  lines: number
  /** The line that was swallowed last, to be told with the count. */
  last: (() => void) | null
}

type Level = 'info' | 'warn' | 'error'

export interface RepeatLog extends Log {
  /** Tells every count that was not told. */
  settle(): void
}

/** Debug lines go through: whoever asks for them wants all. */
export function withoutRepeats(log: Log, now: () => Millis): RepeatLog {
  const causes = new Map<string, Cause>()
  const tell = (cause: Cause): void => {
    const { last } = cause
    cause.last = null
    last?.()
  }
  const say = (to: Log, level: Level, key: string, fields: LogFields, message: string): void => {
    const at = now()
    let cause = causes.get(key)
    if (cause === undefined || at - cause.since >= WINDOW) {
      if (cause !== undefined) tell(cause)
      cause = { since: at, lines: 0, last: null }
      causes.delete(key)
      causes.set(key, cause)
      const [oldest] = causes
      if (causes.size > MOST_CAUSES && oldest !== undefined) {
        causes.delete(oldest[0])
        tell(oldest[1])
      }
    }
    cause.lines++
    if (cause.lines <= MOST) return to[level](fields, message)
    const repeated = cause.lines - MOST
    cause.last = () => {
      to[level]({ ...fields, repeated }, `${message} (repeated ${String(repeated)} times)`)
    }
  }
  const over = (to: Log, prefix: string): Log => {
    const at = (level: Level) => (fields: LogFields, message: string) => {
      say(to, level, `${prefix} ${torrentOf(fields)} ${level} ${message}`, fields, message)
    }
    return {
      debug: (fields, message) => {
        to.debug(fields, message)
      },
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (bindings) => over(to.child(bindings), `${prefix} ${torrentOf(bindings)}`),
    }
  }
  return {
    ...over(log, ''),
    settle: () => {
      for (const cause of causes.values()) tell(cause)
    },
  }
}

function torrentOf({ torrent }: LogFields): string {
  return typeof torrent === 'number' ? String(torrent) : ''
}
