/**
 * The daemon as a systemd user unit: install, uninstall, status, start. Every step can be repeated. The rule of
 * exits is the one of service.ts: 0 stays down, anything else is started again.
 */
import { homebrewSentence } from './homebrew.js'
import { type Host, lastLine, reason, ServiceError, type ServiceInit } from './manager.js'
import { stableNode, stablePath } from './stable.js'
import { showUnit, systemctl } from './systemctl.js'
import { unitName, unitText } from './unit.js'

export interface InstalledUnit {
  readonly unit: string
  /** Absolute path of the unit's file. */
  readonly file: string
  readonly node: string
  /** The person's systemd goes on after logout, and starts at boot. */
  readonly lingers: boolean
  readonly logDir: string
}

export interface UninstalledUnit {
  readonly unit: string
  readonly file: string
  /** False where nothing was installed: the same answer, nothing to undo. */
  readonly removed: boolean
  /** Kept. */
  readonly stateDir: string
  readonly logDir: string
}

export interface UnitStatus {
  readonly unit: string
  readonly file: string
  readonly installed: boolean
  /** It starts at login. */
  readonly enabled: boolean
  readonly lingers: boolean
  /** Why nothing can be asked, in one sentence, or null; then the rest is empty. */
  readonly problem: string | null
  readonly state: string | null
  readonly detail: string | null
  readonly pid: number | null
  /** Seconds since the last start, while it runs. */
  readonly uptime: number | null
  readonly lastExit: number | null
  readonly lastSignal: string | null
  readonly restarts: number
  /** What the last run printed before it ended badly, or null. */
  readonly lastWords: string | null
  /** The unit's file is not whole. */
  readonly damaged: boolean
}

/** Where systemd says that it runs the machine: sd_booted(3). */
const BOOTED = '/run/systemd/system'

/** The one sentence for a Linux without it. */
export const NO_SYSTEMD =
  'systemd does not run this system (a container has none), so no service can be installed; ' +
  'run "torrentinoctl daemon start" to run the daemon by hand.'

/** After lingering was switched on, the person's systemd is started. */
const POLL_MS = 100
const MOST_POLLS = 100

/** A service can be offered to this person here. */
export function canInstallUnit(host: Host): boolean {
  return host.exists(BOOTED) && host.uid !== 0
}

/** The unit's file of this home, or null where none is installed. Asks the disk only. */
export function installedUnit(init: ServiceInit, host: Host): string | null {
  const { file } = placeOf(init, host)
  return host.exists(file) ? file : null
}

/** The person's systemd goes on without a login. */
export function lingers(host: Host): boolean {
  return host.exists(`/var/lib/systemd/linger/${host.userName}`)
}

/** One sentence for who installed it without lingering. */
export function lingerSentence(host: Host): string {
  return (
    'Without lingering it ends when you log out, and starts at your next login: ' +
    `"loginctl enable-linger ${host.userName}" or "torrentinoctl service install --linger" keeps it running.`
  )
}

/** Writes the unit, has it started at login, and starts it; one that is there is stopped and written anew. */
export async function installUnit(
  init: ServiceInit,
  host: Host,
  { linger = false }: { readonly linger?: boolean } = {},
): Promise<InstalledUnit> {
  needSystemd(host)
  const { unit, file, folder } = placeOf(init, host)
  const instead = homebrewSentence(init, host)
  if (instead !== null) throw new ServiceError(instead)
  const node = stableNode(init.execPath, host)
  const text = textOf(init, host, node, await canNotify(host))
  if (linger) await enableLinger(host)
  await needManager(host, linger)
  const again = host.exists(file)
  await write(file, folder, text, host)
  await act(host, 'cannot read its units anew', 'daemon-reload')
  if (again) await act(host, 'could not stop the service that was there', 'stop', unit)
  await act(host, `did not enable ${unit}`, 'enable', unit)
  await begin(unit, init, host)
  return { unit, file, node, lingers: lingers(host), logDir: init.logDir }
}

