/** `trackers` of one torrent. */
import type { Argv } from 'yargs'
import type { TrackerView } from '../../shared/views.js'
import type { Globals } from '../context.js'
import { renderTrackers } from '../render/trackers.js'
import { showing } from './one.js'

export function trackersCommand(cli: Argv<Globals>): Argv<Globals> {
  return showing<'torrent.trackers', readonly TrackerView[]>(cli, {
    command: 'trackers <ids..>',
    describe: 'The trackers of a torrent, and what each said last',
    ask: (client, id) => client.call('torrent.trackers', { id }),
    value: ({ trackers }) => trackers,
    render: renderTrackers,
  })
}
