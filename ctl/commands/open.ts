/** `open`: the files of a torrent in the program that the desktop has for them. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Argv } from 'yargs'
import type { TorrentView } from '../../shared/views.js'
import type { Result } from '../../shared/rpc/contract.js'
import { escapeText } from '../../shared/text.js'
import { readRef } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { EXIT, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { idOption } from './one.js'

export function openCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'open <id>',
    'Open the file or the folder of a torrent',
    (command) =>
      idOption(command).option('print', {
        type: 'boolean',
        default: false,
        describe: 'Only print where it is',
      }),
    verb(async (context, argv) => {
      const id = readRef(argv.id)
      return withDaemon(context, 'never', async (client) => {
        const torrent = await client.call('torrent.get', { id })
        const { files } =
          torrent.pieceCount === 0 ? { files: [] } : await client.call('torrent.files', { id })
        const path = placeOf(torrent, files)
        if (context.json) context.outJson({ id: torrent.id, path })
        else if (argv.print) context.out(`${escapeText(path)}\n`)
        if (!argv.print && !context.json) await openWith(path)
        return EXIT.ok
      })
    }),
  )
}

/** The one file, the folder that all of them lie in, or where they will be. */
function placeOf({ dir }: TorrentView, files: Result<'torrent.files'>['files']): string {
  const paths = files.map(({ path }) => path.split('/'))
  const [first] = paths
  if (first === undefined) return dir
  if (paths.length === 1) return join(dir, ...first)
  const [top = ''] = first
  return paths.every((parts) => parts.length > 1 && parts[0] === top) ? join(dir, top) : dir
}

/** Ends when the desktop has taken it over, which it does at once. */
async function openWith(path: string): Promise<void> {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open'
  const status = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(program, [path], { stdio: 'ignore' })
    child.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'ENOENT' ? `there is no ${program} here` : `${program} does not start`
      reject(new Failure(EXIT.fault, `${why}; torrentinoctl open --print tells the place`))
    })
    child.once('exit', resolve)
  })
  if (status !== 0) throw new Failure(EXIT.fault, `${program} could not open ${path}`)
}
