/** What is shown of one torrent. */
import type { Bytes, Millis } from '../../shared/units.js'
import type { Desired, SeedGoals, TorrentView } from '../../shared/views.js'
import type { TorrentRow } from '../ports/store.js'
import { faultSentence, type TorrentState } from './lifecycle.js'
import type { Live } from './live.js'
import type { Totals } from './totals.js'

/** Of one that has none of its own. */
export const USUAL_GOALS: SeedGoals = { ratio: 'default', time: 'default', idle: 'default' }

export interface Seen {
  /** What is known while the data are not loaded. */
  readonly row: TorrentRow
  readonly live: Live | null
  /** Peers, while it is only a magnet link; null: it is more. */
  readonly fetching: number | null
  readonly state: TorrentState
  readonly desired: Desired
  readonly totals: Totals
  /** Among those of its kind. */
  readonly rank: () => number
  /** The store fails with this code. */
  readonly storeTrouble: string | null
  /** The volume of its folder does not answer. */
  readonly silent: boolean
  readonly now: Millis
}

export function torrentView(seen: Seen): TorrentView {
  const { row, live, fetching, state, desired, totals, now } = seen
  const wanted = live?.content.wantedBytes ?? row.wanted
  const done = Math.min(wanted, live?.content.doneBytes ?? row.done)
  const downRate = live?.down.rate(now) ?? 0
  return {
    id: row.id,
    infoHash: row.hashes.v1 ?? null,
    infoHashV2: row.hashes.v2 ?? null,
    name: row.name,
    state: state.kind,
    desired,
    progress: fetching !== null ? 0 : wanted === 0 ? 1 : done / wanted,
    checkProgress: checkProgress(state),
    moveProgress: moveProgress(state),
    totalBytes: row.total,
    wantedBytes: wanted,
    doneBytes: done,
    downRate,
    upRate: live?.up.rate(now) ?? 0,
    downloaded: totals.downloaded,
    uploaded: totals.uploaded,
    ratio: totals.ratio(done),
    peers: live?.connections.size ?? fetching ?? 0,
    seeds: live?.connections.seeds ?? 0,
    eta: eta(wanted - done, downRate),
    dir: row.dir,
    private: row.private,
    pieceLength: row.pieceLength,
    pieceCount: row.pieceCount,
    sequential: row.order.sequential,
    firstLast: row.order.firstLast,
    labels: row.labels,
    queuedFor: state.kind === 'queued' ? state.for : null,
    queueRank: state.kind === 'queued' && state.for !== 'check' ? seen.rank() : null,
    seedingTime: Math.floor(totals.seeding(now) / 1000),
    seedGoals: row.goals ?? USUAL_GOALS,
    goalReached: state.kind === 'paused' ? row.reached : null,
    downLimit: row.limits?.down ?? null,
    upLimit: row.limits?.up ?? null,
    addedAt: row.addedAt,
    completedAt: live === null ? row.completedAt : live.recorder.completedAt,
    error: trouble(seen),
  }
}

function eta(left: Bytes, rate: number): number | null {
  return rate > 0 && left > 0 ? Math.ceil(left / rate) : null
}

function checkProgress(state: TorrentState): number | null {
  if (state.kind !== 'checking') return null
  return state.total === 0 ? 0 : state.done / state.total
}

function moveProgress(state: TorrentState): number | null {
  if (state.kind !== 'moving') return null
  return state.total === 0 ? 0 : Math.min(1, state.done / state.total)
}

function trouble({ state, storeTrouble, silent, row }: Seen): string | null {
  if (state.kind === 'blocked') return faultSentence(state.by)
  if (state.kind === 'paused' && row.fault !== null) return row.fault
  if (silent && state.kind !== 'paused') return faultSentence({ kind: 'volume', dir: row.dir, silent: true })
  return storeTrouble === null ? null : faultSentence({ kind: 'store', code: storeTrouble })
}
