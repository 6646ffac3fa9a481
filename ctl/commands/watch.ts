/** `watch`: one torrent live: its pieces, its peers and its files. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Argv } from 'yargs'
import type { TorrentId } from '../../shared/units.js'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { readRef } from '../arguments.js'
import { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { endingOf, EXIT, type ExitStatus, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { renderWatch, type Watched } from '../render/watch.js'
import { type Key, readKeys } from '../top/keys.js'
import { Screen } from '../top/terminal.js'
import { Watch } from '../torrents.js'
import { idOption } from './one.js'

/** Milliseconds between two pictures. */
const REDRAW_EVERY = 200
/** Milliseconds between two questions at least; a slow answer is asked for more seldom. */
const ASK_EVERY = 1000
const SELDOM = 20
/** Milliseconds between two tries to find a daemon that went away. */
const RETRY_EVERY = 1000

export function watchCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'watch <id>',
    'One torrent live: its pieces, peers and files',
    (command) => idOption(command),
    verb(async (context, argv) => {
      if (context.json || !context.live || !process.stdin.isTTY) {
        throw new Failure(EXIT.usage, 'watch needs a terminal; torrentinoctl show tells the same once')
      }
      const ref = readRef(argv.id)
      return withDaemon(context, 'service', async (client) => {
        const { id } = await client.call('torrent.get', { id: ref })
        return new OneTorrent(context, client, id).run()
      })
    }),
  )
}

type Parts = Pick<Watched, 'have' | 'peers' | 'files'>

class OneTorrent {
  readonly #context: Context
  readonly #id: TorrentId
  readonly #screen = new Screen()
  #client: Client
  #watch: Watch | null = null
  /** As they were when they were last asked for. */
  #parts: Parts = { have: null, peers: [], files: [] }
  /** Milliseconds of performance.now() from which on they are asked for again; Infinity while they are. */
  #askAt = 0
  #notice: Watched['notice'] = null
  /** Ends the wait for the next picture. */
  #wake: () => void = () => undefined
  #over = false

  constructor(context: Context, client: Client, id: TorrentId) {
    this.#context = context
    this.#client = client
    this.#id = id
  }

  async run(): Promise<ExitStatus> {
    this.#watch = await Watch.open(this.#client, [this.#id])
    const end = (): void => {
      this.#over = true
      this.#wake()
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end)
    const keys = (text: string): void => {
      for (const key of readKeys(text)) this.#key(key)
      this.#wake()
    }
    this.#screen.enter(keys, () => {
      this.#wake()
    })
    try {
      while (!this.#over) await this.#turn()
    } finally {
      this.#screen.leave()
    }
    return EXIT.ok
  }

  async #turn(): Promise<void> {
    if (this.#watch?.removed.has(this.#id) === true)
      throw new Failure(EXIT.noSuchTorrent, `torrent ${this.#id} was removed meanwhile`)
    if (performance.now() >= this.#askAt) void this.#askParts()
    this.#draw()
    const pause = new Promise<void>((resolve) => (this.#wake = resolve))
    const lost = await Promise.race([
      this.#client.gone.then(() => true),
      pause.then(() => false),
      delay(REDRAW_EVERY, false, { ref: false }),
    ])
    if (lost) await this.#findAgain()
  }

  /** What a change of the torrent does not bring. */
  async #askParts(): Promise<void> {
    const begun = performance.now()
    this.#askAt = Infinity
    try {
      this.#parts = await partsOf(
        this.#client,
        this.#id,
        this.#watch?.torrents.get(this.#id)?.pieceCount ?? 0,
      )
    } catch (error) {
      this.#say(endingOf(error).sentence, true)
    }
    const now = performance.now()
    this.#askAt = now + Math.max(ASK_EVERY, (now - begun) * SELDOM)
    this.#wake()
  }

  /** The daemon went away: it may come back, as after an upgrade. */
  async #findAgain(): Promise<void> {
    this.#say('torrentinod went away; waiting for it', true)
    while (!this.#over) {
      this.#draw()
      const client = await Client.connect(this.#context.home.socket).catch(() => null)
      if (client !== null) {
        this.#client = client
        this.#watch = await Watch.open(client, [this.#id])
        this.#say('torrentinod is back', false)
        return
      }
      await Promise.race([delay(RETRY_EVERY), new Promise<void>((resolve) => (this.#wake = resolve))])
    }
  }

  #draw(): void {
    const torrent = this.#watch?.torrents.get(this.#id)
    if (torrent === undefined) return
    const { columns, rows } = process.stdout
    const style = { ...this.#context.style, columns, now: Date.now() }
    this.#screen.draw(renderWatch({ torrent, ...this.#parts, notice: this.#notice }, rows, style))
  }

  #key(key: Key): void {
    const letter = typeof key === 'object' ? key.char : key
    if (letter === 'q' || letter === 'escape' || letter === 'interrupt') this.#over = true
    else if (letter === 'suspend') this.#suspend()
    else if (letter === 'p') this.#act('torrent.pause', 'paused')
    else if (letter === 'r') this.#act('torrent.resume', 'goes on')
    else if (letter === 'v') this.#act('torrent.verify', 'is checked')
    else if (letter === 'a') this.#act('torrent.announce', 'peers are looked for')
  }

  #act(
    method: 'torrent.pause' | 'torrent.resume' | 'torrent.verify' | 'torrent.announce',
    done: string,
  ): void {
    this.#client
      .call(method, { ids: [this.#id] })
      .then(({ results: [result] }) => {
        if (result?.ok === false) this.#say(result.error.message, true)
        else this.#say(done, false)
      })
      .catch((error: unknown) => {
        this.#say(endingOf(error).sentence, true)
      })
      .finally(() => {
        this.#wake()
      })
  }

  #say(text: string, bad: boolean): void {
    this.#notice = { text, bad }
  }

  /** As any program does on Ctrl-Z; `fg` takes the screen again. */
  #suspend(): void {
    this.#screen.leave()
    process.once('SIGCONT', () => {
      this.#screen.take()
      this.#wake()
    })
    process.kill(process.pid, 'SIGTSTP')
  }
}

/** A magnet link has peers only. */
async function partsOf(client: Client, id: TorrentId, pieceCount: number): Promise<Parts> {
  const { peers } = await client.call('torrent.peers', { id })
  if (pieceCount === 0) return { have: null, peers, files: [] }
  const [{ files }, pieces] = await Promise.all([
    client.call('torrent.files', { id }),
    client.call('torrent.pieces', { id }),
  ])
  return { have: Bitfield.fromWire(Buffer.from(pieces.have, 'base64'), pieces.count), peers, files }
}
