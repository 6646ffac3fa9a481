/** What both managers' sentences share. */
import { escapeText } from '../../shared/text.js'

/** Who answers on the socket. */
export interface RunningDaemon {
  readonly pid: number
  readonly owner: 'service' | 'person'
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
