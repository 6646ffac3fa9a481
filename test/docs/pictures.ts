/**
 * `npm run pictures`: a tracker, a seed and a download on the loopback interface, and what a person sees of it in a
 * terminal, written to docs/pictures as SVG. Needs tmux. Takes half a minute.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Processes, startTracker } from '../demo/processes.js'
import { randomTorrent } from '../demo/torrents.js'
import { terminalSvg } from './svg.js'

const ROOT = resolve(import.meta.dirname, '../..')
const CTL = join(ROOT, 'dist/ctl/torrentinoctl.js')
const COLUMNS = 100
/** Name and mebibytes. */
const CONTENTS = [
  ['debian-12.9.0-amd64-netinst.iso', 96],
  ['night-train-1080p.mkv', 64],
  ['field-recordings-2024.zip', 24],
] as const
/** Milliseconds until a picture must be there. */
const WITHIN = 60_000
/** The temporary folder is shown under this name. */
const HOME = '/home/kim'

class Terminal {
  readonly #server = `torrentino-pictures-${String(process.pid)}`
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    this.#tmux('new-session', '-d', '-x', String(COLUMNS), '-y', '14', 'bash --norc --noprofile')
    this.#type(`PS1='$ '; cd ${folder}; export TORRENTINO_HOME=${folder}/me`)
    this.#type(`torrentinoctl() { ${process.execPath} ${CTL} "$@"; }`)
  }

  /** Types a command on a clear screen. */
  async command(words: string): Promise<void> {
    this.#type('clear')
    await delay(300)
    this.#type(words)
  }

  key(...keys: string[]): void {
    this.#tmux('send-keys', ...keys)
  }

  /** Writes the picture when the screen is like this. */
  async picture(name: string, title: string, is: RegExp): Promise<void> {
    for (let waited = 0; waited < WITHIN; waited += 50) {
      if (is.test(this.#tmux('capture-pane', '-p'))) {
        const screen = this.#tmux('capture-pane', '-e', '-p').trimEnd().replaceAll(this.#folder, HOME)
        const file = join('docs/pictures', `${name}.svg`)
        writeFileSync(join(ROOT, file), terminalSvg(title, screen.split('\n'), COLUMNS))
        console.log(`written: ${file}`)
        return
      }
      await delay(50)
    }
    throw new Error(`never ${String(is)}:\n${this.#tmux('capture-pane', '-p')}`)
  }

  end(): void {
    this.#tmux('kill-server')
  }

  #type(words: string): void {
    this.#tmux('send-keys', words, 'Enter')
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#server, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      env: { ...process.env, LANG: 'C.UTF-8', TERM: 'xterm-256color', TORRENTINO_NET: 'loopback' },
    })
  }
}

async function play(folder: string, processes: Processes, terminal: Terminal): Promise<void> {
  const tracker = await startTracker()
  const seeds = join(folder, 'copies')
  mkdirSync(seeds)
  const torrents = CONTENTS.map(([name, mebibytes]) =>
    randomTorrent({ folder, seeds, announce: tracker.http }, mebibytes, name),
  )
  const files = torrents.map(({ file }) => file)
  await processes.daemon('other')
  await processes.ctl('--home', 'other', 'add', ...files, '--dir', 'copies')
  await processes.ctl('--home', 'other', 'wait', 'all', '--timeout', '60s')
  await tracker.seedsKnown(
    torrents.map(({ infoHash }) => infoHash),
    AbortSignal.timeout(WITHIN),
  )
  await processes.daemon('me')
  await processes.ctl('--home', 'me', 'config', 'set', 'limits.down', '6MiB/s')

  await terminal.command(`torrentinoctl add *.torrent --dir Downloads --follow`)
  await terminal.picture(
    'add',
    'torrentinoctl add --follow: three downloads with a bar each',
    / 4\d\.\d% [^]*↓/,
  )
  terminal.key('C-c')
  await delay(500)
  await processes.ctl('--home', 'me', 'pause', '3')
  await terminal.command('torrentinoctl list')
  await terminal.picture('list', 'torrentinoctl list: three torrents in a table', /ETA[^]*\n\$\s*$/)
  await processes.ctl('--home', 'me', 'resume', '3')
  await terminal.command('torrentinoctl top')
  await terminal.picture(
    'top',
    'torrentinoctl top: every torrent live, and keys to act',
    /↓ [1-9][^]* [5-9]\d\.\d% /,
  )
  terminal.key('q')
}

async function main(): Promise<void> {
  mkdirSync(join(ROOT, 'docs/pictures'), { recursive: true })
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'torrentino-pictures-'))
  const processes = new Processes({ folder }, { signal: new AbortController().signal })
  const terminal = new Terminal(folder)
  try {
    await play(folder, processes, terminal)
  } finally {
    terminal.end()
    await processes.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

await main().then(
  // Not process.exitCode: the tracker's sweep of old peers keeps its timer.
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
