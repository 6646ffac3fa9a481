/** Logs for tests: one that forgets, one that keeps every line. */
import type { Log, LogFields } from '../../daemon/base/log.js'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** Bindings of the log and fields of the call together. */
  readonly fields: LogFields
  readonly message: string
}

/** Keeps every line, its children's too. */
export class FakeLog implements Log {
  /** In the order they came; shared with every child. */
  readonly lines: LogLine[]
  readonly #bindings: LogFields

  constructor(bindings: LogFields = {}, lines: LogLine[] = []) {
    this.#bindings = bindings
    this.lines = lines
  }

  debug(fields: LogFields, message: string): void {
    this.#keep('debug', fields, message)
  }
  info(fields: LogFields, message: string): void {
    this.#keep('info', fields, message)
  }
  warn(fields: LogFields, message: string): void {
    this.#keep('warn', fields, message)
  }
  error(fields: LogFields, message: string): void {
    this.#keep('error', fields, message)
  }
  child(bindings: LogFields): FakeLog {
    return new FakeLog({ ...this.#bindings, ...bindings }, this.lines)
  }

  /** The messages of one level. */
  messages(level: LogLine['level']): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.message)
  }

  #keep(level: LogLine['level'], fields: LogFields, message: string): void {
    this.lines.push({ level, fields: { ...this.#bindings, ...fields }, message })
  }
}

const nothing = (): void => undefined

/** Forgets everything. */
export const silentLog: Log = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLog,
}
