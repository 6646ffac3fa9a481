/** The table of what the thread does for each method of the port. */
import type { TorrentId } from '../../shared/units.js'
import type { LabelsRow, Relocation, TrashRow } from '../ports/store.js'
import { setGoals, setRanks, setReached } from './goals.js'
import { setLimits } from './limits.js'
import { addJob, endJob, listJobs, relocate, setJob } from './jobs.js'
import { setLabels } from './labels.js'
import type { Answer, Args, Method, Request } from './protocol.js'
import {
  appendEvent,
  blocked,
  clearHave,
  eventsSince,
  getMeta,
  lastEvent,
  lastSeq,
  markWriting,
  readHave,
  recordRound,
  setMeta,
} from './records.js'
import type { Sql } from './sql.js'
import {
  addTorrent,
  changeTrackers,
  listTorrents,
  readMetainfo,
  removeTorrent,
  saveTotals,
  setDesired,
  setFault,
  setMetainfo,
  setWishes,
  verifyInfo,
} from './torrents.js'
import { endTrash, listTrash, setTrash } from './trash.js'

type Handlers = { readonly [M in Method]: (sql: Sql, ...args: Args<M>) => Answer<M> }

const HANDLERS: Handlers = {
  torrents: listTorrents,
  add: addTorrent,
  metainfo: readMetainfo,
  verifyInfo,
  setMetainfo,
  have: readHave,
  setDesired,
  setRanks,
  setGoals,
  setReached,
  setLimits,
  setFault,
  setWishes,
  changeTrackers,
  markWriting,
  recordRound,
  clearHave,
  saveTotals,
  remove: removeTorrent,
  appendEvent,
  eventsSince,
  lastEvent,
  blocked,
  lastSeq,
  getMeta,
  setMeta,
  jobs: listJobs,
  addJob,
  setJob,
  endJob,
  relocate,
  setLabels,
  trash: listTrash,
  setTrash,
  endTrash,
}

const READS: ReadonlySet<Method> = new Set<Method>([
  'torrents',
  'metainfo',
  'verifyInfo',
  'have',
  'eventsSince',
  'lastEvent',
  'blocked',
  'lastSeq',
  'getMeta',
  'jobs',
  'trash',
])

/** Writes that leave as it was what the copy of a torrent says. */
const QUIET: ReadonlySet<Method> = new Set<Method>([
  'setFault',
  'markWriting',
  'recordRound',
  'clearHave',
  'saveTotals',
  'remove',
  'appendEvent',
  'setMeta',
  'addJob',
  'setJob',
  'endJob',
])

/** Calls with a row for each torrent. */
const PER_TORRENT: ReadonlySet<Method> = new Set<Method>(['setLabels', 'setRanks', 'setLimits'])

/** Torrents whose copy is to be written anew after a call with this answer. */
export function torrentsTouched(request: Request, answer: unknown): TorrentId[] {
  if (!isWrite(request.method) || QUIET.has(request.method)) return []
  if (request.method === 'add') return [answer as TorrentId]
  const first: unknown = request.args[0]
  if (request.method === 'relocate') return [(first as Relocation).torrent]
  if (PER_TORRENT.has(request.method)) return (first as LabelsRow[]).map(({ torrent }) => torrent)
  if (request.method === 'setTrash') return [(first as TrashRow).torrent]
  if (Array.isArray(first)) return first as TorrentId[]
  return typeof first === 'number' ? [first as TorrentId] : []
}

export function isWrite(method: Method): boolean {
  return !READS.has(method)
}

export function perform<M extends Method>(sql: Sql, request: Request<M>): Answer<M> {
  const handler: Handlers[M] = HANDLERS[request.method]
  return handler(sql, ...request.args)
}
