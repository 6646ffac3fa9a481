/** `top` and `add --follow` in a real terminal: five downloads at once, a bar for each, and keys that act. */
import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Daemon } from '../support/daemon.js'
import { type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

const CTL = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
const MIB = 1024 * 1024
const FIVE = [1, 2, 3, 4, 5]
const stage = useStage()

const hasTmux = ((): boolean => {
  try {
    execFileSync('tmux', ['-V'])
    return true
  } catch {
    return false
  }
})()

/** A terminal of 100 by 20 with a server of its own, gone after the test. */
class Terminal {
  readonly #server = `torrentino-${String(process.pid)}-${String(Math.floor(performance.now()))}`

  constructor() {
    this.#tmux('new-session', '-d', '-x', '100', '-y', '20', 'bash --norc --noprofile')
    stage.after(() => {
      this.#tmux('kill-server')
    })
  }

  type(...keys: string[]): void {
    this.#tmux('send-keys', ...keys)
  }

  command(...words: string[]): void {
    this.type(words.map((word) => `'${word}'`).join(' '), 'Enter')
  }

  get text(): string {
    return this.#tmux('capture-pane', '-p').trimEnd()
  }

  async until(is: RegExp): Promise<string> {
    for (let tries = 0; tries < 400; tries++) {
      const { text } = this
      if (is.test(text)) return text
      await delay(50)
    }
    throw new Error(`never ${String(is)}:\n${this.text}`)
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#server, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      env: { ...process.env, LANG: 'C.UTF-8', TERM: 'xterm-256color' },
    })
  }
}

/** Five torrents on a seed; the leech takes them at 1 MiB/s in all. */
async function five(): Promise<{ torrents: MadeTorrent[]; leech: Daemon }> {
  const { http } = await stage.tracker()
  const torrents = FIVE.map((n) =>
    makeTorrent(stage.folder(`made-${String(n)}`), {
      name: `film-${String(n)}.mkv`,
      content: 8 * MIB,
      trackers: [[http]],
    }),
  )
  const seed = await stage.daemon('seed')
  const leech = await stage.daemon('leech')
  for (const torrent of torrents) {
    const { id } = await seed.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
    await seed.seeds(id)
  }
  await leech.call('config.set', { key: 'limits.down', value: '1MiB/s' })
  return { torrents, leech }
}

const BAR = /film-\d\.mkv ━+─+ +\d+\.\d% +[\d.]+ [KM]?i?B\/8 MiB +↓[\d.]+ [KM]iB\/s/

it.skipIf(!hasTmux)(
  'five downloads have five bars; keys pause, resume, explain and remove; the screen is given back',
  async () => {
    const { torrents, leech } = await five()
    const { home } = leech
    const terminal = new Terminal()
    const files = torrents.map(({ file }) => file)
    terminal.command(
      process.execPath,
      CTL,
      '--home',
      home,
      'add',
      ...files,
      '--dir',
      stage.folder('down'),
      '--follow',
    )
    const followed = await terminal.until(new RegExp(FIVE.map(() => BAR.source).join('[^]*')))
    expect(followed.match(new RegExp(BAR, 'g'))).toHaveLength(5)
    terminal.type('C-c')
    await terminal.until(/The download goes on without this window/)

    terminal.command(process.execPath, CTL, '--home', home, 'top')
    const live = await terminal.until(
      /^5 torrents, 5 downloading {2,}↓ [\d.]+ [KM]iB\/s {2}↑ 0 B\/s {2}5 peers$/m,
    )
    expect(live.match(new RegExp(BAR, 'g'))).toHaveLength(5)
    expect(live).toMatch(/^› 1 film-1/m)

    terminal.type('j', 'p')
    await terminal.until(/› 2 film-2\.mkv .* paused$[^]*^film-2\.mkv: paused$/m)
    terminal.type('w')
    await terminal.until(
      /^ {2}! It was paused by torrentinoctl, \d+s ago; "torrentinoctl resume 2" lets it go on\.$/m,
    )
    terminal.type('Escape')
    await terminal.until(/› 2 film-2/)
    terminal.type('r')
    await terminal.until(/› 2 film-2\.mkv ━+─+ .* ↓/)

    terminal.type('End', 'X')
    await terminal.until(/^Remove film-5\.mkv AND DELETE ITS FILES\? y\/n$/m)
    terminal.type('y')
    await terminal.until(/^4 torrents/m)
    // A daemon that ends is waited for, and goes on being shown.
    await leech.kill9()
    await terminal.until(/^torrentinod went away; waiting for it$/m)
    await stage.daemon('leech')
    await terminal.until(/^4 torrents[^]*^torrentinod is back$/m)
    terminal.type('q')
    // What was there before is there again, and the prompt.
    const after = await terminal.until(/The download goes on without this window/)
    expect(after).not.toMatch(/s sort/)
  },
  90_000,
)

it.skipIf(!hasTmux)(
  'watch shows pieces, peers and files of one as they come, and its keys act on it',
  async () => {
    const { torrents, leech } = await five()
    const [first] = torrents
    if (first === undefined) throw new Error('there are five')
    await leech.call('torrent.add', { metainfo: metainfoOf(first), dir: stage.folder('down') })
    const terminal = new Terminal()
    terminal.command(process.execPath, CTL, '--home', leech.home, 'watch', '1')
    const live = await terminal.until(/^1 film-1\.mkv$[^]*^[1-9]\d* of 256 pieces$[^]*█/m)
    expect(live).toMatch(/^PEER .*\n127\.0\.0\.1:\d+ /m)
    expect(live).toMatch(/^NO {2}FILE .*\n 1 {2}film-1\.mkv +8 MiB /m)
    terminal.type('p')
    await terminal.until(/^paused .*[^]*^No peers are connected\.$[^]*^paused$/m)
    terminal.type('r')
    await terminal.until(/^downloading /m)
    await leech.call('config.set', { key: 'limits.down', value: '0' })
    await terminal.until(/^seeding [^]*^256 of 256 pieces$/m)
    await leech.call('torrent.remove', { ids: [1], data: true, now: true })
    await terminal.until(/^error: torrent 1 was removed meanwhile$/m)
  },
  90_000,
)

it('top without a terminal says what to use instead', async () => {
  const { home } = await stage.daemon('leech')
  const run = (): string =>
    execFileSync(process.execPath, [CTL, '--home', home, 'top'], { stdio: 'pipe' }).toString()
  expect(run).toThrow(/top needs a terminal; torrentinoctl list shows the same once/)
})
