/** `add`: from files, addresses, magnet links or standard input to torrents. */
import type { Argv } from 'yargs'
import type { Params, Result } from '../../shared/rpc/contract.js'
import { escapeText } from '../../shared/text.js'
import type { TorrentId } from '../../shared/units.js'
import { readFolder } from '../arguments.js'
import { readChoice } from '../choose-files.js'
import type { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { combined, endingOf, EXIT, type ExitStatus, Failure } from '../exit.js'
import { follow } from '../follow.js'
import { withDaemon } from '../owner.js'
import { renderAdded } from '../render/added.js'
import { readSource, type Source } from '../sources.js'

/** The options of `add`, which `torrentinoctl FILE` takes too. */
export function addOptions<T>(cli: Argv<T>) {
  return cli
    .option('dir', { type: 'string', requiresArg: true, describe: 'Folder for the files' })
    .option('select', {
      type: 'string',
      requiresArg: true,
      describe: "Only these files: 1,3-5, or a pattern like '*.mkv'",
    })
    .option('paused', { type: 'boolean', default: false, describe: 'Add without starting' })
    .option('follow', { type: 'boolean', default: false, describe: 'Show the progress until complete' })
    .option('start', { type: 'boolean', default: false, describe: 'Start torrentinod if it is not running' })
}

export interface AddArguments extends Globals {
  readonly files: readonly string[]
  readonly dir: string | undefined
  readonly select: string | undefined
  readonly paused: boolean
  readonly follow: boolean
  readonly start: boolean
}

export function addCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'add <files..>',
    'Download torrents from files, addresses or magnet links',
    (command) =>
      addOptions(
        command.positional('files', {
          type: 'string',
          array: true,
          demandOption: true,
          describe: '.torrent files, http(s) addresses, magnet links, or - for standard input',
        }),
      ),
    verb(runAdd),
  )
}

interface Named {
  readonly name: string
  readonly source: Source
}

export async function runAdd(context: Context, argv: AddArguments): Promise<ExitStatus> {
  const options = addParams(argv)
  const statuses: ExitStatus[] = []
  const sources: Named[] = []
  // Everything is read before a daemon is asked for: a slip in a file name starts nothing.
  for (const name of argv.files) {
    try {
      sources.push({ name, source: await readSource(name) })
    } catch (error) {
      statuses.push(tell(context, name, error, argv.files.length > 1))
    }
  }
  if (sources.length === 0) return combined(statuses)
  return withDaemon(context, argv.start ? 'start' : 'ask', async (client) => {
    const ids: TorrentId[] = []
    for (const { name, source } of sources) {
      try {
        const added = await addOne(client, source, options)
        show(context, added)
        ids.push(added.id)
        statuses.push(EXIT.ok)
      } catch (error) {
        statuses.push(tell(context, name, error, argv.files.length > 1))
      }
    }
    if (argv.follow && ids.length > 0) statuses.push(await follow(context, client, ids))
    return combined(statuses)
  })
}

type Options = Omit<Params<'torrent.add'>, 'metainfo' | 'magnet'>

function addParams(argv: AddArguments): Options {
  if (argv.select !== undefined && argv.files.length > 1) {
    throw new Failure(EXIT.usage, '--select is for one torrent; add them one after the other')
  }
  if (argv.paused && argv.follow) {
    throw new Failure(EXIT.usage, '--paused and --follow exclude each other: nothing would be downloaded')
  }
  return {
    ...(argv.dir === undefined ? {} : { dir: readFolder(argv.dir) }),
    ...(argv.select === undefined ? {} : { choose: [readChoice(argv.select)] }),
    ...(argv.paused ? { paused: true } : {}),
  }
}

function addOne(client: Client, source: Source, options: Options): Promise<Result<'torrent.add'>> {
  return client.call('torrent.add', { ...source, ...options })
}

function show(context: Context, added: Result<'torrent.add'>): void {
  const { id, infoHash, name, duplicate, fromTrash } = added
  if (context.json) context.outJson({ id, infoHash, name, duplicate, fromTrash })
  else context.out(renderAdded(added, context.style))
}

function tell(context: Context, name: string, error: unknown, named: boolean): ExitStatus {
  const { status, sentence } = endingOf(error)
  const which = named ? `${escapeText(name)}: ` : ''
  context.note(`error: ${which}${escapeText(sentence)}\n`)
  return status
}
