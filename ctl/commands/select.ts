/** `select`: which files of a torrent are downloaded. */
import type { Argv } from 'yargs'
import { escapeText, formatBytes } from '../../shared/text.js'
import { readFileNumbers, readRef } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { EXIT } from '../exit.js'
import { withDaemon } from '../owner.js'
import { plural } from '../render/style.js'
import { idOption } from './one.js'

export function selectCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'select <id> <files..>',
    'Choose which files of a torrent are downloaded',
    (command) =>
      idOption(command).positional('files', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Numbers as torrentinoctl files shows them, or all',
      }),
    verb(async (context, argv) => {
      const id = readRef(argv.id)
      const chosen = argv.files.includes('all') ? null : readFileNumbers(argv.files)
      return withDaemon(context, 'service', async (client) => {
        const files = chosen ?? (await client.call('torrent.files', { id })).files.map((file) => file.index)
        const { torrent } = await client.call('torrent.select', { id, files })
        if (context.json) context.outJson(torrent)
        else {
          const what = `${plural(files.length, 'file')}, ${formatBytes(torrent.wantedBytes)}`
          context.out(`${torrent.id} ${escapeText(torrent.name)}: ${what} to download\n`)
        }
        return EXIT.ok
      })
    }),
  )
}
