/** What a verb knows of its surroundings: where the daemon is, how to write, whether a person reads. */
import { homedir } from 'node:os'
import { type Home, resolveHome } from '../shared/home.js'
import { jsonText } from '../shared/text.js'
import type { ExitStatus } from './exit.js'
import type { Style } from './render/style.js'

/** Options that every verb takes. */
export interface Globals {
  readonly json: boolean
  readonly bytes: boolean
  readonly home: string | undefined
}

export interface Context {
  readonly home: Home
  /** The folder given with --home or TORRENTINO_HOME, absolute, or null. */
  readonly named: string | null
  readonly json: boolean
  /** Of standard output. */
  readonly style: Style
  /** Standard output is a terminal. */
  readonly live: boolean
  /** A person can be asked: standard input and error are terminals. */
  readonly interactive: boolean
  out(text: string): void
  /** One JSON value on a line. */
  outJson(value: unknown): void
  note(text: string): void
}

export function createContext({ json, bytes, home: folder }: Globals): Context {
  const { env, platform, stdin, stdout, stderr } = process
  const around = { env, platform, homedir: homedir(), cwd: process.cwd() }
  const home = resolveHome(around, folder === undefined ? [] : ['--home', folder])
  const out = (text: string): void => void stdout.write(text)
  return {
    home,
    named: home.named ? home.state : null,
    json,
    style: {
      columns: columnsOf(stdout, env),
      colour: wantsColour(stdout, env),
      now: Date.now(),
      exact: bytes,
    },
    live: stdout.isTTY && env['TERM'] !== 'dumb',
    interactive: stdin.isTTY && stderr.isTTY && !json,
    out,
    outJson: (value) => out(jsonText(value) + '\n'),
    note: (text) => void stderr.write(text),
  }
}

/** Stands for a lone `-`, which yargs drops from lists; no shell can pass a zero byte. */
const DASH = '\0-'

/** To be done to the words before yargs reads them. */
export function hideDashes(words: readonly string[]): string[] {
  return words.map((word) => (word === '-' ? DASH : word))
}

function showDashes<A extends Globals>(argv: A): A {
  const shown = (value: unknown): unknown => (value === DASH ? '-' : value)
  const entries = Object.entries(argv).map(([key, value]): [string, unknown] => [
    key,
    Array.isArray(value) ? value.map(shown) : shown(value),
  ])
  return Object.fromEntries(entries) as unknown as A
}

/** Runs a verb and leaves its status to the process. */
export function verb<A extends Globals>(
  run: (context: Context, argv: A) => Promise<ExitStatus>,
): (argv: A) => Promise<void> {
  return async (argv) => {
    process.exitCode = await run(createContext(argv), showDashes(argv))
  }
}

function columnsOf(stdout: NodeJS.WriteStream, env: NodeJS.ProcessEnv): number {
  const said = Number(env['COLUMNS'])
  if (Number.isInteger(said) && said > 0) return said
  return stdout.isTTY ? stdout.columns : Infinity
}

/** NO_COLOR (no-color.org) wins over FORCE_COLOR. */
function wantsColour(stdout: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '') return env['FORCE_COLOR'] !== '0'
  return stdout.isTTY && env['TERM'] !== 'dumb'
}
