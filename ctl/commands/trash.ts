/** `trash` and `undo`: what was removed, and how it comes back. */
import type { Argv } from 'yargs'
import { exitOfCode } from '../../shared/rpc/errors.js'
import { escapeText } from '../../shared/text.js'
import { readRef, readRefs } from '../arguments.js'
import type { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { combined, EXIT, type ExitStatus, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { paint } from '../render/style.js'
import { renderTrash } from '../render/trash.js'

export function trashCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'trash [ids..]',
    'Show what was removed and can come back, or delete it for good',
    (command) =>
      command
        .positional('ids', {
          type: 'string',
          array: true,
          describe: 'With --empty: only these; numbers, hashes, beginnings of hashes',
        })
        .option('empty', { type: 'boolean', default: false, describe: 'Delete it for good, now' }),
    verb(async (context, argv) => {
      const words = argv.ids ?? []
      if (words.length > 0 && !argv.empty)
        throw new Failure(
          EXIT.usage,
          'trash takes ids with --empty only; torrentinoctl undo ID brings one back',
        )
      return withDaemon(context, 'never', (client) =>
        argv.empty ? empty(context, client, words) : list(context, client),
      )
    }),
  )
}

export function undoCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'undo [id]',
    'Bring back a torrent that was removed, with its files: the latest, or this one',
    (command) =>
      command.positional('id', {
        type: 'string',
        describe: 'As torrentinoctl trash shows it: a number, a hash, or the beginning of a hash',
      }),
    verb(async (context, argv) => {
      const id = argv.id === undefined ? {} : { id: readRef(argv.id) }
      return withDaemon(context, 'never', async (client) => {
        const { torrent } = await client.call('trash.undo', id)
        if (context.json) context.outJson(torrent)
        else {
          const name = paint(escapeText(torrent.name), 'bold', context.style)
          context.out(`${torrent.id} ${name}: is back, in ${escapeText(torrent.dir)}\n`)
        }
        return EXIT.ok
      })
    }),
  )
}

async function list(context: Context, client: Client): Promise<ExitStatus> {
  const { trash, bytes } = await client.call('trash.list', {})
  if (context.json) context.outJson({ trash, bytes })
  else context.out(renderTrash(trash, bytes, context.style))
  return EXIT.ok
}

async function empty(context: Context, client: Client, words: readonly string[]): Promise<ExitStatus> {
  const { results } = await client.call('trash.empty', { ids: words.length === 0 ? 'all' : readRefs(words) })
  if (context.json) context.outJson({ results })
  if (!context.json && results.length === 0) context.out('The trash is empty.\n')
  for (const result of results) {
    if (!result.ok) context.note(`error: ${escapeText(result.error.message)}\n`)
    else if (!context.json) {
      const { id, name, data } = result.torrent
      context.out(`${id} ${escapeText(name)}: is gone${data ? ' with its files' : ''}\n`)
    }
  }
  return combined(results.map((result) => (result.ok ? EXIT.ok : exitOfCode(result.error.code))))
}
