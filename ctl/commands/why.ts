/** `why`: what is in the way of a torrent. */
import type { Argv } from 'yargs'
import type { WhyView } from '../../shared/views.js'
import type { Globals } from '../context.js'
import { renderWhy } from '../render/why.js'
import { showing } from './one.js'

export function whyCommand(cli: Argv<Globals>): Argv<Globals> {
  return showing<'torrent.why', WhyView>(cli, {
    command: 'why <ids..>',
    describe: 'Why a torrent does not go on, or not faster',
    ask: (client, id) => client.call('torrent.why', { id }),
    value: (why) => why,
    render: renderWhy,
  })
}
