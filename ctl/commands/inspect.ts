/** `inspect`: what .torrent files hold, without a daemon. */
import type { Argv } from 'yargs'
import { escapeText } from '../../shared/text.js'
import { inspectView } from '../../shared/torrent/inspect.js'
import { MetainfoError, parseMetainfo } from '../../shared/torrent/metainfo.js'
import { type Context, type Globals, verb } from '../context.js'
import { combined, endingOf, EXIT, type ExitStatus } from '../exit.js'
import { renderInspect } from '../render/inspect.js'
import { readTorrentFile } from '../sources.js'

export function inspectCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'inspect <files..>',
    'What .torrent files hold; needs no daemon',
    (command) =>
      command.positional('files', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: '.torrent files',
      }),
    verb(async (context, argv) => {
      const statuses: ExitStatus[] = []
      for (const path of argv.files) statuses.push(await inspectOne(context, path, statuses.length > 0))
      // A bad file is the status of the whole, however many good ones there are.
      return statuses.includes(EXIT.usage) ? EXIT.usage : combined(statuses)
    }),
  )
}

async function inspectOne(context: Context, path: string, further: boolean): Promise<ExitStatus> {
  try {
    const view = inspectView(parseMetainfo(await readTorrentFile(path)), path)
    if (context.json) context.outJson(view)
    else context.out((further ? '\n' : '') + renderInspect(view, context.style))
    return EXIT.ok
  } catch (error) {
    const bad = error instanceof MetainfoError
    const ending = bad ? { status: EXIT.usage, sentence: error.message } : endingOf(error)
    context.note(`error: ${escapeText(bad ? `${path}: ${ending.sentence}` : ending.sentence)}\n`)
    return ending.status
  }
}
