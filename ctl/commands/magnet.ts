/** `magnet`: the link to a torrent. */
import type { Argv } from 'yargs'
import type { TorrentDetail } from '../../shared/rpc/contract.js'
import { exitOfCode } from '../../shared/rpc/errors.js'
import { escapeText } from '../../shared/text.js'
import { magnetLink } from '../../shared/torrent/magnet-link.js'
import { HIDDEN } from '../../shared/torrent/redact.js'
import type { InfoHashV1, InfoHashV2 } from '../../shared/units.js'
import { readRefs } from '../arguments.js'
import { type Context, type Globals, verb } from '../context.js'
import { combined, EXIT, type ExitStatus, RemoteError } from '../exit.js'
import { withDaemon } from '../owner.js'
import { listTorrents } from '../torrents.js'
import { idsOption } from './many.js'

export function magnetCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'magnet <ids..>',
    'The magnet link of a torrent',
    (command) =>
      idsOption(command).option('bare', {
        type: 'boolean',
        default: false,
        describe: 'Hash and name only, without trackers',
      }),
    verb(async (context, argv) => {
      const refs = readRefs(argv.ids)
      return withDaemon(context, 'never', async (client) => {
        const ids = refs === 'all' ? (await listTorrents(client)).map(({ id }) => id) : refs
        const statuses: ExitStatus[] = []
        for (const id of ids) {
          try {
            show(context, await client.call('torrent.get', { id }), argv.bare)
            statuses.push(EXIT.ok)
          } catch (error) {
            if (!(error instanceof RemoteError)) throw error
            context.note(`error: ${escapeText(error.message)}\n`)
            statuses.push(exitOfCode(error.code))
          }
        }
        return combined(statuses)
      })
    }),
  )
}

function show(context: Context, torrent: TorrentDetail, bare: boolean): void {
  const magnet = linkOf(torrent, bare)
  if (context.json) context.outJson({ id: torrent.id, magnet })
  else context.out(`${magnet}\n`)
}

/** A URL with somebody's passkey is nothing to hand on: the daemon hides it, and the link leaves it out. */
function linkOf({ infoHash, infoHashV2, ...torrent }: TorrentDetail, bare: boolean): string {
  const alone = bare || torrent.private
  const open = (url: string): boolean => !url.includes(HIDDEN)
  return magnetLink({
    hashes: {
      ...(infoHash === null ? {} : { v1: infoHash as InfoHashV1 }),
      ...(infoHashV2 === null ? {} : { v2: infoHashV2 as InfoHashV2 }),
    },
    name: torrent.name,
    trackers: alone ? [] : torrent.trackers.map(({ url }) => url).filter(open),
    webSeeds: alone ? [] : torrent.webSeeds.filter(open),
  })
}
