/** The program `torrentinod`: arguments, signals, exit status. */
import { homedir } from 'node:os'
import { ConfigError } from '../shared/config.js'
import { type Home, HomeError, resolveHome } from '../shared/home.js'
import { VERSION } from '../shared/version.js'
import { type Daemon, startDaemon } from './main.js'
import { StoreFault } from './ports/store.js'
import { SocketPlaceError } from './rpc/socket-file.js'

/** Where it ends by a bug: until what can be saved is saved. */
const SALVAGE_WITHIN = 2000
/** Under launchd's 20 s and systemd's 90 s, and under our own promise of 5 s. */
const STOP_WITHIN = 4500
const EXIT = { ok: 0, fault: 1, usage: 2, alreadyRunning: 6 }

const USAGE = `torrentinod ${VERSION}: the BitTorrent daemon. It is driven by torrentinoctl.

  torrentinod [run] [--home DIR]   run in the foreground until it is told to stop
  torrentinod --version

State, socket, config and logs lie in --home or TORRENTINO_HOME, or in the platform's usual folders.
`

/** What a home that cannot be used is refused with, by the code of the system or of SQLite. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^(SQLITE_FULL|ENOSPC|EDQUOT)$/, 'its volume is full; make room and start torrentinod again'],
  [/^(EROFS|SQLITE_READONLY)$/, 'its volume is read-only; make it writable, or name another home'],
  [/^(EACCES|EPERM)$/, 'there is no permission to write there; give it, or name another home'],
  [
    /^(ENOENT|ENOTDIR|ENODEV|ENXIO)$/,
    'its folder is not there and cannot be made; bring its volume back, or name another home',
  ],
]

const owner = process.env['TORRENTINO_OWNER'] === 'service' ? 'service' : 'person'
let daemon: Daemon | null = null
/** The start under way: what it has opened is known when it is over. */
let starting: Promise<unknown> = Promise.resolve()
let ending = false
let broken = false

const args = process.argv.slice(2)
const unknown = args.find((arg, at) => !isKnown(arg, args[at - 1]))
if (args.includes('--version')) print(VERSION)
else if (args.includes('--help')) print(USAGE.trimEnd())
else if (unknown !== undefined)
  end(EXIT.usage, `torrentinod does not know "${unknown}"; see torrentinod --help.`)
else await run()

async function run(): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.removeAllListeners(signal)
    process.on(signal, () => void stop())
  }
  // The terminal may go; the daemon stays. Managers send it after a change of the settings.
  process.on('SIGHUP', () => daemon?.reload())
  process.on('uncaughtException', bug)
  process.on('unhandledRejection', (reason) => {
    bug(reason instanceof Error ? reason : new Error(String(reason)))
  })
  let home: Home
  try {
    const around = { env: process.env, platform: process.platform, homedir: homedir(), cwd: process.cwd() }
    home = resolveHome(around, args)
  } catch (error) {
    if (!(error instanceof HomeError)) throw error
    end(EXIT.usage, error.message)
    return
  }
  try {
    const start = startDaemon({
      home,
      owner,
      onBug: bug,
      onDamaged: () => void stop(EXIT.fault),
      onShutdown: () => void stop(),
    })
    starting = start.catch(() => undefined)
    daemon = await start
    if (!ending) print(daemon.ready)
  } catch (error) {
    refuse(error, home)
  }
}

function refuse(error: unknown, home: Home): void {
  const running =
    (error instanceof StoreFault && error.code === 'LOCKED') ||
    (error instanceof SocketPlaceError && error.reason === 'running')
  // Under a manager a second daemon is no failure: a failure would be started again, for ever.
  if (running) {
    const sentence = `A torrentinod is already running on ${home.state}.`
    return end(owner === 'service' ? EXIT.ok : EXIT.alreadyRunning, sentence)
  }
  if (error instanceof ConfigError) {
    return end(EXIT.usage, `${home.config}${error.place}: ${error.message}`)
  }
  if (error instanceof StoreFault)
    return end(EXIT.fault, `The database ${home.database}: ${storeSentence(error)}`)
  if (error instanceof SocketPlaceError) return end(EXIT.fault, error.message)
  bug(error instanceof Error ? error : new Error(String(error)))
}

function storeSentence({ code, message }: StoreFault): string {
  return WORDS.find(([codes]) => codes.test(code))?.[1] ?? message
}

async function stop(status = EXIT.ok): Promise<void> {
  // Asked twice: now. What is recorded is safe.
  if (ending) process.exit(EXIT.ok)
  ending = true
  // A thread that hangs in a system call would hold back an orderly exit: then there is none. What is recorded is safe.
  setTimeout(() => {
    process.kill(process.pid, 'SIGKILL')
  }, STOP_WITHIN).unref()
  await starting
  await daemon?.stop()
  process.exit(status)
}

function bug(error: Error): void {
  process.stderr.write(`torrentinod: ${error.stack ?? error.message}\n`)
  // What goes wrong on the way out is not waited for.
  if (broken || daemon === null) process.exit(EXIT.fault)
  broken = true
  const end = (): void => {
    daemon?.flush()
    process.exit(EXIT.fault)
  }
  setTimeout(end, SALVAGE_WITHIN)
  daemon.died(error).then(end, end)
}

function isKnown(arg: string, before: string | undefined): boolean {
  if (before === '--home') return true
  return (
    arg === 'run' || arg === '--home' || arg.startsWith('--home=') || arg === '--version' || arg === '--help'
  )
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function end(status: number, sentence: string): void {
  process.stderr.write(`${sentence}\n`)
  process.exit(status)
}
