/** Everything about one torrent. */
import type { TorrentDetail } from '../../shared/rpc/contract.js'
import { escapeText, formatDuration, formatPercent } from '../../shared/text.js'
import type { Rate } from '../../shared/units.js'
import type { TorrentView } from '../../shared/views.js'
import { goalsText } from './goals.js'
import { goalText, ratioText, stateLook, stateText } from './list.js'
import { bytesText, formatTime, paint, plural, rateText, type Style } from './style.js'
import { renderPairs } from './table.js'
import { trackerLine } from './trackers.js'

export function renderShow(torrent: TorrentDetail, style: Style): string {
  const look = stateLook(torrent)
  const said = longState(torrent)
  const state = look === null ? said : paint(said, look, style)
  const pairs: [string, string][] = [
    ['Torrent', String(torrent.id)],
    ['Name', escapeText(torrent.name)],
    ['State', state + wish(torrent)],
  ]
  if (torrent.error !== null) pairs.push(['Problem', paint(escapeText(torrent.error), 'red', style)])
  if (torrent.labels.length > 0)
    pairs.push(['Labels', torrent.labels.map((each) => escapeText(each)).join(', ')])
  pairs.push(...figures(torrent, style), ...origin(torrent))
  return renderPairs(pairs, style)
}

function longState(torrent: TorrentDetail): string {
  if (torrent.queueRank !== null) return `queued for ${torrent.queuedFor ?? ''} at rank ${torrent.queueRank}`
  return torrent.goalReached === null ? stateText(torrent) : goalText(torrent)
}

function wish({ desired, state }: TorrentDetail): string {
  if (desired === 'paused' && state !== 'paused') return ' (to be paused)'
  return desired === 'forced' ? ' (past the queue)' : ''
}

function seeded(torrent: TorrentDetail): [string, string][] {
  const usual = Object.values(torrent.seedGoals).every((goal) => goal === 'default')
  const time = `${formatDuration(torrent.seedingTime)} in all`
  if (torrent.seedingTime === 0 && usual) return []
  return [['Seeding', usual ? time : `${time}; ${goalsText(torrent.seedGoals)}`]]
}

function figures(torrent: TorrentDetail, style: Style): [string, string][] {
  // A magnet link: nothing is known of its files.
  if (torrent.pieceCount === 0) return [['Peers', torrent.peers === 0 ? 'none' : String(torrent.peers)]]
  const done = `${formatPercent(torrent.progress)}  ${bytesText(torrent.doneBytes, style)} of ${bytesText(torrent.wantedBytes, style)}`
  const order = orderText(torrent)
  const chosen = torrent.wantedFileCount < torrent.fileCount ? `${torrent.wantedFileCount} of ` : ''
  return [
    ['Done', torrent.eta === null ? done : `${done}, ${formatDuration(torrent.eta)} left`],
    ['Down', `${rateText(torrent.downRate, style)}, ${bytesText(torrent.downloaded, style)} in all`],
    ['Up', `${rateText(torrent.upRate, style)}, ${bytesText(torrent.uploaded, style)} in all`],
    ['Ratio', ratioText(torrent.ratio)],
    ...seeded(torrent),
    ['Wasted', bytesText(torrent.wasted, style)],
    ['Peers', torrent.peers === 0 ? 'none' : `${torrent.peers}, ${plural(torrent.seeds, 'seed')} among them`],
    ['Files', chosen + plural(torrent.fileCount, 'file')],
    ...(torrent.downLimit !== null || torrent.upLimit !== null
      ? [['Limit', limitText(torrent.downLimit, torrent.upLimit, style)] as [string, string]]
      : []),
    ...(order === null ? [] : [['Order', order] as [string, string]]),
    [
      'Size',
      `${bytesText(torrent.totalBytes, style)} in ${torrent.pieceCount} pieces of ${bytesText(torrent.pieceLength, style)}`,
    ],
  ]
}

/** Limits in words: `down 1.0 MiB/s, up without limit`. */
export function limitText(down: Rate | null, up: Rate | null, style: Style): string {
  const text = (rate: Rate | null): string => (rate === null ? 'without limit' : rateText(rate, style))
  return down === null && up === null ? 'without limit' : `down ${text(down)}, up ${text(up)}`
}

/** In what order pieces are fetched, or null where it is the usual one. */
export function orderText({
  sequential,
  firstLast,
}: Pick<TorrentView, 'sequential' | 'firstLast'>): string | null {
  const first = firstLast ? 'the first and last piece of each file first' : null
  const then = sequential ? 'in order' : null
  return [first, then].filter((part) => part !== null).join(', then ') || null
}

function origin(torrent: TorrentDetail): [string, string][] {
  const pairs: [string, string][] = [['Folder', escapeText(torrent.dir)]]
  if (torrent.infoHash !== null) pairs.push(['Info hash', torrent.infoHash])
  if (torrent.infoHashV2 !== null) pairs.push(['Info hash v2', torrent.infoHashV2])
  pairs.push(['Private', torrent.private ? 'yes' : 'no'], ['Added', formatTime(torrent.addedAt)])
  if (torrent.completedAt !== null) pairs.push(['Completed', formatTime(torrent.completedAt)])
  if (torrent.createdAt !== null) pairs.push(['Created', formatTime(torrent.createdAt)])
  if (torrent.createdBy !== null) pairs.push(['Created by', escapeText(torrent.createdBy)])
  if (torrent.comment !== null) pairs.push(['Comment', escapeText(torrent.comment)])
  torrent.trackers.forEach((tracker, at) => pairs.push([at === 0 ? 'Trackers' : '', trackerLine(tracker)]))
  torrent.webSeeds.forEach((url, at) => pairs.push([at === 0 ? 'Web seeds' : '', escapeText(url)]))
  return pairs
}
