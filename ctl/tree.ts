/** The verbs as data: what is told to yargs is written down, for help, completion and docs/cli.md. */
import type { Argv } from 'yargs'
import type { Globals } from './context.js'

export interface OptionSpec {
  /** Without dashes. */
  readonly name: string
  /** One letter, or null. */
  readonly short: string | null
  readonly takesValue: boolean
  readonly choices: readonly string[]
  readonly default: string | null
  readonly describe: string
}

export interface WordSpec {
  readonly name: string
  readonly choices: readonly string[]
  readonly describe: string
}

export interface VerbSpec {
  readonly name: string
  readonly aliases: readonly string[]
  /** The verb and its words: `list [ids..]`. */
  readonly usage: string
  readonly describe: string
  readonly words: readonly WordSpec[]
  readonly options: readonly OptionSpec[]
}

/** What to type after `torrentinoctl`, and what it does. */
export type Example = readonly [words: string, what: string]

export interface ShownVerb extends VerbSpec {
  readonly examples: readonly Example[]
}

export interface ShownGroup {
  readonly title: string
  readonly verbs: readonly ShownVerb[]
}

/** Tells yargs of a verb. */
export type Declare = (cli: Argv<Globals>) => Argv<Globals>

/** The part of yargs' options that we use. */
interface Declared {
  readonly type?: string
  readonly alias?: string
  readonly choices?: readonly string[]
  readonly default?: unknown
  readonly describe?: string
}

type Builder = (command: Recorder) => unknown

/** Stands for yargs while a verb is declared. */
class Recorder {
  readonly verbs: VerbSpec[] = []
  readonly #words: WordSpec[] = []
  readonly #options: OptionSpec[] = []

  command(
    usages: string | readonly string[] | Module,
    describe = '',
    builder: Builder = () => undefined,
  ): this {
    if (typeof usages === 'object' && 'command' in usages)
      return this.command(usages.command, usages.describe, usages.builder)
    const [usage = '', ...aliases] = typeof usages === 'string' ? [usages] : usages
    const inner = new Recorder()
    builder(inner)
    this.verbs.push({
      name: usage.split(' ')[0] ?? '',
      aliases,
      usage,
      describe,
      words: inner.#words,
      options: inner.#options,
    })
    return this
  }

  positional(name: string, { choices = [], describe = '' }: Declared): this {
    this.#words.push({ name, choices, describe })
    return this
  }

  option(name: string, { type, alias, choices = [], default: standard, describe = '' }: Declared): this {
    this.#options.push({
      name,
      short: alias ?? null,
      takesValue: type !== 'boolean',
      choices,
      default: typeof standard === 'string' ? standard : null,
      describe,
    })
    return this
  }
}

interface Module {
  readonly command: string
  readonly describe: string
  readonly builder: Builder
}

/** What the declarations say; nothing is run. */
export function verbOf(declare: Declare): VerbSpec {
  const recorder = new Recorder()
  declare(recorder as unknown as Argv<Globals>)
  const [verb] = recorder.verbs
  if (verb === undefined || recorder.verbs.length > 1) throw new Error('a declaration is one verb')
  return verb
}

/** Options that every verb takes. */
export const GLOBAL_OPTIONS = {
  json: { type: 'boolean', default: false, describe: 'For programs: JSON' },
  bytes: { type: 'boolean', default: false, describe: 'Sizes and rates as exact numbers of bytes' },
  home: { type: 'string', requiresArg: true, describe: 'Folder of state, socket, settings and logs' },
} as const

/** The same as data, with the two that yargs or we answer at once. */
export function globalOptions(): readonly OptionSpec[] {
  const recorder = new Recorder()
  recorder.command('x', '', (command) => {
    for (const [name, option] of Object.entries(GLOBAL_OPTIONS)) command.option(name, option)
    command.option('help', { type: 'boolean', alias: 'h', describe: 'This help' })
    command.option('version', { type: 'boolean', describe: 'The version' })
  })
  return recorder.verbs[0]?.options ?? []
}
