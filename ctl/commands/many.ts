/** The verbs that take several torrents and answer for each. */
import type { Argv } from 'yargs'
import type { PerTorrent } from '../../shared/rpc/contract.js'
import { exitOfCode } from '../../shared/rpc/errors.js'
import { escapeText } from '../../shared/text.js'
import type { TorrentView } from '../../shared/views.js'
import type { Context } from '../context.js'
import { combined, EXIT, type ExitStatus } from '../exit.js'
import { paint } from '../render/style.js'

/** The positional that all of them have. */
export function idsOption<T>(cli: Argv<T>) {
  return cli.positional('ids', {
    type: 'string',
    array: true,
    demandOption: true,
    describe: 'Numbers, hashes, beginnings of hashes, or all',
  })
}

export interface ManyAnswer {
  readonly results: readonly PerTorrent[]
  readonly durable?: boolean
  readonly reason?: string | null
}

/** One line for each torrent; `what` says what happened to it. With --json the answer as it is. */
export function tellMany(
  context: Context,
  answer: ManyAnswer,
  what: (torrent: TorrentView) => string,
): ExitStatus {
  if (context.json) context.outJson(answer)
  if (!context.json && answer.results.length === 0) context.out('There are no torrents.\n')
  for (const result of answer.results) {
    if (!result.ok) context.note(`error: ${escapeText(result.error.message)}\n`)
    else if (!context.json) {
      const name = paint(escapeText(result.torrent.name), 'bold', context.style)
      context.out(`${result.torrent.id} ${name}: ${what(result.torrent)}\n`)
    }
  }
  if (answer.durable === false) {
    const why = escapeText(answer.reason ?? 'the database cannot be written')
    context.note(`warning: this holds until torrentinod stops and could not be stored: ${why}\n`)
  }
  return combined(answer.results.map((result) => (result.ok ? EXIT.ok : exitOfCode(result.error.code))))
}
