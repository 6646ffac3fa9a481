/** What the rooms log through: structured fields first, then one constant message. pino fits this shape. */

/** Values by name; what is secret (a passkey in a URL) is redacted before it gets here. */
export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  /** A log that adds these fields to every line. */
  child(bindings: LogFields): Log
}

/** What is known of where it came from. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
