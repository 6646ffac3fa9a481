/** `export`: the .torrent file as it was added. */
import { writeFile } from 'node:fs/promises'
import type { Argv } from 'yargs'
import { escapeText } from '../../shared/text.js'
import { readRef } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { EXIT, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { idOption } from './one.js'

export function exportCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'export <id>',
    'Write the .torrent file of a torrent',
    (command) =>
      idOption(command).option('output', {
        alias: 'o',
        type: 'string',
        requiresArg: true,
        describe: 'File to write, - for standard output; else NAME.torrent, or the pipe',
      }),
    verb(async (context, argv) =>
      withDaemon(context, 'never', async (client) => {
        const exported = await client.call('torrent.export', { id: readRef(argv.id) })
        if (context.json) {
          context.outJson(exported)
          return EXIT.ok
        }
        const bytes = Buffer.from(exported.metainfo, 'base64')
        const output = argv.output ?? (process.stdout.isTTY ? fileName(exported.name) : '-')
        if (output === '-') process.stdout.write(bytes)
        else {
          await writeNew(output, bytes)
          context.out(`Written: ${escapeText(output)}\n`)
        }
        return EXIT.ok
      }),
    ),
  )
}

/** A name for a file in this folder, whatever the torrent calls itself. */
function fileName(name: string): string {
  const safe = escapeText(name).replace(/[/\\]/g, '_').replace(/^\.+/, '_').slice(0, 80)
  return `${safe === '' ? 'torrent' : safe}.torrent`
}

async function writeNew(path: string, bytes: Buffer): Promise<void> {
  try {
    await writeFile(path, bytes, { flag: 'wx' })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const why = code === 'EEXIST' ? 'it is there already; name another with --output' : code
    throw new Failure(EXIT.fault, `${path} cannot be written: ${why}`)
  }
}
