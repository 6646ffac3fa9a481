/** What every service manager's part is given: the machine, the installation, and the one kind of error. */
import type { PathFacts } from './stable.js'

export interface Ran {
  /** Exit status; 127 where the program is not there. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** The machine, as far as a service needs it. */
export interface Host extends PathFacts {
  readonly platform: string
  readonly uid: number
  readonly userName: string
  /** The person's home folder. */
  readonly userHome: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Microseconds on the system's monotonic clock. */
  readonly monotonic: () => number
  /** `more` is added to the environment. */
  readonly run: (
    command: string,
    args: readonly string[],
    more?: Readonly<Record<string, string>>,
  ) => Promise<Ran>
  /** Null where it cannot be read. */
  readonly readFile: (path: string) => Promise<string | null>
  /** Writes beside the path and renames: the path holds the old text or the new one, never a part. */
  readonly replaceFile: (path: string, text: string, mode: number) => Promise<void>
  /** False where there was none. */
  readonly removeFile: (path: string) => Promise<boolean>
  readonly makeFolder: (path: string, mode: number) => Promise<void>
  readonly wait: (ms: number) => Promise<void>
}

export interface ServiceInit {
  /** Absolute path of the home, or null for the default one. */
  readonly home: string | null
  /** Where state lies, told at uninstall. */
  readonly stateDir: string
  readonly logDir: string
  /** The node that runs now (process.execPath). */
  readonly execPath: string
  /** Absolute path of the daemon's entry file. */
  readonly entry: string
}

/** The person's fault or the machine's: one sentence that says what to do. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
}

/** The last line of what a daemon printed, or null: why it ended, where it ended badly. */
export function lastLine(text: string | null): string | null {
  return text?.trimEnd().split('\n').at(-1)?.trim() || null
}

/** What a program said when it failed: the first line, without its full stop. */
export function reason(ran: Ran): string {
  const words = (ran.stderr.trim() || ran.stdout.trim()).split('\n')[0] ?? ''
  return words === '' ? `exit status ${ran.status}` : words.replace(/[.\s]+$/, '')
}
