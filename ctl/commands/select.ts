/** `select`: which files of a torrent are downloaded, which of them first, and in what order. */
import type { Argv } from 'yargs'
import { escapeText } from '../../shared/text.js'
import type { Params, Result } from '../../shared/rpc/contract.js'
import type { FileView, Priority } from '../../shared/views.js'
import { readRef } from '../arguments.js'
import { chooseFiles } from '../choose-files.js'
import { type Globals, verb } from '../context.js'
import { EXIT, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { orderText } from '../render/show.js'
import { bytesText, plural, type Style } from '../render/style.js'
import { idOption } from './one.js'

const PRIORITIES = ['low', 'normal', 'high', 'skip'] as const satisfies readonly Priority[]
const SWITCH = ['on', 'off'] as const

interface Wanted {
  readonly words: readonly string[]
  readonly priority: Priority | undefined
  readonly sequential: boolean | undefined
  readonly firstLast: boolean | undefined
}

export function selectCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'select <id> [files..]',
    'Choose which files of a torrent are downloaded, and which first',
    (command) =>
      idOption(command)
        .positional('files', {
          type: 'string',
          array: true,
          describe: "Numbers as torrentinoctl files shows them, ranges, patterns like '*.mkv', or all",
        })
        .option('priority', {
          choices: PRIORITIES,
          describe: 'Only how much these files are wanted; the others stay as they are',
        })
        .option('sequential', { choices: SWITCH, describe: 'Fetch pieces in order, not the rarest first' })
        .option('first-last', {
          choices: SWITCH,
          describe: 'Fetch the first and the last piece of each file before the others',
        }),
    verb(async (context, argv) => {
      const id = readRef(argv.id)
      const wanted: Wanted = {
        words: argv.files ?? [],
        priority: argv.priority,
        sequential: isOn(argv.sequential),
        firstLast: isOn(argv.firstLast),
      }
      refuseNothing(wanted)
      return withDaemon(context, 'service', async (client) => {
        const files = wanted.words.length > 0 ? (await client.call('torrent.files', { id })).files : []
        const { torrent } = await client.call('torrent.select', { id, ...asked(wanted, files) })
        if (context.json) context.outJson(torrent)
        else {
          const after = (await client.call('torrent.files', { id })).files
          context.out(
            `${torrent.id} ${escapeText(torrent.name)}: ${summary(torrent, after, context.style)}\n`,
          )
        }
        return EXIT.ok
      })
    }),
  )
}

function isOn(word: (typeof SWITCH)[number] | undefined): boolean | undefined {
  return word === undefined ? undefined : word === 'on'
}

function refuseNothing({ words, priority, sequential, firstLast }: Wanted): void {
  if (words.length === 0 && priority !== undefined)
    throw new Failure(EXIT.usage, '--priority needs files: write 1,3-5, a pattern like "*.mkv", or all')
  if (words.length === 0 && sequential === undefined && firstLast === undefined)
    throw new Failure(EXIT.usage, 'nothing was chosen; write 1,3-5, a pattern like "*.mkv", or all')
}

/** Without a priority these files are the only ones. */
function asked(
  { words, priority, sequential, firstLast }: Wanted,
  files: readonly FileView[],
): Omit<Params<'torrent.select'>, 'id'> {
  const chosen = words.length === 0 ? null : chooseFiles(words, files)
  return {
    ...(chosen === null
      ? {}
      : priority === undefined
        ? { files: chosen }
        : { priorities: [{ files: chosen, priority }] }),
    ...(sequential === undefined ? {} : { sequential }),
    ...(firstLast === undefined ? {} : { firstLast }),
  }
}

function summary(
  torrent: Result<'torrent.select'>['torrent'],
  files: readonly FileView[],
  style: Style,
): string {
  const count = files.filter((file) => file.wanted).length
  const what = `${plural(count, 'file')}, ${bytesText(torrent.wantedBytes, style)} to download`
  const order = orderText(torrent)
  return order === null ? what : `${what}, ${order}`
}
