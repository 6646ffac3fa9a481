/** `remove`: puts torrents into the trash; their data go only when that is said. */
import type { Argv } from 'yargs'
import type { TorrentRefs } from '../../shared/rpc/contract.js'
import { exitOfCode } from '../../shared/rpc/errors.js'
import { escapeText } from '../../shared/text.js'
import { readRefs } from '../arguments.js'
import type { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { combined, EXIT, type ExitStatus } from '../exit.js'
import { withDaemon } from '../owner.js'
import { renderPlan } from '../render/removal.js'
import { formatTime } from '../render/style.js'
import { idsOption, tellMany } from './many.js'

interface Asked {
  readonly ids: TorrentRefs
  readonly data: boolean
  readonly now: boolean
}

export function removeCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'remove <ids..>',
    'Forget torrents, with --data their files too; undo brings them back',
    (command) =>
      idsOption(command)
        .option('data', { type: 'boolean', default: false, describe: 'The files too' })
        .option('now', { type: 'boolean', default: false, describe: 'For good, and not into the trash' })
        .option('plan', {
          type: 'boolean',
          default: false,
          describe: 'Only tell what would be deleted and what would stay',
        }),
    verb(async (context, argv) => {
      const asked = { ids: readRefs(argv.ids), data: argv.data, now: argv.now }
      return withDaemon(context, 'service', (client) =>
        argv.plan ? plan(context, client, asked) : remove(context, client, asked),
      )
    }),
  )
}

async function remove(context: Context, client: Client, asked: Asked): Promise<ExitStatus> {
  const answer = await client.call('torrent.remove', asked)
  const { trash } = asked.now ? { trash: [] } : await client.call('trash.list', {})
  return tellMany(context, answer, (torrent) => {
    // It is still there, and says why.
    if (torrent.desired === 'paused' && torrent.state === 'blocked')
      return escapeText(torrent.error ?? 'to be removed')
    const lies = trash.find(({ id }) => id === torrent.id)
    const back =
      lies === undefined
        ? ''
        : `; torrentinoctl undo ${torrent.id} brings it back until ${formatTime(lies.until)}`
    return asked.data
      ? `removed with its files${back}`
      : `removed; its files stay in ${escapeText(torrent.dir)}${back}`
  })
}

async function plan(context: Context, client: Client, { ids, data }: Asked): Promise<ExitStatus> {
  const { results } = await client.call('torrent.planRemoval', { ids })
  if (!context.json && results.length === 0) context.out('There are no torrents.\n')
  for (const result of results) {
    if (!result.ok) context.note(`error: ${escapeText(result.error.message)}\n`)
    else if (context.json) context.outJson(result.plan)
    else context.out(renderPlan(result.plan, data, context.style))
  }
  return combined(results.map((result) => (result.ok ? EXIT.ok : exitOfCode(result.error.code))))
}
