/** `service install|uninstall|status` as a verb of the command line. */
import type { Argv } from 'yargs'
import { systemHost } from '../../launchd/host.js'
import { type Globals, verb } from '../context.js'
import { EXIT } from '../exit.js'
import { serviceInit } from '../owner.js'
import { runService } from './service.js'

export function serviceCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'service <action>',
    'Run torrentinod at every login',
    (command) =>
      command.positional('action', {
        choices: ['install', 'uninstall', 'status'] as const,
        demandOption: true,
      }),
    verb(async (context, argv) => {
      const answer = await runService(argv.action, serviceInit(context), systemHost())
      if (context.json) context.outJson(answer.json)
      else context.out(answer.lines.map((line) => `${line}\n`).join(''))
      return EXIT.ok
    }),
  )
}
