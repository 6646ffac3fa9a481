/** The verbs that show torrents one by one. */
import type { Argv } from 'yargs'
import type { Method, Result, TorrentRef } from '../../shared/rpc/contract.js'
import { exitOfCode } from '../../shared/rpc/errors.js'
import { escapeText } from '../../shared/text.js'
import { readRefs } from '../arguments.js'
import type { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { combined, EXIT, type ExitStatus, RemoteError } from '../exit.js'
import { withDaemon } from '../owner.js'
import { paint, type Style } from '../render/style.js'
import { renderTemplate, TEMPLATE_OPTION, templateOf } from '../render/template.js'
import { listTorrents } from '../torrents.js'
import { idsOption } from './many.js'

/** The positional that all of them have. */
export function idOption<T>(cli: Argv<T>) {
  return cli.positional('id', {
    type: 'string',
    demandOption: true,
    describe: 'A number, a hash, or the beginning of a hash',
  })
}

interface Showing<M extends Method, T> {
  /** With its positional: `files <ids..>`. */
  readonly command: string
  readonly describe: string
  readonly ask: (client: Client, id: TorrentRef) => Promise<Result<M>>
  /** What --json prints. */
  readonly value: (result: Result<M>) => T
  readonly render: (value: T, style: Style) => string
}

/** One torrent is shown as it is; of several each has its name above, or with --json a line of its own. */
export function showing<M extends Method, T>(cli: Argv<Globals>, init: Showing<M, T>): Argv<Globals> {
  return cli.command(
    init.command,
    init.describe,
    (command) => idsOption(command).option('template', TEMPLATE_OPTION),
    verb((context, argv) => showEach(context, argv, init)),
  )
}

/** Each in its turn; what goes wrong with one of several is told, and the others are shown. */
export function showEach<M extends Method, T>(
  context: Context,
  argv: { readonly ids: readonly string[]; readonly template: string | undefined },
  init: Pick<Showing<M, T>, 'ask' | 'value' | 'render'>,
): Promise<ExitStatus> {
  const template = templateOf(argv.template, context.json)
  return withDaemon(context, 'never', async (client) => {
    const refs = readRefs(argv.ids)
    const ids = refs === 'all' ? await everyId(client) : refs
    if (ids.length === 0 && !context.json && template === null) context.out('There are no torrents.\n')
    const statuses: ExitStatus[] = []
    for (const id of ids) {
      const blank = statuses.length > 0 && !context.json && template === null
      if (blank) context.out('\n')
      statuses.push(await showOne({ context, client, template, named: ids.length > 1 }, init, id))
    }
    return combined(statuses)
  })
}

interface Shown {
  readonly context: Context
  readonly client: Client
  readonly template: ReturnType<typeof templateOf>
  /** Several are shown: each has its name above. */
  readonly named: boolean
}

function rowsOf(value: unknown): readonly object[] {
  return (Array.isArray(value) ? value : [value]) as readonly object[]
}

async function showOne<M extends Method, T>(
  { context, client, template, named }: Shown,
  init: Pick<Showing<M, T>, 'ask' | 'value' | 'render'>,
  id: TorrentRef,
): Promise<ExitStatus> {
  try {
    const value = init.value(await init.ask(client, id))
    if (context.json) context.outJson(value)
    else if (template !== null) context.out(renderTemplate(template, rowsOf(value)))
    else {
      if (named) context.out(`${paint(`Torrent ${escapeText(String(id))}`, 'bold', context.style)}\n`)
      context.out(init.render(value, context.style))
    }
    return EXIT.ok
  } catch (error) {
    // With one, or where nobody answers any more, the run is over.
    if (!named || !(error instanceof RemoteError)) throw error
    context.note(`error: ${escapeText(error.message)}\n`)
    return exitOfCode(error.code)
  }
}

async function everyId(client: Client): Promise<TorrentRef[]> {
  const torrents = await listTorrents(client)
  return torrents.map((torrent) => torrent.id)
}
