/** `rename`: another name for a torrent and its file or folder, or for one of its files. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Argv } from 'yargs'
import { escapeText } from '../../shared/text.js'
import type { FileIndex } from '../../shared/units.js'
import type { JobView, TorrentView } from '../../shared/views.js'
import { readRef } from '../arguments.js'
import { chooseFiles } from '../choose-files.js'
import type { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { EXIT, type ExitStatus, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { idOption } from './one.js'

const LOOK_EVERY = 50

export function renameCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'rename <id> <what> [path]',
    'Give a torrent another name, on the disk too, or one of its files',
    (command) =>
      idOption(command)
        .positional('what', {
          type: 'string',
          demandOption: true,
          describe: 'The new name; or, before a path, a file: its number or a pattern',
        })
        .positional('path', { type: 'string', describe: 'What that file is called from now on' }),
    verb(async (context, argv) => {
      const id = readRef(argv.id)
      const { what, path } = argv
      return withDaemon(context, 'service', async (client) => {
        const file = path === undefined ? null : await oneFile(client, id, what)
        const { torrent, job } =
          file === null || path === undefined
            ? await client.call('torrent.rename', { id, name: what })
            : await client.call('torrent.rename', { id, file: file.index, name: pathOf(file.path, path) })
        return job === null ? tellSame(context, torrent) : tellEnd(context, await ended(client, job))
      })
    }),
  )
}

async function oneFile(
  client: Client,
  id: ReturnType<typeof readRef>,
  word: string,
): Promise<{ readonly index: FileIndex; readonly path: string }> {
  const { files } = await client.call('torrent.files', { id })
  const chosen = chooseFiles([word], files)
  const file = files.find(({ index }) => index === chosen[0])
  if (file === undefined || chosen.length > 1)
    throw new Failure(EXIT.usage, `${JSON.stringify(word)} fits ${chosen.length} files; name one`)
  return file
}

/** Below the torrent's folder. A name alone stays in the folder of the file; the torrent's own folder may be said. */
function pathOf(old: string, wanted: string): string {
  const [root = '', ...below] = old.split('/')
  if (!wanted.includes('/')) return [...below.slice(0, -1), wanted].join('/')
  return wanted.startsWith(`${root}/`) ? wanted.slice(root.length + 1) : wanted
}

function tellSame(context: Context, torrent: TorrentView): ExitStatus {
  if (context.json) context.outJson({ torrent, job: null })
  else context.out(`${torrent.id} ${escapeText(torrent.name)}: is called so already\n`)
  return EXIT.ok
}

/** It takes a moment, however large the files are. */
async function ended(client: Client, begun: JobView): Promise<JobView> {
  let job = begun
  const lost = client.gone.then(() => 'lost' as const)
  while (job.state === 'running') {
    if ((await Promise.race([lost, delay(LOOK_EVERY, null)])) === 'lost')
      throw new Failure(EXIT.noDaemon, 'torrentinod went away; the renaming goes on when it is started again')
    job = await client.call('job.get', { id: job.id })
  }
  return job
}

function tellEnd(context: Context, job: JobView): ExitStatus {
  if (job.state === 'failed' || job.state === 'cancelled')
    throw new Failure(EXIT.fault, job.error ?? 'it was not renamed')
  if (context.json) context.outJson(job)
  else if (job.error !== null) context.out(`${job.torrent}: ${escapeText(job.error)}\n`)
  else context.out(`${job.torrent} ${escapeText(job.from)}: is now ${escapeText(job.to ?? '')}\n`)
  return EXIT.ok
}
