/** `restore`: the list as a backup has it. A daemon that runs is started anew; else the next one takes it. */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Argv } from 'yargs'
import { escapeText } from '../../shared/text.js'
import { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { EXIT, type ExitStatus, Failure } from '../exit.js'
import { reachDaemon, waysOf } from '../owner.js'
import { plural } from '../render/style.js'
import { hasEnded } from './daemon.js'

/** dist/daemon/restore.js, seen from dist/ctl/torrentinoctl.js. */
const RESTORE_ENTRY = fileURLToPath(new URL('../daemon/restore.js', import.meta.url))

export function restoreCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'restore <file>',
    'Take the list of torrents from a backup; keep the present one',
    (command) =>
      command.positional('file', { type: 'string', demandOption: true, describe: 'What backup wrote' }),
    verb(async (context, argv) => {
      const file = resolve(argv.file)
      const running = await Client.connect(context.home.socket)
      return running === null ? stage(context, file) : exchange(context, running, file)
    }),
  )
}

/** The program beside the daemon's: SQLite is not for us. */
function stage(context: Context, file: string): ExitStatus {
  const home = context.named === null ? [] : ['--home', context.named]
  const { status, stderr } = spawnSync(process.execPath, [RESTORE_ENTRY, ...home, '--', file], {
    encoding: 'utf8',
  })
  if (status !== 0)
    throw new Failure(status === 2 ? EXIT.usage : EXIT.fault, stderr.trim() || 'the restore ended at once')
  if (context.json) context.outJson({ path: file, running: false, torrents: null })
  else context.out(`torrentinod takes ${escapeText(file)} when it starts next.\n`)
  return EXIT.ok
}

async function exchange(context: Context, running: Client, file: string): Promise<ExitStatus> {
  try {
    await running.call('database.restore', { path: file })
    const { pid } = await running.call('session.shutdown', {})
    if (!(await hasEnded(running, pid)))
      throw new Failure(
        EXIT.fault,
        `torrentinod, process ${pid}, is still stopping; it takes ${file} when it starts next`,
      )
  } finally {
    running.close()
  }
  const client = await reachDaemon(waysOf(context), 'start')
  try {
    const { torrents, database } = await client.call('session.status', {})
    if (context.json) context.outJson({ path: file, running: true, torrents: torrents.total })
    else
      context.out(
        `torrentinod was started anew with ${plural(torrents.total, 'torrent')}. ${escapeText(database.notice ?? '')}\n`,
      )
    return EXIT.ok
  } finally {
    client.close()
  }
}
