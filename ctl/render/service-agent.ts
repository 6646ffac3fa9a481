/** What `service` says on macOS. */
import { NO_LAUNCHD } from '../../launchd/service.js'
import type { Installed, ServiceStatus } from '../../launchd/service.js'
import { serviceRow as row } from './service-row.js'

export function installedLines(done: Installed): string[] {
  return [
    'The daemon runs now and at every login.',
    row('Agent', done.plist),
    row('Node', done.node),
    row('Logs', done.logDir),
    'To take it away: torrentinoctl service uninstall',
  ]
}

export function statusLines(found: ServiceStatus): string[] {
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
