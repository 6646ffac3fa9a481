/** `events`: what happened, out of the journal that the daemon keeps. */
import type { Argv } from 'yargs'
import type { EventView } from '../../shared/rpc/contract.js'
import { readCount } from '../arguments.js'
import { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { EXIT, type ExitStatus } from '../exit.js'
import { interruption } from '../interruption.js'
import { followEvents, newestEvent, readEvents } from '../journal.js'
import { withDaemon } from '../owner.js'
import { renderEvent, renderEventsHead } from '../render/events.js'

/** Shown where neither --since nor --limit is given. */
const LATEST = 50

export function eventsCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'events',
    'What happened, when, and who asked for it',
    (command) =>
      command
        .option('since', {
          type: 'string',
          requiresArg: true,
          describe: 'Those after this number, oldest first',
        })
        .option('limit', {
          type: 'string',
          requiresArg: true,
          describe: `So many; without --since the latest`,
        })
        .option('follow', {
          alias: 'f',
          type: 'boolean',
          default: false,
          describe: 'Go on with what happens, until Ctrl-C',
        }),
    verb(async (context, argv) => {
      const since = argv.since === undefined ? null : readCount('--since', argv.since)
      const limit = argv.limit === undefined ? null : readCount('--limit', argv.limit)
      return withDaemon(context, 'never', (client) =>
        run(context, client, { since, limit, follow: argv.follow }),
      )
    }),
  )
}

interface Asked {
  readonly since: number | null
  readonly limit: number | null
  readonly follow: boolean
}

async function run(context: Context, client: Client, asked: Asked): Promise<ExitStatus> {
  const after = asked.since ?? Math.max(0, (await newestEvent(client)) - (asked.limit ?? LATEST))
  const reading = { after, limit: asked.limit ?? Infinity, show: shower(context) }
  const last = await readEvents(client, reading)
  if (!asked.follow) {
    if (last === after && !context.json) context.out('Nothing has happened.\n')
    return EXIT.ok
  }
  const { stop, end } = interruption()
  try {
    const connect = (): Promise<Client | null> => Client.connect(context.home.socket)
    await followEvents(context, client, { ...reading, after: last }, { connect, stop })
    return EXIT.ok
  } finally {
    end()
  }
}

/** The titles come with the first event. */
function shower(context: Context): (event: EventView) => void {
  let headed = false
  return (event) => {
    if (context.json) return context.outJson(event)
    if (!headed) context.out(renderEventsHead(context.style))
    headed = true
    context.out(renderEvent(event, context.style))
  }
}
