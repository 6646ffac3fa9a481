/** The person's own systemd: reached from any login, and what it says of a unit. */
import { constants } from 'node:os'
import type { Host, Ran } from './manager.js'

/** Runs `systemctl --user`, wherever the person came from. */
export function systemctl(host: Host, ...args: readonly string[]): Promise<Ran> {
  return host.run('systemctl', ['--user', ...args], busEnvironment(host))
}

/**
 * A login over ssh sets XDG_RUNTIME_DIR, `sudo -iu` does not, and `su` keeps the one of somebody else: then it is
 * /run/user/UID, and the bus of that folder. One that lies elsewhere is kept.
 */
function busEnvironment(host: Host): Readonly<Record<string, string>> {
  const own = `/run/user/${host.uid}`
  const given = host.env['XDG_RUNTIME_DIR']
  const foreign =
    given === undefined || given === '' || (/^\/run\/user\/\d+\/?$/.test(given) && given !== own)
  const dir = foreign ? own : given
  const bus = host.env['DBUS_SESSION_BUS_ADDRESS']
  const address = foreign || bus === undefined || bus === '' ? `unix:path=${dir}/bus` : bus
  return { XDG_RUNTIME_DIR: dir, DBUS_SESSION_BUS_ADDRESS: address }
}

export interface ShownUnit {
  /** 'active', 'activating', 'inactive', 'failed', ... */
  readonly state: string | null
  /** 'running', 'auto-restart', 'dead', ...: what the state is made of. */
  readonly detail: string | null
  readonly enabled: boolean
  readonly pid: number | null
  /** Microseconds of the monotonic clock at the last start, or null. */
  readonly startedAt: number | null
  /** Exit status of the last run; null while it runs, before the first exit, or where a signal ended it. */
  readonly lastExit: number | null
  /** 'SIGKILL', or null. */
  readonly lastSignal: string | null
  /** Automatic restarts since it was last started by hand or at login. */
  readonly restarts: number
}

const PROPERTIES =
  'ActiveState,SubState,UnitFileState,MainPID,ExecMainStartTimestampMonotonic,ExecMainCode,ExecMainStatus,NRestarts'

/** Null where the manager cannot be asked. */
export async function showUnit(host: Host, unit: string): Promise<ShownUnit | null> {
  const ran = await systemctl(host, 'show', unit, `--property=${PROPERTIES}`)
  return ran.status === 0 ? readShow(ran.stdout) : null
}

/** Reads `systemctl show`: lines of NAME=value; one that is missing is null. */
export function readShow(text: string): ShownUnit {
  const values = new Map(text.split('\n').map((line) => cut(line)))
  const pid = positive(values.get('MainPID'))
  // The kernel's si_code: 1 is an exit, 2 and 3 are ends by a signal.
  const code = pid === null ? positive(values.get('ExecMainCode')) : null
  const status = Number(values.get('ExecMainStatus') ?? 0)
  return {
    state: values.get('ActiveState') ?? null,
    detail: values.get('SubState') ?? null,
    enabled: values.get('UnitFileState')?.startsWith('enabled') === true,
    pid,
    startedAt: positive(values.get('ExecMainStartTimestampMonotonic')),
    lastExit: code === 1 ? status : null,
    lastSignal: code === 2 || code === 3 ? signalName(status) : null,
    restarts: positive(values.get('NRestarts')) ?? 0,
  }
}

function cut(line: string): readonly [string, string] {
  const at = line.indexOf('=')
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1).trim()]
}

function positive(text: string | undefined): number | null {
  const value = Number(text)
  return Number.isSafeInteger(value) && value > 0 ? value : null
}

function signalName(signal: number): string {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`
}
