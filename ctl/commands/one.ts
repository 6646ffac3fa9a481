/** The verbs that show one torrent. */
import type { Argv } from 'yargs'
import type { Method, Result, TorrentRef } from '../../shared/rpc/contract.js'
import { readRef } from '../arguments.js'
import type { Client } from '../client.js'
import { type Globals, verb } from '../context.js'
import { EXIT } from '../exit.js'
import { withDaemon } from '../owner.js'
import type { Style } from '../render/style.js'

/** The positional that all of them have. */
export function idOption<T>(cli: Argv<T>) {
  return cli.positional('id', {
    type: 'string',
    demandOption: true,
    describe: 'A number, a hash, or the beginning of a hash',
  })
}

interface Showing<M extends Method, T> {
  /** With its positional: `files <id>`. */
  readonly command: string
  readonly describe: string
  readonly ask: (client: Client, id: TorrentRef) => Promise<Result<M>>
  /** What --json prints. */
  readonly value: (result: Result<M>) => T
  readonly render: (value: T, style: Style) => string
}

export function showing<M extends Method, T>(cli: Argv<Globals>, init: Showing<M, T>): Argv<Globals> {
  return cli.command(
    init.command,
    init.describe,
    (command) => idOption(command),
    verb(async (context, argv) =>
      withDaemon(context, 'never', async (client) => {
        const value = init.value(await init.ask(client, readRef(argv.id)))
        if (context.json) context.outJson(value)
        else context.out(init.render(value, context.style))
        return EXIT.ok
      }),
    ),
  )
}
