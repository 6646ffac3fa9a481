/** `peers` of one torrent. */
import type { Argv } from 'yargs'
import type { PeerView } from '../../shared/views.js'
import type { Globals } from '../context.js'
import { renderPeers } from '../render/peers.js'
import { showing } from './one.js'

export function peersCommand(cli: Argv<Globals>): Argv<Globals> {
  return showing<'torrent.peers', readonly PeerView[]>(cli, {
    command: 'peers <ids..>',
    describe: 'The peers a torrent is connected to',
    ask: (client, id) => client.call('torrent.peers', { id }),
    value: ({ peers }) => peers,
    render: renderPeers,
  })
}
