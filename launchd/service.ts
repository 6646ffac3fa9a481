/**
 * The daemon as a launchd login agent: install, uninstall, status, start. Every step can be repeated.
 * The rule the agent relies on: a clean stop exits with 0 and stays down, a second daemon under a manager exits
 * with 0, a bug exits with anything else and is restarted.
 */
import { homebrewSentence, homebrewService } from './homebrew.js'
import { agentLabel, agentPlist, errorLog, EXIT_SECONDS, isWhole } from './plist.js'
import { readPrint } from './launchctl.js'
import type { PrintedService } from './launchctl.js'
import { type Host, lastLine, type Ran, reason, ServiceError, type ServiceInit } from './manager.js'
import { stableNode, stablePath } from './stable.js'

export interface Installed {
  readonly label: string
  readonly plist: string
  /** 'gui/501' or 'user/501': where launchd runs it. */
  readonly domain: string
  readonly node: string
  readonly logDir: string
}

export interface Uninstalled {
  readonly label: string
  readonly plist: string
  /** False where nothing was installed: the same answer, nothing to undo. */
  readonly removed: boolean
  /** Kept. */
  readonly stateDir: string
  readonly logDir: string
}

export interface ServiceStatus {
  /** False where this system has no launchd; then the rest is empty. */
  readonly supported: boolean
  readonly label: string
  readonly plist: string | null
  readonly installed: boolean
  readonly loaded: boolean
  readonly domain: string | null
  readonly state: string | null
  readonly pid: number | null
  readonly lastExit: number | null
  readonly lastSignal: string | null
  /** What the last run printed before it ended badly, or null. */
  readonly lastWords: string | null
  /** The file of the agent is not whole. */
  readonly damaged: boolean
  /** Where Homebrew's own service for this home lies, or null. */
  readonly homebrew: string | null
}

/** Waiting for the old agent to go, a little longer than launchd gives it. */
const POLL_MS = 100
const MOST_POLLS = ((EXIT_SECONDS + 5) * 1000) / POLL_MS

/** The one sentence for a system with neither; choose.ts takes systemd on Linux. */
export const NO_LAUNCHD =
  'Services are for launchd on macOS and systemd on Linux; ' +
  'run "torrentinoctl daemon start" to run the daemon by hand.'

/** Where the agent of this home is written. */
export function plistPath(init: ServiceInit, host: Host): string {
  return `${host.userHome}/Library/LaunchAgents/${agentLabel(init.home)}.plist`
}

/** Writes the agent and loads it; an agent that is there is stopped, rewritten and loaded again. */
export async function install(init: ServiceInit, host: Host): Promise<Installed> {
  needLaunchd(host)
  const instead = homebrewSentence(init, host)
  if (instead !== null) throw new ServiceError(instead)
  const label = agentLabel(init.home)
  const plist = plistPath(init, host)
  const node = stableNode(init.execPath, host)
  const text = plistText(init, host, label, node)
  await host.makeFolder(`${host.userHome}/Library/LaunchAgents`, 0o755)
  await host.makeFolder(init.logDir, 0o700)
  await bootOut(label, host)
  await host.replaceFile(plist, text, 0o644)
  const domain = await bootstrap(label, plist, host)
  return { label, plist, domain, node, logDir: init.logDir }
}

/** Stops the agent and removes its file. State, settings and downloads stay. */
export async function uninstall(init: ServiceInit, host: Host): Promise<Uninstalled> {
  needLaunchd(host)
  const label = agentLabel(init.home)
  const plist = plistPath(init, host)
  const wasLoaded = await bootOut(label, host)
  const hadFile = await host.removeFile(plist)
  return { label, plist, removed: wasLoaded || hadFile, stateDir: init.stateDir, logDir: init.logDir }
}

export async function status(init: ServiceInit, host: Host): Promise<ServiceStatus> {
  const label = agentLabel(init.home)
  if (host.platform !== 'darwin')
    return { supported: false, label, plist: null, ...nothing, installed: false }
  const plist = plistPath(init, host)
  const installed = host.exists(plist)
  const text = installed ? await host.readFile(plist) : null
  const damaged = text !== null && !isWhole(text)
  const homebrew = init.home === null ? homebrewService(host) : null
  const about = { supported: true, label, plist, ...nothing, installed, damaged, homebrew }
  const found = await findLoaded(label, host)
  if (found === null) return about
  const { domain, printed } = found
  const endedBadly = printed.pid === null && printed.lastExit !== 0
  const lastWords = endedBadly ? lastLine(await host.readFile(errorLog(init.logDir))) : null
  return { ...about, loaded: true, domain, ...printed, lastWords }
}

