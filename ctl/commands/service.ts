/** `torrentinoctl service install|uninstall|status|start|restart`: the daemon at every login. */
import { systemHost } from '../../launchd/host.js'
import type { Host, ServiceInit } from '../../launchd/manager.js'
import { install, restart, start, status, uninstall } from '../../launchd/service.js'
import type { Installed, ServiceStatus, Uninstalled } from '../../launchd/service.js'
import { canInstallUnit, installUnit, lingers, lingerSentence } from '../../launchd/systemd.js'
import { restartUnit, startUnit, uninstallUnit, unitStatus } from '../../launchd/systemd.js'
import type { InstalledUnit, UninstalledUnit, UnitStatus } from '../../launchd/systemd.js'
import type { CommandModule } from 'yargs'
import { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { EXIT } from '../exit.js'
import { ask, serviceInit } from '../owner.js'
import * as agent from '../render/service-agent.js'
import { type RunningDaemon, uninstalledLines } from '../render/service-row.js'
import * as unit from '../render/service-unit.js'

const ACTIONS = ['install', 'uninstall', 'status', 'start', 'restart'] as const

export type ServiceAction = (typeof ACTIONS)[number]

interface ServiceArgs extends Globals {
  readonly action: ServiceAction
  readonly linger: boolean
}

export const serviceCommand: CommandModule<Globals, ServiceArgs> = {
  command: 'service <action>',
  describe: 'Run torrentinod at every login',
  builder: (yargs) =>
    yargs
      .positional('action', {
        choices: ACTIONS,
        demandOption: true,
        describe: 'What to do with the service of this home',
      })
      .option('linger', {
        type: 'boolean',
        default: false,
        describe: 'With install, on Linux: run from boot on, also while you are not logged in',
      }),
  handler: verb(async (context, { action, linger }) => {
    const host = systemHost()
    const answer = await runService(action, serviceInit(context), host, {
      linger: linger || (action === 'install' && (await wantsLinger(context, host))),
      daemon: () => runningDaemon(context),
    })
    if (context.json) context.outJson(answer.json)
    else context.out(answer.lines.map((line) => `${line}\n`).join(''))
    return EXIT.ok
  }),
}

export interface ServiceOptions {
  /** Linux: switch lingering on. */
  readonly linger?: boolean
  /** Null where nobody answers. */
  readonly daemon?: () => Promise<RunningDaemon | null>
}

/** Who answers on the socket of this home; null: nobody. */
interface Owned {
  readonly owner: RunningDaemon['owner'] | null
  readonly version: string | null
}

/** What to print: one value for programs, the lines for people. ServiceError where it cannot be done. */
export interface ServiceAnswer {
  readonly json:
    | Installed
    | Uninstalled
    | (ServiceStatus & Owned)
    | InstalledUnit
    | UninstalledUnit
    | (UnitStatus & Owned)
    | { readonly started: true }
  readonly lines: readonly string[]
}

export function runService(
  action: ServiceAction,
  init: ServiceInit,
  host: Host,
  options: ServiceOptions = {},
): Promise<ServiceAnswer> {
  return host.platform === 'linux'
    ? runUnit(action, init, host, options)
    : runAgent(action, init, host, options)
}

const STARTED = { json: { started: true }, lines: ['The service runs.'] } as const

function owned(pid: number | null, running: RunningDaemon | null): Owned {
  return { owner: pid === null ? (running?.owner ?? null) : 'service', version: running?.version ?? null }
}

async function runAgent(
  action: ServiceAction,
  init: ServiceInit,
  host: Host,
  { daemon }: ServiceOptions,
): Promise<ServiceAnswer> {
  switch (action) {
    case 'install': {
      const done = await install(init, host)
      return { json: done, lines: agent.installedLines(done) }
    }
    case 'uninstall': {
      const done = await uninstall(init, host)
      return { json: done, lines: uninstalledLines(done) }
    }
    case 'status': {
      const found = await status(init, host)
      const running = (await daemon?.()) ?? null
      return { json: { ...found, ...owned(found.pid, running) }, lines: agent.statusLines(found, running) }
    }
    case 'restart':
      await restart(init, host)
      return STARTED
    case 'start':
      await start(init, host)
      return STARTED
  }
}

async function runUnit(
  action: ServiceAction,
  init: ServiceInit,
  host: Host,
  { linger = false, daemon }: ServiceOptions,
): Promise<ServiceAnswer> {
  switch (action) {
    case 'install': {
      const done = await installUnit(init, host, { linger })
      return { json: done, lines: unit.installedLines(done, lingerSentence(host)) }
    }
    case 'uninstall': {
      const done = await uninstallUnit(init, host)
      return { json: done, lines: uninstalledLines(done) }
    }
    case 'status': {
      const found = await unitStatus(init, host)
      const running = (await daemon?.()) ?? null
      return { json: { ...found, ...owned(found.pid, running) }, lines: unit.statusLines(found, running) }
    }
    case 'restart':
      await restartUnit(init, host)
      return STARTED
    case 'start':
      await startUnit(init, host)
      return STARTED
  }
}

/** A person is asked, where it makes a difference. */
async function wantsLinger(context: Context, host: Host): Promise<boolean> {
  if (!context.interactive || host.platform !== 'linux' || !canInstallUnit(host) || lingers(host))
    return false
  const question = 'Keep it running when you log out, and start it at boot (loginctl enable-linger)? [Y/n] '
  return ['', 'y', 'yes'].includes((await ask(question)).trim().toLowerCase())
}

async function runningDaemon(context: Context): Promise<RunningDaemon | null> {
  const client = await Client.connect(context.home.socket)
  if (client === null) return null
  try {
    const { pid, owner, version, uptime } = await client.call('session.status', {})
    return { pid, owner, version, uptime }
  } finally {
    client.close()
  }
}
