/** `files` of one torrent. */
import type { Argv } from 'yargs'
import type { FileView } from '../../shared/views.js'
import type { Globals } from '../context.js'
import { renderFiles } from '../render/files.js'
import { showing } from './one.js'

export function filesCommand(cli: Argv<Globals>): Argv<Globals> {
  return showing<'torrent.files', readonly FileView[]>(cli, {
    command: 'files <ids..>',
    describe: 'The files of a torrent, by number',
    ask: (client, id) => client.call('torrent.files', { id }),
    value: ({ files }) => files,
    render: renderFiles,
  })
}
