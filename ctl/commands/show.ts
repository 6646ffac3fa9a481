/** `show`: everything about one torrent. */
import type { Argv } from 'yargs'
import type { Globals } from '../context.js'
import { renderShow } from '../render/show.js'
import { showing } from './one.js'

export function showCommand(cli: Argv<Globals>): Argv<Globals> {
  return showing<'torrent.get', Parameters<typeof renderShow>[0]>(cli, {
    command: 'show <ids..>',
    describe: 'Everything about one torrent',
    ask: (client, id) => client.call('torrent.get', { id }),
    value: (torrent) => torrent,
    render: renderShow,
  })
}