/** Stops the unit and removes its file. State, settings, downloads and lingering stay. */
export async function uninstallUnit(init: ServiceInit, host: Host): Promise<UninstalledUnit> {
  if (host.uid === 0) throw new ServiceError(NOT_ROOT)
  const { unit, file, folder } = placeOf(init, host)
  const there = host.exists(file)
  if (there && (await managerProblem(host)) === null)
    await act(host, `could not stop ${unit}`, 'disable', '--now', unit)
  try {
    // Where no manager runs, nobody else takes the link away.
    await host.removeFile(`${folder}/default.target.wants/${unit}`)
    await host.removeFile(file)
  } catch (error) {
    throw new ServiceError(`The unit ${file} cannot be removed: ${wordsOf(error)}.`)
  }
  // It holds no unit whose file has gone; what it says where it does not run is of no use.
  if (there) await systemctl(host, 'daemon-reload')
  return { unit, file, removed: there, stateDir: init.stateDir, logDir: init.logDir }
}

export async function unitStatus(init: ServiceInit, host: Host): Promise<UnitStatus> {
  const { unit, file } = placeOf(init, host)
  const installed = host.exists(file)
  const text = installed ? await host.readFile(file) : null
  const damaged = text !== null && !text.includes('[Install]')
  const about = { unit, file, installed, damaged, lingers: lingers(host) }
  if (!host.exists(BOOTED)) return { ...about, ...NOTHING, problem: NO_SYSTEMD }
  if (!installed) return { ...about, ...NOTHING, problem: null }
  const shown = await showUnit(host, unit)
  if (shown === null) {
    return { ...about, ...NOTHING, problem: (await managerProblem(host)) ?? 'systemctl does not know it.' }
  }
  const { startedAt, ...rest } = shown
  const running = rest.pid !== null && startedAt !== null
  const uptime = running ? Math.max(0, Math.floor((host.monotonic() - startedAt) / 1e6)) : null
  const endedBadly = rest.pid === null && (rest.lastSignal !== null || (rest.lastExit ?? 0) !== 0)
  const lastWords = endedBadly ? await journalEnd(unit, host) : null
  return { ...about, ...rest, uptime, lastWords, problem: null }
}

/** The last line that the daemon printed, without what systemd says of it. */
async function journalEnd(unit: string, host: Host): Promise<string | null> {
  const query = [
    '--user',
    '--unit',
    unit,
    '--lines',
    '1',
    '--output',
    'cat',
    '--no-pager',
    '_TRANSPORT=stdout',
  ]
  const ran = await host.run('journalctl', query)
  return ran.status === 0 ? lastLine(ran.stdout) : null
}

/** Stops the daemon of the installed unit and starts it again, as after an upgrade. */
export async function restartUnit(init: ServiceInit, host: Host): Promise<void> {
  needSystemd(host)
  const { unit, file } = placeOf(init, host)
  if (!host.exists(file)) throw new ServiceError(NOT_THERE)
  await needManager(host, false)
  await act(host, `could not start ${unit} again`, 'restart', unit)
}

/** Starts the installed unit. One that runs is left alone. */
export async function startUnit(init: ServiceInit, host: Host): Promise<void> {
  needSystemd(host)
  const { unit, file } = placeOf(init, host)
  if (!host.exists(file)) throw new ServiceError(NOT_THERE)
  await needManager(host, false)
  await begin(unit, init, host)
}

const NOT_THERE = 'No service is installed for this home; run "torrentinoctl service install".'
const NOT_ROOT = 'The service belongs to a person, not to root; run this again without sudo.'

const NOTHING = {
  enabled: false,
  state: null,
  detail: null,
  pid: null,
  uptime: null,
  lastExit: null,
  lastSignal: null,
  restarts: 0,
  lastWords: null,
} as const

function placeOf(init: ServiceInit, host: Host): { unit: string; folder: string; file: string } {
  const unit = unitName(init.home)
  const folder = `${host.userHome}/.config/systemd/user`
  return { unit, folder, file: `${folder}/${unit}` }
}

function needSystemd(host: Host): void {
  if (!host.exists(BOOTED)) throw new ServiceError(NO_SYSTEMD)
  if (host.uid === 0) throw new ServiceError(NOT_ROOT)
}

