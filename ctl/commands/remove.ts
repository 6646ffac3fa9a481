/** `remove`: forgets torrents; their data go only when that is said. */
import type { Argv } from 'yargs'
import { escapeText } from '../../shared/text.js'
import { readRefs } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { withDaemon } from '../owner.js'
import { idsOption, tellMany } from './many.js'

export function removeCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'remove <ids..>',
    'Forget torrents; with --data delete their files too',
    (command) =>
      idsOption(command).option('data', {
        type: 'boolean',
        default: false,
        describe: 'Delete the files too',
      }),
    verb(async (context, argv) => {
      const ids = readRefs(argv.ids)
      return withDaemon(context, 'service', async (client) => {
        const answer = await client.call('torrent.remove', { ids, data: argv.data })
        return tellMany(context, answer, (torrent) => {
          // It is still there, and says why.
          if (torrent.desired === 'paused' && torrent.state === 'blocked')
            return escapeText(torrent.error ?? 'to be removed')
          return argv.data
            ? 'removed with its files'
            : `removed; its files stay in ${escapeText(torrent.dir)}`
        })
      })
    }),
  )
}
