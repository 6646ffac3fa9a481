/** `move`: the files of a torrent go to another folder. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Argv } from 'yargs'
import { escapeText, formatPercent } from '../../shared/text.js'
import type { JobView, TorrentView } from '../../shared/views.js'
import { readFolder, readRef } from '../arguments.js'
import type { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { EXIT, type ExitStatus, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { idOption } from './one.js'

const LOOK_EVERY = 200
const CLEAR_LINE = '\r\u001b[K'

export function moveCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'move <id> <dir>',
    'Bring the files of a torrent to another folder',
    (command) =>
      idOption(command)
        .positional('dir', { type: 'string', demandOption: true, describe: 'The folder; made where needed' })
        .option('wait', { type: 'boolean', default: false, describe: 'Until it is done, with progress' }),
    verb(async (context, argv) => {
      const id = readRef(argv.id)
      const dir = readFolder(argv.dir)
      return withDaemon(context, 'service', async (client) => {
        const { torrent, job } = await client.call('torrent.move', { id, dir })
        if (job === null) return tellThere(context, torrent)
        return argv.wait ? wait(context, client, job) : tellBegun(context, job)
      })
    }),
  )
}

function tellThere(context: Context, torrent: TorrentView): ExitStatus {
  if (context.json) context.outJson({ torrent, job: null })
  else context.out(`${torrent.id} ${escapeText(torrent.name)}: is in ${escapeText(torrent.dir)} already\n`)
  return EXIT.ok
}

function tellBegun(context: Context, job: JobView): ExitStatus {
  if (context.json) context.outJson(job)
  else context.out(`${titleOf(job)}: goes to ${escapeText(job.to ?? '')} (job ${job.id})\n`)
  return EXIT.ok
}

/** Ends with 0 when the files are there. Ctrl-C leaves the move running. */
async function wait(context: Context, client: Client, begun: JobView): Promise<ExitStatus> {
  let job = begun
  let told = ''
  const lost = client.gone.then(() => 'lost' as const)
  const tell = (line: string): void => {
    if (line !== told && !context.json) context.out(context.live ? CLEAR_LINE + line : `${line}\n`)
    told = line
  }
  for (;;) {
    if (job.state !== 'running' && job.state !== 'waiting') break
    const why = job.error === null ? '' : `, ${escapeText(job.error)}`
    // In a pipe a line for each percent would be too many.
    const progress = context.live ? ` ${formatPercent(job.progress)}` : ''
    tell(`${titleOf(job)}: goes to ${escapeText(job.to ?? '')}${progress}${why}`)
    const end = await Promise.race([lost, delay(LOOK_EVERY, null)])
    if (end === 'lost') {
      throw new Failure(EXIT.noDaemon, 'torrentinod went away; the move goes on when it is started again')
    }
    job = await client.call('job.get', { id: job.id })
  }
  if (context.live && !context.json) context.out(CLEAR_LINE)
  if (job.state !== 'done') throw new Failure(EXIT.fault, job.error ?? 'the move was not done')
  if (context.json) context.outJson(job)
  else context.out(`${titleOf(job)}: lies in ${escapeText(job.to ?? '')}\n`)
  return EXIT.ok
}

function titleOf(job: JobView): string {
  return `${job.torrent} ${escapeText(job.name)}`
}
