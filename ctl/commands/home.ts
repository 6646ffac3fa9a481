/** `torrentinoctl` without arguments: how things stand, or what to type first. Starts nothing. */
import { Client } from '../client.js'
import type { Context } from '../context.js'
import { EXIT, type ExitStatus } from '../exit.js'
import { renderList, renderRest } from '../render/list.js'
import { renderStatusLine, renderWelcome } from '../render/status.js'
import { isComplete, listTorrents } from '../torrents.js'

export async function runHome(context: Context): Promise<ExitStatus> {
  const client = await Client.connect(context.home.socket)
  if (client === null) {
    if (context.json) context.outJson({ daemon: null, torrents: [] })
    else context.out(renderWelcome(context.style))
    return EXIT.ok
  }
  try {
    const daemon = await client.call('session.status', {})
    const torrents = await listTorrents(client)
    if (context.json) {
      context.outJson({ daemon, torrents })
      return EXIT.ok
    }
    const unfinished = torrents.filter((torrent) => !isComplete(torrent) || torrent.error !== null)
    const rest = torrents.filter((torrent) => !unfinished.includes(torrent))
    context.out(renderStatusLine(daemon, context.style))
    if (unfinished.length > 0 || rest.length === 0) context.out(renderList(unfinished, context.style))
    context.out(renderRest(rest))
    return EXIT.ok
  } finally {
    client.close()
  }
}
