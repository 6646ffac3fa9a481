/** `queue`: who downloads, who waits, and in what order; and puts torrents elsewhere in it. */
import type { Argv } from 'yargs'
import type { Params } from '../../shared/rpc/contract.js'
import { readCount, readRefs } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { EXIT, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { stateText } from '../render/list.js'
import { renderQueue } from '../render/queue.js'
import { tellMany } from './many.js'

type Step = Params<'queue.move'>['to']

const STEPS = ['top', 'bottom', 'up', 'down'] as const

export function queueCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'queue [ids..]',
    'The order in which torrents download and seed, and who waits',
    (command) =>
      command
        .positional('ids', {
          type: 'string',
          array: true,
          default: [] as string[],
          describe: 'Torrents to put elsewhere; without them the order is shown',
        })
        .option('top', { type: 'boolean', default: false, describe: 'Before all others' })
        .option('bottom', { type: 'boolean', default: false, describe: 'After all others' })
        .option('up', { type: 'boolean', default: false, describe: 'One place forward' })
        .option('down', { type: 'boolean', default: false, describe: 'One place back' })
        .option('to', { type: 'string', requiresArg: true, describe: 'To this place, counted from 1' }),
    verb(async (context, argv) => {
      const to = stepOf(argv)
      if (argv.ids.length === 0) {
        if (to !== null) throw new Failure(EXIT.usage, 'which torrent? write torrentinoctl queue 3 --top')
        return withDaemon(context, 'never', async (client) => {
          const queue = await client.call('queue.list', {})
          if (context.json) context.outJson(queue)
          else context.out(renderQueue(queue, context.style))
          return EXIT.ok
        })
      }
      if (to === null) throw new Failure(EXIT.usage, 'say where to: --top, --bottom, --up, --down or --to N')
      const ids = readRefs(argv.ids)
      return withDaemon(context, 'service', async (client) => {
        const answer = await client.call('queue.move', { ids, to })
        return tellMany(context, answer, stateText)
      })
    }),
  )
}

function stepOf(
  argv: Readonly<Record<(typeof STEPS)[number], boolean>> & { readonly to?: string | undefined },
): Step | null {
  const steps: Step[] = STEPS.filter((step) => argv[step])
  if (argv.to !== undefined) steps.push(readPlace(argv.to))
  if (steps.length > 1)
    throw new Failure(EXIT.usage, 'one of --top, --bottom, --up, --down and --to N at a time')
  return steps[0] ?? null
}

function readPlace(word: string): number {
  const place = readCount('--to', word)
  if (place < 1) throw new Failure(EXIT.usage, 'places are counted from 1; --to 1 is the first')
  return Math.min(1_000_000, place)
}