/** Stops the daemon of the installed agent and starts it again, as after an upgrade. */
export async function restart(init: ServiceInit, host: Host): Promise<void> {
  needLaunchd(host)
  const found = await findLoaded(agentLabel(init.home), host)
  if (found === null) return start(init, host)
  const kicked = await host.run('launchctl', ['kickstart', '-k', `${found.domain}/${agentLabel(init.home)}`])
  if (kicked.status !== 0)
    throw new ServiceError(`launchctl could not start the service again: ${reason(kicked)}.`)
}

/** The agent of this home, or null where none is installed. Asks the disk only, never launchctl. */
export function installedService(init: ServiceInit, host: Host): { label: string; plist: string } | null {
  if (host.platform !== 'darwin') return null
  const plist = plistPath(init, host)
  return host.exists(plist) ? { label: agentLabel(init.home), plist } : null
}

/** Starts the installed agent, loading it first where it was unloaded. One that runs is left alone. */
export async function start(init: ServiceInit, host: Host): Promise<void> {
  needLaunchd(host)
  const service = installedService(init, host)
  if (service === null)
    throw new ServiceError('No service is installed for this home; run "torrentinoctl service install".')
  const found = await findLoaded(service.label, host)
  // RunAtLoad starts it.
  if (found === null) {
    await bootstrap(service.label, service.plist, host)
    return
  }
  if (found.printed.pid !== null) return
  const kicked = await host.run('launchctl', ['kickstart', `${found.domain}/${service.label}`])
  if (kicked.status !== 0) throw new ServiceError(`launchctl could not start the service: ${reason(kicked)}.`)
}

const nothing = {
  loaded: false,
  domain: null,
  state: null,
  pid: null,
  lastExit: null,
  lastSignal: null,
  lastWords: null,
  damaged: false,
  homebrew: null,
} as const

function needLaunchd(host: Host): void {
  if (host.platform !== 'darwin') throw new ServiceError(NO_LAUNCHD)
  if (host.uid === 0)
    throw new ServiceError('The service belongs to a person, not to root; run this again without sudo.')
}

function plistText(init: ServiceInit, host: Host, label: string, node: string): string {
  try {
    const entry = stablePath(init.entry, host)
    return agentPlist({ label, node, entry, home: init.home, logDir: init.logDir })
  } catch (error) {
    if (error instanceof RangeError)
      throw new ServiceError(`The service cannot be written: ${error.message}.`)
    throw error
  }
}

/** gui is the session on the screen; user is there over SSH too, where nobody is logged in at the screen. */
function domains(host: Host): readonly string[] {
  return [`gui/${host.uid}`, `user/${host.uid}`]
}

async function findLoaded(
  label: string,
  host: Host,
): Promise<{ domain: string; printed: PrintedService } | null> {
  for (const domain of domains(host)) {
    const printed = await host.run('launchctl', ['print', `${domain}/${label}`])
    if (printed.status === 0) return { domain, printed: readPrint(printed.stdout) }
  }
  return null
}

/** Unloads the agent and waits until launchd has let go of it. False where it was not loaded. */
async function bootOut(label: string, host: Host): Promise<boolean> {
  let asked: Ran | null = null
  for (let poll = 0; poll < MOST_POLLS; poll += 1) {
    const found = await findLoaded(label, host)
    if (found === null) return asked !== null
    // Its status is no proof: it returns while the daemon is still writing its last round.
    asked ??= await host.run('launchctl', ['bootout', `${found.domain}/${label}`])
    await host.wait(POLL_MS)
  }
  const why = asked === null || asked.status === 0 ? 'it is still there' : reason(asked)
  throw new ServiceError(`launchctl could not unload ${label} in ${EXIT_SECONDS + 5} s: ${why}.`)
}

/** The domain that took it. */
async function bootstrap(label: string, plist: string, host: Host): Promise<string> {
  const refusals: string[] = []
  for (const domain of domains(host)) {
    // A label that was switched off once stays off through any bootstrap until it is switched on.
    await host.run('launchctl', ['enable', `${domain}/${label}`])
    const loaded = await host.run('launchctl', ['bootstrap', domain, plist])
    if (loaded.status === 0) return domain
    refusals.push(`${domain}: ${reason(loaded)}`)
  }
  throw new ServiceError(
    `launchctl did not take ${plist} (${refusals.join('; ')}); it stays there and is loaded at the next login, ` +
      'or remove it with "torrentinoctl service uninstall".',
  )
}
