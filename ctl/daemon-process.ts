/** The daemon as a process that ctl starts: beside this program, in the background or in the foreground. */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { daemonVariables } from '../shared/environment.js'
import { makeFolders } from '../shared/folders.js'
import { escapeText } from '../shared/text.js'
import { Client } from './client.js'
import type { Context } from './context.js'
import { EXIT, type ExitStatus, Failure } from './exit.js'

/** Milliseconds that a daemon may take until it answers: it may have thousands of torrents to restore. */
const START_WITHIN = 30_000
const POLL = 50

/** dist/daemon/bin.js, seen from dist/ctl/torrentinoctl.js. */
export const DAEMON_ENTRY = fileURLToPath(new URL('../daemon/bin.js', import.meta.url))

/** A home given as an argument would put the socket there, and not where TORRENTINO_SOCKET says. */
function isArgument({ named, home }: Context): boolean {
  return named !== null && !home.groupSocket
}

function daemonArguments(context: Context): string[] {
  return [DAEMON_ENTRY, ...(isArgument(context) ? ['--home', context.named ?? ''] : [])]
}

function daemonEnvironment(context: Context): NodeJS.ProcessEnv {
  const home = isArgument(context) || context.named === null ? {} : { TORRENTINO_HOME: context.named }
  return { ...daemonVariables(process.platform), ...process.env, ...home }
}

/** Starts a daemon that outlives us, and waits until it answers. */
export async function startDaemon(context: Context): Promise<Client> {
  makeFolders(context.home.logs, {
    mkdir: (path) => {
      mkdirSync(path, { mode: 0o700 })
    },
    isFolder: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  })
  const log = join(context.home.logs, 'start.log')
  const output = openSync(log, 'w', 0o600)
  const child = spawn(process.execPath, daemonArguments(context), {
    cwd: '/',
    detached: true,
    env: daemonEnvironment(context),
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  let ended: string | null = null
  child.once('error', (error) => (ended = error.message))
  child.once('exit', (code, signal) => (ended = signal ?? `exit status ${code ?? 1}`))
  child.unref()
  return waitForDaemon(context, () => {
    if (ended === null) return null
    const last = readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? ''
    return `torrentinod did not start (${ended})${last === '' ? '' : `: ${escapeText(last).slice(0, 500)}`}; its output is in ${log}`
  })
}

/** Waits until someone answers on the socket; `problem` may end the wait with a sentence. */
export async function waitForDaemon(
  context: Context,
  problem: () => string | null = () => null,
): Promise<Client> {
  for (const until = Date.now() + START_WITHIN; Date.now() < until;) {
    const client = await Client.connect(context.home.socket)
    if (client !== null) return client
    const sentence = problem()
    if (sentence !== null) throw new Failure(EXIT.fault, sentence)
    await delay(POLL)
  }
  throw new Failure(
    EXIT.fault,
    `torrentinod did not answer within ${START_WITHIN / 1000} s; its log is in ${context.home.logs}`,
  )
}

/** Runs a daemon here, until it ends; signals reach it through us. */
export function runDaemon(context: Context): Promise<ExitStatus> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, daemonArguments(context), {
      env: daemonEnvironment(context),
      stdio: 'inherit',
    })
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
    // From a terminal the whole group gets it; to send it once more does no harm.
    for (const signal of signals) process.on(signal, () => child.kill(signal))
    child.once('error', reject)
    child.once('exit', (code) => resolve(isStatus(code) ? code : EXIT.fault))
  })
}

function isStatus(code: number | null): code is ExitStatus {
  return code !== null && Object.values(EXIT).some((status) => status === code)
}
