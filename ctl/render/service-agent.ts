/** What `service` says on macOS. */
import { NO_LAUNCHD } from '../../launchd/service.js'
import type { Installed, ServiceStatus } from '../../launchd/service.js'
import { formatDuration } from '../../shared/text.js'
import {
  lastWordsLines,
  otherDaemon,
  type RunningDaemon,
  serviceRow as row,
  upgradeLines,
} from './service-row.js'

export function installedLines(done: Installed): string[] {
  return [
    'The daemon runs now and at every login.',
    row('Agent', done.plist),
    row('Node', done.node),
    row('Logs', done.logDir),
    'To take it away: torrentinoctl service uninstall',
  ]
}

/** `daemon` is who answers on the socket of this home. */
export function statusLines(found: ServiceStatus, daemon: RunningDaemon | null = null): string[] {
  const other = otherDaemon(found.pid, daemon)
  if (!found.supported) return [NO_LAUNCHD]
  const homebrew =
    found.homebrew === null
      ? []
      : [row('Homebrew', `has its own: ${found.homebrew}; see brew services info torrentino`)]
  if (!found.installed && !found.loaded)
    return [...(homebrew.length > 0 ? homebrew : [NOT_INSTALLED]), ...upgradeLines(daemon), ...other]
  const lines = [
    row('Installed', installed(found)),
    row(
      'Loaded',
      found.domain === null ? 'no; torrentinoctl service install loads it' : `yes, in ${found.domain}`,
    ),
  ]
  if (found.loaded) lines.push(row('Running', running(found, daemon)), row('Last exit', lastExit(found)))
  lines.push(...lastWordsLines(found), ...upgradeLines(daemon), ...other, ...homebrew)
  if (found.plist !== null) lines.push(row('Agent', found.plist))
  return lines
}

const NOT_INSTALLED = 'Not installed. To run at every login: torrentinoctl service install'

function installed(found: ServiceStatus): string {
  if (!found.installed) return 'no, but still loaded until the next login'
  return found.damaged
    ? 'yes, but its file is not whole; torrentinoctl service install writes it anew'
    : 'yes'
}

function running({ pid, state }: ServiceStatus, daemon: RunningDaemon | null): string {
  if (pid === null) return `no (${state ?? 'not told'})`
  const up = daemon?.pid === pid ? `, up ${formatDuration(daemon.uptime)}` : ''
  return `yes, pid ${String(pid)}${up}`
}

function lastExit(found: ServiceStatus): string {
  if (found.lastSignal !== null) return `by a signal: ${found.lastSignal}`
  return found.lastExit === null ? 'none' : String(found.lastExit)
}
