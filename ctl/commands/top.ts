/** `top`: every torrent with its bar, live, and the keys that act on them. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Argv } from 'yargs'
import type { TorrentId } from '../../shared/units.js'
import { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { endingOf, EXIT, type ExitStatus, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { renderScreen, roomFor } from '../render/screen.js'
import type { Style } from '../render/style.js'
import { type Key, readKeys } from '../top/keys.js'
import { inOrder, press, START, type TopAction, type TopState } from '../top/state.js'
import { Screen } from '../top/terminal.js'
import { Watch } from '../torrents.js'

/** Milliseconds between two pictures. */
const REDRAW_EVERY = 200
/** Milliseconds between two tries to find a daemon that went away. */
const RETRY_EVERY = 1000

/** The answer on one torrent of those that were named. */
interface Told {
  readonly results: readonly { readonly ok: boolean; readonly error?: { readonly message: string } }[]
}

export function topCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'top',
    'Every torrent live, with a bar and keys to act on it',
    (command) => command,
    verb((context) => top(context)),
  )
}

async function top(context: Context): Promise<ExitStatus> {
  if (context.json || !context.live || !process.stdin.isTTY) {
    throw new Failure(EXIT.usage, 'top needs a terminal; torrentinoctl list shows the same once')
  }
  return withDaemon(context, 'service', (client) => new Top(context, client).run())
}

class Top {
  readonly #context: Context
  readonly #screen = new Screen()
  #client: Client
  #watch: Watch | null = null
  #state: TopState = START
  /** Ends the wait for the next picture. */
  #wake: () => void = () => undefined
  #over = false

  constructor(context: Context, client: Client) {
    this.#context = context
    this.#client = client
  }

  async run(): Promise<ExitStatus> {
    this.#watch = await Watch.open(this.#client, 'every')
    const end = (): void => {
      this.#over = true
      this.#wake()
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end)
    this.#screen.enter(
      (text) => {
        for (const key of readKeys(text)) this.#key(key)
        this.#wake()
      },
      () => {
        this.#wake()
      },
    )
    try {
      while (!this.#over) {
        this.#draw()
        const pause = new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        const lost = await Promise.race([
          this.#client.gone.then(() => true),
          pause.then(() => false),
          delay(REDRAW_EVERY, false, { ref: false }),
        ])
        if (lost) await this.#findAgain()
      }
    } finally {
      this.#screen.leave()
    }
    return EXIT.ok
  }

  /** The daemon went away: it may come back, as after an upgrade. */
  async #findAgain(): Promise<void> {
    this.#say('torrentinod went away; waiting for it', true)
    while (!this.#over) {
      this.#draw()
      const client = await Client.connect(this.#context.home.socket).catch(() => null)
      if (client !== null) {
        this.#client = client
        this.#watch = await Watch.open(client, 'every')
        this.#say('torrentinod is back', false)
        return
      }
      await Promise.race([delay(RETRY_EVERY), new Promise<void>((resolve) => (this.#wake = resolve))])
    }
  }

  #draw(): void {
    const { columns, rows } = process.stdout
    const style: Style = { ...this.#context.style, columns, now: Date.now() }
    this.#screen.draw(renderScreen(this.#state, this.#torrents(), rows, style))
  }

  #torrents(): ReturnType<typeof inOrder> {
    return inOrder(this.#watch?.torrents.values() ?? [], this.#state.sort)
  }

  #key(key: Key): void {
    const { state, action } = press(this.#state, key, this.#torrents(), roomFor(process.stdout.rows))
    this.#state = state
    if (action !== null) this.#act(action)
  }

  #act(action: TopAction): void {
    if (action.kind === 'quit') this.#over = true
    else if (action.kind === 'suspend') this.#suspend()
    else
      this.#ask(action).catch((error: unknown) => {
        this.#say(endingOf(error).sentence, true)
        this.#wake()
      })
  }

  async #ask(action: Exclude<TopAction, { readonly kind: 'quit' | 'suspend' }>): Promise<void> {
    const client = this.#client
    const ids = [action.id]
    switch (action.kind) {
      case 'why':
        this.#state = { ...this.#state, why: await client.call('torrent.why', { id: action.id }) }
        break
      case 'pause':
        this.#tell(action.id, await client.call('torrent.pause', { ids }), 'paused')
        break
      case 'resume':
        this.#tell(action.id, await client.call('torrent.resume', { ids }), 'goes on')
        break
      case 'verify':
        this.#tell(action.id, await client.call('torrent.verify', { ids }), 'is checked')
        break
      case 'remove':
        this.#tell(action.id, await client.call('torrent.remove', { ids, data: action.data }), 'removed')
        break
    }
    this.#wake()
  }

  #tell(id: TorrentId, { results }: Told, done: string): void {
    const name = this.#watch?.torrents.get(id)?.name ?? `torrent ${String(id)}`
    const [result] = results
    if (result?.error === undefined) this.#say(`${name}: ${done}`, false)
    else this.#say(result.error.message, true)
  }

  #say(text: string, bad: boolean): void {
    this.#state = { ...this.#state, notice: { text, bad } }
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
