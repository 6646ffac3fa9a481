/** What `service` says on Linux. */
import type { InstalledUnit, UnitStatus } from '../../launchd/systemd.js'
import { formatDuration } from '../../shared/text.js'
import {
  lastWordsLines,
  otherDaemon,
  type RunningDaemon,
  serviceRow as row,
  upgradeLines,
} from './service-row.js'

/** `lingerSentence` is said where it would end at logout. */
export function installedLines(done: InstalledUnit, lingerSentence: string): string[] {
  return [
    done.lingers ? 'The daemon runs now and from every boot on.' : 'The daemon runs now and at every login.',
    ...(done.lingers ? [] : [lingerSentence]),
    row('Unit', done.file),
    row('Node', done.node),
    row('Logs', `${done.logDir}, and journalctl --user -u ${done.unit}`),
    'To take it away: torrentinoctl service uninstall',
  ]
}

/** `daemon` is who answers on the socket of this home. */
export function statusLines(found: UnitStatus, daemon: RunningDaemon | null): string[] {
  if (!found.installed) return [found.problem ?? NOT_INSTALLED, ...otherDaemon(found.pid, daemon)]
  if (found.problem !== null)
    return [row('Installed', 'yes'), found.problem, ...otherDaemon(found.pid, daemon)]
  return [
    row('Installed', installed(found)),
    ...facts(found),
    ...lastWordsLines(found),
    ...upgradeLines(daemon),
    ...otherDaemon(found.pid, daemon),
    row('Unit', found.file),
  ]
}

const NOT_INSTALLED = 'Not installed. To run at every login: torrentinoctl service install'

function installed({ damaged, enabled }: UnitStatus): string {
  if (damaged) return 'yes, but its file is not whole; torrentinoctl service install writes it anew'
  return enabled ? 'yes' : 'yes, but not started at login'
}

function facts(found: UnitStatus): string[] {
  return [
    row('At logout', found.lingers ? 'goes on (lingering)' : 'ends; loginctl enable-linger keeps it running'),
    row('Running', running(found)),
    row('Last exit', lastExit(found)),
  ]
}

function running({ pid, uptime, state, detail, restarts }: UnitStatus): string {
  if (pid === null) return `no (${state ?? 'not told'}${detail === null ? '' : `, ${detail}`})`
  const since = uptime === null ? '' : `, up ${formatDuration(uptime)}`
  return `yes, pid ${pid}${since}${restarts === 0 ? '' : `, restarted ${restarts} times`}`
}

function lastExit(found: UnitStatus): string {
  if (found.lastSignal !== null) return `by a signal: ${found.lastSignal}`
  if (found.lastExit !== null) return String(found.lastExit)
  return found.pid === null ? 'none' : 'not told while it runs'
}
