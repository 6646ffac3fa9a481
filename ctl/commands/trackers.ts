/** `trackers`: what each tracker of a torrent says; they are added and removed here too. */
import type { Argv } from 'yargs'
import type { Result, TorrentRef } from '../../shared/rpc/contract.js'
import { escapeText } from '../../shared/text.js'
import type { TrackerView } from '../../shared/views.js'
import type { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { EXIT, Failure } from '../exit.js'
import { TEMPLATE_OPTION } from '../render/template.js'
import { renderTrackers } from '../render/trackers.js'
import { idsOption } from './many.js'
import { showEach } from './one.js'

type Asked = 'torrent.trackers' | 'torrent.editTrackers' | 'torrent.scrape'

interface Edit {
  readonly add: readonly string[] | undefined
  readonly remove: readonly string[] | undefined
  /** From 1, as it is shown. */
  readonly tier: number | undefined
}

export function trackersCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'trackers <ids..>',
    'The trackers of a torrent, and what each said last; adds and removes them',
    (command) =>
      idsOption(command)
        .option('add', {
          type: 'string',
          array: true,
          nargs: 1,
          describe: 'Add this address, http, https or udp; may be given several times',
        })
        .option('remove', {
          type: 'string',
          array: true,
          nargs: 1,
          describe: 'Remove this address, in full or as it is shown; may be given several times',
        })
        .option('tier', {
          type: 'number',
          nargs: 1,
          describe: 'Add to this tier, or remove from this one only, and not a tier of its own',
        })
        .option('scrape', {
          type: 'boolean',
          default: false,
          describe: 'Ask each for seeds, leechers and downloads first, without announcing',
        })
        .option('template', TEMPLATE_OPTION),
    verb((context, argv) => {
      const edit = { add: argv.add, remove: argv.remove, tier: argv.tier }
      refuseOdd(edit)
      return showEach<Asked, readonly TrackerView[]>(context, argv, {
        ask: async (client, id) => {
          const edited = await ask(client, id, edit)
          return argv.scrape ? scraped(context, client, id) : edited
        },
        value: ({ trackers }) => trackers,
        render: renderTrackers,
      })
    }),
  )
}

/** Who did not tell is told of apart: the table has what was known before. */
async function scraped(context: Context, client: Client, id: TorrentRef): Promise<Result<'torrent.scrape'>> {
  const answer = await client.call('torrent.scrape', { id })
  for (const { url, message } of answer.failed)
    context.note(`note: ${escapeText(url)}: ${escapeText(message)}\n`)
  return answer
}

function refuseOdd({ add, remove, tier }: Edit): void {
  if (tier === undefined) return
  if (add === undefined && remove === undefined)
    throw new Failure(EXIT.usage, '--tier says where --add puts a tracker, or --remove finds it')
  if (!Number.isInteger(tier) || tier < 1 || tier > 1000)
    throw new Failure(EXIT.usage, '--tier takes a number from 1 on, as torrentinoctl trackers shows them')
}

function ask(client: Client, id: TorrentRef, { add, remove, tier }: Edit) {
  if (add === undefined && remove === undefined) return client.call('torrent.trackers', { id })
  return client.call('torrent.editTrackers', {
    id,
    ...(add === undefined ? {} : { add: [...add] }),
    ...(remove === undefined ? {} : { remove: [...remove] }),
    ...(tier === undefined ? {} : { tier: tier - 1 }),
  })
}
