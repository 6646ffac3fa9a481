/** `pause`: stops torrents and keeps them stopped. */
import type { Argv } from 'yargs'
import { readRefs } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { withDaemon } from '../owner.js'
import { idsOption, tellMany } from './many.js'

export function pauseCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'pause <ids..>',
    'Stop torrents and keep them stopped',
    (command) => idsOption(command),
    verb(async (context, argv) => {
      const ids = readRefs(argv.ids)
      return withDaemon(context, 'service', async (client) => {
        const answer = await client.call('torrent.pause', { ids })
        return tellMany(context, answer, (torrent) =>
          torrent.state === 'paused' ? 'paused' : 'pausing: its last writes and announces are under way',
        )
      })
    }),
  )
}
