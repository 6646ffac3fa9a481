/** `label`: words to find torrents by. */
import type { Argv } from 'yargs'
import { isLabel, LABEL_LENGTH } from '../../shared/labels.js'
import type { Params } from '../../shared/rpc/contract.js'
import { escapeText } from '../../shared/text.js'
import { readRefs } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { EXIT, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { tellMany } from './many.js'

interface Asked {
  readonly names: readonly string[]
  readonly remove: readonly string[]
  readonly clear: boolean
}

export function labelCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'label <id> [names..]',
    'Give a torrent labels, or take them away; list --label finds it by them',
    (command) =>
      command
        .positional('id', {
          type: 'string',
          demandOption: true,
          describe: 'A number, a hash, the beginning of a hash, several with commas, or all',
        })
        .positional('names', { type: 'string', array: true, describe: 'Labels that it gets besides' })
        .option('remove', { type: 'string', array: true, requiresArg: true, describe: 'Take these away' })
        .option('clear', { type: 'boolean', default: false, describe: 'Take all away that it has' }),
    verb(async (context, argv) => {
      const asked = { names: argv.names ?? [], remove: argv.remove ?? [], clear: argv.clear }
      const params = { ids: readRefs(argv.id.split(',')), ...paramsOf(asked) }
      return withDaemon(context, 'service', async (client) =>
        tellMany(context, await client.call('torrent.label', params), ({ labels }) =>
          labels.length === 0 ? 'has no label' : labels.map((each) => escapeText(each)).join(', '),
        ),
      )
    }),
  )
}

function paramsOf({ names, remove, clear }: Asked): Omit<Params<'torrent.label'>, 'ids'> {
  if (names.length === 0 && remove.length === 0 && !clear)
    throw new Failure(EXIT.usage, 'name a label, or say --remove LABEL or --clear')
  return {
    ...(names.length === 0 ? {} : { add: names.map(readLabel) }),
    ...(remove.length === 0 ? {} : { remove: remove.map(readLabel) }),
    ...(clear ? { clear } : {}),
  }
}

/** Throws Failure. */
export function readLabel(word: string): string {
  if (isLabel(word)) return word
  throw new Failure(
    EXIT.usage,
    `${JSON.stringify(word)} is no label: it has 1 to ${LABEL_LENGTH} characters, no comma, and no space at its ends`,
  )
}
