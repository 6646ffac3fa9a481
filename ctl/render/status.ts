/** The daemon itself, on one line and on many. */
import { escapeText, formatDuration } from '../../shared/text.js'
import type { DaemonView, TookView } from '../../shared/views.js'
import { bytesText, paint, plural, rateText, type Style } from './style.js'
import { renderPairs } from './table.js'

/** The first line of `torrentinoctl` without arguments. */
export function renderStatusLine(daemon: DaemonView, style: Style): string {
  const parts = [
    `torrentinod ${escapeText(daemon.version)}`,
    plural(daemon.torrents.total, 'torrent'),
    plural(daemon.connections, 'peer'),
    `down ${rateText(daemon.downRate, style)}`,
    `up ${rateText(daemon.upRate, style)}`,
  ]
  const line = parts.join(', ') + '\n'
  return line + databaseLines(daemon, style) + (daemon.listen.error === null ? '' : portLine(daemon, style))
}

export function renderStatus(daemon: DaemonView, style: Style): string {
  const states = Object.entries(daemon.torrents.byState).map(([state, count]) => `${count} ${state}`)
  const detail = states.length === 0 ? '' : ` (${states.join(', ')})`
  const pairs: [string, string][] = [
    ['Version', `${escapeText(daemon.version)}, contract ${escapeText(daemon.contract)}`],
    [
      'Process',
      `${daemon.pid}, up ${formatDuration(daemon.uptime)}, ${bytesText(daemon.rssBytes, style)} of memory`,
    ],
    ['Owner', daemon.owner === 'service' ? 'the service manager' : 'you, started by hand'],
    ['Home', escapeText(daemon.home)],
    ['Downloads', escapeText(daemon.downloadDir)],
    ['Listens', `${escapeText(daemon.listen.host) || 'every address'}, port ${daemon.listen.port}`],
    ['Network', daemon.scope],
    ['Local', local(daemon.lsd)],
    ['Torrents', `${daemon.torrents.total}${detail}`],
    ...trashPair(daemon.trash, style),
    ['Peers', String(daemon.connections)],
    ['Down', rateText(daemon.downRate, style)],
    ['Up', rateText(daemon.upRate, style)],
    ['Buffers', buffers(daemon.buffers, style)],
    ['Threads', threads(daemon.queues)],
  ]
  pairs.push(['Disk', disk(daemon)], ['Database', took(daemon.latency.store, 'answers')])
  const { p99, max } = daemon.loopDelay
  if (p99 !== null && max !== null)
    pairs.push(['Main loop', `late by ${p99} ms (p99) and ${max} ms at most, in the last minute`])
  const { stalls, faults } = daemon
  if (stalls.count > 0)
    pairs.push([
      'Stalls',
      `${stalls.count} over 200 ms, the longest ${stalls.longest} ms (${escapeText(stalls.phase ?? 'other')}); see the log`,
    ])
  if (faults.peers + faults.torrents > 0)
    pairs.push([
      'Faults',
      `Torrentino's own: ${plural(faults.peers, 'connection')} ended, ${plural(faults.torrents, 'torrent')} blocked; see the log`,
    ])
  const problem = daemon.listen.error === null ? '' : portLine(daemon, style)
  return renderPairs(pairs, style) + databaseLines(daemon, style) + problem
}

/** Nothing where nothing was removed. */
function trashPair({ torrents, bytes }: DaemonView['trash'], style: Style): [string, string][] {
  const room = bytes === 0 ? '' : `, ${bytesText(bytes, style)} of files`
  return torrents === 0 ? [] : [['Trash', `${plural(torrents, 'torrent')}${room}`]]
}

function local({ reason, torrents, families, found }: DaemonView['lsd']): string {
  if (reason !== null) return `off: ${escapeText(reason)}`
  const over = families.map((family) => `IPv${family}`).join(' and ')
  return `${plural(torrents, 'torrent')} announced over ${over}, ${plural(found, 'peer')} found`
}

function databaseLines({ database: { problem, notice }, settingsMistake }: DaemonView, style: Style): string {
  const said = [settingsMistake, problem, notice].filter((sentence) => sentence !== null)
  return said.map((sentence) => paint(escapeText(sentence), 'yellow', style) + '\n').join('')
}

function buffers({ slab, slabLimit, frames, checks }: DaemonView['buffers'], style: Style): string {
  const all = bytesText(slab + frames + checks, style)
  return `${all} of payload, ${bytesText(slab, style)} of ${bytesText(slabLimit, style)} for arriving data`
}

function disk({ latency, queues }: DaemonView): string {
  const oldest = queues.oldest > 1000 ? `; a job waits since ${formatDuration(queues.oldest / 1000)}` : ''
  return `${took(latency.write, 'writes')}, ${took(latency.sync, 'syncs')}${oldest}`
}

function took({ last, slowest }: TookView, what: string): string {
  if (last === null) return `no ${what} yet`
  const worst = slowest === null ? '' : ` (${slowest} ms at most in the last minute)`
  return `${what} in ${last} ms${worst}`
}

function threads({ hash, lanes, reads, checks, oldest }: DaemonView['queues']): string {
  const jobs = hash + lanes + reads + checks
  return plural(jobs, 'job') + (jobs > 0 ? `, the oldest ${oldest} ms old` : '')
}

/** What `torrentinoctl` without arguments says when no daemon answers. */
export function renderWelcome(style: Style): string {
  const line = (command: string, what: string): string =>
    `  ${paint(command.padEnd(28), 'bold', style)}${what}\n`
  return (
    'Torrentino downloads and seeds torrents: torrentinod does the work, torrentinoctl tells it what to do.\n' +
    'torrentinod is not running.\n' +
    line('torrentinoctl add FILE', 'start it and download a torrent') +
    line('torrentinoctl daemon start', 'start it and go on with the torrents it has') +
    line('torrentinoctl --help', 'everything else')
  )
}

function portLine(daemon: DaemonView, style: Style): string {
  return paint(escapeText(daemon.listen.error ?? ''), 'yellow', style) + '\n'
}
