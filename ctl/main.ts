/** torrentinoctl: words to verbs, errors to one sentence and a status. */
import { existsSync } from 'node:fs'
import yargs, { type Argv } from 'yargs'
import { escapeText } from '../shared/text.js'
import { VERSION } from '../shared/version.js'
import { type AddArguments, addOptions, runAdd } from './commands/add.js'
import { runHome } from './commands/home.js'
import { type Context, createContext, type Globals, hideDashes, verb } from './context.js'
import { endingOf, EXIT, type ExitStatus, Failure } from './exit.js'
import { renderHelp, renderVerbHelp } from './render/help.js'
import { GLOBAL_OPTIONS } from './tree.js'
import { meant, readTyped, type Typed, usageSentence } from './usage.js'
import { commandTree, GROUPS } from './verbs.js'

const tree = commandTree()
const verbs = tree.flatMap((group) => group.verbs)

function commandLine(words: readonly string[], typed: Typed): Argv<Globals> {
  const globals: Argv<Globals> = yargs(hideDashes(words))
    .scriptName('torrentinoctl')
    .locale('en')
    .parserConfiguration({ 'parse-numbers': false, 'parse-positional-numbers': false, 'dot-notation': false })
    .option('json', { ...GLOBAL_OPTIONS.json, global: true })
    .option('bytes', { ...GLOBAL_OPTIONS.bytes, global: true })
    .option('home', { ...GLOBAL_OPTIONS.home, global: true })
  return GROUPS.flatMap((group) => group.verbs)
    .reduce((cli, { declare }) => declare(cli), globals)
    .command(
      '$0 [files..]',
      false,
      (command) =>
        addOptions(command.positional('files', { type: 'string', array: true, default: [] as string[] })),
      verb(runDefault),
    )
    .version(VERSION)
    .help(false)
    .strict()
    .exitProcess(false)
    .fail((message: string, error: Error | null | undefined) => {
      // What the reader of words refuses comes as an error, as what a verb throws does.
      const slip = error?.message.startsWith('Not enough arguments following') === true
      if (error !== undefined && error !== null && !slip) throw error
      throw new Failure(EXIT.usage, usageSentence(slip ? error.message : message, words, typed.verb))
    })
}

/** `torrentinoctl FILE` is `add`; a word that is no file was meant as a command. */
async function runDefault(context: Context, argv: AddArguments): Promise<ExitStatus> {
  const [first] = argv.files
  if (first === undefined) return runHome(context)
  if (/^[\w-]+$/.test(first) && !existsSync(first)) throw noSuchVerb(first)
  return runAdd(context, argv)
}

/** `--help`, of the verb before it or of everything. */
function help({ verb: of, word }: Typed): void {
  if (of === null && word !== null && !existsSync(word)) throw noSuchVerb(word)
  const context = createContext({ json: false, bytes: false, home: undefined })
  const { style } = context
  context.out(of === null ? renderHelp(tree, style) : renderVerbHelp(of, style))
}

function noSuchVerb(word: string): Failure {
  const near = meant(
    word,
    verbs.flatMap(({ name, aliases }) => [name, ...aliases]),
  )
  const sentence = `there is no command and no file ${JSON.stringify(word)}${near}`
  return new Failure(
    EXIT.usage,
    near === '' ? `${sentence}; torrentinoctl --help lists the commands` : sentence,
  )
}

async function main(words: readonly string[]): Promise<void> {
  // Whoever reads us has seen enough: `torrentinoctl list | head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.fault)
  })
  try {
    const typed = readTyped(words, verbs)
    if (typed.help) help(typed)
    else await commandLine(words, typed).parseAsync()
  } catch (error) {
    const { status, sentence } = endingOf(error)
    process.stderr.write(`error: ${escapeText(sentence)}\n`)
    process.exitCode = status
  }
}

await main(process.argv.slice(2))
