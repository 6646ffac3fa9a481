/** `daemon start|stop|status|run`. */
import { readFileSync } from 'node:fs'
import type { Argv } from 'yargs'
import { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { runDaemon } from '../daemon-process.js'
import { EXIT, type ExitStatus, Failure } from '../exit.js'
import { reachDaemon, waysOf } from '../owner.js'
import { renderStatus } from '../render/status.js'

/** Milliseconds that a daemon may take to write what it has and say goodbye to trackers. */
const STOP_WITHIN = 60_000

const ACTIONS = {
  start: runStart,
  stop: runStop,
  status: runStatus,
  run: runHere,
} as const

export function daemonCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'daemon <action>',
    'Start or stop torrentinod, ask after it, or run it here',
    (command) =>
      command.positional('action', {
        choices: Object.keys(ACTIONS) as (keyof typeof ACTIONS)[],
        demandOption: true,
        describe: 'What to do; run stays in the foreground until Ctrl-C',
      }),
    verb((context, argv) => ACTIONS[argv.action](context)),
  )
}

async function runStart(context: Context): Promise<ExitStatus> {
  const running = await Client.connect(context.home.socket)
  const client = running ?? (await reachDaemon(waysOf(context), 'start'))
  try {
    const { pid } = await client.call('session.status', {})
    if (context.json) context.outJson({ started: running === null, pid })
    else context.out(`torrentinod ${running === null ? 'runs' : 'is running already'}, process ${pid}\n`)
    return EXIT.ok
  } finally {
    client.close()
  }
}

async function runStop(context: Context): Promise<ExitStatus> {
  const client = await Client.connect(context.home.socket)
  if (client === null) {
    if (context.json) context.outJson({ stopped: false, pid: null })
    else context.out('torrentinod is not running\n')
    return EXIT.ok
  }
  try {
    const { pid } = await client.call('session.shutdown', {})
    if (!(await hasEnded(client, pid))) {
      throw new Failure(
        EXIT.fault,
        `torrentinod, process ${pid}, is still stopping after ${STOP_WITHIN / 1000} s`,
      )
    }
    if (context.json) context.outJson({ stopped: true, pid })
    else context.out('torrentinod has stopped\n')
    return EXIT.ok
  } finally {
    client.close()
  }
}

/** The connection goes first, then the process. */
export async function hasEnded(client: Client, pid: number): Promise<boolean> {
  const until = Date.now() + STOP_WITHIN
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref())
  await Promise.race([client.gone, pause(STOP_WITHIN)])
  while (isAlive(pid)) {
    if (Date.now() >= until) return false
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return true
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !isZombie(pid)
  } catch {
    return false
  }
}

/** It has ended, and its parent does not ask how: so it is in a container whose first process asks after nobody. */
function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'Z'
}

async function runStatus(context: Context): Promise<ExitStatus> {
  const client = await Client.connect(context.home.socket)
  if (client === null) {
    if (context.json) context.outJson({ running: false, daemon: null })
    else context.out('torrentinod is not running; start it: torrentinoctl daemon start\n')
    return EXIT.noDaemon
  }
  try {
    const daemon = await client.call('session.status', {})
    if (context.json) context.outJson({ running: true, daemon })
    else context.out(renderStatus(daemon, context.style))
    return EXIT.ok
  } finally {
    client.close()
  }
}

async function runHere(context: Context): Promise<ExitStatus> {
  const running = await Client.connect(context.home.socket)
  if (running === null) return runDaemon(context)
  running.close()
  throw new Failure(EXIT.alreadyRunning, 'torrentinod is running already; torrentinoctl daemon stop stops it')
}
