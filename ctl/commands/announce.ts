/** `announce`: asks trackers for peers before their time. */
import type { Argv } from 'yargs'
import type { TorrentId } from '../../shared/units.js'
import type { TorrentView, TrackerView } from '../../shared/views.js'
import { readRefs } from '../arguments.js'
import { type Globals, verb } from '../context.js'
import { withDaemon } from '../owner.js'
import { announcedText } from '../render/announced.js'
import { idsOption, tellMany } from './many.js'

export function announceCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'announce <ids..>',
    'Ask trackers for peers now, or as soon as they allow',
    (command) => idsOption(command),
    verb(async (context, argv) => {
      const ids = readRefs(argv.ids)
      return withDaemon(context, 'service', async (client) => {
        const answer = await client.call('torrent.announce', { ids })
        const trackers = new Map<TorrentId, readonly TrackerView[]>()
        for (const result of context.json ? [] : answer.results) {
          if (!result.ok) continue
          const { id } = result.torrent
          trackers.set(id, (await client.call('torrent.trackers', { id })).trackers)
        }
        const what = (torrent: TorrentView): string =>
          announcedText(torrent, trackers.get(torrent.id) ?? [], context.style.now)
        return tellMany(context, answer, what)
      })
    }),
  )
}
