/** `limit`: how fast payload may move, of one torrent or of all together. */
import type { Argv } from 'yargs'
import type { SettingView } from '../../shared/rpc/contract.js'
import { fromRate, LEAST_RATE, MOST_RATE, RATE_PROBLEM } from '../../shared/settings.js'
import type { Rate } from '../../shared/units.js'
import { readRefs } from '../arguments.js'
import { type Context, type Globals, verb } from '../context.js'
import { EXIT, type ExitStatus, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { limitText } from '../render/show.js'
import { withSettings } from './config.js'
import { tellMany } from './many.js'

const DIRECTIONS = ['down', 'up'] as const

/** Null: none. Left out: as it is. */
interface Wanted {
  readonly down?: Rate | null
  readonly up?: Rate | null
}

export function limitCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'limit [ids..]',
    'Show or set how fast payload may move',
    (command) =>
      command
        .positional('ids', {
          type: 'string',
          array: true,
          describe: 'Numbers, hashes, beginnings of hashes, or all; without one: all together',
        })
        .option('down', { type: 'string', requiresArg: true, describe: 'Receive so much a second, or none' })
        .option('up', { type: 'string', requiresArg: true, describe: 'Send so much a second, or none' }),
    verb(async (context, argv) => {
      const wanted: Wanted = { ...readLimit('down', argv.down), ...readLimit('up', argv.up) }
      const ids = argv.ids ?? []
      return ids.length === 0 ? ofAll(context, wanted) : ofSome(context, ids, wanted)
    }),
  )
}

function readLimit(direction: 'down' | 'up', word: string | undefined): Wanted {
  if (word === undefined) return {}
  const rate = fromRate(word)
  if (rate === 0) return { [direction]: null }
  if (rate === null || rate < LEAST_RATE || rate > MOST_RATE)
    throw new Failure(EXIT.usage, `--${direction} ${RATE_PROBLEM}, not ${JSON.stringify(word)}`)
  return { [direction]: rate }
}

async function ofSome(context: Context, ids: readonly string[], wanted: Wanted): Promise<ExitStatus> {
  return withDaemon(context, 'service', async (client) => {
    const answer = await client.call('torrent.limit', { ids: readRefs(ids), ...wanted })
    return tellMany(context, answer, ({ downLimit, upLimit }) => limitText(downLimit, upLimit, context.style))
  })
}

/** The settings: of the daemon where one runs, else in its file. */
async function ofAll(context: Context, wanted: Wanted): Promise<ExitStatus> {
  return withSettings(context, async (settings) => {
    for (const direction of DIRECTIONS) {
      const rate = wanted[direction]
      if (rate !== undefined) await settings.set(`limits.${direction}`, String(rate ?? 0))
    }
    const [down, up] = await Promise.all(DIRECTIONS.map((direction) => settings.get(`limits.${direction}`)))
    const limits = { down: rateOf(down), up: rateOf(up) }
    if (context.json) context.outJson(limits)
    else context.out(`all torrents together: ${limitText(limits.down, limits.up, context.style)}\n`)
    if ([down, up].some((setting) => setting?.source === 'environment'))
      context.note('warning: an environment variable sets one of these, whatever the file says\n')
    return EXIT.ok
  })
}

function rateOf(setting: SettingView | undefined): Rate | null {
  return Number(setting?.value ?? 0) || null
}
