/** `list`: every torrent, or those named. */
import type { Argv } from 'yargs'
import { nearest } from '../../shared/nearest.js'
import type { StateKind, TorrentView } from '../../shared/views.js'
import { readRefs } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { EXIT, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { readLabel } from './label.js'
import { renderList, STATES } from '../render/list.js'
import { renderTemplate, TEMPLATE_OPTION, templateOf } from '../render/template.js'
import { listTorrents } from '../torrents.js'

/** What a list can be sorted by: names of --json. */
const SORTS = [
  'id',
  'name',
  'state',
  'progress',
  'wantedBytes',
  'doneBytes',
  'downRate',
  'upRate',
  'downloaded',
  'uploaded',
  'ratio',
  'peers',
  'seeds',
  'eta',
  'dir',
  'addedAt',
  'completedAt',
] as const satisfies readonly (keyof TorrentView)[]

type SortField = (typeof SORTS)[number]

export function listCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    ['list [ids..]', 'ls'],
    'Torrents and what they are doing',
    (command) =>
      command
        .positional('ids', {
          type: 'string',
          array: true,
          default: [] as string[],
          describe: 'Only these; all without',
        })
        .option('sort', { choices: SORTS, default: 'id' as const, describe: 'In the order of this field' })
        .option('reverse', { type: 'boolean', default: false, describe: 'The other way round' })
        .option('state', {
          type: 'string',
          requiresArg: true,
          describe: 'Only those in one of these states: downloading,paused',
        })
        .option('label', {
          type: 'string',
          requiresArg: true,
          describe: 'Only those with this label; with commas, with all of these',
        })
        .option('template', TEMPLATE_OPTION),
    verb(async (context, argv) => {
      const ids = argv.ids.length === 0 ? undefined : readRefs(argv.ids)
      const states = argv.state === undefined ? null : readStates(argv.state)
      const labels = argv.label === undefined ? [] : argv.label.split(',').map(readLabel)
      const template = templateOf(argv.template, context.json)
      return withDaemon(context, 'never', async (client) => {
        const torrents = sorted(
          (await listTorrents(client, ids)).filter(
            (torrent) =>
              (states?.has(torrent.state) ?? true) && labels.every((each) => torrent.labels.includes(each)),
          ),
          argv.sort,
          argv.reverse,
        )
        if (context.json) context.outJson(torrents)
        else if (template !== null) context.out(renderTemplate(template, torrents))
        else if (torrents.length === 0 && states !== null) context.out('No torrent is in that state.\n')
        else if (torrents.length === 0 && labels.length > 0) context.out('No torrent has that label.\n')
        else context.out(renderList(torrents, context.style))
        return EXIT.ok
      })
    }),
  )
}

/** Names of states, with commas; `metadata` is what the table writes. */
function readStates(text: string): ReadonlySet<StateKind> {
  const known: readonly string[] = STATES
  return new Set(
    text.split(',').map((word) => {
      const state = word.trim() === 'metadata' ? 'fetchingMetadata' : word.trim()
      if (isState(state)) return state
      const near = nearest(state, known)
      const meant = near === null ? '' : `; did you mean ${near}?`
      throw new Failure(EXIT.usage, `--state takes ${known.join(', ')}, not ${JSON.stringify(word)}${meant}`)
    }),
  )
}

function isState(word: string): word is StateKind {
  return (STATES as readonly string[]).includes(word)
}

/** What is not known comes last, whichever way round; equal ones by id. */
function sorted(torrents: readonly TorrentView[], field: SortField, reverse: boolean): TorrentView[] {
  const sign = reverse ? -1 : 1
  return torrents.toSorted((a, b) => {
    const [one, other] = [a[field], b[field]]
    if (one === other) return a.id - b.id
    if (one === null) return 1
    if (other === null) return -1
    return sign * (one < other ? -1 : 1)
  })
}
