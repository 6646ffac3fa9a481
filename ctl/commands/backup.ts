/** `backup`: the database as it is now, in one file. */
import { resolve } from 'node:path'
import type { Argv } from 'yargs'
import { escapeText } from '../../shared/text.js'
import { type Globals, verb } from '../context.js'
import { EXIT } from '../exit.js'
import { withDaemon } from '../owner.js'

export function backupCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'backup [file]',
    'Save the list of torrents to a file',
    (command) =>
      command.positional('file', {
        type: 'string',
        describe: 'A new file; without it a dated one in backups',
      }),
    verb(async (context, { file }) =>
      withDaemon(context, 'never', async (client) => {
        const made = await client.call('database.backup', file === undefined ? {} : { path: resolve(file) })
        if (context.json) context.outJson(made)
        else context.out(`${escapeText(made.path)}\n`)
        return EXIT.ok
      }),
    ),
  )
}
