/** torrentinoctl: words to verbs, errors to one sentence and a status. */
import { existsSync } from 'node:fs'
import yargs, { type Argv } from 'yargs'
import { escapeText } from '../shared/text.js'
import { VERSION } from '../shared/version.js'
import { addCommand, type AddArguments, addOptions, runAdd } from './commands/add.js'
import { announceCommand } from './commands/announce.js'
import { backupCommand } from './commands/backup.js'
import { configCommand } from './commands/config.js'
import { daemonCommand } from './commands/daemon.js'
import { dhtCommand } from './commands/dht.js'
import { eventsCommand } from './commands/events.js'
import { exportCommand } from './commands/export.js'
import { filesCommand } from './commands/files.js'
import { runHome } from './commands/home.js'
import { inspectCommand } from './commands/inspect.js'
import { listCommand } from './commands/list.js'
import { magnetCommand } from './commands/magnet.js'
import { moveCommand } from './commands/move.js'
import { pauseCommand } from './commands/pause.js'
import { peersCommand } from './commands/peers.js'
import { removeCommand } from './commands/remove.js'
import { restoreCommand } from './commands/restore.js'
import { resumeCommand } from './commands/resume.js'
import { rpcCommand } from './commands/rpc.js'
import { selectCommand } from './commands/select.js'
import { serviceCommand } from './commands/service.js'
import { showCommand } from './commands/show.js'
import { statusCommand } from './commands/status.js'
import { topCommand } from './commands/top.js'
import { trackersCommand } from './commands/trackers.js'
import { verifyCommand } from './commands/verify.js'
import { waitCommand } from './commands/wait.js'
import { whyCommand } from './commands/why.js'
import { type Context, type Globals, hideDashes, verb } from './context.js'
import { endingOf, EXIT, type ExitStatus, Failure } from './exit.js'

const EXIT_HELP =
  'Exit status: 0 ok, 1 fault, 2 usage or bad file, 3 no such torrent, 4 ambiguous, 5 no daemon, 6 running already, ' +
  '7 partly done, 8 wait timed out, 9 another contract version.'

const COMMANDS: readonly ((cli: Argv<Globals>) => Argv<Globals>)[] = [
  addCommand,
  listCommand,
  topCommand,
  showCommand,
  whyCommand,
  filesCommand,
  selectCommand,
  peersCommand,
  trackersCommand,
  announceCommand,
  eventsCommand,
  dhtCommand,
  pauseCommand,
  resumeCommand,
  removeCommand,
  verifyCommand,
  moveCommand,
  waitCommand,
  exportCommand,
  magnetCommand,
  inspectCommand,
  backupCommand,
  restoreCommand,
  statusCommand,
  daemonCommand,
  (cli) => cli.command(serviceCommand),
  configCommand,
  rpcCommand,
]

function commandLine(words: readonly string[]): Argv<Globals> {
  const globals: Argv<Globals> = yargs(hideDashes(words))
    .scriptName('torrentinoctl')
    .usage('$0 [command]\n\nDownloads and seeds torrents. Without a command: how things stand.')
    .locale('en')
    .parserConfiguration({ 'parse-numbers': false, 'parse-positional-numbers': false, 'dot-notation': false })
    .option('json', { type: 'boolean', default: false, global: true, describe: 'For programs: JSON' })
    .option('home', {
      type: 'string',
      requiresArg: true,
      global: true,
      describe: 'Folder of state, socket, settings and logs',
    })
  return COMMANDS.reduce((cli, command) => command(cli), globals)
    .command(
      '$0 [files..]',
      false,
      (command) =>
        addOptions(
          command.positional('files', {
            type: 'string',
            array: true,
            default: [] as string[],
            describe: 'As add takes them',
          }),
        ),
      verb(runDefault),
    )
    .version(VERSION)
    .help()
    .epilogue(EXIT_HELP)
    .strict()
    .wrap(Math.min(100, process.stdout.columns || 100))
    .exitProcess(false)
    .fail((message, error: Error | undefined) => {
      throw error ?? new Failure(EXIT.usage, usageSentence(message, words))
    })
}

/** `torrentinoctl FILE` is `add`; a word that is no file was meant as a command. */
async function runDefault(context: Context, argv: AddArguments): Promise<ExitStatus> {
  const [first] = argv.files
  if (first === undefined) return runHome(context)
  if (/^[\w-]+$/.test(first) && !existsSync(first)) {
    throw new Failure(
      EXIT.usage,
      `there is no command and no file ${JSON.stringify(first)}; torrentinoctl --help lists the commands`,
    )
  }
  return runAdd(context, argv)
}

/** yargs writes its complaints on several lines, and counts arguments where a person wants to know which. */
function usageSentence(message: string, words: readonly string[]): string {
  const verbs = words.filter((word) => /^[a-z]+$/.test(word)).slice(0, 1)
  const help = ['torrentinoctl', ...verbs, '--help'].join(' ')
  const missing = message.startsWith('Not enough non-option arguments')
  return missing
    ? `an argument is missing; ${help} shows which`
    : `${message.trim().replace(/\s*\n\s*/g, ' ')}; ${help} shows what there is`
}

async function main(words: readonly string[]): Promise<void> {
  // Whoever reads us has seen enough: `torrentinoctl list | head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.fault)
  })
  try {
    await commandLine(words).parseAsync()
  } catch (error) {
    const { status, sentence } = endingOf(error)
    process.stderr.write(`error: ${escapeText(sentence)}\n`)
    process.exitCode = status
  }
}

await main(process.argv.slice(2))
