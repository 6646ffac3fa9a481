/** What both managers' sentences share. */
import { escapeText } from '../../shared/text.js'
import { VERSION } from '../../shared/version.js'

/** Who answers on the socket. */
export interface RunningDaemon {
  readonly pid: number
  readonly owner: 'service' | 'person'
  readonly version: string
  /** Seconds. */
  readonly uptime: number
}

/** An upgrade is on the disk, and the daemon from before it runs on. */
export function upgradeLines(daemon: RunningDaemon | null): string[] {
  if (daemon === null || daemon.version === VERSION) return []
  return [
    serviceRow('Version', `${daemon.version} runs, ${VERSION} is installed: torrentinoctl service restart`),
  ]
}

/** A daemon that is not the one that the manager tells of. */
export function otherDaemon(pid: number | null, daemon: RunningDaemon | null): string[] {
  if (daemon === null || daemon.pid === pid) return []
  const by = daemon.owner === 'service' ? 'a service' : 'hand'
  return [serviceRow('Daemon', `process ${daemon.pid} has this home, started by ${by}`)]
}

/** Why it ended, in its own words. */
export function lastWordsLines({ lastWords }: { readonly lastWords: string | null }): string[] {
  return lastWords === null ? [] : [serviceRow('It said', lastWords)]
}

/** One fact of a service: its name and its value in columns. */
export function serviceRow(label: string, value: string): string {
  return `${label.padEnd(13)}${escapeText(value)}`
}

/** After either manager's uninstall: what is gone, and what stays where. */
export function uninstalledLines(done: {
  readonly removed: boolean
  readonly stateDir: string
  readonly logDir: string
}): string[] {
  return [
    done.removed
      ? 'The service is uninstalled and its daemon stopped.'
      : 'No service was installed for this home.',
    serviceRow('State stays', done.stateDir),
    serviceRow('Logs stay', done.logDir),
  ]
}
