/** `verify`: reads the data again. */
import type { Argv } from 'yargs'
import { readRefs } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { withDaemon } from '../owner.js'
import { stateText } from '../render/list.js'
import { idsOption, tellMany } from './many.js'

export function verifyCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'verify <ids..>',
    'Read the data of torrents again and check every piece',
    (command) => idsOption(command),
    verb(async (context, argv) => {
      const ids = readRefs(argv.ids)
      return withDaemon(context, 'service', async (client) => {
        const answer = await client.call('torrent.verify', { ids })
        return tellMany(context, answer, (torrent) => `to be verified, ${stateText(torrent)}`)
      })
    }),
  )
}
