/** Follows torrents until they are complete: bars on a terminal, lines in a pipe. */
import { setTimeout as delay } from 'node:timers/promises'
import type { TorrentId } from '../shared/units.js'
import { escapeText, jsonText } from '../shared/text.js'
import type { TorrentView } from '../shared/views.js'
import type { Client } from './client.js'
import type { Context } from './context.js'
import { EXIT, type ExitStatus, Failure } from './exit.js'
import { renderBars, renderProgressLine } from './render/bar.js'
import type { Style } from './render/style.js'
import { isComplete, Watch } from './torrents.js'

const REDRAW_EVERY = 200
/** Milliseconds between two lines on one torrent in a pipe, unless its state changes. */
const LINE_EVERY = 10_000
const UP = (lines: number): string => (lines === 0 ? '' : `\u001b[${lines}A`)
const CLEAR_DOWN = '\u001b[J'

interface Painter {
  paint(torrents: readonly TorrentView[]): void
}

/** Ends with 0: complete, or Ctrl-C, which leaves the download running. */
export async function follow(context: Context, client: Client, ids: TorrentId[]): Promise<ExitStatus> {
  const painter = context.live ? new Bars(context) : new Lines(context)
  const watch = await Watch.open(client, ids)
  let onInterrupt = (): void => undefined
  const interrupted = new Promise<'interrupted'>((resolve) => {
    onInterrupt = () => resolve('interrupted')
  })
  process.on('SIGINT', onInterrupt)
  const lost = client.gone.then(() => 'lost' as const)
  try {
    for (;;) {
      const torrents = [...watch.torrents.values()]
      painter.paint(torrents)
      if (torrents.every(isComplete)) return conclude(context, watch)
      const end = await Promise.race([interrupted, lost, delay(REDRAW_EVERY, null, { ref: false })])
      if (end === 'lost') {
        throw new Failure(EXIT.noDaemon, 'torrentinod went away; torrentinoctl daemon start starts it again')
      }
      if (end === 'interrupted') {
        context.note('\nThe download goes on without this window; torrentinoctl list shows it.\n')
        return EXIT.ok
      }
    }
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}

function conclude(context: Context, watch: Watch): ExitStatus {
  const gone = [...watch.removed]
  if (gone.length > 0) {
    throw new Failure(EXIT.noSuchTorrent, `torrent ${gone.join(', ')} was removed meanwhile`)
  }
  const dirs = new Set([...watch.torrents.values()].map((torrent) => escapeText(torrent.dir)))
  if (!context.json) context.out(`Complete, in ${[...dirs].join(', ')}; torrentinod goes on seeding.\n`)
  return EXIT.ok
}

/** Draws over what it drew. */
class Bars implements Painter {
  readonly #context: Context
  /** What is on the screen and the next picture takes the place of; its lines. */
  #picture = ''
  #lines = 0

  constructor(context: Context) {
    this.#context = context
  }

  paint(torrents: readonly TorrentView[]): void {
    const room = Math.max(1, process.stdout.rows - 2)
    const style: Style = { ...this.#context.style, columns: process.stdout.columns }
    const shown = torrents.length <= room ? torrents : torrents.filter((torrent) => !isComplete(torrent))
    const lines = renderBars(shown.slice(0, room), style).map((line) => line + '\n')
    if (shown.length > room) lines.push(`and ${shown.length - room} more\n`)
    const picture = lines.join('')
    if (picture === this.#picture) return
    this.#context.out(UP(this.#lines) + '\r' + CLEAR_DOWN + picture)
    this.#picture = picture
    this.#lines = lines.length
  }
}

/** Writes a line when a state changes, at the end, and now and then in between. */
class Lines implements Painter {
  readonly #context: Context
  /** What was written last of each torrent: its state, its line, and when. */
  readonly #last = new Map<TorrentId, { key: string; at: number; line: string }>()

  constructor(context: Context) {
    this.#context = context
  }

  paint(torrents: readonly TorrentView[]): void {
    for (const torrent of torrents) {
      const key = `${torrent.state} ${isComplete(torrent)} ${torrent.error ?? ''}`
      const line = this.#context.json
        ? jsonText(torrent) + '\n'
        : renderProgressLine(torrent, this.#context.style)
      const last = this.#last.get(torrent.id)
      const due = last === undefined || Date.now() - last.at >= LINE_EVERY
      if (last?.key === key && (!due || last.line === line)) continue
      this.#last.set(torrent.id, { key, at: Date.now(), line })
      this.#context.out(line)
    }
  }
}
