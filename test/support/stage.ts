/** What an end-to-end test stands on: a folder, daemons and trackers, all gone again after each test. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Server } from 'bittorrent-tracker'
import { afterEach, type TestContext } from 'vitest'
import { Daemon, type DaemonInit, makeHome } from './daemon.js'
import { httpTracker, reply } from './fake-tracker.js'
import { encode } from '../../shared/torrent/bencode.js'

export interface Stage {
  /** Absolute, new for each test. */
  readonly dir: string
  folder(name: string): string
  /** Starts the daemon of that name; its home is kept from one start to the next. */
  daemon(name: string, init?: Partial<DaemonInit>): Promise<Daemon>
  /** A real tracker, HTTP and UDP on 127.0.0.1 and ::1: its announce URLs. */
  tracker(): Promise<{ http: string; udp: string; udp6: string; server: Server }>
  /** A tracker that names these peers on 127.0.0.1, and itself nobody. */
  trackerOf(...ports: readonly number[]): Promise<string>
  /** Called after the test, the last one first. */
  after(end: () => unknown): void
}

/** For the top of a test file: one stage a test. Not for tests that run side by side: see `stageFor`. */
export function useStage(): Stage {
  const { stage, end } = makeStage()
  afterEach(end)
  return stage
}

/** The stage of one test, which others may run beside. `onTestFinished` is of the context of that test. */
export function stageFor(context: Pick<TestContext, 'onTestFinished'>): Stage {
  const { stage, end } = makeStage()
  // What stops a whole daemon may take as long as it does after each test.
  context.onTestFinished(end, 30_000)
  return stage
}

/** `end` leaves the stage as new. */
function makeStage(): { stage: Stage; end: () => Promise<void> } {
  let dir = ''
  let ends: (() => unknown)[] = []
  const begin = (): string => {
    if (dir === '') {
      // Short: the path of a socket has 103 bytes at most.
      dir = mkdtempSync(join(tmpdir(), 'tor-e2e-'))
      chmodSync(dir, 0o755)
    }
    return dir
  }
  const end = async (): Promise<void> => {
    for (const one of ends.reverse()) await one()
    ends = []
    if (dir !== '') rmSync(dir, { recursive: true, force: true })
    dir = ''
  }
  const stage: Stage = {
    get dir() {
      return begin()
    },
    folder: (name) => {
      const path = join(begin(), name)
      mkdirSync(path, { recursive: true })
      return path
    },
    daemon: async (name, init = {}) => {
      const home = join(begin(), name)
      if (!existsSync(home)) makeHome(home, init.config)
      const daemon = await Daemon.start({ ...init, home })
      stage.after(() => daemon.stop())
      return daemon
    },
    tracker: async () => {
      const server = new Server({ http: true, udp: true, ws: false, stats: false })
      await new Promise<void>((done) => {
        server.listen(0, { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' }, done)
      })
      stage.after(() => new Promise<void>((done) => server.close(done)))
      const port = (server.http.address() as { port: number }).port
      const { port: udp } = server.udp4.address()
      const { port: udp6 } = server.udp6.address()
      return {
        server,
        http: `http://127.0.0.1:${String(port)}/announce`,
        udp: `udp://127.0.0.1:${String(udp)}/announce`,
        udp6: `udp://[::1]:${String(udp6)}/announce`,
      }
    },
    trackerOf: async (...ports) => {
      const peers = Buffer.concat(ports.map((port) => Buffer.from([127, 0, 0, 1, port >> 8, port & 255])))
      const tracker = await httpTracker((socket) => {
        reply(socket, Buffer.from(encode({ interval: 1800, peers })))
      })
      stage.after(() => {
        tracker.close()
      })
      return `http://127.0.0.1:${String(tracker.port)}/announce`
    },
    after: (one) => {
      ends.push(one)
    },
  }
  return { stage, end }
}

/** The parameters of `torrent.add` for a .torrent file. */
export function metainfoOf(file: string | { readonly file: string }): string {
  return readFileSync(typeof file === 'string' ? file : file.file).toString('base64')
}
