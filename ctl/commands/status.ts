/** `status`: what the daemon is doing. */
import type { Argv } from 'yargs'
import { type Globals, verb } from '../context.js'
import { EXIT } from '../exit.js'
import { withDaemon } from '../owner.js'
import { renderStatus } from '../render/status.js'

export function statusCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'status',
    'What torrentinod is doing',
    (command) => command,
    verb(async (context) =>
      withDaemon(context, 'never', async (client) => {
        const daemon = await client.call('session.status', {})
        if (context.json) context.outJson(daemon)
        else context.out(renderStatus(daemon, context.style))
        return EXIT.ok
      }),
    ),
  )
}
