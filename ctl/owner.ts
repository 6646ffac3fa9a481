/** Who runs the daemon, and what happens when none answers: the service manager's first, then the person is asked. */
import { createInterface } from 'node:readline/promises'
import { managerOf } from '../launchd/choose.js'
import { systemHost } from '../launchd/host.js'
import type { ServiceInit } from '../launchd/manager.js'
import { Client } from './client.js'
import type { Context } from './context.js'
import { DAEMON_ENTRY, startDaemon, waitForDaemon } from './daemon-process.js'
import { EXIT, Failure } from './exit.js'

/**
 * What a verb may do when nobody answers: nothing; start an installed service; or, for `add` and `resume`, also ask
 * the person, or start it without asking because of --start.
 */
export type Reach = 'never' | 'service' | 'ask' | 'start'

/** The ways to a daemon, as `reachDaemon` needs them. */
export interface Ways {
  connect(): Promise<Client | null>
  /** The service installed for this home, or null. */
  service(): { start(): Promise<Client> } | null
  /** Services exist on this system. */
  readonly canInstall: boolean
  /** Installs the service, which starts it. */
  install(): Promise<Client>
  startNow(): Promise<Client>
  /** The person's answer, or null when there is no person. */
  ask(question: string): Promise<string | null>
}

const NOT_RUNNING = 'torrentinod is not running; start it: torrentinoctl daemon start'

export async function reachDaemon(ways: Ways, reach: Reach): Promise<Client> {
  const client = await ways.connect()
  if (client !== null) return client
  if (reach === 'never') throw new Failure(EXIT.noDaemon, NOT_RUNNING)
  const service = ways.service()
  if (service !== null) return service.start()
  if (reach === 'start') return ways.startNow()
  if (reach === 'service') throw new Failure(EXIT.noDaemon, NOT_RUNNING)
  return askAndStart(ways)
}

async function askAndStart(ways: Ways): Promise<Client> {
  const question = ways.canInstall
    ? 'Start torrentinod now and at every login? [Y/n/once] '
    : 'torrentinod is not running. Start it now? [Y/n] '
  const answer = (await ways.ask(question))?.trim().toLowerCase()
  if (answer === undefined)
    throw new Failure(EXIT.noDaemon, `${NOT_RUNNING}, or repeat the command with --start`)
  if (answer === 'once' || answer === 'o') return ways.startNow()
  if (answer === '' || answer === 'y' || answer === 'yes')
    return ways.canInstall ? ways.install() : ways.startNow()
  throw new Failure(EXIT.noDaemon, NOT_RUNNING)
}

/** The real ones. */
export function waysOf(context: Context): Ways {
  const manager = managerOf(serviceInit(context), systemHost())
  return {
    connect: () => Client.connect(context.home.socket),
    service: () => {
      if (!manager.isInstalled()) return null
      return {
        start: async () => {
          await manager.start()
          return waitForDaemon(context)
        },
      }
    },
    canInstall: manager.canInstall,
    install: async () => {
      const sentence = await manager.install()
      if (sentence !== null) context.note(`${sentence}\n`)
      return waitForDaemon(context)
    },
    startNow: () => startDaemon(context),
    ask: (question) => (context.interactive ? ask(question) : Promise.resolve(null)),
  }
}

/** What launchd/ needs to know of this installation. */
export function serviceInit(context: Context): ServiceInit {
  return {
    home: context.named,
    stateDir: context.home.state,
    logDir: context.home.logs,
    execPath: process.execPath,
    entry: DAEMON_ENTRY,
  }
}

/** Runs `use` with a daemon, and hangs up after it. */
export async function withDaemon<T>(
  context: Context,
  reach: Reach,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await reachDaemon(waysOf(context), reach)
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

/** The person's answer; closing the terminal's input is a no. */
export async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    // Ctrl-C and Ctrl-D close it without an answer: that is a no.
    const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('n')))
    return await Promise.race([terminal.question(question), closed])
  } finally {
    terminal.close()
  }
}