async function canNotify(host: Host): Promise<boolean> {
  return (await host.run('systemd-notify', ['--version'])).status === 0
}

function textOf(init: ServiceInit, host: Host, node: string, notifies: boolean): string {
  try {
    const entry = stablePath(init.entry, host)
    return unitText({ node, entry, home: init.home, variables: folderVariables(init, host), notifies })
  } catch (error) {
    if (error instanceof RangeError)
      throw new ServiceError(`The service cannot be written: ${error.message}.`)
    throw error
  }
}

/** Those of shared/home.ts: the shell's own, which the manager may not know. A named home lies where it lies. */
function folderVariables(init: ServiceInit, host: Host): Record<string, string> {
  const names = init.home === null ? ['XDG_STATE_HOME', 'XDG_CONFIG_HOME'] : ['XDG_CONFIG_HOME']
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = host.env[name]
      return value?.startsWith('/') === true ? [[name, value]] : []
    }),
  )
}

async function enableLinger(host: Host): Promise<void> {
  if (lingers(host)) return
  const ran = await host.run('loginctl', ['enable-linger', host.userName])
  if (ran.status !== 0)
    throw new ServiceError(
      `loginctl did not switch lingering on (${reason(ran)}); ` +
        `run "sudo loginctl enable-linger ${host.userName}" and then this again without --linger.`,
    )
}

/** Null where the person's systemd answers. */
async function managerProblem(host: Host): Promise<string | null> {
  const ran = await systemctl(host, 'show', '--property=Version')
  if (ran.status === 0) return null
  return (
    `No systemd runs for ${host.userName} (${reason(ran)}); log in as ${host.userName}, ` +
    `or run "sudo loginctl enable-linger ${host.userName}", and then this again.`
  )
}

/** `starting`: it was asked for a moment ago. */
async function needManager(host: Host, starting: boolean): Promise<void> {
  for (let polls = starting ? MOST_POLLS : 0; ; polls -= 1) {
    const problem = await managerProblem(host)
    if (problem === null) return
    if (polls <= 0) throw new ServiceError(problem)
    await host.wait(POLL_MS)
  }
}

async function write(file: string, folder: string, text: string, host: Host): Promise<void> {
  try {
    await host.makeFolder(folder, 0o755)
    await host.replaceFile(file, text, 0o644)
  } catch (error) {
    throw new ServiceError(`The unit cannot be written to ${file}: ${wordsOf(error)}.`)
  }
}

async function act(host: Host, what: string, ...args: readonly string[]): Promise<void> {
  const ran = await systemctl(host, ...args)
  if (ran.status !== 0) throw new ServiceError(`systemctl ${what}: ${reason(ran)}.`)
}

/** Waits until the daemon is ready, or says why it is not. */
async function begin(unit: string, init: ServiceInit, host: Host): Promise<void> {
  const ran = await systemctl(host, 'start', unit)
  if (ran.status === 0) return
  const shown = await showUnit(host, unit)
  // The rule of exits: a second daemon on one home leaves with 0.
  if (shown?.lastExit === 0)
    throw new ServiceError(
      'The service is installed, but a torrentinod that was started by hand has this home; ' +
        '"torrentinoctl daemon stop" and then "torrentinoctl service start" hand it over.',
    )
  throw new ServiceError(
    `The service is installed, but the daemon did not start (${reason(ran)}); ` +
      `read "journalctl --user -u ${unit}" and the log in ${init.logDir}.`,
  )
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'you have no right to write there'],
  ['EPERM', 'you have no right to write there'],
  ['EROFS', 'its volume can only be read'],
  ['ENOSPC', 'its volume is full'],
  ['EDQUOT', 'your quota there is used up'],
  ['ENOTDIR', 'a file is where a folder should be'],
  ['EEXIST', 'a file is where a folder should be'],
  ['EISDIR', 'a folder is in its place'],
])

function wordsOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return WORDS.get(code) ?? (error instanceof Error ? error.message : String(error))
}
