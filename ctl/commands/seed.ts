/** `seed`: when the seeding of torrents ends. */
import type { Argv } from 'yargs'
import type { Params } from '../../shared/rpc/contract.js'
import { readSeconds } from '../../shared/durations.js'
import { readRefs } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { EXIT, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { goalsText } from '../render/goals.js'
import { idsOption, tellMany } from './many.js'

type Wanted = Omit<Params<'torrent.seed'>, 'ids'>
type Goal = number | 'none' | 'default'

export function seedCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'seed <ids..>',
    'When seeding ends: what is reached first pauses the torrent',
    (command) =>
      idsOption(command)
        .option('ratio', {
          type: 'string',
          requiresArg: true,
          describe: 'So many times what was received is sent: 2, 1.5, none or default',
        })
        .option('time', {
          type: 'string',
          requiresArg: true,
          describe: 'It has seeded so long: 12h, 7d, none or default',
        })
        .option('idle', {
          type: 'string',
          requiresArg: true,
          describe: 'So long it has sent nothing: 30m, 2h, none or default',
        })
        .option('none', {
          type: 'boolean',
          default: false,
          describe: 'Seed for ever, whatever the settings say',
        })
        .option('default', {
          type: 'boolean',
          default: false,
          describe: 'As the settings say: seed.ratio, seed.time, seed.idle',
        }),
    verb(async (context, argv) => {
      const goals = goalsOf(argv)
      const ids = readRefs(argv.ids)
      return withDaemon(context, 'service', async (client) => {
        const answer = await client.call('torrent.seed', { ids, ...goals })
        return tellMany(context, answer, ({ seedGoals }) => goalsText(seedGoals))
      })
    }),
  )
}

interface Words {
  readonly ratio?: string | undefined
  readonly time?: string | undefined
  readonly idle?: string | undefined
  readonly none: boolean
  readonly default: boolean
}

function goalsOf(words: Words): Wanted {
  const { ratio, time, idle } = words
  const named = [ratio, time, idle].some((word) => word !== undefined)
  if (words.none && words.default) throw new Failure(EXIT.usage, '--none or --default, not both')
  if (named && (words.none || words.default))
    throw new Failure(EXIT.usage, '--none and --default stand alone: they are for all three goals')
  if (words.none) return { ratio: 'none', time: 'none', idle: 'none' }
  if (words.default) return { ratio: 'default', time: 'default', idle: 'default' }
  if (!named)
    throw new Failure(
      EXIT.usage,
      'say when seeding ends: --ratio 2, --time 7d, --idle 30m, --none or --default',
    )
  return {
    ...(ratio === undefined ? {} : { ratio: goal(ratio, readRatio) }),
    ...(time === undefined ? {} : { time: goal(time, readTime) }),
    ...(idle === undefined ? {} : { idle: goal(idle, readTime) }),
  }
}

function goal(word: string, read: (word: string) => number): Goal {
  return word === 'none' || word === 'default' ? word : read(word)
}

function readRatio(word: string): number {
  const ratio = /^[0-9]{1,5}(?:\.[0-9]{1,3})?$/.test(word) ? Number(word) : Number.NaN
  if (ratio >= 0.01 && ratio <= 10_000) return ratio
  throw new Failure(EXIT.usage, `${JSON.stringify(word)} is no ratio; write 2, 1.5, none or default`)
}

function readTime(word: string): number {
  const seconds = readSeconds(word)
  if (seconds !== null) return seconds
  throw new Failure(EXIT.usage, `${JSON.stringify(word)} is no time; write 30m, 12h, 7d, none or default`)
}
