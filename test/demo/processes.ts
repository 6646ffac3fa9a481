/** What the demo starts, each told before it begins, and ended by its own process id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Server } from 'bittorrent-tracker'

const DIST = resolve(import.meta.dirname, '../../dist')
const PROGRAMS = { torrentinod: 'daemon/bin.js', torrentinoctl: 'ctl/torrentinoctl.js' } as const
/** Milliseconds a daemon may take to end in order before it is ended without. */
const END_WITHIN = 8_000

/** A command of ours that ended otherwise than it should. */
export class CommandFailed extends Error {}

export class Processes {
  /** Where every command runs, so that what is shown is short. */
  readonly #folder: string
  readonly #signal: AbortSignal
  readonly #running = new Map<ChildProcess, Promise<void>>()

  constructor(init: { folder: string }, ports: { signal: AbortSignal }) {
    this.#folder = init.folder
    this.#signal = ports.signal
  }

  /** A daemon in a home of its own, on the loopback interface; its words go to a file. Settles when it answers. */
  async daemon(home: string): Promise<void> {
    const path = join(this.#folder, home)
    mkdirSync(path, { mode: 0o700 })
    writeFileSync(join(path, 'config.toml'), '[listen]\nhost = "127.0.0.1"\n[dht]\nenabled = false\n', {
      mode: 0o600,
    })
    const words = join(path, 'words.txt')
    const output = openSync(words, 'w')
    say(`$ torrentinod --home ${home} &`)
    // In a group of its own: Ctrl-C reaches the demo, and the demo ends the daemon.
    const child = this.#start('torrentinod', ['--home', home], {
      stdio: ['ignore', output, output],
      detached: true,
    })
    closeSync(output)
    for (let turn = 0; turn < 400 && this.#running.has(child); turn += 1) {
      this.#signal.throwIfAborted()
      if (readFileSync(words, 'utf8').includes('is ready')) return
      await delay(50)
    }
    throw new CommandFailed(`torrentinod did not start: ${readFileSync(words, 'utf8').trim()}`)
  }

  /** A command as a person gives it, on the person's terminal. */
  async ctl(...args: string[]): Promise<void> {
    say(`$ torrentinoctl ${args.join(' ')}`)
    const child = this.#start('torrentinoctl', args, { stdio: 'inherit', detached: false })
    await this.#running.get(child)
    this.#signal.throwIfAborted()
    if (child.exitCode !== 0) {
      throw new CommandFailed(
        `torrentinoctl ${args.join(' ')} ended with status ${child.exitCode ?? child.signalCode ?? 1}`,
      )
    }
  }

  /** Ends what still runs: in order, then without. */
  async end(): Promise<void> {
    for (const child of this.#running.keys()) child.kill('SIGTERM')
    const late = setTimeout(() => {
      for (const child of this.#running.keys()) child.kill('SIGKILL')
    }, END_WITHIN)
    await Promise.all(this.#running.values())
    clearTimeout(late)
  }

  #start(
    program: keyof typeof PROGRAMS,
    args: readonly string[],
    how: { stdio: 'inherit' | ['ignore', number, number]; detached: boolean },
  ): ChildProcess {
    const env = { ...process.env, TORRENTINO_NET: 'loopback' }
    const child = spawn(process.execPath, [join(DIST, PROGRAMS[program]), ...args], {
      cwd: this.#folder,
      env,
      ...how,
    })
    const ended = new Promise<void>((done) => {
      child.once('exit', done)
      child.once('error', () => {
        done()
      })
    }).then(() => void this.#running.delete(child))
    this.#running.set(child, ended)
    return child
  }
}

export interface Tracker {
  /** Announce URLs. */
  readonly http: string
  readonly udp: string
  /** Settles when every one of these swarms has a seed. */
  seedsKnown(infoHashes: readonly string[], signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export async function startTracker(): Promise<Tracker> {
  const server = new Server({ http: true, udp: true, ws: false, stats: false, interval: 60_000 })
  const listening = Promise.all([once(server.http), once(server.udp4)])
  // It wants an IPv6 socket too, and a machine without IPv6 has none: the other two are all that is needed.
  server.on('error', () => undefined)
  server.listen(0, { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' }, () => undefined)
  await Promise.race([
    listening,
    delay(5_000, null, { ref: false }).then(() => Promise.reject(new Error())),
  ]).catch(() => Promise.reject(new CommandFailed('the tracker could not listen on 127.0.0.1')))
  return {
    http: `http://127.0.0.1:${(server.http.address() as AddressInfo).port}/announce`,
    udp: `udp://127.0.0.1:${server.udp4.address().port}/announce`,
    seedsKnown: async (infoHashes, signal) => {
      for (let turn = 0; turn < 600; turn += 1) {
        signal.throwIfAborted()
        if (infoHashes.every((hash) => (server.torrents[hash]?.complete ?? 0) > 0)) return
        await delay(50)
      }
      throw new CommandFailed('the tracker heard nothing of the seeding daemon')
    },
    close: () => {
      server.http.closeAllConnections()
      return new Promise((done) => {
        server.close(done)
      })
    },
  }
}

function once(socket: { once(event: 'listening', done: () => void): unknown }): Promise<void> {
  return new Promise((done) => {
    socket.once('listening', done)
  })
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
