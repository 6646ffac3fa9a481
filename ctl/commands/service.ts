/** `torrentinoctl service install|uninstall|status`: the daemon at every login. */
import { systemHost } from '../../launchd/host.js'
import { install, NO_LAUNCHD, status, uninstall } from '../../launchd/service.js'
import type { Host, Installed, ServiceInit, ServiceStatus, Uninstalled } from '../../launchd/service.js'
import { escapeText } from '../../shared/text.js'
import type { CommandModule } from 'yargs'
import { type Globals, verb } from '../context.js'
import { EXIT } from '../exit.js'
import { serviceInit } from '../owner.js'

const ACTIONS = ['install', 'uninstall', 'status'] as const

export type ServiceAction = (typeof ACTIONS)[number]

interface ServiceArgs extends Globals {
  readonly action: ServiceAction
}

export const serviceCommand: CommandModule<Globals, ServiceArgs> = {
  command: 'service <action>',
  describe: 'run the daemon at every login: install, uninstall, status',
  builder: (yargs) =>
    yargs.positional('action', {
      choices: ACTIONS,
      demandOption: true,
      describe: 'what to do with the login agent',
    }),
  handler: verb(async (context, { action }) => {
    const answer = await runService(action, serviceInit(context), systemHost())
    if (context.json) context.outJson(answer.json)
    else context.out(answer.lines.map((line) => `${line}\n`).join(''))
    return EXIT.ok
  }),
}

/** What to print: one value for programs, the lines for people. ServiceError where it cannot be done. */
export interface ServiceAnswer {
  readonly json: Installed | Uninstalled | ServiceStatus
  readonly lines: readonly string[]
}

export async function runService(
  action: ServiceAction,
  init: ServiceInit,
  host: Host,
): Promise<ServiceAnswer> {
  switch (action) {
    case 'install': {
      const done = await install(init, host)
      return { json: done, lines: installedLines(done) }
    }
    case 'uninstall': {
      const done = await uninstall(init, host)
      return { json: done, lines: uninstalledLines(done) }
    }
    case 'status': {
      const found = await status(init, host)
      return { json: found, lines: statusLines(found) }
    }
  }
}

function installedLines(done: Installed): string[] {
  return [
    'The daemon runs now and at every login.',
    row('Agent', done.plist),
    row('Node', done.node),
    row('Logs', done.logDir),
    'To take it away: torrentinoctl service uninstall',
  ]
}

function uninstalledLines(done: Uninstalled): string[] {
  return [
    done.removed
      ? 'The service is uninstalled and the daemon stopped.'
      : 'No service was installed for this home.',
    row('State stays', done.stateDir),
    row('Logs stay', done.logDir),
  ]
}

function statusLines(found: ServiceStatus): string[] {
  if (!found.supported) return [NO_LAUNCHD]
  if (!found.installed && !found.loaded)
    return ['Not installed. To run at every login: torrentinoctl service install']
  const lines = [
    row('Installed', found.installed ? 'yes' : 'no, but still loaded until the next login'),
    row(
      'Loaded',
      found.domain === null ? 'no; torrentinoctl service install loads it' : `yes, in ${found.domain}`,
    ),
  ]
  if (found.loaded) lines.push(row('Running', running(found)), row('Last exit', lastExit(found)))
  if (found.plist !== null) lines.push(row('Agent', found.plist))
  return lines
}

function running(found: ServiceStatus): string {
  return found.pid === null ? `no (${found.state ?? 'not told'})` : `yes, pid ${String(found.pid)}`
}

function lastExit(found: ServiceStatus): string {
  if (found.lastSignal !== null) return `by a signal: ${found.lastSignal}`
  return found.lastExit === null ? 'none' : String(found.lastExit)
}

function row(label: string, value: string): string {
  return `${label.padEnd(13)}${escapeText(value)}`
}
