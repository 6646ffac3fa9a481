/** `resume`: starts torrents and keeps them running. */
import type { Argv } from 'yargs'
import { readRefs } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { withDaemon } from '../owner.js'
import { stateText } from '../render/list.js'
import { idsOption, tellMany } from './many.js'

export function resumeCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'resume <ids..>',
    'Start torrents and keep them running',
    (command) =>
      idsOption(command)
        .option('now', {
          type: 'boolean',
          default: false,
          describe: 'Past the queue, from now on and after a restart; resume without it takes that back',
        })
        .option('start', {
          type: 'boolean',
          default: false,
          describe: 'Start torrentinod if it is not running',
        }),
    verb(async (context, argv) => {
      const ids = readRefs(argv.ids)
      return withDaemon(context, argv.start ? 'start' : 'ask', async (client) => {
        const answer = await client.call('torrent.resume', argv.now ? { ids, now: true } : { ids })
        return tellMany(context, answer, (torrent) => `resumed, ${stateText(torrent)}`)
      })
    }),
  )
}
