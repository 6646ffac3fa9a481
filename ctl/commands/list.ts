/** `list`: every torrent, or those named. */
import type { Argv } from 'yargs'
import { readRefs } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { EXIT } from '../exit.js'
import { withDaemon } from '../owner.js'
import { renderList } from '../render/list.js'
import { listTorrents } from '../torrents.js'

export function listCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    ['list [ids..]', 'ls'],
    'Torrents and what they are doing',
    (command) =>
      command.positional('ids', {
        type: 'string',
        array: true,
        default: [] as string[],
        describe: 'Only these; all without',
      }),
    verb(async (context, argv) => {
      const ids = argv.ids.length === 0 ? undefined : readRefs(argv.ids)
      return withDaemon(context, 'never', async (client) => {
        const torrents = await listTorrents(client, ids)
        if (context.json) context.outJson(torrents)
        else context.out(renderList(torrents, context.style))
        return EXIT.ok
      })
    }),
  )
}
