/** `wait`: for scripts that go on when a torrent is complete. */
import type { Argv } from 'yargs'
import { escapeText, formatPercent } from '../../shared/text.js'
import type { TorrentId } from '../../shared/units.js'
import type { TorrentView } from '../../shared/views.js'
import { readDuration, readRefs } from '../arguments.js'
import type { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { EXIT, type ExitStatus, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { stateText } from '../render/list.js'
import { isComplete, Watch } from '../torrents.js'
import { idsOption } from './many.js'

const GOALS = {
  complete: isComplete,
  seeded: (torrent: TorrentView) => isComplete(torrent) && torrent.uploaded >= torrent.wantedBytes,
  metadata: (torrent: TorrentView) => torrent.pieceCount > 0,
  error: (torrent: TorrentView) => torrent.error !== null,
  paused: (torrent: TorrentView) => torrent.state === 'paused',
} as const

type Goal = keyof typeof GOALS

export function waitCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'wait <ids..>',
    'Wait until torrents have come so far, for scripts',
    (command) =>
      idsOption(command)
        .option('for', {
          choices: ['complete', 'seeded', 'metadata', 'error', 'paused'] as const,
          default: 'complete' as const,
          describe: 'What to wait for (seeded: as much was sent as it holds)',
        })
        .option('timeout', { type: 'string', requiresArg: true, describe: 'How long: 60s, 5m, 2h' }),
    verb(async (context, argv) => {
      const timeout = argv.timeout === undefined ? null : readDuration(argv.timeout)
      const ids = readRefs(argv.ids)
      return withDaemon(context, 'never', (client) =>
        runWait(context, client, { ids, goal: argv.for, timeout, word: argv.timeout ?? '' }),
      )
    }),
  )
}

interface Wait {
  readonly ids: ReturnType<typeof readRefs>
  readonly goal: Goal
  /** Milliseconds, or null: for ever. */
  readonly timeout: number | null
  /** The time as it was written. */
  readonly word: string
}

async function runWait(context: Context, client: Client, wait: Wait): Promise<ExitStatus> {
  const reached = GOALS[wait.goal]
  const watch = await Watch.open(client, wait.ids)
  const halted = new Set<TorrentId>()
  const lost = client.gone.then(() => 'lost' as const)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    if (wait.timeout !== null) timer = setTimeout(() => resolve('late'), wait.timeout)
  })
  try {
    for (;;) {
      if (watch.removed.size > 0) {
        throw new Failure(
          EXIT.noSuchTorrent,
          `torrent ${[...watch.removed].join(', ')} was removed meanwhile`,
        )
      }
      const torrents = [...watch.torrents.values()]
      const missing = torrents.filter((torrent) => !reached(torrent))
      if (missing.length === 0) return conclude(context, torrents, wait.goal)
      for (const torrent of missing) {
        tellHalted(context, torrent, wait.goal, halted)
        await tellQueued(context, client, torrent, wait.goal, halted)
      }
      const end = await Promise.race([watch.changed(), lost, late])
      if (end === 'lost')
        throw new Failure(EXIT.noDaemon, 'torrentinod went away; torrentinoctl daemon start starts it again')
      if (end === 'late') throw new Failure(EXIT.waitTimedOut, lateSentence(watch, reached, wait))
    }
  } finally {
    clearTimeout(timer)
  }
}

/** Once for each: it will not get there by itself. */
function tellHalted(context: Context, torrent: TorrentView, goal: Goal, halted: Set<TorrentId>): void {
  const moves = torrent.state !== 'paused' && torrent.state !== 'blocked'
  if (torrent.state === 'queued') return
  if (moves || goal === 'error' || goal === 'paused') halted.delete(torrent.id)
  else if (!halted.has(torrent.id)) {
    halted.add(torrent.id)
    const help = `torrentinoctl resume ${torrent.id} lets it go on`
    const why =
      torrent.state === 'paused' ? `is paused; ${help}` : `is blocked: ${escapeText(torrent.error ?? '')}`
    context.note(`torrent ${torrent.id} ${why}\n`)
  }
}

/** Once for each, and again when it waits anew: the daemon says for what. */
async function tellQueued(
  context: Context,
  client: Client,
  torrent: TorrentView,
  goal: Goal,
  halted: Set<TorrentId>,
): Promise<void> {
  // Every torrent is queued for a moment when it starts: only one that has to wait has a cause for it.
  if (torrent.state !== 'queued' || goal === 'error' || goal === 'paused' || halted.has(torrent.id)) return
  const why = await client.call('torrent.why', { id: torrent.id }).catch(() => null)
  const cause = why?.causes.find(({ kind }) => kind === 'queued')
  if (cause === undefined) return
  halted.add(torrent.id)
  context.note(`torrent ${torrent.id} waits: ${escapeText(cause.sentence)}\n`)
}

function lateSentence(watch: Watch, reached: (torrent: TorrentView) => boolean, wait: Wait): string {
  const missing = [...watch.torrents.values()].filter((torrent) => !reached(torrent))
  const some = missing.slice(0, 3).map((torrent) => {
    const why = torrent.error === null ? '' : `, ${torrent.error}`
    return `torrent ${torrent.id} is ${stateText(torrent)} at ${formatPercent(torrent.progress)}${why}`
  })
  const more = missing.length > some.length ? `, and ${missing.length - some.length} more` : ''
  return `not ${wait.goal} after ${wait.word}: ${some.join(', ')}${more}`
}

function conclude(context: Context, torrents: readonly TorrentView[], goal: Goal): ExitStatus {
  for (const torrent of torrents) {
    if (context.json) context.outJson(torrent)
    else context.out(`${torrent.id} ${escapeText(torrent.name)}: ${goal}\n`)
  }
  return EXIT.ok
}
